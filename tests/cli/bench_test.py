#!/usr/bin/env python3
"""dyn-bench against a cluster of real daemons that dyn-cluster runs.

    usage: bench_test.py BIN [TEST...]
"""
import json
import os
import pathlib
import pty
import re
import signal
import subprocess
import unittest

from harness import Tools


class Bench(Tools):
    def bench(self, *words, code=0):
        out = self.exits(code, "dyn-bench", *words, "--format", "json")
        report = json.loads(out.splitlines()[-1])
        self.assertEqual(report["schema"], "dyn.bench/1")
        return report

    def says(self, code, what, *words):
        done = self.tool("dyn-bench", *words)
        self.assertEqual(done.returncode, code, done.stderr)
        self.assertIn(what, done.stderr.decode())
        self.assertEqual(done.stdout, b"")


class Benchmarks(Bench):
    def test_a_closed_loop_reports_gets_and_puts(self):
        report = self.bench("run", "--load", "--keys", "200", "--count", "1000", "--reads", "30")
        self.assertEqual(report["loop"], "closed")
        self.assertEqual(report["ops"], 1000)
        self.assertEqual(report["errors"], 0)
        self.assertEqual(report["gets"]["count"] + report["puts"]["count"], 1000)
        self.assertTrue(200 < report["gets"]["count"] < 400)
        self.assertEqual(report["gets"]["absent"], 0)
        self.assertGreater(report["ops_per_s"], 0)
        for part in (report, report["gets"], report["puts"]):
            times = [part[name] for name in ("p50_us", "p90_us", "p99_us", "p99_9_us",
                                             "p99_99_us", "max_us")]
            self.assertEqual(times, sorted(times))
            self.assertGreater(times[0], 0)
            self.assertTrue(0 < part["mean_us"] <= part["max_us"])
        self.assertGreater(report["cpu_s_per_million"], 0)
        self.assertEqual(report["settings"]["keys"], 200)

    def test_the_mix_is_the_same_whenever_the_seed_is(self):
        counts = [self.bench("run", "--keys", "50", "--count", "400", "--seed-number",
                             number)["gets"]["count"] for number in ("4", "4", "5", "6", "7")]
        self.assertEqual(counts[0], counts[1])
        self.assertGreater(len(set(counts)), 1)

    def test_an_open_loop_keeps_its_rate(self):
        report = self.bench("run", "--keys", "50", "--rate", "200", "--for", "2s", "--warmup",
                            "200ms")
        self.assertEqual(report["loop"], "open")
        self.assertEqual(report["rate_wanted"], 200)
        done = report["ops"] + report["errors"]
        self.assertEqual(done + report["backlog"], 400, "every moment of the measured time")

    def test_an_open_loop_that_cannot_keep_up_tells_its_backlog(self):
        report = self.bench("run", "--keys", "50", "--rate", "1000000", "--for", "1s",
                            "--in-flight", "4")
        self.assertGreater(report["backlog"], 0)
        self.assertGreaterEqual(report["most_backlog"], report["backlog"])
        self.assertLess(report["ops_per_s"], 1000000)
        self.assertGreater(report["p50_us"], 50000, "what waits for its turn is slow")

    def test_several_clients_share_the_work(self):
        report = self.bench("run", "--load", "--clients", "3", "--in-flight", "30", "--keys",
                            "100", "--count", "1001", "--verify")
        self.assertEqual(report["ops"], 1001)
        self.assertEqual(report["verify"]["keys"], 100)
        self.assertEqual(report["verify"]["lost"], 0)
        self.assertEqual(report["verify"]["acknowledged"], 100 + report["puts"]["count"])

    def test_every_way_to_put_verifies(self):
        for mode in ("observe", "context", "blind"):
            with self.subTest(mode):
                report = self.bench("run", "--prefix", f"mode:{mode}:", "--put-mode", mode,
                                    "--keys", "100", "--count", "300", "--verify",
                                    "--distribution", "zipf", "--value-size", "32..4KiB")
                self.assertEqual(report["verify"]["lost"], 0)
                self.assertEqual(report["verify"]["damaged"], 0)
                self.assertEqual(report["verify"]["unread"], 0)
                self.assertEqual(report["verify"]["acknowledged"], report["puts"]["count"])

    def test_blind_puts_are_seen_to_pile_up_siblings(self):
        report = self.bench("run", "--prefix", "siblings:", "--put-mode", "blind", "--keys", "2",
                            "--count", "60", "--in-flight", "1")
        self.assertGreater(report["gets"]["most_siblings"], 2)
        report = self.bench("run", "--prefix", "updates:", "--keys", "2", "--count", "60",
                            "--in-flight", "1")
        self.assertEqual(report["gets"]["with_siblings"], 0)

    def test_load_stores_every_key(self):
        report = self.bench("load", "--prefix", "loaded:", "--keys", "75", "--value-size", "1KiB")
        self.assertEqual(report["puts"]["count"], 75)
        self.assertEqual(len(self.ok("dyn-get", "loaded:0")), 1024)
        self.assertEqual(len(self.ok("dyn-get", "loaded:74")), 1024)
        self.exits(1, "dyn-get", "loaded:75")

    def test_a_missed_target_exits_with_1_and_is_named(self):
        done = self.tool("dyn-bench", "run", "--keys", "50", "--count", "100", "--slo",
                         "p50<1ns", "--slo", "errors<100%", "--slo", "put.max<1us")
        self.assertEqual(done.returncode, 1)
        said = done.stderr.decode()
        self.assertIn("missed p50<1ns: ", said)
        self.assertIn("missed put.max<1us: ", said)
        self.assertNotIn("errors", said)
        report = self.bench("run", "--keys", "50", "--count", "100", "--slo", "p50<1ns", "--slo",
                            "p99.9<1000s", code=1)
        self.assertEqual(report["slo"], [{"target": "p50<1ns", "met": False},
                                         {"target": "p99.9<1000s", "met": True}])
        self.bench("run", "--keys", "50", "--count", "100", "--slo", "p99.9<1000s")

    def test_the_percentiles_are_written_for_plots(self):
        report = self.bench("run", "--keys", "50", "--count", "500", "--hgrm", "latency.hgrm")
        lines = (pathlib.Path(self.scratch) / "latency.hgrm").read_text().splitlines()
        self.assertEqual(lines[0].split(), ["Value", "Percentile", "TotalCount",
                                            "1/(1-Percentile)"])
        rows = [[float(cell) for cell in line.split()] for line in lines[2:] if line[0] != "#"]
        self.assertEqual(rows[-1][1:], [1.0, 500])
        self.assertAlmostEqual(rows[-1][0], report["max_us"] / 1000, places=2)
        for column in (0, 2):
            cells = [row[column] for row in rows]
            self.assertEqual(cells, sorted(cells))
        middle = next(row for row in rows if row[1] == 0.5)
        self.assertAlmostEqual(middle[0], report["p50_us"] / 1000, delta=0.002 + middle[0] / 50)
        self.assertEqual(middle[3], 2.0)
        self.exits(2, "dyn-bench", "run", "--count", "1", "--hgrm", "no/such/directory")

    def test_people_get_a_table(self):
        lines = self.ok("dyn-bench", "run", "--keys", "50", "--count", "100").decode().splitlines()
        self.assertEqual(lines[0].split()[:5], ["OP", "COUNT", "OPS/S", "ERRORS", "P50"])
        self.assertEqual([line.split()[0] for line in lines[1:4]], ["get", "put", "all"])
        self.assertEqual(lines[3].split()[1], "100")

    def test_a_terminal_shows_how_it_is_doing_and_a_pipe_does_not(self):
        words = ["dyn-bench", "run", "--keys", "50", "--for", "2500ms"]
        self.assertEqual(self.tool(*words).stderr, b"")
        ours, theirs = pty.openpty()
        environment = dict(self.environment, TERM="xterm")
        with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=theirs,
                              env=environment) as process:
            os.close(theirs)
            said = b""
            while chunk := self.read_terminal(ours):
                said += chunk
            self.assertEqual(process.wait(), 0)
        os.close(ours)
        self.assertRegex(said, rb"\r1s  \d+ ops/s  p50 [\d.]+ m?s  p99 [\d.]+ m?s  0 errors")
        self.assertTrue(said.endswith(b"\r\x1b[K"))

    def read_terminal(self, terminal):
        try:
            return os.read(terminal, 4096)
        except OSError:
            return b""

    def test_an_interrupt_ends_a_run_with_its_report(self):
        process = subprocess.Popen(["dyn-bench", "run", "--prefix", "stop:", "--keys", "1",
                                    "--for", "1h", "--verify", "--format", "json"], env=self.environment,
                                   stdout=subprocess.PIPE)
        self.eventually(lambda: self.tool("dyn-get", "stop:0").returncode in (0, 3),
                        "a put")
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 0)
        report = json.loads(out)
        self.assertTrue(report["interrupted"])
        self.assertGreater(report["ops"], 0)
        self.assertLess(report["seconds"], 600)
        self.assertEqual(report["verify"]["lost"], 0)

    def test_a_canary_prints_lines_until_it_is_interrupted(self):
        process = subprocess.Popen(["dyn-bench", "canary", "--rate", "50", "--every", "200ms",
                                    "--format", "json"], env=self.environment,
                                   stdout=subprocess.PIPE)
        lines = [json.loads(process.stdout.readline()) for _ in range(5)]
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 0)
        self.assertGreater(sum(line["puts"] for line in lines), 0)
        self.assertEqual(sum(line["stale"] + line["damaged"] for line in lines), 0)
        report = json.loads(out.splitlines()[-1])
        self.assertEqual(report["verb"], "canary")
        self.assertEqual(report["puts"]["count"], report["gets"]["count"])
        self.assertEqual(report["verify"]["lost"], 0)
        self.assertLessEqual(report["verify"]["keys"], 100)

    def test_a_value_that_somebody_changed_is_found(self):
        self.ok("dyn-put", "--overwrite", "damaged:0", "not what was written")
        done = self.tool("dyn-bench", "run", "--prefix", "damaged:", "--keys", "1", "--reads",
                         "100", "--count", "5", "--verify")
        self.assertEqual(done.returncode, 8, done.stderr)
        self.assertIn("nobody wrote", done.stderr.decode())

    def test_bad_input_is_told_from_the_start(self):
        self.says(2, "--rate: write operations a second", "run", "--rate", "0")
        self.says(2, "--rate: write operations a second", "run", "--rate", "fast")
        self.says(2, "'p99<5': a time needs", "run", "--slo", "p99<5")
        self.says(2, "--value-size: the cluster takes values of up to", "run", "--value-size",
                  "8MiB")
        self.says(2, "the smaller size comes first", "run", "--value-size", "2KiB..100")
        self.says(2, "--value-size is at least 32", "run", "--verify", "--value-size", "8")
        self.says(2, "--reads: write a number from 0 to 100", "run", "--reads", "101")
        self.says(2, "--keys: write a number from 1", "run", "--keys", "0")
        self.says(2, "--in-flight: write a number from 1", "run", "--in-flight", "0")
        self.says(2, "--theta: write a number above 0", "run", "--distribution", "zipf",
                  "--theta", "0")
        self.says(2, "--prefix: the cluster takes keys", "run", "--prefix", "x" * 5000)
        self.says(5, "127.0.0.1:1", "run", "--seed", "127.0.0.1:1")
        self.exits(6, "dyn-bench", "run", "--cluster", "another")

    def test_the_examples_run(self):
        environment = dict(self.environment, DYN_DOC="commands")
        listed = subprocess.run(["dyn-bench"], env=environment, capture_output=True, text=True)
        examples = [line for line in listed.stdout.splitlines() if " canary" not in line]
        self.assertGreaterEqual(len(examples), 4)
        for example in examples:
            with self.subTest(example):
                short = re.sub(r"--for \d+s", "--for 1s", example)
                done = self.shell(re.sub(r"<300ms", "<300s", short))
                self.assertEqual(done.returncode, 0, done.stderr)


class BenchmarksOfFailures(Bench):
    def test_nothing_acknowledged_is_lost_when_a_node_is_killed(self):
        for mode in ("observe", "context"):
            with self.subTest(mode):
                process = subprocess.Popen(
                    ["dyn-bench", "run", "--prefix", f"kill:{mode}:", "--load", "--keys",
                     "500", "--for", "6s", "--put-mode", mode, "--verify", "--settle", "60s", "--format", "json"],
                    env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
                self.eventually(
                    lambda: self.tool("dyn-get", f"kill:{mode}:0").returncode in (0, 3), "a put")
                self.ok("dyn-cluster", "kill", "n3")
                out, errors = process.communicate(timeout=180)
                self.ok("dyn-cluster", "restart", "n3")
                self.assertEqual(process.returncode, 0, errors)
                found = json.loads(out)["verify"]
                self.assertGreater(found["acknowledged"], 0)
                self.assertEqual((found["lost"], found["phantom"], found["damaged"],
                                  found["unread"]), (0, 0, 0, 0))

    def test_without_a_cluster_errors_are_counted_at_leisure(self):
        process = subprocess.Popen(
            ["dyn-bench", "run", "--prefix", "gone:", "--load", "--keys", "50", "--for", "1h",
             "--slo", "errors<1", "--format", "json"],
            env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            self.eventually(lambda: self.tool("dyn-get", "gone:49").returncode in (0, 3), "a put")
            for node in ("n1", "n2", "n3"):
                self.ok("dyn-cluster", "kill", node)
            # Longer than a request waits for its answer: what was under way has failed by then.
            with self.assertRaises(subprocess.TimeoutExpired):
                process.communicate(timeout=4)
            process.send_signal(signal.SIGINT)
            out, _ = process.communicate(timeout=60)
        finally:
            process.kill()
            for node in ("n1", "n2", "n3"):
                self.ok("dyn-cluster", "restart", node)
        self.assertEqual(process.returncode, 1)
        report = json.loads(out)
        self.assertGreater(report["errors_by_code"]["unreachable"], 0)
        self.assertEqual(sum(report["errors_by_code"].values()), report["errors"])
        # Each of the 64 waits 10 ms after a failure.
        self.assertLess(report["errors"], 64 * (report["seconds"] * 100 + 1))

    def test_lost_writes_are_found_and_named(self):
        # Nothing is put once all keys are: the gets only pass the time until the interrupt.
        process = subprocess.Popen(
            ["dyn-bench", "run", "--prefix", "lost:", "--load", "--keys", "50", "--reads", "100",
             "--rate", "5", "--for", "1h", "--verify", "--settle", "1s", "--format", "json"],
            env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            for key in range(50):
                self.eventually(lambda: self.tool("dyn-get", f"lost:{key}").returncode == 0, "put")
            # The whole cluster comes back without its data: what was acknowledged is gone.
            for verb in ("kill", "wipe", "restart"):
                for node in ("n1", "n2", "n3"):
                    self.ok("dyn-cluster", verb, node)
            self.eventually(lambda: self.tool("dyn-get", "lost:0").returncode == 1, "a cluster")
            process.send_signal(signal.SIGINT)
            out, errors = process.communicate(timeout=120)
        finally:
            process.kill()
        self.assertEqual(process.returncode, 8, errors)
        found = json.loads(out)["verify"]
        self.assertEqual(found["lost_keys"], [f"lost:{key}" for key in range(50)])
        self.assertIn("50 keys have lost a write that was acknowledged: lost:0 lost:1",
                      json.loads(errors)["message"])


if __name__ == "__main__":
    unittest.main()
