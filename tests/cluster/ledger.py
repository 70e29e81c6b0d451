"""The ledger: what every client did, and the rules that a store must keep whatever happens to it.

It knows what clients meant, not what the store made of it. Each put writes octets that no other one
has, and each write notes its past: the writes that the context it was sent with covers, and all that
those had covered. Its status is

    ok        acknowledged
    failed    an error reply said that it was not applied, or it was never sent
    unknown   anything else: it may be applied, now or later

Versions are given as a get's reply has them. The rules, by the names under which they are reported:

    invented   a value that nobody wrote, or one name (node, birth, counter) for two versions
    applied    a write that was reported as not applied is shown
    twice      one write, sent once, is two versions
    lost       an acknowledged write is neither shown nor superseded by what is
    returned   what an acknowledged or applied write superseded or deleted is shown
    siblings   more versions than there are writes that nothing supersedes
    stale      a read does not show what was acknowledged before it began

Sets of writes of a key are whole numbers with a bit for each, so that rules are a few operations on
them. All methods may be called from any thread.
"""
import hashlib
import threading
import time

PENDING, OK, FAILED, UNKNOWN = "pending", "ok", "failed", "unknown"


def digest_of(value):
    return hashlib.blake2b(value, digest_size=16).digest()


class Write:
    __slots__ = ("key", "number", "delete", "past", "status", "digest", "note", "begun", "ended")

    def __init__(self, key, number, delete, past, note):
        self.key, self.number, self.delete, self.past, self.note = key, number, delete, past, note
        self.status, self.digest = PENDING, None
        self.begun, self.ended = time.monotonic(), None

    @property
    def bit(self):
        return 1 << self.number

    def __str__(self):
        what = "delete" if self.delete else "put"
        return f"{what} #{self.number} ({self.status})"


class Key:
    """The writes of one key, and sets of them."""

    def __init__(self):
        self.writes = []
        self.ok_puts = 0
        self.failed = 0
        self.seen = 0         # shown by some read
        self.replaced = 0     # superseded by a write that is acknowledged
        self.superseded = 0   # by one that is acknowledged or was seen
        self.deleted = 0      # by a delete that may be applied
        self.names = {}       # (node, birth, counter) -> digest of the value; None for a delete
        self.name_of = {}     # number of a write -> its name


class Read:
    """A read that has begun: what it must not miss."""

    def __init__(self, entry):
        self.ok_puts, self.replaced = entry.ok_puts, entry.replaced


class Ledger:
    def __init__(self, strict=False):
        # Strict: every read meets every acknowledged write, so that rule `stale` holds. It does when
        # R + W > N and there are no nodes beyond those N to stand in.
        self.strict = strict
        self.lock = threading.Lock()
        self.keys = {}
        self.violations = []
        self.counts = {OK: 0, FAILED: 0, UNKNOWN: 0, "reads": 0}

    # ------------------------------------------------------------------------------- operations

    def begin(self, key, past=0, delete=False, note=None):
        with self.lock:
            entry = self.keys.setdefault(key, Key())
            write = Write(key, len(entry.writes), delete, past, note)
            entry.writes.append(write)
            if delete:
                entry.deleted |= past
            return write

    @staticmethod
    def value(write, payload=b""):
        """The octets that this write stores: its name, then what the application keeps there."""
        octets = write.key + b"#%d " % write.number + payload
        write.digest = digest_of(octets)
        return octets

    @staticmethod
    def payload(value):
        return value.partition(b" ")[2]

    def finish(self, write, status):
        with self.lock:
            entry = self.keys[write.key]
            write.status, write.ended = status, time.monotonic()
            self.counts[status] += 1
            if status == OK:
                if not write.delete:
                    entry.ok_puts |= write.bit
                entry.superseded |= write.past
                entry.replaced |= write.past
            elif status == FAILED:
                entry.failed |= write.bit
                if entry.seen & write.bit:
                    self.fail("applied", write.key, f"{write} was shown before it was refused")
                if write.delete:
                    entry.deleted = 0
                    for other in entry.writes:
                        if other.delete and other.status != FAILED:
                            entry.deleted |= other.past

    def reading(self, key):
        with self.lock:
            return Read(self.keys.setdefault(key, Key()))

    def saw(self, key, versions, read=None):
        """Checks what a read was shown; returns what the context that came with it covers."""
        with self.lock:
            self.counts["reads"] += 1
            entry = self.keys.setdefault(key, Key())
            shown, covered = self.match(key, entry, versions)
            if read and self.strict:
                self.check_fresh(key, entry, read, shown, covered)
            return covered

    # ------------------------------------------------------------------------------------ rules

    def fail(self, rule, key, what):
        if len(self.violations) < 100:
            self.violations.append(f"{rule}: {key.decode(errors='replace')}: {what}")

    def match(self, key, entry, versions):
        """Finds the writes that are shown; they, and they with all their past."""
        shown = covered = 0
        names = set()
        for version in versions:
            name = (version["node"], version["birth"], version["counter"])
            digest = None if version["tombstone"] else digest_of(version["value"])
            if name in names or entry.names.setdefault(name, digest) != digest:
                self.fail("invented", key, f"one name for two versions: {name}")
            names.add(name)
            if version["tombstone"]:
                continue
            write = self.writer_of(key, entry, version["value"], digest)
            if not write:
                self.fail("invented", key, f"nobody wrote {version['value'][:60]!r} "
                          f"({len(version['value'])} octets)")
                continue
            if entry.name_of.setdefault(write.number, name) != name:
                self.fail("twice", key, f"{write} is {entry.name_of[write.number]} and {name}")
            if write.status == FAILED:
                self.fail("applied", key, f"{write} is shown")
            shown |= write.bit
            covered |= write.bit | write.past
            if not entry.seen & write.bit:
                entry.seen |= write.bit
                entry.superseded |= write.past
        for number in numbers_of(shown):
            others = shown & ~(1 << number)
            if entry.writes[number].past & others:
                self.fail("returned", key, f"{entry.writes[number]} is shown beside what it "
                          f"superseded: {show(entry, entry.writes[number].past & others)}")
        return shown, covered

    @staticmethod
    def writer_of(key, entry, value, digest):
        name = value.partition(b" ")[0]
        if not name.startswith(key + b"#"):
            return None
        number = name[len(key) + 1:]
        if not number.isdigit() or int(number) >= len(entry.writes):
            return None
        write = entry.writes[int(number)]
        return write if write.digest == digest else None

    def check_fresh(self, key, entry, read, shown, covered):
        missed = read.ok_puts & ~covered & ~entry.deleted
        if missed:
            self.fail("stale", key, f"a read that began after their acknowledgement misses "
                      f"{show(entry, missed)}; shown: {show(entry, shown)}")
        old = shown & read.replaced
        if old:
            self.fail("stale", key, "a read shows what writes superseded that were acknowledged "
                      f"before it began: {show(entry, old)}")

    def judge(self, key, versions):
        """The final state of a key, after everything has been healed."""
        with self.lock:
            entry = self.keys.setdefault(key, Key())
            shown, covered = self.match(key, entry, versions)
            lost = entry.ok_puts & ~covered & ~entry.deleted
            if lost:
                self.fail("lost", key, f"{show(entry, lost)}; shown: {show(entry, shown)}")
            returned = shown & entry.superseded
            if returned:
                self.fail("returned", key, show(entry, returned))
            alive = (1 << len(entry.writes)) - 1 & ~entry.superseded & ~entry.failed
            if len(versions) > alive.bit_count():
                self.fail("siblings", key, f"{len(versions)} versions of {alive.bit_count()} "
                          "writes that nothing supersedes")


def numbers_of(mask):
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


def show(entry, mask):
    numbers = list(numbers_of(mask))
    names = ", ".join(str(entry.writes[number]) for number in numbers[:5])
    return "nothing" if not numbers else names + (f" and {len(numbers) - 5} more"
                                                  if len(numbers) > 5 else "")
