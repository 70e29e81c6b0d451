#!/usr/bin/env python3
"""Backing up and putting back: real daemons, a second cluster of another shape to load into.

    usage: dump_test.py BIN [TEST...]
"""
import contextlib
import hashlib
import json
import os
import pathlib
import signal
import subprocess
import unittest

from harness import Tools, free_base_port

HEAD = 1 + 8 + 4 + 4
SUM = 16


def parts_of(octets):
    """A dump, cut into its parts as dyn-dump(1) says: (kind, number, key, body, whole part)."""
    assert octets[:8] == b"DYNDUMP1", octets[:8]
    at, parts = 8, []
    while at < len(octets):
        key, body = (int.from_bytes(octets[at + place:at + place + 4], "big") for place in (9, 13))
        end = at + HEAD + key + body + SUM
        part = octets[at:end]
        assert part[-SUM:] == hashlib.sha256(part[:-SUM]).digest()[:SUM]
        parts.append((part[:1], int.from_bytes(part[1:9], "big"), part[HEAD:HEAD + key],
                      part[HEAD + key:-SUM], part))
        at = end
    return parts


class Dumps(Tools):
    daemon_options = ("--partitions", "32")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.here = dict(cls.environment)
        cls.there = dict(cls.environment, DYN_CLUSTER_DIR=f"{cls.scratch}/there")

    def tearDown(self):
        type(self).environment = self.here
        self.tool("dyn-cluster", "--dir", self.there["DYN_CLUSTER_DIR"], "clean")

    @contextlib.contextmanager
    def elsewhere(self):
        """The tools speak to the other cluster."""
        type(self).environment = self.there
        try:
            yield
        finally:
            type(self).environment = self.here

    def start_elsewhere(self, nodes=4, partitions=64):
        base = free_base_port(nodes)
        self.there["DYN_SEEDS"] = f"127.0.0.1:{base}"
        with self.elsewhere():
            self.ok("dyn-cluster", "start", "--nodes", str(nodes), "--base-port", str(base),
                    "--wait", "60s", "--", "--partitions", str(partitions))

    def put(self, pairs):
        self.ok("dyn-put", "--batch", "-", stdin="".join(
            json.dumps({"key": key, "value": value}) + "\n" for key, value in pairs))

    def fill(self, name, count=200):
        """Plain keys, conflicts, deleted keys, odd octets."""
        self.put((f"{name}:plain:{number}", f"value {number}") for number in range(count))
        for number in range(3):
            for value in ("one", "two"):
                self.ok("dyn-put", "--blind", f"{name}:conflict:{number}", value)
            self.ok("dyn-put", f"{name}:gone:{number}", "x")
            self.ok("dyn-del", f"{name}:gone:{number}")
        self.ok("dyn-put", "--blind", f"{name}:half", "kept")
        self.ok("dyn-put", f"{name}:large", "-", stdin=os.urandom(300_000))
        self.ok("dyn-put", "--allow-empty", f"{name}:empty", "")
        self.ok("dyn-put", "--key-encoding", "hex", f"{name}:".encode().hex() + "ff0a", "odd")
        return count + 3 + 3 + 4

    def dump(self, path, *words):
        told = json.loads(self.ok("dyn-dump", "-o", path, "--format", "json", *words))
        self.assertTrue(told["complete"])
        return told

    def load(self, code, *words, stdin=b""):
        done = self.tool("dyn-load", "--format", "json", *words, stdin=stdin)
        self.assertEqual(done.returncode, code, (words, done.stdout, done.stderr))
        return json.loads(done.stdout or done.stderr.splitlines()[-1])

    def keys_there(self):
        with self.elsewhere():
            return self.ok("dyn-keys", "-0").split(b"\0")[:-1]

    def test_bring_everything_into_an_empty_cluster(self):
        count = self.fill("all")
        first = self.dump("all.dump")
        self.assertGreaterEqual(first["records"], count)
        parts = parts_of(pathlib.Path(self.scratch, "all.dump").read_bytes())
        self.assertEqual([part[0] for part in parts],
                         [b"H"] + [b"R"] * first["records"] + [b"T"])
        self.assertEqual([part[1] for part in parts], list(range(len(parts))))
        places = [(hashlib.md5(part[2]).digest()[:8], part[2]) for part in parts[1:-1]]
        self.assertEqual(places, sorted(places))
        root = bytes(32)
        for part in parts[1:-1]:
            root = hashlib.sha256(root + part[4][-SUM:]).digest()
        self.assertEqual(root.hex(), first["root"])

        self.start_elsewhere()
        with self.elsewhere():
            dry = self.tool("dyn-load", "--dry-run", "-0", "all.dump")
            self.assertEqual(dry.returncode, 1, dry.stderr)
            self.assertEqual(sorted(dry.stdout.split(b"\0")[:-1]),
                             sorted(part[2] for part in parts[1:-1]))
            self.assertEqual(self.keys_there(), [])
        with self.elsewhere():
            told = self.load(0, "all.dump")
            self.assertEqual((told["merged"], told["changed"], told["failed"]),
                             (first["records"], first["records"], 0))
            self.assertEqual(self.dump("there.dump")["root"], first["root"])
            again = self.load(0, "all.dump")
            self.assertEqual((again["merged"], again["changed"]), (first["records"], 0))
            self.assertEqual(self.exits(0, "dyn-load", "--dry-run", "all.dump"), b"")
            self.assertEqual(self.dump("there.dump")["root"], first["root"])
            self.assertEqual(self.ok("dyn-get", "all:plain:7"), b"value 7")
            self.assertEqual(self.ok("dyn-get", "--key-encoding", "hex",
                                     b"all:".hex() + "ff0a"), b"odd")
            self.exits(1, "dyn-get", "all:gone:1")
            self.exits(3, "dyn-get", "all:conflict:1")
            # Life goes on there: what was loaded is superseded like anything else.
            self.ok("dyn-put", "--overwrite", "all:conflict:1", "settled")
            self.ok("dyn-del", "all:plain:7")
            self.load(0, "all.dump")
            self.assertEqual(self.ok("dyn-get", "all:conflict:1"), b"settled")
            self.exits(1, "dyn-get", "all:plain:7")

    def test_supersede_nothing_that_is_newer(self):
        self.fill("newer")
        self.dump("newer.dump", "--prefix", "newer:")
        self.ok("dyn-put", "newer:plain:1", "changed since")
        self.ok("dyn-del", "newer:plain:2")
        self.ok("dyn-put", "newer:gone:0", "written again")
        self.ok("dyn-put", "--blind", "newer:half", "beside it")
        self.ok("dyn-put", "--overwrite", "newer:conflict:0", "settled")
        told = self.load(0, "newer.dump")
        self.assertEqual((told["changed"], told["failed"]), (0, 0))
        self.assertEqual(self.ok("dyn-get", "newer:plain:1"), b"changed since")
        self.exits(1, "dyn-get", "newer:plain:2")
        self.assertEqual(self.ok("dyn-get", "newer:gone:0"), b"written again")
        self.assertEqual(self.ok("dyn-get", "newer:conflict:0"), b"settled")
        both = json.loads(self.ok("dyn-get", "--batch", "-", stdin="newer:half\n"))
        self.assertEqual(sorted(one["value"] for one in both["values"]), ["beside it", "kept"])

    def test_are_loaded_while_clients_write(self):
        self.fill("busy")
        self.dump("busy.dump", "--prefix", "busy:")
        lines = "".join(json.dumps({"key": f"busy:plain:{number}", "value": f"round {turn}"}) + "\n"
                        for turn in range(20) for number in range(200))
        writer = subprocess.Popen(["dyn-put", "--batch", "-", "--in-flight", "1"],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, env=self.environment)
        writer.stdin.write(lines.encode())
        writer.stdin.close()
        loads = 0
        while writer.poll() is None or loads == 0:
            self.assertEqual(self.load(0, "busy.dump")["failed"], 0)
            loads += 1
        self.assertEqual(writer.wait(), 0, writer.stderr.read())
        writer.stdout.close()
        writer.stderr.close()
        got = self.ok("dyn-get", "--batch", "-",
                      stdin="".join(f"busy:plain:{number}\n" for number in range(200)))
        self.assertEqual({json.loads(line).get("value") for line in got.splitlines()},
                         {"round 19"})

    def test_that_are_damaged_are_refused_by_number(self):
        self.fill("hurt")
        told = self.dump("hurt.dump", "--prefix", "hurt:")
        whole = pathlib.Path(self.scratch, "hurt.dump").read_bytes()
        parts = parts_of(whole)
        self.start_elsewhere(nodes=1, partitions=8)
        bad = pathlib.Path(self.scratch, "bad.dump")

        def refused(octets, *needles, stdin=False):
            bad.write_bytes(octets)
            with self.elsewhere():
                done = (self.tool("dyn-load", stdin=octets) if stdin
                        else self.tool("dyn-load", str(bad)))
            self.assertEqual(done.returncode, 8, done.stderr)
            for needle in needles:
                self.assertIn(needle.encode(), done.stderr)

        for number in (1, 57, told["records"]):
            start = 8 + sum(len(part[4]) for part in parts[:number])
            for at in (0, 3, HEAD, HEAD + len(parts[number][2]) + 5, len(parts[number][4]) - 1):
                flipped = bytearray(whole)
                flipped[start + at] ^= 0x10
                refused(bytes(flipped), f"record {number} ", "nothing was loaded")
            refused(whole[:start], f"after record {number - 1}:", "cut off")
            refused(whole[:start + 40], f"within record {number}:", "cut off")
        refused(whole[:-1], "cut off")
        refused(whole + b"x", "follow")
        refused(b"", "empty")
        refused(b"[1, 2, 3]\n" * 100, "no dump")
        self.assertEqual(self.keys_there(), [])
        # Of a pipe, what comes before the damage is loaded, and is right.
        start = 8 + sum(len(part[4]) for part in parts[:57])
        refused(whole[:start + 40], "within record 57", "56 records are loaded", stdin=True)
        with self.elsewhere():
            self.assertEqual(self.load(0, "hurt.dump")["changed"], told["records"] - 56)

    def test_go_on_after_a_kill(self):
        self.fill("resumed", 2000)
        told = self.dump("resumed.dump", "--prefix", "resumed:")
        self.dump("another.dump", "--prefix", "resumed:plain:1")
        self.start_elsewhere(nodes=3)
        note = pathlib.Path(self.scratch, "load.note")
        with self.elsewhere():
            killed = subprocess.Popen(
                ["dyn-load", "--resume", str(note), "--max-rate", "100", "resumed.dump"],
                env=self.environment, cwd=self.scratch, stderr=subprocess.DEVNULL)
            try:
                self.eventually(note.exists, "a note")
            finally:
                killed.send_signal(signal.SIGKILL)
                killed.wait()
            passed = json.loads(note.read_text())["records"]
            self.assertGreater(passed, 0)
            self.assertLess(passed, told["records"])
            self.exits(2, "dyn-load", "--resume", str(note), "another.dump")
            self.assertTrue(note.exists())
            went_on = self.load(0, "--resume", str(note), "resumed.dump")
            self.assertEqual((went_on["passed_over"], went_on["merged"]),
                             (passed, told["records"] - passed))
            self.assertFalse(note.exists())
            self.assertEqual(self.dump("there.dump")["root"], told["root"])
            note.write_text("no note")
            self.exits(2, "dyn-load", "--resume", str(note), "resumed.dump")
            # Ctrl-C leaves a note too.
            note.unlink()
            stopped = subprocess.Popen(
                ["dyn-load", "--resume", str(note), "--max-rate", "100", "resumed.dump"],
                env=self.environment, cwd=self.scratch, stderr=subprocess.PIPE)
            self.eventually(note.exists, "a note")
            stopped.send_signal(signal.SIGINT)
            said = stopped.communicate()[1]
            self.assertEqual(stopped.returncode, 7, said)
            self.assertIn(b"run it again to go on", said)

    def test_go_through_pipes_and_in_parts(self):
        self.fill("pipe", 50)
        self.fill("other", 5)
        self.start_elsewhere(nodes=3, partitions=16)
        there = self.there["DYN_SEEDS"]
        piped = self.shell("set -o pipefail; dyn-dump --prefix pipe: | "
                           f"DYN_SEEDS={there} dyn-load -")
        self.assertEqual(piped.returncode, 0, piped.stderr)
        keys = self.keys_there()
        self.assertEqual(len(keys), 57)
        self.assertTrue(all(key.startswith(b"pipe:") for key in keys))
        redirected = self.shell("dyn-dump >whole.dump && dyn-load --dry-run <whole.dump")
        self.assertEqual((redirected.returncode, redirected.stdout), (0, b""), redirected.stderr)
        self.assertEqual(self.exits(0, "dyn-load", "--verify", "whole.dump"), b"")
        # The partitions together are the whole.
        whole = parts_of(pathlib.Path(self.scratch, "whole.dump").read_bytes())
        keys = []
        for partition in range(32):
            one = self.ok("dyn-dump", "--partition", str(partition))
            keys += [part[2] for part in parts_of(one) if part[0] == b"R"]
        self.assertEqual(keys, [part[2] for part in whole if part[0] == b"R"])
        slow = self.tool("dyn-dump", "--prefix", "other:", "--max-rate", "50", "-r", "3",
                         "-o", "slow.dump")
        self.assertEqual(slow.returncode, 0, slow.stderr)

    def test_say_what_could_not_be_read(self):
        self.fill("unread", 20)
        self.ok("dyn-cluster", "kill", "n2")
        try:
            self.dump("one-down.dump")
            self.load(0, "one-down.dump")
            self.ok("dyn-cluster", "kill", "n3")
            type(self).environment = dict(self.here, DYN_TIMEOUT="2s")
            done = self.tool("dyn-dump", "--partition", "3", "-o", "unread.dump", "--format",
                             "json")
            self.assertEqual(done.returncode, 7, done.stderr)
            told = json.loads(done.stdout)
            self.assertEqual((told["complete"], told["unread_partitions"]), (False, 1))
            self.assertIn(b"partition 3", done.stderr)
            blocked = self.tool("dyn-load", "one-down.dump")
            self.assertIn(blocked.returncode, (4, 5), blocked.stderr)
            self.assertIn(b"nothing was loaded", blocked.stderr)
        finally:
            type(self).environment = self.here
            self.ok("dyn-cluster", "restart", "n2")
            self.ok("dyn-cluster", "restart", "n3")
        self.eventually(lambda: self.tool("dyn-put", "ready", "yes").returncode == 0, "ready")
        self.assertFalse(self.load(7, "unread.dump")["dump_complete"])

    def diff(self, code, *words, stdin=b""):
        return [line.split() for line in
                self.exits(code, "dyn-merkle-diff", *words, stdin=stdin).decode().splitlines()]

    def test_are_compared_key_by_key(self):
        self.fill("diff", 60)
        self.dump("diff.dump", "--prefix", "diff:")
        self.assertEqual(self.diff(0, "@diff.dump"), [])
        self.ok("dyn-put", "diff:plain:1", "changed")
        self.ok("dyn-put", "diff:new", "new")
        self.ok("dyn-del", "diff:plain:2")
        self.ok("dyn-put", "elsewhere", "not in the dump, and not asked for")
        self.ok("dyn-repair", "run")
        changed = [["-", "diff:plain:1"], [">", "diff:new"], ["-", "diff:plain:2"]]
        self.assertEqual(sorted(line[:2] for line in self.diff(1, "@diff.dump")), sorted(changed))
        self.assertEqual(sorted(line[:2] for line in self.diff(1, "@diff.dump", "n2")),
                         sorted(changed))
        turned = {"-": "+", ">": "<"}
        self.assertEqual(sorted(line[:2] for line in self.diff(1, "n2", "@diff.dump")),
                         sorted([turned[sign], key] for sign, key in changed))
        octets = pathlib.Path(self.scratch, "diff.dump").read_bytes()
        self.assertEqual(self.diff(1, "-", "--prefix", "diff:n", "--keys", stdin=octets),
                         [["diff:new"]])
        rows = [json.loads(line) for line in
                self.exits(1, "dyn-merkle-diff", "@diff.dump", "--format", "json",
                           "--values").splitlines()]
        self.assertEqual(rows.pop()["keys"], 3)
        by_key = {row["key"]: row for row in rows}
        self.assertEqual((by_key["diff:plain:1"]["held_by_first"][0]["value"],
                          by_key["diff:plain:1"]["held_by_second"][0]["value"]),
                         ("value 1", "changed"))
        partition = by_key["diff:new"]["partition"]
        self.assertIn("diff:new", [line[1] for line in
                                   self.diff(1, "@diff.dump", "--partition", str(partition))])
        self.dump("one.dump", "--partition", str(partition))
        self.assertEqual(self.diff(0, "@one.dump"), [])
        self.start_elsewhere(nodes=3, partitions=64)
        with self.elsewhere():
            keys = self.exits(1, "dyn-merkle-diff", "@diff.dump", "--keys", "-0").split(b"\0")
            self.assertEqual(len(keys) - 1, 70)
            self.exits(2, "dyn-merkle-diff", "@one.dump")
            self.load(0, "diff.dump")
            self.assertEqual(self.diff(0, "@diff.dump"), [])
        pathlib.Path(self.scratch, "cut.dump").write_bytes(octets[:-9])
        self.exits(8, "dyn-merkle-diff", "@cut.dump")
        for words in (("@diff.dump", "@diff.dump"), ("@missing.dump",), ("@diff.dump", "n9"),
                      ("@diff.dump", "--all-replicas"), ("@diff.dump", "--verify-tree"),
                      ("@diff.dump", "--partition", "9999"), ("@diff.dump", "--prefix", "x")):
            self.exits(2, "dyn-merkle-diff", *words)

    def test_are_asked_for_sensibly(self):
        for words in (("--partition", "9999"), ("--prefix", "zz", "--key-encoding", "hex"),
                      ("-o", "/nowhere/x.dump"), ("-o", "/dev/null"), ("-r", "4"), ("word",)):
            done = self.tool("dyn-dump", *(words if "-o" in words else ("-o", "x.dump", *words)))
            self.assertEqual(done.returncode, 2, (words, done.stderr))
            self.assertFalse(pathlib.Path(self.scratch, "x.dump").exists())
        self.dump("good.dump")
        for words in (("missing.dump",), (".",), ("good.dump", "good.dump"),
                      ("--dry-run", "-w", "1", "good.dump"), ("--verify", "--resume", "n",
                                                              "good.dump")):
            self.exits(2, "dyn-load", *words)
        self.exits(2, "dyn-load", "-w", "4", "good.dump")
        self.exits(5, "dyn-load", "-s", "127.0.0.1:1", "good.dump")
        self.exits(5, "dyn-dump", "-s", "127.0.0.1:1", "-o", "x.dump")


if __name__ == "__main__":
    unittest.main()
