#!/usr/bin/env python3
"""What operators see of the work that nodes do in the background, and how they steer it.

    usage: repair_test.py BIN [TEST...]
"""
import json
import unittest

from harness import Tools


class Repair(Tools):
    # Four, so that one is there to keep hints when an owner is away.
    nodes = 4
    daemon_options = ("--partitions", "16", "--exchange-interval", "20ms",
                      "--exchange-pass", "5m", "--handback-interval", "100ms")

    def json_of(self, code, *words):
        return json.loads(self.exits(code, "dyn-repair", *words, "--format", "json"))

    def put(self, count, prefix):
        self.ok("dyn-put", "--batch", "-", stdin="".join(
            json.dumps({"key": f"{prefix}:{number}", "value": "v" * 50}) + "\n"
            for number in range(count)))

    def all_compared(self):
        told = self.tool("dyn-repair", "status", "--format", "json")
        if told.returncode != 0:
            return False
        return all(node["never"] == 0 for node in json.loads(told.stdout)["nodes"])

    def test_status_tells_the_age_of_every_comparison(self):
        self.eventually(self.all_compared, "every pair compared")
        told = self.json_of(0, "status", "--partitions")
        self.assertEqual((told["schema"], told["healthy"]), ("dyn.repair/1", True))
        self.assertEqual([node["node"] for node in told["nodes"]], ["n1", "n2", "n3", "n4"])
        self.assertEqual(sum(node["pairs"] for node in told["nodes"]), 16 * 3 * 2)
        self.assertEqual(len(told["pairs"]), 16 * 3 * 2)
        self.assertEqual({node["bound_ms"] for node in told["nodes"]}, {300000})
        self.assertTrue(all(pair["compared"] and pair["node"] != pair["with"]
                            for pair in told["pairs"]))
        ages = [pair["age_ms"] for pair in told["pairs"]]
        self.assertEqual(ages, sorted(ages, reverse=True))
        lines = self.ok("dyn-repair", "status").decode().splitlines()
        self.assertEqual(lines[0].split()[:5], ["NODE", "PAIRS", "NEVER", "LATE", "OLDEST"])
        self.assertEqual(len(lines), 5)
        one = self.json_of(0, "status", "--node", "n2")
        self.assertEqual([node["node"] for node in one["nodes"]], ["n2"])

    def test_status_says_so_when_a_node_does_not_answer(self):
        self.ok("dyn-cluster", "kill", "n4")
        try:
            told = self.json_of(7, "status")
            self.assertFalse(told["healthy"])
            self.assertEqual(len(told["nodes"]), 3)
        finally:
            self.ok("dyn-cluster", "restart", "n4")
            self.eventually(self.all_compared, "every pair compared")

    def test_the_pace_is_set_and_let_go(self):
        told = self.json_of(0, "throttle", "4MiB")
        self.assertEqual([(node["node"], node["pace"]["rate"], node["pace"]["fixed"])
                          for node in told["nodes"]],
                         [(f"n{number}", 4 << 20, True) for number in (1, 2, 3, 4)])
        self.json_of(0, "throttle", "64KiB/s", "--node", "n3")
        rates = {node["node"]: node["pace"]["rate"] for node in self.json_of(0, "status")["nodes"]}
        self.assertEqual(rates, {"n1": 4 << 20, "n2": 4 << 20, "n3": 64 << 10, "n4": 4 << 20})
        told = self.json_of(0, "throttle", "auto")
        self.assertFalse(any(node["pace"]["fixed"] for node in told["nodes"]))

    def test_hints_are_listed_and_flushed(self):
        self.ok("dyn-cluster", "kill", "n4")
        try:
            self.put(60, "hinted")
            listed = []

            def some_are_held():
                listed[:] = json.loads(self.tool("dyn-repair", "hints", "list", "--format",
                                                 "json").stdout)["hints"]
                return listed
            self.eventually(some_are_held, "hints are held")
            self.assertEqual({row["for"] for row in listed}, {"n4"})
            self.assertTrue(all(row["octets"] > 0 and row["oldest_ms"] > 1_600_000_000_000 and
                                row["damaged"] == 0 for row in listed), listed)
            holder = listed[0]["node"]
            done = self.tool("dyn-repair", "hints", "flush", "--wait", "1s", "--node", holder)
            self.assertEqual(done.returncode, 1, done.stderr)
            self.assertIn(b"are held still", done.stderr)
        finally:
            self.ok("dyn-cluster", "restart", "n4")
        self.ok("dyn-repair", "hints", "flush")
        self.assertEqual(self.json_of(0, "hints", "list")["hints"], [])
        self.eventually(self.all_compared, "every pair compared")

    def test_everything_that_is_stored_is_read(self):
        self.put(300, "scrubbed")

        def all_copies_are_there():
            return self.json_of(0, "scrub")["records"] % 3 == 0
        self.eventually(all_copies_are_there, "three copies of each")
        told = self.json_of(0, "scrub")
        self.assertGreaterEqual(told["records"], 900)
        self.assertEqual((told["damaged"], told["failed"]), (0, 0))
        nodes = [self.json_of(0, "scrub", "--node", f"n{number}")["records"]
                 for number in (1, 2, 3, 4)]
        self.assertEqual(sum(nodes), told["records"])
        parts = [self.json_of(0, "scrub", "--partition", str(number))["records"]
                 for number in range(16)]
        self.assertEqual(sum(parts), told["records"])
        self.json_of(0, "scrub", "--max-rate", "100000", "--pause-if", "p99>10m")

    def test_trees_are_what_the_records_make(self):
        self.put(50, "tree")
        told = self.json_of(0, "rebuild-tree", "--check")
        self.assertEqual((told["trees"], told["wrong"]), (48, 0))
        told = self.json_of(0, "rebuild-tree", "--node", "n1")
        self.assertGreater(told["trees"], 0)
        told = self.json_of(0, "rebuild-tree", "--check", "--partition", "3")
        self.assertEqual(told["trees"], 3)

    def test_a_range_of_partitions_is_mended(self):
        self.ok("dyn-repair", "run", "--scope", "range=0..15", "--pause-if", "p99>10m")
        self.ok("dyn-repair", "run", "--scope", "range=3..3", "--window", "00:00-23:59")

    def test_what_makes_no_sense_is_refused(self):
        for words in (("throttle",), ("throttle", "fast"), ("throttle", "1"), ("throttle", "0"),
                      ("throttle", "4MiB", "--node", "n9"), ("hints",), ("hints", "keep"),
                      ("scrub", "--partition", "16"), ("scrub", "--node", "n9"),
                      ("scrub", "--pause-if", "p98>1s"), ("scrub", "--pause-if", "p99"),
                      ("scrub", "--window", "25:00-06:00"), ("scrub", "--window", "22:00"),
                      ("rebuild-tree", "--partition", "16"), ("status", "--node", "n9"),
                      ("run", "--scope", "range=5"), ("run", "--scope", "range=5..2"),
                      ("run", "--scope", "range=0..16")):
            self.exits(2, "dyn-repair", *words)


if __name__ == "__main__":
    unittest.main()
