#!/usr/bin/env python3
"""Finding and mending what replicas hold differently, by hand: real daemons, none mends by itself.

    usage: diff_test.py BIN [TEST...]
"""
import json
import pathlib
import shutil
import unittest

from harness import Tools

KEYS = 400


class Differences(Tools):
    # Nobody compares by himself, so what differs stays.
    daemon_options = ("--exchange-interval", "24h", "--exchange-pass", "8760h")

    def put(self, pairs):
        self.ok("dyn-put", "--batch", "-", stdin="".join(
            json.dumps({"key": key, "value": value}) + "\n" for key, value in pairs))

    def data_of(self, name):
        found = [path for path in pathlib.Path(self.directory).glob("**/identity")
                 if name in path.parts]
        self.assertEqual(len(found), 1, found)
        return found[0].parent

    def whole(self):
        """Waits until all three hold the same."""
        self.eventually(lambda: self.tool("dyn-repair", "run").returncode == 0,
                        "the same everywhere")
        self.assertEqual(self.diff(0, "n1", "n3"), "")

    def setUp(self):
        """n3 comes back with what it held before the last writes, as from a backup."""
        self.put((f"base:{number}", f"old {number}") for number in range(KEYS))
        self.whole()
        self.ok("dyn-cluster", "kill", "n3")
        data = self.data_of("n3")
        backup = f"{self.scratch}/backup"
        shutil.copytree(data, backup)
        self.addCleanup(shutil.rmtree, backup, ignore_errors=True)
        self.ok("dyn-cluster", "restart", "n3")
        self.written = {f"new:{self.id()}:{number}" for number in range(8)}
        self.changed = {f"base:{number}" for number in range(5)}
        self.deleted = {f"base:{number}" for number in range(5, 8)}
        self.put((key, "new") for key in sorted(self.written))
        for key in sorted(self.changed):
            self.ok("dyn-put", key, f"newer {self.id()}")
        for key in sorted(self.deleted):
            self.ok("dyn-del", key)
        self.whole()
        self.ok("dyn-cluster", "kill", "n3")
        shutil.rmtree(data)
        shutil.copytree(backup, data)
        self.ok("dyn-cluster", "restart", "n3")
        self.all_of_them = self.written | self.changed | self.deleted

    def diff(self, code, *words):
        return self.exits(code, "dyn-merkle-diff", *words).decode()

    def test_are_named_key_by_key(self):
        lines = [line.split() for line in self.diff(1, "n1", "n3").splitlines()]
        self.assertEqual({line[1] for line in lines}, self.all_of_them)
        self.assertEqual(len(lines), len(self.all_of_them))
        self.assertEqual({line[1] for line in lines if line[0] == "<"}, self.written)
        self.assertEqual({line[1] for line in lines if line[0] == "+"},
                         self.changed | self.deleted)
        back = [line.split() for line in self.diff(1, "n3", "n1").splitlines()]
        self.assertEqual({line[1] for line in back if line[0] == ">"}, self.written)
        self.assertEqual({line[1] for line in back if line[0] == "-"},
                         self.changed | self.deleted)
        self.assertEqual(self.diff(0, "n1", "n2"), "")
        self.assertEqual(self.diff(0, "n1", "n2", "--verify-tree"), "")

        rows = [json.loads(line)
                for line in self.diff(1, "n1", "n3", "--values", "--format", "json").splitlines()]
        total = rows.pop()
        self.assertEqual((total["schema"], total["keys"]),
                         ("dyn.merkle.diff/1", len(self.all_of_them)))
        self.assertGreater(total["octets_exchanged"], 0)
        self.assertLessEqual(total["leaves_different"], len(self.all_of_them))
        by_key = {row["key"]: row for row in rows}
        deleted = by_key[min(self.deleted)]
        self.assertEqual(deleted["held_by_first"][0]["value"], None)
        self.assertTrue(deleted["held_by_first"][0]["tombstone"])
        self.assertTrue(deleted["held_by_second"][0]["value"].startswith(("old", "newer")))

        only = self.diff(1, "n1", "n3", "--prefix", "new:", "--keys").split()
        self.assertEqual(set(only), self.written)
        some = by_key[min(self.written)]["partition"]
        here = self.diff(1, "n1", "--all-replicas", "--partition", str(some), "--keys").split()
        self.assertEqual(set(here), {row["key"] for row in rows if row["partition"] == some})
        summary = self.diff(1, "n1", "n3", "--summary", "--format", "tsv").splitlines()
        self.assertEqual(sum(int(row.split("\t")[1]) for row in summary), len(self.all_of_them))
        self.assertEqual(sorted(self.diff(1, "n1", "n3", "--keys", "-0").split("\0")),
                         sorted(self.all_of_them | {""}))

    def test_in_a_pipe_are_mended(self):
        done = self.shell("set -o pipefail; dyn-merkle-diff n1 n3 --keys -0 | "
                          "dyn-repair run --keys-from - -0")
        self.assertEqual(done.returncode, 1, done.stderr)  # the left end: they did differ
        self.assertIn(f"{len(self.all_of_them)} mended, 0 failed".encode(), done.stderr)
        for one, other in (("n1", "n3"), ("n2", "n3"), ("n1", "n2")):
            self.assertEqual(self.diff(0, one, other), "")
        for key in self.deleted:
            self.exits(1, "dyn-get", key)

    def test_are_found_and_mended_by_scope(self):
        dry = self.exits(1, "dyn-repair", "run", "--dry-run").decode().split()
        self.assertEqual(set(dry), self.all_of_them)
        self.assertEqual(set(self.diff(1, "n2", "n3", "--keys").split()), self.all_of_them)
        key = min(self.changed)
        self.ok("dyn-repair", "run", "--scope", f"key={key}")
        left = self.all_of_them - {key}
        self.assertEqual(set(self.diff(1, "n1", "n3", "--keys").split()), left)
        self.ok("dyn-repair", "run", "--scope", "prefix=new:", "--max-rate", "1000")
        left -= self.written
        self.assertEqual(set(self.diff(1, "n1", "n3", "--keys").split()), left)
        told = json.loads(self.ok("dyn-repair", "run", "--scope", "node=n3", "--format", "json"))
        self.assertEqual((told["different"], told["failed"]), (len(left), 0))
        self.assertEqual(self.diff(0, "n3", "--all-replicas"), "")
        self.assertEqual(self.exits(0, "dyn-repair", "run", "--dry-run"), b"")
        for key in self.deleted:
            self.exits(1, "dyn-get", key)

    def test_are_not_looked_for_where_that_makes_no_sense(self):
        for words in (("n1",), ("n1", "n1"), ("n1", "n9"), ("n1", "n2", "--all-replicas"),
                      ("n1", "n2", "--partition", "9999"), ("n1", "n2", "--keys", "--values")):
            self.exits(2, "dyn-merkle-diff", *words)
        for words in (("--scope", "some"), ("--scope", "partition=x"), ("--scope", "node=n9"),
                      ("--scope", "key="), ("--scope", "all", "--keys-from", "-")):
            self.exits(2, "dyn-repair", "run", *words)
        self.ok("dyn-cluster", "kill", "n3")
        try:
            self.exits(5, "dyn-merkle-diff", "n1", "n3")
            done = self.tool("dyn-repair", "run", "--keys-from", "-", stdin="base:1\n\n")
            self.assertEqual(done.returncode, 7, done.stderr)
            self.assertIn(b"0 mended, 2 failed", done.stderr)
        finally:
            self.ok("dyn-cluster", "restart", "n3")


if __name__ == "__main__":
    unittest.main()
