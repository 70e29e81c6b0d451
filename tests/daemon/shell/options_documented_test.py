#!/usr/bin/python3
"""The options of dynamod are those of its manual pages, in the same order.

Usage: options_documented_test.py DYNAMOD MAN-FOLDER
"""

import os
import re
import subprocess
import sys
import tempfile
import unittest

DYNAMOD, MAN = None, None


def read(name):
    with open(os.path.join(MAN, name), encoding="utf-8") as page:
        return page.read()


def help_options():
    text = subprocess.run([DYNAMOD, "--help"], capture_output=True, check=True, text=True).stdout
    return re.findall(r"^  --([a-z0-9-]+)(?: (\S+))?", text, re.MULTILINE)


class Documented(unittest.TestCase):
    def test_dynamod_8_lists_the_options_of_help(self):
        page = re.findall(r"^\.It Fl -([a-z0-9-]+)(?: Ar (\S+))?$", read("dynamod.8"), re.MULTILINE)
        self.assertEqual(page, help_options())
        self.assertGreater(len(page), 25)

    def test_dynamod_8_has_the_groups_of_help(self):
        text = subprocess.run([DYNAMOD, "--help"], capture_output=True, check=True,
                              text=True).stdout
        groups = re.findall(r"^(\S.*):\n  --", text, re.MULTILINE)
        for group in groups:
            self.assertIn(f".Ss {group}\n", read("dynamod.8"))

    def test_dynamod_conf_5_lists_the_options_that_are_no_commands(self):
        page = re.findall(r"^\.It Ic ([a-z0-9-]+)", read("dynamod.conf.5"), re.MULTILINE)
        commands = {"config", "check-config", "help", "version"}
        self.assertEqual(page, [name for name, _ in help_options() if name not in commands])

    def test_defaults_are_the_same_everywhere(self):
        text = subprocess.run([DYNAMOD, "--check-config", "--data-dir", "/x", "--name", "n"],
                              capture_output=True, check=True, text=True).stdout
        in_force = dict(re.findall(r"^([a-z0-9-]+) = (.*)$", text, re.MULTILINE))
        units = {"KiB": 1 << 10, "MiB": 1 << 20, "h": 3600000, "s": 1000, "ms": 1}
        for key, kind, default in re.findall(r"^\.It Ic (\S+) Ta (.*) Ta (.*)$",
                                             read("dynamod.conf.5"), re.MULTILINE):
            value = in_force.get(key, "none")
            shown = default.removeprefix("Qq ")
            if kind in ("size", "time"):
                number, unit = re.fullmatch(r"(\d+)([A-Za-z]+)", shown).groups()
                value = value.strip('"').removesuffix("ms")
                self.assertEqual(int(value), int(number) * units[unit], key)
            elif default.startswith("Qq ") or default in ("none", "false") or shown.isdigit():
                self.assertEqual(value.strip('"'), shown, key)

    def test_the_example_of_dynamod_conf_5_is_good(self):
        example = re.search(r"\.Bd -literal.*?\n(.*?)\.Ed", read("dynamod.conf.5"), re.DOTALL)
        with tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
            file.write(example.group(1))
            file.flush()
            subprocess.run([DYNAMOD, "--config", file.name, "--check-config"], check=True,
                           capture_output=True)

    def test_the_pages_are_clean_mdoc(self):
        for name in ("dynamod.8", "dynamod.conf.5"):
            done = subprocess.run(["mandoc", "-T", "lint", "-W", "warning",
                                   os.path.join(MAN, name)], capture_output=True, check=False,
                                  text=True)
            self.assertEqual((done.returncode, done.stdout), (0, ""))


if __name__ == "__main__":
    MAN = sys.argv.pop(2)
    DYNAMOD = os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=2)
