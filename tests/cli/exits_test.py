#!/usr/bin/env python3
"""Every exit code that the tools promise, provoked with real daemons; every error as one object.

9 (not authenticated) is missing: daemons ask nobody who they are yet.

    usage: exits_test.py BIN [TEST...]
"""
import json
import os
import pathlib
import subprocess
import unittest

from harness import Tools, free_base_port


class Exits(Tools):
    nodes = 3

    def error(self, code, name, applied, *words, stdin=b"", retryable=None):
        done = self.tool(*words, "--format", "json", stdin=stdin)
        self.assertEqual(done.returncode, code, f"{words}: {done.stdout!r} {done.stderr!r}")
        lines = done.stderr.splitlines()
        self.assertEqual(len(lines), 1, done.stderr)
        object = json.loads(lines[0])
        self.assertEqual((object["schema"], object["tool"], object["code"], object["exit"],
                          object["applied"]), ("dyn.error/1", words[0], name, code, applied), words)
        self.assertIsInstance(object["retryable"], bool)
        if retryable is not None:
            self.assertEqual(object["retryable"], retryable)
        return object

    def test_0_is_done(self):
        self.ok("dyn-put", "zero", "x")
        self.ok("dyn-get", "zero")
        self.ok("dyn-ring", "check")

    def test_1_is_no(self):
        done = self.tool("dyn-get", "absent", "--format", "json")
        self.assertEqual((done.returncode, done.stderr), (1, b""))
        self.exits(1, "dyn-del", "absent")
        self.exits(1, "dyn-ring", "plan")

    def test_2_is_a_command_line_that_makes_no_sense(self):
        for tool in sorted(path.name for path in pathlib.Path(
                self.environment["PATH"].split(":")[0]).glob("dyn-*")):
            self.error(2, "bad_request", "no", tool, "--no-such-option", retryable=False)
        self.error(2, "too_large", "no", "dyn-put", "k" * 1025, "x")
        self.error(2, "bad_context", "no", "dyn-put", "-C", "A" * 60, "k", "x")

    def test_3_is_a_conflict(self):
        self.ok("dyn-put", "--blind", "three", "a")
        self.ok("dyn-put", "--blind", "three", "b")
        self.error(3, "conflict", "no", "dyn-put", "three", "c")
        self.ok("dyn-put", "there", "a")
        self.error(3, "exists", "no", "dyn-put", "--create", "there", "b")
        # A get in JSON shows the siblings themselves.
        self.assertEqual(json.loads(self.exits(3, "dyn-get", "three", "--format", "json"))
                         ["siblings"], 2)

    def test_4_may_be_applied_and_5_is_not(self):
        self.error(5, "unreachable", "no", "dyn-put", "-s", "127.0.0.1:1", "k", "v", retryable=True)
        self.error(5, "unreachable", "no", "dyn-get", "-s", "127.0.0.1:1", "k")
        self.eventually(lambda: self.outcome_of_a_put_to_silent_nodes(at_once=True) ==
                        (4, "maybe"), "sent, and the answers did not come")
        self.assertEqual(self.outcome_of_a_put_to_silent_nodes(at_once=False), (5, "no"))

    def outcome_of_a_put_to_silent_nodes(self, at_once):
        """At once nobody knows yet that they are silent, unless it went slowly; later all do."""
        put = ["dyn-put", "-s", f"127.0.0.1:{self.base}", "-w", "3", "--timeout", "500ms", "k", "v",
               "--format", "json"]

        def outcome():
            done = self.tool(*put)
            object = json.loads(done.stderr)
            self.assertEqual((object["schema"], object["exit"]), ("dyn.error/1", done.returncode))
            self.assertTrue("next" in object or "; " in object["message"])
            return done.returncode, object["applied"]
        self.addCleanup(self.tool, "dyn-cluster", "resume", "n2")
        self.ok("dyn-cluster", "pause", "n2")
        try:
            if not at_once:
                self.eventually(lambda: outcome()[0] == 5, "it is known that too few are left")
            return outcome()
        finally:
            self.ok("dyn-cluster", "resume", "n2")
            self.eventually(lambda: self.tool("dyn-ring", "check").returncode == 0, "healthy again")

    def test_6_is_refused_by_a_rule_that_is_named(self):
        self.error(6, "wrong_cluster", "no", "dyn-put", "--cluster", "other", "k", "v")
        self.assertIn("--yes", self.error(6, "refused", "no", "dyn-del", "--prefix", "p")["next"])
        joined = self.error(6, "refused", "no", "dyn-ring", "join", f"127.0.0.1:{self.base}")
        self.assertIn("member", joined["message"])

    def test_7_is_a_part_of_a_batch(self):
        done = self.tool("dyn-put", "--batch", "-", stdin='{"key":"seven","value":"x"}\nnonsense\n')
        self.assertEqual(done.returncode, 7)
        self.assertEqual(json.loads(done.stdout)["error"]["exit"], 2)
        self.assertEqual(self.ok("dyn-get", "seven"), b"x")

    def test_8_is_a_storage_that_fails(self):
        # A node whose disk is as good as full takes no writes.
        directory = f"{self.scratch}/full"
        environment = dict(self.environment, DYN_CLUSTER_DIR=directory)
        environment.pop("DYN_SEEDS")

        def run(*words):
            return subprocess.run(words, env=environment, capture_output=True, timeout=120)
        base = free_base_port(1)
        free = os.statvfs(self.scratch)
        more = free.f_bavail * free.f_frsize * 2
        started = run("dyn-cluster", "start", "--nodes", "1", "--base-port", str(base), "--wait",
                      "60s", "--", "--min-free", str(more))
        try:
            if started.returncode == 0:
                done = run("dyn-put", "-s", f"127.0.0.1:{base}", "k", "v", "--format", "json")
                object = json.loads(done.stderr)
                self.assertEqual((done.returncode, object["code"], object["applied"]),
                                 (8, "storage_full", "no"))
            else:
                self.assertEqual(started.returncode, 8, started.stderr)
        finally:
            run("dyn-cluster", "clean")

    def test_a_long_key_is_cut_in_what_is_said_of_it(self):
        done = self.tool("dyn-get", "-s", "127.0.0.1:1", "k" * 1000)
        self.assertIn(b"k" * 64 + b"... (1000 octets)", done.stderr)
        self.assertNotIn(b"k" * 65, done.stderr)
        wide = self.error(5, "unreachable", "no", "dyn-get", "-s", "127.0.0.1:1", "\u20ac" * 300)
        self.assertIn("... (900 octets)", wide["about"])
        self.assertNotIn("\ufffd", wide["about"])


if __name__ == "__main__":
    unittest.main()
