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
        # What n1 and n2 both gave n3 counts twice, and so does what they took.
        self.assertGreaterEqual(told["different"], len(left))
        self.assertEqual((told["state"], told["failed"]), ("done", 0))
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


class SavedTrees(Tools):
    """What a node holds differently than when its trees were saved."""
    daemon_options = ("--partitions", "16", "--purge-interval", "1h")

    def put(self, keys, value):
        self.ok("dyn-put", "--batch", "-", stdin="".join(
            json.dumps({"key": key, "value": value}) + "\n" for key in sorted(keys)))
        self.whole()

    def whole(self):
        self.eventually(lambda: self.tool("dyn-repair", "run", "--dry-run").returncode == 0,
                        "the same everywhere")

    def diff(self, code, *words):
        return self.exits(code, "dyn-merkle-diff", *words).decode()

    def save(self, name, *words):
        path = f"{self.scratch}/{name}"
        told = json.loads(self.diff(0, "n1", "--save", path, *words, "--format", "json"))
        return path, told

    def setUp(self):
        self.kept = {f"base:{number}" for number in range(KEYS)}
        self.put(self.kept, f"of {self.id()}")

    def test_name_the_keys_under_leaves_that_differ(self):
        path, told = self.save("n1.tree")
        self.assertEqual((told["node"], told["copies"]), ("n1", 16))
        self.assertGreater(told["leaves"], 100)
        self.assertEqual(self.diff(0, f"@{path}"), "")
        for node in ("n1", "n2", "n3"):
            self.assertEqual(self.diff(0, f"@{path}", node, "--verify-tree"), "")

        changed = {f"base:{number}" for number in range(5)}
        new = {f"new:{number}" for number in range(4)}
        self.put(changed | new, "newer")
        deleted = {"base:77"}
        self.ok("dyn-del", *deleted)
        self.whole()
        rows = [json.loads(line)
                for line in self.diff(1, f"@{path}", "--format", "json").splitlines()]
        total = rows.pop()
        named = {row["key"] for row in rows}
        self.assertLessEqual(changed | new | deleted, named)
        self.assertLess(len(named), len(self.kept))
        self.assertEqual({row["kind"] for row in rows}, {"under_changed_leaf"})
        self.assertEqual({(row["first"], row["second"]) for row in rows}, {(path, "n1")})
        self.assertEqual((total["keys"], total["copies"], total["saved_of"]),
                         (len(named), 16, "n1"))
        self.assertLessEqual(total["leaves_different"], 10)
        self.assertEqual(total["leaves_empty"], 0)
        lines = self.diff(1, "n2", f"@{path}").splitlines()
        self.assertEqual({line.split()[1] for line in lines}, named)
        self.assertEqual({line.split()[0] for line in lines}, {"?"})
        self.assertEqual(set(self.diff(1, f"@{path}", "--keys", "-0").split("\0")), named | {""})
        summary = [row.split("\t") for row in
                   self.diff(1, f"@{path}", "--summary", "--format", "tsv").splitlines()]
        self.assertEqual(sum(int(row[-1]) for row in summary), len(named))
        one = rows[0]["partition"]
        here = self.diff(1, f"@{path}", "--partition", str(one), "--keys").split()
        self.assertEqual(set(here), {row["key"] for row in rows if row["partition"] == one})
        done = self.tool("dyn-merkle-diff", "-", stdin=pathlib.Path(path).read_bytes())
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn(f"n1 holds {len(named)} keys under them".encode(), done.stderr)

    def test_tell_of_a_leaf_under_which_nothing_is_left(self):
        path, _ = self.save("emptied.tree")
        self.ok("dyn-del", *sorted(self.kept))
        self.ok("dyn-repair", "gc", "--wait", "100s")
        rows = [json.loads(line)
                for line in self.diff(1, f"@{path}", "--format", "json").splitlines()]
        total = rows.pop()
        # What another test has written may lie under the same leaves.
        self.assertTrue(all(row["key"].startswith("new:") for row in rows), rows)
        self.assertGreaterEqual(total["leaves_empty"], total["leaves_different"] - len(rows))
        self.assertGreater(total["leaves_empty"], 100)

    def test_of_one_partition_or_through_a_pipe(self):
        path, told = self.save("one.tree", "--partition", "3", "--verify-tree")
        self.assertEqual(told["copies"], 1)
        total = json.loads(self.diff(0, f"@{path}", "--format", "json"))
        self.assertEqual(total["copies"], 1)
        self.exits(2, "dyn-merkle-diff", f"@{path}", "--partition", "4")
        done = self.shell(f"dyn-merkle-diff @<(cat {path}) n2")
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_that_are_damaged_or_of_something_else_are_refused(self):
        path, _ = self.save("whole.tree")
        whole = pathlib.Path(path).read_bytes()
        for place in (20, len(whole) // 2, len(whole) - 5):
            damaged = bytearray(whole)
            damaged[place] ^= 1
            pathlib.Path(f"{path}.damaged").write_bytes(damaged)
            done = self.tool("dyn-merkle-diff", f"@{path}.damaged")
            self.assertEqual((done.returncode, done.stdout), (8, b""), done.stderr)
            self.assertIn(b"saved tree", done.stderr)
        pathlib.Path(f"{path}.cut").write_bytes(whole[:-100])
        done = self.tool("dyn-merkle-diff", f"@{path}.cut")
        self.assertEqual(done.returncode, 8, done.stderr)
        self.assertIn(b"cut off", done.stderr)
        for words in ((f"@{path}", f"@{path}"), (f"@{path}", "n9"), (f"@{path}", "--values"),
                      (f"@{path}", "--prefix", "base:"), (f"@{path}", "--all-replicas"),
                      (f"@{path}", "--partition", "16"), (f"@{path}.none",),
                      ("n1", "n2", "--save", f"{path}.new"), ("n9", "--save", f"{path}.new"),
                      ("n1", "--save", f"{path}.new", "--partition", "16"),
                      ("n1", "--save", f"{path}.new", "--keys"),
                      ("n1", "--save", f"{self.scratch}/none/n1.tree")):
            self.exits(2, "dyn-merkle-diff", *words)
        self.assertFalse(pathlib.Path(f"{path}.new").exists())

    def test_of_another_cluster_are_refused(self):
        path, _ = self.save("ours.tree")
        port = self.base + 10 * self.nodes
        done = self.shell(f"""
            unset DYN_SEEDS
            export DYN_CLUSTER_DIR={self.scratch}/other
            trap 'dyn-cluster clean >/dev/null' EXIT
            dyn-cluster start --nodes 1 --base-port {port} --wait 60s \
                -- --partitions 16 >/dev/null || exit 99
            dyn-merkle-diff @{path} n1 --seed 127.0.0.1:{port}""")
        self.assertEqual(done.returncode, 6, done.stderr)
        self.assertIn(b"another cluster", done.stderr)


if __name__ == "__main__":
    unittest.main()
