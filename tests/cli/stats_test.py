#!/usr/bin/env python3
"""dyn-stats against a cluster of real daemons.

    usage: stats_test.py BIN [TEST...]
"""
import json
import re
import signal
import subprocess
import unittest

from harness import Tools

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"'
SAMPLE = re.compile(rf"({NAME})\{{({LABEL}(?:,{LABEL})*)\}} (-?\d+(?:\.\d+)?(?:e[-+]?\d+)?)$")
SUFFIXES = {"summary": ("", "_count", "_sum"), "counter": ("",), "gauge": ("",)}


def families_of(text):
    """Reads the text format 0.0.4 and refuses whatever a strict reader could: every family has one
    HELP, then one TYPE, then all its samples, each a different one."""
    families = {}
    current = None
    assert text.endswith("\n")
    for line in text[:-1].split("\n"):
        if line.startswith("# HELP "):
            name, help_text = line[7:].split(" ", 1)
            assert re.fullmatch(NAME, name) and name not in families, line
            assert help_text and not re.search(r"\\[^\\n]", help_text), line
            current = name
            families[name] = {"type": None, "samples": {}}
        elif line.startswith("# TYPE "):
            name, kind = line[7:].split(" ")
            assert name == current and families[name]["type"] is None, line
            assert not families[name]["samples"] and kind in SUFFIXES, line
            families[name]["type"] = kind
        else:
            sample = SAMPLE.fullmatch(line)
            assert sample, line
            name, labels, value = sample.group(1), sample.group(2), float(sample.groups()[-1])
            family = families[current]
            assert name[len(current):] in SUFFIXES[family["type"]] and name.startswith(current), line
            assert (name, labels) not in family["samples"], line
            family["samples"][name, labels] = value
    assert all(family["samples"] and family["type"] for family in families.values())
    return families


class Statistics(Tools):
    nodes = 3

    def test_prometheus_reads_every_line(self):
        def puts():
            rows = self.ok("dyn-stats", "--all", "--format", "tsv", "put.count").decode()
            return sum(int(row.split("\t")[-1]) for row in rows.splitlines())
        self.ok("dyn-put", "prom", "x")
        families = families_of(self.ok("dyn-stats", "--all", "--format", "prom").decode())
        for name, family in families.items():
            self.assertTrue(name.startswith("dynamo_"), name)
            self.assertEqual(name.endswith("_total"), family["type"] == "counter", name)
            self.assertNotRegex(name, r"microseconds|_us\b|_ms\b")
        self.assertEqual(families["dynamo_hints_held"]["type"], "gauge")
        self.assertEqual(sum(families["dynamo_put_total"]["samples"].values()), puts())
        latency = families["dynamo_put_latency_seconds"]
        self.assertEqual(latency["type"], "summary")
        self.assertLessEqual({f'node="n1",quantile="{quantile}"'
                              for quantile in ("0.5", "0.99", "0.999")},
                             {labels for _, labels in latency["samples"]})
        # In microseconds a put would seem to take at least a minute.
        self.assertLess(max(value for (name, _), value in latency["samples"].items()
                            if not name.endswith("_count")), 60)
        self.assertEqual({node: value for (_, node), value in
                          families["dynamo_up"]["samples"].items()},
                         {f'node="n{number}"': 1 for number in (1, 2, 3)})
        self.exits(2, "dyn-stats", "--format", "prom", "--watch")

    def test_no_counter_of_a_daemon_falls_while_it_runs(self):
        def sample():
            nodes = json.loads(self.ok("dyn-stats", "--all", "--format", "json"))["nodes"]
            return {(node["node"], name): value for node in nodes
                    for name, value in node["stats"].items()}
        text = self.ok("dyn-stats", "--all", "--format", "prom").decode()
        counters = {name for name, family in families_of(text).items()
                    if family["type"] == "counter"}
        before = sample()
        lines = "".join(f'{{"key":"fall:{n}","value":"{n}"}}\n' for n in range(200))
        self.ok("dyn-put", "--batch", "-", stdin=lines)
        done = self.tool("dyn-stats", "--all", "--delta", "100ms", "--format", "json")
        self.assertEqual([node["restarted"] for node in json.loads(done.stdout)["nodes"]],
                         [False] * 3)
        after = sample()
        fallen = [key for key, value in before.items() if after[key] < value]
        for _, name in fallen:
            self.assertNotIn("dynamo_" + name.replace(".", "_") + "_total", counters)

    def test_a_difference_is_shown_with_its_rate(self):
        slow = subprocess.Popen(["dyn-stats", "--all", "--delta", "3s", "--format", "json"],
                                env=self.environment, stdout=subprocess.PIPE)
        lines = "".join(f'{{"key":"delta:{n}","value":"{n}"}}\n' for n in range(50))
        self.ok("dyn-put", "--batch", "-", stdin=lines)
        out, _ = slow.communicate(timeout=60)
        self.assertEqual(slow.returncode, 0)
        for node in json.loads(out)["nodes"]:
            self.assertGreater(node["seconds"], 2)
            for name, difference in node["delta"].items():
                self.assertAlmostEqual(node["per_second"][name] * node["seconds"], difference, 3)
        text = self.ok("dyn-stats", "--delta", "100ms", "ring.number").decode().splitlines()
        self.assertEqual(text[0].split(), ["NODE", "NAME", "DELTA", "PER_SECOND", "VALUE"])
        self.assertEqual(text[1].split()[2:], ["0", "0.0", "2"])

    def test_a_restart_is_called_so_and_no_fall(self):
        self.ok("dyn-put", "--timeout", "10s", "restart", "x")
        watch = subprocess.Popen(["dyn-stats", "--node", "n3", "--watch", "500ms", "--delta",
                                  "--format", "json", "--timeout", "1s"], env=self.environment,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        json.loads(watch.stdout.readline())
        self.ok("dyn-cluster", "kill", "n3")
        self.ok("dyn-cluster", "restart", "n3", "--wait", "60s")
        # While it is down there is nothing to print of it, or a first sample after it.
        restarted = False
        for _ in range(100):
            for node in json.loads(watch.stdout.readline())["nodes"]:
                self.assertFalse(any(difference < 0 for name, difference in
                                     node.get("delta", {}).items() if name.endswith(".count")))
                restarted = restarted or node.get("restarted", False) or "delta" not in node
            if restarted:
                break
        self.assertTrue(restarted)
        watch.send_signal(signal.SIGINT)
        watch.communicate(timeout=60)
        self.assertEqual(watch.returncode, 0)

    def test_a_watch_appends_until_it_is_interrupted(self):
        watch = subprocess.Popen(["dyn-stats", "--watch", "100ms", "ring.number", "--format", "tsv"],
                                 env=self.environment, stdout=subprocess.PIPE)
        lines = [watch.stdout.readline().decode().rstrip("\n").split("\t") for _ in range(3)]
        watch.send_signal(signal.SIGINT)
        watch.communicate(timeout=60)
        self.assertEqual(watch.returncode, 0)
        self.assertEqual([line[1:] for line in lines], [["n1", "ring.number", "2"]] * 3)
        self.assertEqual(sorted(line[0] for line in lines), [line[0] for line in lines])
        self.assertEqual(len({line[0] for line in lines}), 3)

    def test_a_terminal_is_drawn_over(self):
        done = subprocess.run(["script", "-qec",
                               "timeout -s INT 2 dyn-stats --watch 200ms ring.number", "/dev/null"],
                              env=dict(self.environment, TERM="xterm"), capture_output=True,
                              stdin=subprocess.DEVNULL, timeout=60)
        self.assertGreaterEqual(done.stdout.count(b"\x1b[H\x1b[J"), 2)
        self.assertNotIn(b"TIME ", done.stdout)


if __name__ == "__main__":
    unittest.main()
