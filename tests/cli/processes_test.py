#!/usr/bin/env python3
"""Many short processes, as shell loops make them: nothing leaks and nothing is left behind.

    usage: processes_test.py BIN

How many is in $DYN_PROCESSES; 400 when it is not set.
"""
import collections
import os
import pathlib
import unittest

from harness import Tools

KEYS = 30
PROCESSES = int(os.environ.get("DYN_PROCESSES", "400"))

LOOP = """
loop() {
    for i in $(seq "$2"); do
        dyn-put "loop:$1:$((i %% %(keys)d))" "value $i" || exit 1
        [ "$(dyn-get "loop:$1:$((i %% %(keys)d))")" = "value $i" ] || exit 1
    done
}
loop a %(half)d & first=$!
loop b %(half)d & second=$!
wait "$first" && wait "$second"
"""


def resident_kib(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise RuntimeError(f"no such process {pid}")


def descriptors_of(pid):
    """What the process has open, by kind; each file of its data by its name."""
    held = collections.Counter()
    for link in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = os.readlink(link)
        except FileNotFoundError:
            continue  # closed meanwhile
        held[target if target.startswith("/") else target.split(":")[0]] += 1
    return held


class Processes(Tools):
    def run_loop(self, processes):
        done = self.tool("bash", "-c", LOOP % {"half": processes // 4, "keys": KEYS}, timeout=7200)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, b"", b""))

    def daemons(self):
        return {name: node["pid"] for name, node in self.nodes_listed().items()}

    def stats(self, name):
        out = self.ok("dyn-stats", "--all", name, "--format", "tsv").decode()
        return [float(line.split("\t")[-1]) for line in out.splitlines() if name in line]

    def test_leave_nothing_behind(self):
        # Every key once: a node opens the file of a partition when it first needs it.
        self.run_loop(4 * KEYS)
        files = sorted(os.listdir(self.scratch))
        shared = sorted(os.listdir("/dev/shm"))
        pids = self.daemons()
        descriptors = {pid: descriptors_of(pid) for pid in pids.values()}
        memory = {pid: resident_kib(pid) for pid in pids.values()}

        self.run_loop(PROCESSES)

        self.assertEqual(sorted(os.listdir(self.scratch)), files)
        self.assertEqual(sorted(os.listdir("/dev/shm")), shared)
        self.assertEqual(self.daemons(), pids, "a daemon was started anew")
        # Only the one that asks is connected.
        self.eventually(lambda: max(self.stats("clients.connections")) <= 1, "all clients gone")
        for pid, before in descriptors.items():
            # Files of the data are opened as they are needed, each once. All else comes and goes, a
            # link to a peer that was made anew among it; a leak is one for every few processes.
            def more():
                return [what for what, count in descriptors_of(pid).items()
                        if count > (max(1, before[what]) if what.startswith("/")
                                    else before[what] + 16 + PROCESSES // 100)]
            self.eventually(lambda: not more(),
                            f"descriptors as before: {more()} of {descriptors_of(pid)}")
            # Less than a KiB for each of them, beside what caches and the log take.
            self.assertLess(resident_kib(pid) - memory[pid], 65536 + PROCESSES)
        self.assertEqual(sum(self.stats("hints.held")), 0)


if __name__ == "__main__":
    unittest.main()
