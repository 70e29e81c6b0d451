#!/usr/bin/env python3
"""dyn-ring's pictures, lists and times against a cluster of real daemons.

    usage: ring_test.py BIN [TEST...]
"""
import hashlib
import json
import pathlib
import subprocess
import unittest
import xml.etree.ElementTree

from harness import Tools

SVG = "{http://www.w3.org/2000/svg}"


class Rings(Tools):
    nodes = 3

    def ring(self, *words):
        return json.loads(self.ok("dyn-ring", *words, "--format", "json"))

    def test_the_map_is_what_every_other_command_says(self):
        ring = self.ring("show")
        self.assertEqual(ring["schema"], "dyn.ring/1")
        self.assertEqual(len(ring["owners"]), ring["partitions"])
        self.assertEqual([node["name"] for node in ring["nodes"]], ["n1", "n2", "n3"])
        self.assertAlmostEqual(sum(node["share"] for node in ring["nodes"]), 1)
        place = self.ring("where", "cart:7")
        self.assertEqual(ring["owners"][place["partition"]],
                         [node["name"] for node in place["nodes"]])

        text = self.ok("dyn-ring", "show").decode()
        self.assertNotIn("\x1b", text)
        self.assertLessEqual(max(len(line) for line in text.splitlines()), 80)
        first = text.splitlines()[1].split(None, 2)[2].replace(" ", "")
        names = {"a": "n1", "b": "n2", "c": "n3"}
        self.assertEqual([names[letter] for letter in first],
                         [owners[0] for owners in ring["owners"][:64]])

        rows = [line.split("\t")
                for line in self.ok("dyn-ring", "show", "--format", "tsv").decode().splitlines()]
        self.assertEqual([row[1].split(",") for row in rows], ring["owners"])

    def test_a_partition_has_its_span_its_owners_and_who_stands_in(self):
        digest = hashlib.md5(b"cart:7").hexdigest()
        partition = self.ring("where", "cart:7")["partition"]
        shown = self.ring("show", "--partition", str(partition))
        self.assertLessEqual(shown["first_position"], digest)
        self.assertGreaterEqual(shown["last_position"], digest)
        self.assertEqual(len(shown["nodes"]), 3)
        self.assertEqual(shown["fallbacks"], [])
        self.assertIn(f"from {shown['first_position']}".encode(),
                      self.ok("dyn-ring", "show", "--partition", str(partition)))
        self.exits(2, "dyn-ring", "show", "--partition", str(shown["partitions"]))

    def test_a_node_has_its_partitions_by_rank(self):
        ring = self.ring("show")
        shown = self.ring("show", "--node", "n2")
        for rank, partitions in enumerate(shown["ranks"]):
            self.assertEqual(partitions, [number for number, owners in enumerate(ring["owners"])
                                          if owners[rank] == "n2"])
        self.assertIn(b"NODE n2", self.ok("dyn-ring", "show", "--node", "n2"))
        self.exits(2, "dyn-ring", "show", "--node", "n9")

    def test_the_picture_is_well_formed_and_tells_in_words_what_it_shows(self):
        self.ok("dyn-ring", "show", "--svg", "ring.svg")
        root = xml.etree.ElementTree.parse(pathlib.Path(self.scratch) / "ring.svg").getroot()
        self.assertEqual((root.tag, root.get("role")), (f"{SVG}svg", "img"))
        labels = root.get("aria-labelledby").split()
        self.assertEqual([root.find(f".//*[@id='{label}']").tag for label in labels],
                         [f"{SVG}title", f"{SVG}desc"])
        ring = self.ring("show")
        arcs = root.findall(f".//{SVG}path")
        self.assertEqual(len(arcs), 3 * ring["partitions"])
        self.assertEqual(arcs[0].find(f"{SVG}title").text,
                         f"partition 0, rank 1: {ring['owners'][0][0]}")
        words = {text.text for text in root.iter(f"{SVG}text")}
        self.assertLessEqual({"n1", "n2", "n3", "dynamo"}, words)
        self.assertEqual(self.ok("dyn-ring", "show", "--svg", "-"),
                         (pathlib.Path(self.scratch) / "ring.svg").read_bytes())

    def test_members_are_listed_with_the_ring_that_took_them_in(self):
        members = self.ring("members")["nodes"]
        self.assertEqual([(member["name"], member["state"], member["since_ring"])
                          for member in members], [("n1", "up", 1), ("n2", "up", 2), ("n3", "up", 2)])
        rows = [line.split("\t") for line in
                self.ok("dyn-ring", "members", "--format", "tsv").decode().splitlines()]
        self.assertEqual([row[0:2] for row in rows],
                         [[member["name"], member["id"]] for member in members])

    def test_history_tells_what_each_ring_changed(self):
        history = self.ring("history")["history"]
        self.assertEqual([past["ring"] for past in history], [1, 2])
        self.assertEqual([change["name"] for change in history[0]["changes"]], ["n1"])
        self.assertEqual(sorted(change["name"] for change in history[1]["changes"]), ["n2", "n3"])
        self.assertEqual(history[1]["digest"], self.ring("status")["digest"])
        self.assertGreater(history[1]["moves"], 0)
        self.assertIn(b"add n2", self.ok("dyn-ring", "history"))

    def test_round_trips_are_measured_and_a_dead_node_is_said(self):
        nodes = self.ring("rtt", "--count", "3")["nodes"]
        for node in nodes:
            self.assertEqual((node["asked"], node["answered"]), (3, 3))
            self.assertLessEqual(node["min_ms"], node["median_ms"])
            self.assertLessEqual(node["median_ms"], node["max_ms"])
        self.ok("dyn-cluster", "kill", "n2")
        try:
            done = self.tool("dyn-ring", "rtt", "--count", "2", "--timeout", "1s")
            self.assertEqual(done.returncode, 1, done.stderr)
            self.assertIn(b"0/2", done.stdout)
            self.assertIn(b"n2", done.stderr)
        finally:
            self.ok("dyn-cluster", "restart", "n2", "--wait", "60s")
        self.exits(2, "dyn-ring", "rtt", "--count", "0")

    def test_colour_is_for_terminals_that_want_it(self):
        def on_a_terminal(**environment):
            words = ["script", "-qec", "dyn-ring show", "/dev/null"]
            return subprocess.run(words, env=dict(self.environment, TERM="xterm", **environment),
                                  stdin=subprocess.DEVNULL, capture_output=True, timeout=60).stdout
        self.assertIn(b"\x1b[3", on_a_terminal())
        self.assertNotIn(b"\x1b[3", on_a_terminal(NO_COLOR="1"))
        narrow = on_a_terminal(NO_COLOR="1", COLUMNS="40")
        self.assertIn(b"   32  1 ", narrow)


if __name__ == "__main__":
    unittest.main()
