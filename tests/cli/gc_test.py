#!/usr/bin/env python3
"""Deletes are forgotten when an operator asks for it, and he is told why they are not: real daemons.

    usage: gc_test.py BIN [TEST...]
"""
import json
import unittest

from harness import Tools

KEYS = 30


class Forgetting(Tools):
    # By themselves the nodes take a step towards it once in an hour.
    daemon_options = ("--partitions", "16", "--exchange-interval", "20ms",
                      "--handback-interval", "100ms", "--purge-interval", "1h")

    def gc(self, code, *words):
        told = json.loads(self.exits(code, "dyn-repair", "gc", *words, "--format", "json"))
        self.assertEqual(told["schema"], "dyn.repair/1")
        return {node["node"]: node for node in told["nodes"]}

    def delete(self, prefix):
        keys = {f"{prefix}:{number}" for number in range(KEYS)}
        self.ok("dyn-put", "--batch", "-", stdin="".join(
            json.dumps({"key": key, "value": "v"}) + "\n" for key in sorted(keys)))
        self.ok("dyn-del", *sorted(keys))
        return keys

    def tombstones(self):
        return set(self.ok("dyn-keys", "--tombstones").decode().split())

    def held(self, key):
        """Who holds anything of the key."""
        told = json.loads(self.tool("dyn-get", "--replicas", key, "--format", "json").stdout)
        return [copy for copy in told["replicas"] if copy.get("versions")]

    def test_deleted_keys_go_from_all_nodes(self):
        self.ok("dyn-put", "kept", "v")
        keys = self.delete("gone")
        self.eventually(lambda: self.tool("dyn-repair", "run", "--dry-run").returncode == 0,
                        "the same everywhere")
        self.assertEqual(self.tombstones(), keys)
        before = self.gc(1, "--dry-run")
        self.assertEqual(set(before), {"n1", "n2", "n3"})
        for node in before.values():
            self.assertEqual((node["answers"], node["kept"], node["due"], node["waits"]),
                             (True, KEYS, 0, []))
            self.assertEqual(node["needed"], node["fence"] + 4)
            self.assertGreater(node["next_ms"], 0)
        self.assertEqual(self.gc(1, "--dry-run")["n1"]["fence"], before["n1"]["fence"])
        self.assertEqual(set(self.gc(1, "--dry-run", "--node", "n2")), {"n2"})
        self.assertEqual(self.tombstones(), keys)

        after = self.gc(0, "--wait", "100s")
        for name, node in after.items():
            self.assertEqual((node["kept"], node["reduced"], node["waits"]), (0, KEYS, []))
            self.assertGreaterEqual(node["fence"], before[name]["needed"])
        self.assertEqual(self.tombstones(), set())
        for key in sorted(keys)[:5]:
            self.assertEqual(self.held(key), [])
        self.assertEqual(self.ok("dyn-get", "kept"), b"v")
        done = self.tool("dyn-repair", "gc", "--dry-run")
        self.assertEqual((done.returncode, done.stderr), (0, b"dyn-repair: nothing is kept\n"))
        self.assertEqual(done.stdout.decode().splitlines()[0].split()[:4],
                         ["NODE", "FENCE", "NEEDED", "KEPT"])

    def test_one_node_is_waited_for_alone(self):
        self.delete("alone")
        after = self.gc(0, "--node", "n2", "--wait", "100s")
        self.assertEqual(set(after), {"n2"})
        self.assertEqual(after["n2"]["kept"], 0)

    def test_a_node_that_is_away_is_named(self):
        self.ok("dyn-cluster", "kill", "n3")
        try:
            keys = self.delete("held")

            def all_is_named():
                told = self.gc(1, "--dry-run")
                self.assertEqual((told["n3"]["answers"], "kept" in told["n3"]), (False, False))
                named = {(wait["reason"], wait.get("node"))
                         for name in ("n1", "n2") for wait in told[name]["waits"]}
                return {("silent", "n3"), ("hints", "n3")} <= named
            self.eventually(all_is_named, "it is told what is waited for")
            done = self.tool("dyn-repair", "gc", "--wait", "100s", timeout=90)
            self.assertEqual(done.returncode, 1, done.stderr)
            lines = [line.split(maxsplit=6) for line in done.stdout.decode().splitlines()[1:]]
            self.assertEqual(lines[2][6], "it does not answer")
            self.assertIn("n3 has been silent for", lines[0][6])
            self.assertIn(b"records are kept", done.stderr)
            self.assertLessEqual(keys, self.tombstones())
        finally:
            self.ok("dyn-cluster", "restart", "n3")
        self.gc(0, "--wait", "100s")
        self.assertEqual(self.tombstones(), set())

    def test_what_makes_no_sense_is_refused(self):
        for words in (("--node", "n9"), ("--dry-run", "--node", "n9"),
                      ("--dry-run", "--wait", "1s"), ("--wait", "soon"), ("now",)):
            self.exits(2, "dyn-repair", "gc", *words)


if __name__ == "__main__":
    unittest.main()
