#!/usr/bin/python3
"""Holds man/dynamo-wire.7 to the code: both list the same operations, fields, errors and limits.

    usage: wire_page_test.py WIRE_LIST PAGE [unittest options]

WIRE_LIST is the program that prints what the code knows (wire_list.cc).
"""
import re
import subprocess
import sys
import unittest

import msgpack

WIRE_LIST, PAGE = (sys.argv.pop(1), sys.argv.pop(1)) if len(sys.argv) > 2 else sys.exit(__doc__)
PLAIN_TYPES = {"bin", "str", "uint", "int", "bool", "float"}
# Octets, or a number, or nothing: what a field's default looks like in the code.
NOTHING = {"empty": "empty", "false": "false", "0": "0", "0.000000": "0"}


class Code:
    """What wire_list prints."""

    def __init__(self):
        self.operations, self.fields, self.errors, self.limits, self.frames = [], {}, {}, {}, {}
        lines = subprocess.run([WIRE_LIST], check=True, capture_output=True, text=True).stdout
        for line in lines.splitlines():
            what, *rest = line.split()
            if what == "operation":
                self.operations.append(rest[0])
            elif what == "field":
                op, side, name, kind, default = rest
                self.fields[op, side, name] = (kind, NOTHING.get(default, default))
            elif what == "error":
                self.errors[int(rest[0])] = (rest[1], rest[2])
            elif what == "limit":
                self.limits[rest[0]] = int(rest[1])
            elif what == "frame":
                self.frames[rest[0]] = bytes.fromhex(rest[1])
            else:
                raise ValueError(line)


class Page:
    """What the page's lists say."""

    FIELD = re.compile(r"\.It Va (\w+) Vt (array of )?(\w+)(?: No (?:(required)|= (\w+)))?$")
    ERROR = re.compile(r"\.It (\d+) Ta Er (\w+) Ta (yes|no) Ta (no, maybe|no|maybe) Ta$")
    LIMIT = re.compile(r"\.It Va (\w+) Ta (\d+) Ta$")
    OCTETS = re.compile(r"(\w+)? +((?:[0-9a-f]{2} ?)+?)(?:  .*)?$")

    def __init__(self, text):
        self.operations, self.lists, self.errors, self.limits = [], {}, {}, {}
        self.octets = []
        section = subsection = listed = None
        for line in text.splitlines():
            if line.startswith(".Sh "):
                section, subsection, listed = line[4:], None, None
            elif line.startswith(".Ss "):
                subsection, listed = line[4:], None
                if section == "OPERATIONS":
                    self.operations.append(subsection)
            elif match := re.match(r"\.Em (Map (\w+)|Request|Reply|Meta of a (\w+))$", line):
                listed = match[2] or (("meta", match[3]) if match[3] else
                                      (subsection, match[1].lower()))
                if listed in self.lists:
                    raise ValueError(f"listed twice: {line}")
                self.lists[listed] = []
            elif line == ".El":
                listed = None
            elif match := self.ERROR.match(line):
                self.errors[int(match[1])] = (match[2], match[3])
            elif section == "LIMITS" and (match := self.LIMIT.match(line)):
                self.limits[match[1]] = int(match[2])
            elif section == "EXAMPLES" and (match := self.OCTETS.match(line)):
                if match[1]:
                    self.octets.append((match[1], b""))
                name, before = self.octets.pop()
                self.octets.append((name, before + bytes.fromhex(match[2])))
            elif line.startswith(".It Va ") and section != "LIMITS":
                match = self.FIELD.match(line)
                if not match or listed is None:
                    raise ValueError(f"no field of a list: {line}")
                default = "required" if match[4] else match[5]
                self.lists[listed].append((match[1], bool(match[2]), match[3], default))

    def fields(self):
        """Every field by operation, side and path, maps within maps unfolded."""
        self.used = set()
        found = {}
        for listed, rows in self.lists.items():
            if isinstance(listed, tuple) and listed[0] != "meta":
                self.unfold(rows, listed, "", found)
        self.unfold(self.lists["error"], ("error", "reply"), "", found)
        self.used.add("error")
        return found

    def unfold(self, rows, owner, prefix, found):
        for name, many, kind, default in rows:
            plain = kind if kind in PLAIN_TYPES else "map"
            found[(*owner, prefix + name)] = ("array-of-" + plain if many else plain, default)
            if plain == "map":
                self.used.add(kind)
                self.unfold(self.lists[kind], owner, prefix + name + ("[]." if many else "."),
                            found)


class ThePage(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.code = Code()
        with open(PAGE, encoding="utf-8") as page:
            cls.page = Page(page.read())

    def test_has_every_operation(self):
        self.assertEqual(sorted(self.page.operations), sorted(self.code.operations))

    def test_has_every_field_with_its_type(self):
        types = {field: kind for field, (kind, _) in self.code.fields.items()}
        self.assertEqual({field: kind for field, (kind, _) in self.page.fields().items()}, types)

    def test_has_the_default_of_every_field_of_a_request(self):
        for field, (_, default) in self.page.fields().items():
            with self.subTest(field):
                if field[1] == "reply":
                    self.assertIsNone(default)
                elif default == "required":
                    self.assertEqual(self.code.fields[field][1], "empty")
                else:
                    self.assertEqual(default, self.code.fields[field][1])

    def test_has_no_map_that_nothing_holds(self):
        self.page.fields()
        maps = {listed for listed in self.page.lists if isinstance(listed, str)}
        self.assertEqual(maps, self.page.used)

    def test_has_every_error(self):
        self.assertEqual(self.page.errors,
                         {number: row for number, row in self.code.errors.items() if number != 0})

    def test_has_every_limit(self):
        self.assertEqual(self.page.limits, self.code.limits)

    def test_has_all_that_a_header_holds(self):
        for side, frame in (("request", "full-request-header"), ("reply", "put-reply-header")):
            _, _, _, meta = msgpack.unpackb(self.code.frames[frame])
            listed = {name: kind for name, _, kind, _ in self.page.lists["meta", side]}
            kinds = {name: "bin" if isinstance(value, bytes) else "uint"
                     for name, value in meta.items()}
            self.assertEqual(listed, kinds)

    def test_has_an_example_that_the_code_writes(self):
        # When a field was added, wire_list prints the frames anew.
        frames = self.code.frames
        self.assertEqual(self.page.octets, [
            ("magic", b"DYN1"), ("header", frames["put-request-header"]),
            ("body", frames["put-request-body"]),
            ("magic", b"DYN1"), ("header", frames["put-reply-header"]),
            ("body", frames["put-reply-body"])])


if __name__ == "__main__":
    unittest.main()
