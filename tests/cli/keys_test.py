#!/usr/bin/env python3
"""Listing keys, deleting by prefix, settling lists, looking at replicas, waiting: real daemons.

    usage: keys_test.py BIN [TEST...]
"""
import json
import pathlib
import subprocess
import time
import unittest

from harness import Tools


class Keys(Tools):
    nodes = 4

    def fill(self, prefix, count):
        self.ok("dyn-put", "--batch", "-", stdin="".join(
            json.dumps({"key": f"{prefix}{number}", "value": str(number)}) + "\n"
            for number in range(count)))

    def listed(self, *words):
        return self.ok("dyn-keys", *words).decode().split()

    def test_every_key_is_listed_once(self):
        self.fill("all:", 2500)
        keys = self.listed("--prefix", "all:")
        self.assertEqual(sorted(keys), sorted(f"all:{number}" for number in range(2500)))
        rows = self.ok("dyn-keys", "--prefix", "all:", "--format", "tsv").decode().splitlines()
        self.assertEqual({row.split("\t")[1] for row in rows}, {"1"})
        partition = rows[0].split("\t")[3]
        self.assertEqual(sorted(self.listed("--prefix", "all:", "--partition", partition)),
                         sorted(row.split("\t")[0] for row in rows
                                if row.split("\t")[3] == partition))

    def test_a_cursor_goes_on_where_a_page_ended(self):
        self.fill("page:", 300)
        keys, cursor = [], None
        for _ in range(100):
            words = ["--prefix", "page:", "--limit", "70", "--format", "ndjson"]
            lines = [json.loads(line) for line in self.ok(
                "dyn-keys", *words, *(["--cursor", cursor] if cursor else [])).splitlines()]
            cursor = lines.pop()["cursor"] if lines and "cursor" in lines[-1] else None
            self.assertLessEqual(len(lines), 80)
            keys += [line["key"] for line in lines]
            if not cursor:
                break
        self.assertEqual(sorted(keys), sorted(f"page:{number}" for number in range(300)))
        self.exits(2, "dyn-keys", "--cursor", "nonsense")

    def test_conflicts_and_deleted_keys_are_found(self):
        self.fill("kinds:", 20)
        self.ok("dyn-put", "--blind", "kinds:3", "other")
        self.ok("dyn-del", "kinds:4")
        self.assertEqual(self.listed("--prefix", "kinds:", "--conflicts-only"), ["kinds:3"])
        self.assertEqual(self.listed("--prefix", "kinds:", "--tombstones"), ["kinds:4"])
        self.assertEqual(len(self.listed("--prefix", "kinds:")), 19)

    def test_a_rate_is_kept(self):
        self.fill("rate:", 60)
        begun = time.monotonic()
        self.assertEqual(len(self.listed("--prefix", "rate:", "--rate", "40")), 60)
        self.assertGreater(time.monotonic() - begun, 0.5)

    def test_odd_keys_travel_between_nuls_and_in_codes(self):
        self.ok("dyn-put", "--key-encoding", "hex", "6f64640aff00", "x")
        self.assertEqual(self.ok("dyn-keys", "--prefix", "6f6464", "--key-encoding", "hex"),
                         b"6f64640aff00\n")
        self.ok("dyn-put", "--key-encoding", "hex", "6e756c0a31", "x")
        piped = self.shell("dyn-keys -0 --prefix nul | dyn-get -0 --batch -")
        self.assertEqual(json.loads(piped.stdout)["key"], "nul\n1")

    def test_a_prefix_is_deleted_when_it_is_meant(self):
        self.fill("gone:", 1200)
        self.fill("kept:", 5)
        done = self.tool("dyn-del", "--prefix", "gone:")
        self.assertEqual((done.returncode, done.stdout), (6, b""))
        self.assertIn(b"--yes", done.stderr)
        dry = self.ok("dyn-del", "--prefix", "gone:", "--dry-run").split()
        self.assertEqual(len(dry), 1200)
        self.assertEqual(len(self.listed("--prefix", "gone:")), 1200)
        done = self.tool("dyn-del", "--prefix", "gone:", "--yes")
        self.assertEqual((done.returncode, done.stdout), (0, b""), done.stderr)
        self.assertIn(b"1200 deleted, 0 failed", done.stderr)
        self.assertEqual(self.listed("--prefix", "gone:"), [])
        self.assertEqual(len(self.listed("--prefix", "kept:")), 5)
        self.exits(2, "dyn-del", "--prefix", "", "--yes")
        self.exits(2, "dyn-del", "--yes", "kept:1")

    def test_a_list_of_conflicts_is_settled(self):
        for number in range(30):
            for value in ("b", "a"):
                self.ok("dyn-put", "--blind", f"merge:{number}", value + "\n")
        self.ok("dyn-put", "--blind", "merge:odd", "1\n")
        self.ok("dyn-put", "--blind", "merge:odd", "fail\n")
        # `wc` reads stdin: the list of keys is not there for it.
        script = pathlib.Path(self.scratch) / "merge.sh"
        script.write_text("wc -c >/dev/null; grep -q fail \"$@\" && exit 1; sort \"$@\"\n")
        done = self.shell("(dyn-keys --prefix merge: --conflicts-only; echo merge:none) | "
                          "dyn-merge --batch - --with 'sh merge.sh'")
        self.assertEqual(done.returncode, 7, done.stderr)
        failed = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual([line["key"] for line in failed], ["merge:odd"], failed)
        self.assertIn(b"31 settled (1 absent), 1 failed", done.stderr)
        self.assertEqual(self.ok("dyn-get", "merge:7"), b"a\nb\n")
        again = self.shell("dyn-keys --prefix merge: -0 | dyn-merge -0 --batch - --with 'cat'")
        self.assertEqual(again.returncode, 0, again.stderr)

    def test_each_replica_tells_what_it_holds(self):
        self.ok("dyn-put", "-w", "3", "held", "12345")
        replicas = json.loads(self.ok("dyn-get", "--replicas", "held", "--format", "json"))["replicas"]
        self.assertEqual([(one["owner"], one["state"], one["bytes"]) for one in replicas],
                         [(True, "value", 5)] * 3)
        self.assertEqual(len({one["digest"] for one in replicas}), 1)
        place = json.loads(self.ok("dyn-get", "--where", "held", "--format", "json"))
        self.assertEqual([node["name"] for node in place["nodes"]],
                         [one["node"] for one in replicas])
        self.assertEqual(place["coordinator"], replicas[0]["node"])
        self.ok("dyn-del", "-w", "3", "held")
        replicas = json.loads(self.exits(1, "dyn-get", "--replicas", "held", "--format", "json"))
        self.assertEqual({one["state"] for one in replicas["replicas"]}, {"deleted"})
        self.assertIn(b"absent", self.exits(1, "dyn-get", "--replicas", "never"))

    def test_a_stand_in_and_a_dead_owner_are_shown(self):
        owners = json.loads(self.ok("dyn-get", "--where", "hinted", "--format", "json"))["nodes"]
        victim = owners[1]["name"]
        self.ok("dyn-cluster", "kill", victim)
        try:
            def stands_in():
                self.ok("dyn-put", "--timeout", "10s", "hinted", "x")
                done = self.tool("dyn-get", "--timeout", "2s", "--replicas", "hinted", "--format",
                                 "json")
                self.assertEqual(done.returncode, 7, done.stderr)
                replicas = json.loads(done.stdout)["replicas"]
                self.assertIn((victim, "down"), [(one["node"], one["state"]) for one in replicas])
                return victim in [one["hint_for"] for one in replicas]
            self.eventually(stands_in, "a stand-in holds it")
        finally:
            self.ok("dyn-cluster", "restart", victim, "--wait", "60s")
        self.eventually(lambda: self.tool("dyn-ring", "check").returncode == 0, "healthy again")

    def test_a_trace_names_who_did_what(self):
        for words in (["dyn-put", "traced", "x"], ["dyn-get", "traced"], ["dyn-del", "traced"]):
            done = self.tool(*words, "--trace")
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertRegex(done.stderr.decode(), r"ms  n[1-4]  coordinates\n")
            self.ok("dyn-put", "traced", "x")
        object = json.loads(self.ok("dyn-get", "traced", "--trace", "--format", "json"))
        self.assertEqual(object["trace"][0]["what"], "coordinates")
        self.assertEqual(object["trace"][0]["at_us"], 0)

    def waiting(self, *words):
        return subprocess.Popen(["dyn-get", *words], env=self.environment, cwd=self.scratch,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def test_a_wait_ends_with_what_was_waited_for(self):
        wait = self.waiting("--wait-until", "present", "awaited")
        self.ok("dyn-put", "awaited", "came")
        self.assertEqual((wait.communicate(timeout=60)[0], wait.returncode), (b"came", 0))
        wait = self.waiting("--wait-until", "absent", "awaited")
        self.ok("dyn-del", "awaited")
        self.assertEqual((wait.communicate(timeout=60)[0], wait.returncode), (b"", 0))
        self.exits(1, "dyn-get", "--wait-until", "present", "--wait-for", "300ms", "awaited")
        self.exits(2, "dyn-get", "--wait-for", "1s", "awaited")

    def test_a_change_is_one_against_the_context(self):
        self.ok("dyn-put", "turning", "1")
        self.ok("dyn-get", "-C", "turn.ctx", "turning")
        same = ["dyn-get", "-C", "same.ctx", "--wait-until", "changed", "--wait-for", "300ms"]
        self.exits(1, *same, "turning")
        self.ok("dyn-put", "turning", "2")
        changed = ["dyn-get", "-C", "turn.ctx", "--wait-until", "changed", "--wait-for", "60s"]
        self.assertEqual(self.ok(*changed, "turning"), b"2")
        # The file holds what was seen now: the same wait waits for the next change.
        wait = self.waiting(*changed[1:], "turning")
        self.ok("dyn-put", "turning", "3")
        self.assertEqual(wait.communicate(timeout=60)[0], b"3")


if __name__ == "__main__":
    unittest.main()
