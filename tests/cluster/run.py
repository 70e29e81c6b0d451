"""A run: which nemeses, how often or how long, what they did, and the verdict."""
import collections
import random
import sys
import time

import cleanup
from cluster import Stuck

SESSION_SECONDS = 60
BETWEEN_ROUNDS = 25
NOTHING_RUN = 77  # exit status: all was skipped


class Skip(Exception):
    """A prerequisite is missing."""


class Run:
    def __init__(self, daemon, seed, keep_going=False):
        self.keep_going = keep_going
        self.daemon, self.seed = daemon, seed
        self.chance = random.Random(seed)
        self.scratch = cleanup.scratch_directory()
        self.began = time.monotonic()
        self.sessions = 0
        self.faults = collections.Counter()    # done, by name
        self.rounds = collections.Counter()    # by nemesis
        self.seconds = collections.Counter()   # by nemesis
        self.operations = collections.Counter()
        self.notes = collections.Counter()
        self.skipped = {}
        self.violations = []
        self.last_said = 0
        self.current = None

    def next_session(self):
        self.sessions += 1
        return self.sessions

    def session_ended(self, session):
        self.operations.update(session.ledger.counts)
        found = session.violations()
        if found and hasattr(session, "last"):
            found.append(f"the last fault: {session.last}")
        self.violations += [f"session {session.number}: {one}" for one in found]
        if found:
            cleanup.keep(session.directory)
            self.say(f"session {session.number} ({self.current.name}) VIOLATED: {found[0][:600]}",
                     now=True)

    def is_over(self):
        return self.violations and not self.keep_going

    def say(self, line, now=False):
        if now or time.monotonic() - self.last_said > 10:
            self.last_said = time.monotonic()
            print(f"{time.monotonic() - self.began:7.1f}s  {line}", flush=True)

    def nemesis(self, nemesis, seconds, enough=lambda: False):
        """Sessions of one nemesis until the time is over or enough was done."""
        self.current = nemesis
        begun = time.monotonic()
        try:
            while True:
                self.one_session(nemesis, min(SESSION_SECONDS, begun + seconds - time.monotonic()),
                                 enough)
                if self.is_over() or enough() or time.monotonic() - begun > seconds - 1:
                    return
        except Skip as missing:
            self.skipped[nemesis.name] = str(missing)
            self.say(f"{nemesis.name}: SKIPPED: {missing}", now=True)
        except Stuck as error:
            self.violations.append(f"session {self.sessions} did not begin: {error}")
            cleanup.keep(self.scratch)
        finally:
            self.seconds[nemesis.name] += time.monotonic() - begun

    def one_session(self, nemesis, seconds, enough):
        end = time.monotonic() + seconds
        rounds = 0
        with nemesis.session(self) as session:
            while not rounds or not (time.monotonic() > end or enough()):
                self.faults[nemesis.fault] += nemesis.round(session)
                self.rounds[nemesis.name] += 1
                rounds += 1
                if rounds % BETWEEN_ROUNDS == 0:
                    nemesis.between(session)
                if session.violations():
                    break
                self.say(f"{nemesis.name}: session {session.number}, {rounds} rounds, "
                         f"{self.faults[nemesis.fault]} {nemesis.fault}, "
                         f"{session.ledger.counts['ok']} writes acknowledged")

    def report(self):
        """The table and the verdict; the exit status."""
        print(f"\n{'NEMESIS':<12} {'ROUNDS':>7} {'FAULTS':>18} {'SECONDS':>8}")
        for name in self.rounds:
            fault = NEMESES[name].fault
            print(f"{name:<12} {self.rounds[name]:>7} {self.faults[fault]:>8} {fault:<9} "
                  f"{self.seconds[name]:>8.0f}")
        for name, why in self.skipped.items():
            print(f"{name:<12} skipped: {why}")
        for note, count in sorted(self.notes.items()):
            print(f"  {count:>6} {note}")
        counts = self.operations
        print(f"{self.sessions} sessions: {counts['ok']} writes acknowledged, {counts['failed']} "
              f"refused, {counts['unknown']} unknown, {counts['reads']} reads checked")
        for one in self.violations[:20]:
            print(f"VIOLATION {one}", file=sys.stderr)
        verdict = f"{len(self.violations)} VIOLATIONS" if self.violations else "no violation"
        print(f"{verdict}; seed {self.seed}", flush=True)
        if self.violations:
            return 1
        return 0 if self.rounds else NOTHING_RUN


NEMESES = {}


def register(*nemeses):
    NEMESES.update({nemesis.name: nemesis for nemesis in nemeses})
