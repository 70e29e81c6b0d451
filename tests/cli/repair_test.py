#!/usr/bin/env python3
"""What operators see of the work that nodes do in the background, and how they steer it.

    usage: repair_test.py BIN [TEST...]
"""
import json
import time
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

    def jobs(self):
        told = json.loads(self.tool("dyn-repair", "list", "--format", "json").stdout)
        return {job["job"]: job for job in told["jobs"]}

    def test_a_run_is_a_job_that_nodes_know(self):
        self.put(50, "job")
        done = self.tool("dyn-repair", "run", "--scope", "partition=3")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stderr.decode(), r"job ([0-9a-f]{8})\n.*job \1 is done: 6 of 6 ")
        told = self.json_of(0, "run", "--scope", "all")
        self.assertEqual((told["state"], told["scope"], told["failed"], told["dry_run"]),
                         ("done", "all", 0, False))
        self.assertEqual((told["pairs"], told["compared"]), (96, 96))
        self.assertEqual([node["node"] for node in told["nodes"]], ["n1", "n2", "n3", "n4"])
        self.assertEqual(self.jobs()[told["job"]]["state"], "done")
        lines = self.ok("dyn-repair", "show", told["job"][:7]).decode().splitlines()
        self.assertEqual(lines[0].split()[:4], ["NODE", "STATE", "PAIRS", "COMPARED"])
        self.assertEqual(len(lines), 5)
        self.ok("dyn-repair", "wait", told["job"])
        self.exits(1, "dyn-repair", "cancel", told["job"])

    def test_a_job_survives_restarts_and_is_steered(self):
        self.ok("dyn-cluster", "kill", "n4")
        try:
            told = self.tool("dyn-repair", "run", "--detach", "--scope", "node=n4")
            self.assertEqual(told.returncode, 7, "n4 has no share of it")
            job = told.stdout.decode().strip()
            self.assertRegex(job, "^[0-9a-f]{8}$")

            def only_n4_is_waited_for():
                waits = {node["waits_for"] for node in
                         json.loads(self.tool("dyn-repair", "show", job, "--format",
                                              "json").stdout)["nodes"]}
                return waits == {"n4"}
            self.eventually(only_n4_is_waited_for, "the others are compared")
            self.exits(7, "dyn-repair", "wait", job, "--wait", "100ms")
            self.exits(7, "dyn-repair", "pause", job)
            self.ok("dyn-cluster", "kill", "n1")
            self.ok("dyn-cluster", "restart", "n1")
        finally:
            self.ok("dyn-cluster", "restart", "n4")
        self.eventually(lambda: self.jobs()[job]["state"] == "paused", "all answer")
        self.assertEqual({node["state"] for node in self.jobs()[job]["nodes"]}, {"paused"})
        self.ok("dyn-repair", "resume", job)
        self.ok("dyn-repair", "wait", job)
        self.assertEqual(self.jobs()[job]["state"], "done")
        self.eventually(self.all_compared, "every pair compared")

    def test_a_job_keeps_to_its_terms_and_can_be_cancelled(self):
        job = self.ok("dyn-repair", "run", "--detach", "--window", self.other_hours(),
                      "--max-rate", "5", "--pause-if", "p99>10m").decode().strip()
        told = self.jobs()[job]
        self.assertEqual((told["state"], told["max_rate"], told["pause_if_us"]),
                         ("running", 5, 600_000_000))
        self.assertEqual({node["waits_for"] for node in told["nodes"]}, {"hours"})
        self.ok("dyn-repair", "cancel", job)
        self.assertEqual(self.jobs()[job]["state"], "cancelled")
        self.exits(1, "dyn-repair", "wait", job)

    @staticmethod
    def other_hours():
        """An hour of the day that is not now, nor soon."""
        hour = (time.localtime().tm_hour + 12) % 24
        return f"{hour:02}:00-{(hour + 1) % 24:02}:00"

    def test_what_makes_no_sense_is_refused(self):
        for words in (("throttle",), ("throttle", "fast"), ("throttle", "1"), ("throttle", "0"),
                      ("throttle", "4MiB", "--node", "n9"), ("hints",), ("hints", "keep"),
                      ("scrub", "--partition", "16"), ("scrub", "--node", "n9"),
                      ("scrub", "--pause-if", "p98>1s"), ("scrub", "--pause-if", "p99"),
                      ("scrub", "--window", "25:00-06:00"), ("scrub", "--window", "22:00"),
                      ("rebuild-tree", "--partition", "16"), ("status", "--node", "n9"),
                      ("run", "--scope", "range=5"), ("run", "--scope", "range=5..2"),
                      ("run", "--scope", "range=0..16"), ("show",), ("show", "nosuchjob"),
                      ("wait", "x", "--wait", "long"), ("cancel", ""),
                      ("run", "--detach", "--scope", "key=a"), ("run", "--detach", "--dry-run")):
            self.exits(2, "dyn-repair", *words)


if __name__ == "__main__":
    unittest.main()
