#!/usr/bin/env python3
"""dyn-update against a cluster of real daemons.

    usage: update_test.py BIN [TEST...]
"""
import json
import subprocess
import unittest

from harness import Tools

COUNT = "awk '{n=$1} END {print n+1}'"


class Updates(Tools):
    nodes = 3

    def update(self, key, *command, options=(), code=0):
        return self.exits(code, "dyn-update", *options, key, "--", *command)

    def test_a_value_goes_through_the_command_octet_for_octet(self):
        value = bytes(range(256)) * 1000
        self.ok("dyn-put", "octets", stdin=value)
        self.update("octets", "cat")
        self.assertEqual(self.ok("dyn-get", "octets"), value)
        self.update("octets", "head", "-c", "3")
        self.assertEqual(self.ok("dyn-get", "octets"), b"\0\1\2")

    def test_an_absent_key_gives_an_empty_stdin(self):
        self.update("new", "sh", "-c", "wc -c")
        self.assertEqual(self.ok("dyn-get", "new").strip(), b"0")
        self.update("none", "false", options=["--if-present"], code=1)
        self.exits(1, "dyn-get", "none")
        self.ok("dyn-put", "deleted", "x")
        self.ok("dyn-del", "deleted")
        self.update("deleted", "echo", "back", options=["--patience", "100ms"])
        self.assertEqual(self.ok("dyn-get", "deleted"), b"back\n")

    def test_a_command_that_fails_or_says_nothing_writes_nothing(self):
        self.ok("dyn-put", "kept", "x")
        before = self.ok("dyn-get", "--stat", "kept")
        for command in (["false"], ["true"], ["no-such-command"], ["sh", "-c", "echo y; kill -9 $$"]):
            self.update("kept", *command, code=2)
        self.assertEqual(self.ok("dyn-get", "--stat", "kept"), before)
        self.update("kept", "true", options=["--allow-empty"])
        self.assertEqual(self.ok("dyn-get", "kept"), b"")
        self.exits(2, "dyn-update", "kept")
        self.exits(2, "dyn-update", "kept", "cat")

    def test_siblings_are_left_to_a_person_unless_it_is_said_how(self):
        for value in ("b\n", "a\n"):
            self.ok("dyn-put", "--blind", "torn", value)
        self.update("torn", "cat", options=["--retries", "1"], code=3)
        self.assertEqual(sorted(self.ok("dyn-get", "--all", "torn").split()), [b"a", b"b"])
        self.update("torn", "sed", "$a c", options=["--resolve", "cmd:sort"])
        self.assertEqual(self.ok("dyn-get", "torn"), b"a\nb\nc\n")
        self.ok("dyn-put", "--blind", "torn", "d\n")
        self.update("torn", "cat", options=["--resolve", "newest"])
        self.assertEqual(self.ok("dyn-get", "torn"), b"d\n")

    def test_the_new_value_can_be_had(self):
        self.ok("dyn-put", "shown", "abc")
        self.assertEqual(self.update("shown", "tr", "a-z", "A-Z", options=["--print"]), b"ABC")
        object = json.loads(self.update("shown", "rev", options=["--format", "json"]))
        self.assertEqual((object["schema"], object["value"], object["runs"]),
                         ("dyn.update/1", "CBA", 1))
        self.ok("dyn-put", "-C", object["context"], "shown", "next")
        self.assertEqual(self.ok("dyn-get", "shown"), b"next")

    def test_what_is_written_beside_an_update_stands_beside_it(self):
        self.ok("dyn-put", "beside", "1")
        # The command itself is the writer that comes between: nothing of it may be lost.
        done = self.tool("dyn-update", "--retries", "0", "beside", "--", "sh", "-c",
                         "dyn-put --blind beside other; echo mine")
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertIn(b"other", self.ok("dyn-get", "--all", "beside"))

    def loops(self, key, rounds, count, options="--patience 60s"):
        script = (f"for i in $(seq {rounds}); do "
                  f"dyn-update --timeout 10s {options} {key} -- {COUNT}; echo $?; done")
        running = [subprocess.Popen(["bash", "-c", script], env=self.environment,
                                    stdout=subprocess.PIPE, stderr=subprocess.PIPE)
                   for _ in range(count)]
        return running

    def exits_of(self, running):
        codes = []
        for loop in running:
            out, _ = loop.communicate(timeout=300)
            codes += [int(code) for code in out.split()]
        return codes

    def test_four_loops_that_count_lose_nothing(self):
        codes = self.exits_of(self.loops("counter", 25, 4))
        self.assertEqual(codes, [0] * 100)
        self.assertEqual(self.ok("dyn-get", "--all", "counter").split(), [b"100"])

    def test_what_is_lost_when_a_node_dies_was_not_called_done(self):
        # The node that all of them queue at.
        place = json.loads(self.ok("dyn-ring", "where", "mortal", "--format", "json"))
        victim = place["nodes"][0]["name"]
        running = self.loops("mortal", 30, 4, "--patience 5s --resolve newest")
        self.eventually(lambda: int(self.tool("dyn-get", "--resolve", "newest", "mortal").stdout
                                    or 0) >= 10, "ten counted")
        self.ok("dyn-cluster", "kill", victim)
        try:
            codes = self.exits_of(running)
        finally:
            self.ok("dyn-cluster", "restart", victim, "--wait", "60s")
        done = codes.count(0)
        self.assertGreaterEqual(done, 10)
        # Each that says so is in the value; 3, 4 and 5 may be.
        self.eventually(lambda: self.tool("dyn-ring", "check").returncode == 0, "healthy again")
        values = [int(value) for value in self.ok("dyn-get", "--all", "mortal").split()]
        if 3 not in codes:
            self.assertGreaterEqual(max(values), done)
        self.assertLessEqual(max(values), len(codes))
        self.assertLessEqual(set(codes), {0, 3, 4, 5})


if __name__ == "__main__":
    unittest.main()
