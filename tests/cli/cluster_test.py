#!/usr/bin/env python3
"""The tools against a cluster of real daemons that dyn-cluster runs.

    usage: cluster_test.py BIN [TEST...]
"""
import base64
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest

from harness import BIN, Tools, free_base_port


class Data(Tools):
    def test_values_come_back_octet_for_octet(self):
        value = bytes(range(256)) * 40
        self.ok("dyn-put", "bytes", stdin=value)
        self.assertEqual(self.ok("dyn-get", "bytes"), value)
        (pathlib.Path(self.scratch) / "file").write_bytes(value[::-1])
        self.ok("dyn-put", "bytes", "@file")
        self.assertEqual(self.ok("dyn-get", "bytes"), value[::-1])

    def test_a_value_after_two_dashes_is_literal(self):
        self.ok("dyn-put", "--", "literal", "@file")
        self.assertEqual(self.ok("dyn-get", "literal"), b"@file")
        self.ok("dyn-put", "literal", "--", "-")
        self.assertEqual(self.ok("dyn-get", "literal"), b"-")

    def test_keys_are_octets_in_any_encoding(self):
        self.ok("dyn-put", "--key-encoding", "hex", "00ff0a", "odd")
        coded = base64.b64encode(b"\x00\xff\x0a").decode()
        self.assertEqual(self.ok("dyn-get", "--key-encoding", "b64", coded), b"odd")
        object = json.loads(self.ok("dyn-get", "--key-encoding=hex", "00FF0A", "--format", "json"))
        self.assertEqual(object["key_b64"], coded)

    def test_keys_that_look_like_lists_are_taken_as_they_are(self):
        self.ok("dyn-put", "[a,b]", "brackets")
        self.assertEqual(self.ok("dyn-get", "[a,b]"), b"brackets")

    def test_an_absent_key_exits_with_1(self):
        self.assertEqual(self.exits(1, "dyn-get", "absent"), b"")
        self.exits(1, "dyn-del", "absent")
        self.ok("dyn-del", "--if-present", "absent")
        self.exits(1, "dyn-merge", "absent", "--with", "cat")
        object = json.loads(self.exits(1, "dyn-get", "absent", "--format", "json"))
        self.assertIsNone(object["value"])
        self.assertEqual(object["siblings"], 0)
        self.assertTrue(object["context"])

    def test_several_keys_are_printed_one_after_the_other(self):
        self.ok("dyn-put", "several:1", "one")
        self.ok("dyn-put", "several:2", "two")
        self.assertEqual(self.ok("dyn-get", "several:1", "several:2"), b"onetwo")
        self.assertEqual(self.ok("dyn-get", "-0", "several:1", "several:2"), b"one\0two\0")
        self.assertEqual(self.exits(1, "dyn-get", "several:1", "absent", "several:2"), b"onetwo")

    def test_an_empty_value_is_stored_when_it_is_meant(self):
        self.exits(2, "dyn-put", "empty", "-")
        self.exits(1, "dyn-get", "empty")
        self.ok("dyn-put", "--allow-empty", "empty", "-")
        self.assertEqual(self.ok("dyn-get", "empty"), b"")

    def test_fifty_puts_of_one_key_leave_one_value(self):
        done = self.shell("for i in $(seq 50); do dyn-put loop $i || exit; done")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.ok("dyn-get", "--all", "loop"), b"50\n")

    def test_blind_puts_become_siblings_that_are_settled(self):
        self.ok("dyn-put", "--blind", "cart", "milk\n")
        self.ok("dyn-put", "--blind", "cart", "bread\n")
        self.assertEqual(self.exits(3, "dyn-get", "cart"), b"")
        self.assertEqual(sorted(self.ok("dyn-get", "--all", "-0", "cart").split(b"\0")),
                         [b"", b"bread\n", b"milk\n"])
        self.assertEqual(self.ok("dyn-get", "--resolve", "newest", "cart"), b"bread\n")
        self.assertEqual(self.ok("dyn-get", "--resolve", "cmd:sort", "cart"), b"bread\nmilk\n")
        names = self.ok("dyn-get", "--sibling-dir", "siblings", "cart").split()
        self.assertEqual(names, [b"siblings/1", b"siblings/2"])
        self.exits(3, "dyn-put", "cart", "overwritten")
        self.exits(2, "dyn-merge", "cart", "--with", "false")
        self.exits(2, "dyn-merge", "cart", "--with", "true")
        self.exits(3, "dyn-get", "cart")
        self.ok("dyn-merge", "cart", "--with", "sort -u")
        self.assertEqual(self.ok("dyn-get", "cart"), b"bread\nmilk\n")
        self.ok("dyn-merge", "cart", "--with", "false")

    def test_overwrite_supersedes_all_siblings(self):
        self.ok("dyn-put", "--blind", "over", "a")
        self.ok("dyn-put", "--blind", "over", "b")
        self.ok("dyn-put", "--overwrite", "over", "c")
        self.assertEqual(self.ok("dyn-get", "over"), b"c")

    def test_create_refuses_a_key_that_has_a_value(self):
        self.ok("dyn-put", "--create", "created", "a")
        self.exits(3, "dyn-put", "--create", "created", "b")
        self.assertEqual(self.ok("dyn-get", "created"), b"a")

    def test_a_write_that_the_context_has_not_seen_survives(self):
        self.ok("dyn-put", "seen", "one")
        self.ok("dyn-get", "-C", "seen.ctx", "seen")
        self.ok("dyn-put", "seen", "two")
        self.ok("dyn-put", "-C", "seen.ctx", "seen", "three")
        self.assertEqual(sorted(self.ok("dyn-get", "--all", "seen").split()), [b"three", b"two"])

    def test_a_context_file_carries_a_chain_of_writes(self):
        self.exits(1, "dyn-get", "-C", "chain.ctx", "chain")
        for value in ("one", "two", "three"):
            self.ok("dyn-put", "-C", "chain.ctx", "chain", value)
        self.assertEqual(self.ok("dyn-get", "chain"), b"three")
        self.ok("dyn-del", "-C", "chain.ctx", "chain")
        self.exits(1, "dyn-get", "chain")

    def test_a_context_can_be_given_itself(self):
        token = self.ok("dyn-put", "--print-context", "token", "one").decode().strip()
        self.ok("dyn-put", "-C", token, "token", "two")
        self.assertEqual(self.ok("dyn-get", "token"), b"two")
        other = self.tool("dyn-put", "-C", token, "another", "x")
        self.assertEqual(other.returncode, 2, other.stderr)

    def test_a_pipe_whose_first_part_fails_writes_nothing(self):
        self.ok("dyn-put", "pipe", "kept")
        changed = self.shell("dyn-get -C p.ctx pipe | sed s/kept/changed/ | dyn-put -C p.ctx pipe -")
        self.assertEqual(changed.returncode, 0, changed.stderr)
        self.assertEqual(self.ok("dyn-get", "pipe"), b"changed")
        broken = self.shell("dyn-get -s 127.0.0.1:1 -C p.ctx pipe | wc -c | dyn-put -C p.ctx pipe -")
        self.assertEqual(broken.returncode, 2)
        self.assertEqual(self.ok("dyn-get", "pipe"), b"changed")

    def test_a_conflict_leaves_no_context_behind(self):
        self.ok("dyn-put", "--blind", "torn", "a")
        self.ok("dyn-put", "--blind", "torn", "b")
        broken = self.shell("dyn-get -C t.ctx torn | wc -c | dyn-put -C t.ctx torn -")
        self.assertEqual(broken.returncode, 2)
        self.assertEqual(sorted(self.ok("dyn-get", "--all", "torn").split()), [b"a", b"b"])

    def test_a_deleted_key_is_absent_and_can_be_written_again(self):
        self.ok("dyn-put", "gone", "x")
        self.ok("dyn-del", "gone")
        self.exits(1, "dyn-get", "gone")
        self.exits(1, "dyn-del", "gone")
        self.ok("dyn-put", "gone", "y")
        self.assertEqual(self.ok("dyn-get", "gone"), b"y")

    def test_what_is_over_the_limits_is_refused(self):
        self.exits(2, "dyn-put", "k" * 1025, "x")
        self.exits(2, "dyn-put", "large", stdin=b"x" * (1024 * 1024 + 1))
        self.exits(1, "dyn-get", "large")
        self.ok("dyn-put", "large", stdin=b"x" * (1024 * 1024))

    def test_more_replicas_than_there_are_cannot_answer(self):
        error = self.tool("dyn-get", "-r", "4", "k", "--format", "json")
        self.assertIn(error.returncode, (2, 5), error.stderr)
        self.assertEqual(json.loads(error.stderr)["schema"], "dyn.error/1")

    def test_another_cluster_is_refused(self):
        self.exits(6, "dyn-get", "--cluster", "other", "k")
        self.exits(6, "dyn-put", "--cluster", "other", "k", "v")

    def test_versions_are_described(self):
        self.ok("dyn-put", "--print-context", "stat", "12345")
        object = json.loads(self.ok("dyn-get", "--stat", "stat", "--format", "json"))
        self.assertEqual(object["siblings"], 1)
        self.assertEqual(object["versions"][0]["bytes"], 5)
        self.assertIsInstance(object["versions"][0]["counter"], str)
        self.assertIn(b"VERSION", self.ok("dyn-get", "--stat", "stat"))


class Batches(Tools):
    def test_a_list_is_stored_and_read_back_in_order(self):
        items = [{"key": f"batch:{n}", "value": f"value {n}\n\u20ac"} for n in range(3000)]
        lines = "".join(json.dumps(item) + "\n" for item in items)
        done = self.tool("dyn-put", "--batch", "-", stdin=lines)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stdout, b"")
        self.assertIn(b"3000 stored, 0 failed", done.stderr)
        keys = "".join(item["key"] + "\n" for item in items)
        out = self.ok("dyn-get", "--batch", "-", stdin=keys).decode().splitlines()
        read = [json.loads(line) for line in out]
        self.assertEqual([{"key": item["key"], "value": item["value"]} for item in read], items)
        deleted = self.tool("dyn-del", "--batch", "-", stdin=keys + "batch:none\n")
        self.assertEqual(deleted.returncode, 0, deleted.stdout)
        self.assertIn(b"(1 absent)", deleted.stderr)
        self.exits(1, "dyn-get", "batch:17")

    def test_octets_travel_in_base64_and_can_be_fed_back(self):
        item = {"key_b64": base64.b64encode(b"\xff\x00").decode(),
                "value_b64": base64.b64encode(b"\x80\n").decode()}
        self.ok("dyn-put", "--batch", "-", stdin=json.dumps(item))
        self.assertEqual(self.ok("dyn-get", "--key-encoding", "hex", "ff00"), b"\x80\n")
        line = self.ok("dyn-get", "--batch", "-", "--key-encoding", "hex", stdin="ff00\n")
        self.assertEqual({key: json.loads(line)[key] for key in item}, item)
        self.ok("dyn-put", "--batch", "-", stdin=line)
        self.assertEqual(self.ok("dyn-get", "--key-encoding", "hex", "ff00"), b"\x80\n")

    def test_tab_separated_items_may_hold_line_feeds_between_nuls(self):
        self.ok("dyn-put", "--batch", "-", "--format", "tsv", stdin="tsv:1\tone\ntsv:2\ttwo\tthree")
        self.assertEqual(self.ok("dyn-get", "tsv:2"), b"two\tthree")
        self.ok("dyn-put", "--batch", "-", "--format", "tsv", "-0", stdin="tsv:1\ta\nb\0tsv:2\tc\0")
        self.assertEqual(self.ok("dyn-get", "tsv:1"), b"a\nb")

    def test_failed_items_are_reported_and_the_rest_is_stored(self):
        lines = ['{"key":"part:1","value":"x"}', "nonsense",
                 json.dumps({"key": "k" * 2000, "value": "x"}), '{"key":"part:2","value":"y"}']
        done = self.tool("dyn-put", "--batch", "-", stdin="\n".join(lines))
        self.assertEqual(done.returncode, 7)
        failed = [json.loads(line) for line in done.stdout.decode().splitlines()]
        self.assertEqual(failed[0]["line"], 2)
        self.assertEqual(failed[1]["error"]["code"], "too_large")
        self.assertEqual(self.ok("dyn-get", "part:1", "part:2"), b"xy")

    def test_siblings_are_listed_and_their_context_settles_them(self):
        self.ok("dyn-put", "--blind", "sib", "a")
        self.ok("dyn-put", "--blind", "sib", "b")
        done = self.tool("dyn-get", "--batch", "-", stdin="sib\nsib:none\n")
        first, second = [json.loads(line) for line in done.stdout.decode().splitlines()]
        self.assertEqual(done.returncode, 0)
        self.assertIsNone(first["value"])
        self.assertEqual(sorted(one["value"] for one in first["values"]), ["a", "b"])
        self.assertEqual((second["value"], second["siblings"]), (None, 0))
        item = {"key": "sib", "value": "c", "context": first["context"]}
        self.ok("dyn-put", "--batch", "-", stdin=json.dumps(item))
        self.assertEqual(self.ok("dyn-get", "sib"), b"c")

    def test_a_slow_list_is_stored_as_it_comes(self):
        put = subprocess.Popen(["dyn-put", "--batch", "-"], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=self.environment)
        put.stdin.write(b'{"key":"slow","value":"1"}\n')
        put.stdin.flush()
        self.eventually(lambda: self.tool("dyn-get", "slow").stdout == b"1", "the first is stored")
        put.stdin.write(b'{"key":"slow","value":"2"}\n')
        _, errors = put.communicate(timeout=60)
        self.assertEqual(put.returncode, 0, errors)
        self.assertEqual(self.ok("dyn-get", "slow"), b"2")

    def test_an_interrupt_stops_the_reading_and_says_where(self):
        put = subprocess.Popen(["dyn-put", "--batch", "-"], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=self.environment)
        put.stdin.write(b'{"key":"cut","value":"1"}\n')
        put.stdin.flush()
        self.eventually(lambda: self.tool("dyn-get", "cut").stdout == b"1", "the first is stored")
        put.send_signal(signal.SIGINT)
        errors = put.stderr.read()
        self.assertEqual(put.wait(60), 7)
        self.assertIn(b"interrupted after line 1", errors)
        put.stdin.close()
        put.stdout.close()
        put.stderr.close()

    def test_a_list_goes_on_while_a_node_dies(self):
        lines = "".join(f'{{"key":"die:{n}","value":"{n}"}}\n' for n in range(4000)).encode()
        put = subprocess.Popen(["dyn-put", "--batch", "-", "--resend-unknown", "--in-flight", "64",
                                "--timeout", "10s"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, env=self.environment)
        half = lines.index(b'"die:2000"') - 7
        put.stdin.write(lines[:half])
        put.stdin.flush()
        self.ok("dyn-cluster", "kill", "n3")
        out, errors = put.communicate(lines[half:], timeout=120)
        self.assertEqual((put.returncode, out), (0, b""), errors)
        keys = "".join(f"die:{n}\n" for n in range(4000))
        got = self.ok("dyn-get", "--batch", "-", "--timeout", "10s", stdin=keys).decode().splitlines()
        self.assertEqual([json.loads(line)["value"] for line in got],
                         [str(n) for n in range(4000)])
        self.ok("dyn-cluster", "restart", "n3")
        self.eventually(lambda: self.tool("dyn-ring", "check").returncode == 0, "healthy again")


class Operators(Tools):
    nodes = 3

    def test_a_screen_shows_the_ring(self):
        text = self.ok("dyn-ring", "status").decode()
        self.assertTrue(text.startswith("RING v"), text)
        self.assertEqual([line.split()[0] for line in text.splitlines()[2:5]], ["n1", "n2", "n3"])
        object = json.loads(self.ok("dyn-ring", "status", "--format", "json"))
        self.assertTrue(object["healthy"], object["reasons"])
        self.assertEqual(sum(node["partitions"] for node in object["nodes"]),
                         3 * object["partitions"])
        self.assertEqual(self.ok("dyn-ring", "check"), b"healthy\n")
        rows = self.ok("dyn-ring", "status", "--format", "tsv").decode().splitlines()
        self.assertEqual([row.split("\t")[0] for row in rows], ["n1", "n2", "n3"])

    def test_a_key_has_a_place(self):
        # MD5 of "cart:7", the key's position in the paper's section 4.1.
        import hashlib
        place = json.loads(self.ok("dyn-ring", "where", "cart:7", "--format", "json"))
        self.assertEqual(place["position"], hashlib.md5(b"cart:7").hexdigest())
        self.assertEqual(len(place["nodes"]), 3)
        self.assertEqual(place["fallbacks"], [])

    def test_nothing_staged_is_nothing_to_plan(self):
        self.exits(1, "dyn-ring", "plan")
        self.exits(1, "dyn-ring", "commit")

    def test_a_dead_node_is_a_reason(self):
        self.ok("dyn-cluster", "kill", "n2")
        self.exits(1, "dyn-cluster", "kill", "n2")
        self.eventually(lambda: self.tool("dyn-ring", "check").returncode == 1, "degraded")
        out = self.tool("dyn-ring", "check").stdout.decode()
        self.assertIn("n2 at", out)
        reasons = json.loads(self.exits(1, "dyn-ring", "check", "--format", "json"))["reasons"]
        self.assertTrue(any("n2" in reason for reason in reasons))
        self.ok("dyn-cluster", "restart", "n2")
        self.eventually(lambda: self.tool("dyn-ring", "check").returncode == 0, "healthy again")

    def test_a_paused_node_is_worked_around(self):
        self.addCleanup(self.tool, "dyn-cluster", "resume", "n3")
        self.ok("dyn-cluster", "pause", "n3")
        self.assertEqual(self.nodes_listed()["n3"]["state"], "paused")
        self.ok("dyn-put", "--timeout", "10s", "paused", "x")
        self.assertEqual(self.ok("dyn-get", "--timeout", "10s", "paused"), b"x")
        self.ok("dyn-cluster", "resume", "n3")
        self.eventually(lambda: self.nodes_listed()["n3"]["state"] == "running", "running")
        self.eventually(lambda: self.tool("dyn-ring", "check").returncode == 0, "healthy again")

    def test_a_node_whose_data_was_wiped_comes_back_as_itself(self):
        self.ok("dyn-put", "wiped", "value")
        self.ok("dyn-cluster", "kill", "n1")
        self.ok("dyn-cluster", "wipe", "n1")
        left = {path.name for path in (pathlib.Path(self.directory) / "n1").iterdir()}
        self.assertIn("identity", left)
        self.assertFalse(any(name.startswith("shard") for name in left), left)
        self.ok("dyn-cluster", "restart", "n1", "--wait", "60s")
        self.eventually(lambda: self.tool("dyn-ring", "check").returncode == 0, "healthy again")
        self.assertEqual(self.ok("dyn-get", "--timeout", "10s", "wiped"), b"value")

    def test_statistics_are_printed_in_every_format(self):
        self.ok("dyn-put", "counted", "x")
        rows = self.ok("dyn-stats", "--all", "--format", "tsv", "hints.held").decode().splitlines()
        self.assertEqual([row.split("\t") for row in rows],
                         [[name, "hints.held", "0"] for name in ("n1", "n2", "n3")])
        rows = self.ok("dyn-stats", "--all", "--format", "tsv", "put.count").decode().splitlines()
        self.assertGreaterEqual(sum(int(row.split("\t")[-1]) for row in rows), 1)
        self.assertTrue(self.ok("dyn-stats", "--node", "n1", "hints.held"))
        object = json.loads(self.ok("dyn-stats", "--all", "--format", "json", "put.latency.*"))
        self.assertIn("put.latency.p99", object["nodes"][0]["stats"])
        prom = self.ok("dyn-stats", "--all", "--format", "prom").decode()
        self.assertIn('dynamo_hints_held{node="n1"}', prom)
        self.exits(1, "dyn-stats", "no.such.name")
        self.exits(2, "dyn-stats", "--node", "n9")

    def test_completion_offers_live_nodes(self):
        environment = dict(self.environment, DYN_COMPLETE="1")
        out = subprocess.run(["dyn-stats", "--node", "n"], env=environment, capture_output=True)
        self.assertEqual([line.split("\t")[0] for line in out.stdout.decode().splitlines()],
                         ["n1", "n2", "n3"])
        out = subprocess.run(["dyn-cluster", "kill", ""], env=environment, capture_output=True)
        self.assertEqual(len(out.stdout.splitlines()), 3)


class Clusters(Tools):
    nodes = 1

    def test_a_ring_is_formed_by_hand(self):
        first = self.ok("dyn-cluster", "add").decode().strip()
        second = self.ok("dyn-cluster", "add").decode().strip()
        self.assertEqual(first, f"127.0.0.1:{self.base + 10}")
        self.assertFalse(self.nodes_listed()["n2"]["joined"])
        self.ok("dyn-ring", "join", first, "--zone", "z2", "--note", "by hand")
        self.ok("dyn-ring", "join", second)
        self.assertEqual(self.ok("dyn-ring", "check"), b"healthy\n")
        self.assertIn(b"STAGED add n2", self.ok("dyn-ring", "status"))
        plan = json.loads(self.ok("dyn-ring", "plan", "--format", "json", "-o", "plan.json"))
        self.assertEqual(plan, json.loads((pathlib.Path(self.scratch) / "plan.json").read_text()))
        self.assertEqual({node["name"] for node in plan["nodes"]}, {"n1", "n2", "n3"})
        self.assertGreaterEqual(plan["moves"], plan["moves_minimum"])
        self.exits(3, "dyn-ring", "commit", "--plan", "p-00000000")
        self.ok("dyn-ring", "commit", "--plan", plan["plan"], "--wait")
        again = self.tool("dyn-ring", "commit", "--plan", plan["plan"])
        self.assertIn(again.returncode, (3, 6), again.stderr)
        status = json.loads(self.ok("dyn-ring", "status", "--format", "json"))
        self.assertEqual(len(status["nodes"]), 3)
        self.assertEqual({node["zone"] for node in status["nodes"]} & {"z2"}, {"z2"})
        refused = self.tool("dyn-ring", "join", first)
        self.assertEqual(refused.returncode, 6, refused.stderr)

        self.ok("dyn-put", "kept", "value")
        self.ok("dyn-cluster", "stop")
        self.assertEqual({node["state"] for node in self.nodes_listed().values()}, {"dead"})
        self.ok("dyn-cluster", "start", "--nodes", "3", "--wait", "60s")
        self.assertEqual(self.ok("dyn-get", "kept"), b"value")
        self.exits(6, "dyn-cluster", "start", "--nodes", "2")

        self.exits(6, "dyn-cluster", "wipe", "n3")
        self.ok("dyn-cluster", "kill", "n3")
        self.ok("dyn-cluster", "wipe", "n3", "--all")
        self.assertEqual(list((pathlib.Path(self.directory) / "n3").iterdir()), [])
        self.ok("dyn-cluster", "restart", "n3", "--wait", "60s")
        self.assertFalse(self.nodes_listed()["n3"]["joined"])
        self.assertIn(b"another daemon answers", self.exits(1, "dyn-ring", "check"))
        self.exits(2, "dyn-cluster", "kill", "n9")


class Examples(Tools):
    """Every example of every tool's help and page is run as it stands."""

    # What a fresh cluster lacks for them, and those whose exit says "no" as they are meant to.
    prepare = """
        for key in cart:7 cart:8 note photo:1 a b; do dyn-put --overwrite $key milk; done; head -c 1000 /dev/urandom >photo.jpg
    """
    siblings = """
        dyn-put --overwrite {0} '["x"]'; dyn-put --blind {0} '["y"]'
    """

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # Some wait for the night: it is eleven in the evening where they run.
        cls.environment["TZ"] = f"NIGHT{time.gmtime().tm_hour - 23}"

    def examples_of(self, tool):
        environment = dict(self.environment, DYN_DOC="commands")
        out = subprocess.run([tool], env=environment, capture_output=True, text=True)
        return out.stdout.splitlines()

    # What an example needs before it, by tool, and the ones that cannot be run here: they change the
    # ring of a cluster that does not wait for it, or take long (bench_test.py shortens those).
    dump = "dyn-dump -o monday.dump; dyn-dump | gzip >monday.dump.gz"
    before = {"dyn-merge": siblings.format("cart:7") + siblings.format("note"),
              "dyn-load": dump,
              "dyn-merkle-diff": dump + "; dyn-repair run; dyn-merkle-diff n1 --save n1.tree"}
    elsewhere = re.compile(r"^dyn-cluster|^dyn-bench|other:7100|"
                           r"^dyn-ring (join|leave|replace|cancel|diff|commit|plan)")

    def test_of_every_tool(self):
        for tool in sorted(path.name for path in BIN.glob("dyn-*")):
            examples = self.examples_of(tool)
            self.assertGreaterEqual(len(examples), 2, tool)
            for example in examples:
                if self.elsewhere.search(example):
                    continue
                with self.subTest(example):
                    self.shell(self.prepare + self.before.get(tool, ""))
                    done = self.shell("set -o pipefail; " + example)
                    self.assertEqual(done.returncode, 0, done.stderr.decode())

    def test_of_every_page_stand_in_its_help(self):
        pages = pathlib.Path(__file__).resolve().parents[2] / "man"
        for page in sorted(pages.glob("dyn-*.1")):
            text = page.read_text().split(".Sh EXAMPLES")[1].split("\n.Sh ")[0]
            shown = re.findall(r"\.Bd -literal -offset indent\n(.*?)\n\.Ed", text, re.S)
            plain = [example.replace("\\-", "-").replace("\\e", "\\").removeprefix("\\&")
                     for example in shown]
            self.assertEqual(plain, self.examples_of(page.stem), page.name)


class Failures(unittest.TestCase):
    def setUp(self):
        self.scratch = tempfile.mkdtemp(prefix="dyn-cli-test-")
        self.addCleanup(shutil.rmtree, self.scratch, ignore_errors=True)
        self.directory = f"{self.scratch}/cluster"

    def start(self, *words, **environment):
        return subprocess.run(
            ["dyn-cluster", "--dir", self.directory, "start", "--nodes", "2", *words],
            env=dict(os.environ, PATH=f"{BIN}:{os.environ['PATH']}", **environment),
            capture_output=True, timeout=120, stdin=subprocess.DEVNULL)

    def test_a_taken_port_is_named(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            done = self.start("--base-port", str(port))
        self.assertEqual(done.returncode, 2)
        self.assertIn(f"port {port}".encode(), done.stderr)
        self.assertFalse(os.path.exists(f"{self.directory}/cluster.json"))

    def test_a_daemon_that_ends_at_once_is_reported_with_its_log(self):
        daemon = pathlib.Path(self.scratch) / "dynamod"
        daemon.write_text("#!/bin/sh\necho the reason\nexit 3\n")
        daemon.chmod(0o755)
        done = self.start("--base-port", str(free_base_port(2)), DYNAMOD=str(daemon))
        self.assertEqual(done.returncode, 8, done.stderr)
        self.assertIn(b"the reason", done.stderr)
        self.assertIn(b"n1 exited with 3", done.stderr)

    def test_a_daemon_that_never_answers_is_not_left_running(self):
        daemon = pathlib.Path(self.scratch) / "dynamod"
        daemon.write_text("#!/usr/bin/python3\nimport time\ntime.sleep(600)\n")
        daemon.chmod(0o755)
        done = self.start("--base-port", str(free_base_port(2)), "--wait", "1s",
                          DYNAMOD=str(daemon))
        self.assertIn(done.returncode, (4, 5), done.stderr)
        left = subprocess.run(["pgrep", "-f", self.directory], capture_output=True)
        self.assertEqual(left.stdout, b"")

    def test_unknown_daemon_options_are_a_usage_error(self):
        done = self.start("--base-port", str(free_base_port(2)), "--", "--no-such-option")
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn(b"no-such-option", done.stderr)

    def test_options_reach_every_daemon(self):
        done = self.start("--base-port", str(free_base_port(2)), "--wait", "60s", "--", "--cluster",
                          "mine", "--partitions", "16", "--copies", "2")
        base_environment = dict(os.environ, PATH=f"{BIN}:{os.environ['PATH']}")
        try:
            self.assertEqual(done.returncode, 0, done.stderr)
            listed = subprocess.run(["dyn-cluster", "--dir", self.directory, "env"],
                                    env=base_environment, capture_output=True)
            seeds = listed.stdout.decode().split("=", 1)[1].strip()
            status = subprocess.run(["dyn-ring", "-s", seeds, "status", "--format", "json"],
                                    env=base_environment, capture_output=True)
            object = json.loads(status.stdout)
            self.assertEqual((object["cluster"], object["partitions"], object["copies"]),
                             ("mine", 16, 2))
        finally:
            subprocess.run(["dyn-cluster", "--dir", self.directory, "clean"], env=base_environment,
                           capture_output=True)
        self.assertFalse(os.path.exists(self.directory))


if __name__ == "__main__":
    unittest.main()
