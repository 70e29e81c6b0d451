"""Damaged disks: flipped bits, zeroed blocks and cut files in a stopped node's directory.

No more than one copy of anything is destroyed at a time: the next damage waits until every copy of
every key has been read and is whole. Meanwhile clients go on, and the ledger sees to it that no
wrong value is ever served.
"""
import os
import pathlib
import shutil
import signal
import subprocess
import time

from cluster import PATIENCE, Stuck, eventually
from session import Session

STARTS = 6
# A damage ends its node twice at most: the shard is read through and found whole, breaks again and is
# set aside. One of an earlier round that nothing has met until now may come on top.
ENDS = 5


# Each way tells what it did, so that it can be done again by hand.

def flip_bit(path, place, bit):
    with open(path, "r+b") as file:
        file.seek(place)
        octet = file.read(1)[0]
        file.seek(place)
        file.write(bytes([octet ^ 1 << bit]))
    return f"bit {bit} of octet {place} ({octet:#04x})"


def flip_bits(path, chance, extent):
    return "flipped " + ", ".join(flip_bit(path, chance.randrange(extent), chance.randrange(8))
                                  for _ in range(chance.choice((1, 1, 3, 20))))


def zero_block(path, chance, extent):
    place = chance.randrange(extent) & ~4095
    with open(path, "r+b") as file:
        file.seek(place)
        file.write(bytes(4096))
    return f"zeroed 4096 octets at {place}"


def cut(path, chance, extent):
    left = chance.randrange(extent)
    os.truncate(path, left)
    return f"cut to {left} octets"


def used_octets(path):
    """A log is made longer than what is written to it; damage belongs where something is."""
    octets = pathlib.Path(path).read_bytes()
    return len(octets.rstrip(b"\0"))


# What is damaged, and how.
TARGETS = {
    "table": ("objects-*.db", (flip_bits, zero_block, cut)),
    "log": ("log.*", (flip_bits, zero_block, cut)),
    "high-water": ("high-water", (flip_bits, cut)),
    "own tables": ("[chn]*.db", (flip_bits, cut)),
    "pages in flight": ("pages-in-flight", (flip_bits, cut)),
}
WEIGHTS = (45, 30, 8, 12, 5)


class Damage:
    name, fault = "damage", "damages"
    limit_known = {}

    @classmethod
    def session(cls, run):
        options = ["--durability", run.chance.choice(("os", "sync"))]
        if cls.knows_limit(run.daemon):
            # The disk of this node is a bad one, and is meant to be.
            options += ["--set-aside-limit", "100000"]
        session = Session(run, run.chance.choice((3, 3, 4)), options,
                          kinds=("set", "cart", "recreate", "hot", "blind", "large"))
        session.tend = lambda: tend(session)
        session.starts = session.ends = 0
        session.last = "nothing"
        return session

    @classmethod
    def knows_limit(cls, daemon):
        if daemon not in cls.limit_known:
            shown = subprocess.run([daemon, "--help"], capture_output=True, check=False).stdout
            cls.limit_known[daemon] = b"--set-aside-limit" in shown
        return cls.limit_known[daemon]

    @staticmethod
    def round(session):
        node = session.chance.choice(session.nodes)
        stop(session, node)
        if session.chance.random() < 0.05:
            refused_own_file(session, node)
        else:
            damage(session, node)
        session.starts = session.ends = 0
        if session.chance.random() < 0.3:
            session.progress(5)
        revive(session, node)
        session.progress(5)
        session.audit(everything=True)
        count_aside(session, node)
        return 1

    @staticmethod
    def between(session):
        del session


def stop(session, node):
    """Half the time with its tables written out, so that damage to them meets data."""
    node.up = False
    if session.chance.random() < 0.6:
        node.process.send_signal(signal.SIGTERM)
        eventually(node.ended, f"{node.name} stops", PATIENCE, 0.005)
    node.kill()
    node.reap()


def damage(session, node):
    what = session.chance.choices(list(TARGETS), WEIGHTS)[0]
    pattern, ways = TARGETS[what]
    paths = sorted(node.shard().glob(pattern))
    paths = [path for path in paths if used_octets(path)]
    if not paths:
        what, paths, ways = "log", sorted(node.shard().glob("log.*"))[-1:], (flip_bits, cut)
    path = session.chance.choice(paths)
    way = session.chance.choice(ways)
    done = way(path, session.chance, used_octets(path))
    session.last = f"{path.name} of {node.name} {done}"
    with open(os.path.join(session.directory, "damages"), "a", encoding="utf-8") as file:
        file.write(f"{time.strftime('%H:%M:%S', time.gmtime())} {session.last}\n")
    session.run.notes[f"damaged: {what}, {way.__name__.replace('_', ' ')}"] += 1


def refused_own_file(session, node):
    """A damaged ring or identity is refused with advice; the file is put back, as that says."""
    path = os.path.join(node.directory, session.chance.choice(("ring", "identity")))
    kept = path + ".kept"
    shutil.copy2(path, kept)
    done = flip_bits(path, session.chance, os.path.getsize(path))
    session.last = f"{path} {done}"
    node.start()
    if node.wait_ready():
        session.found.append(f"damage: {node.name} starts with a damaged {path}")
    elif node.process.returncode not in (6, 8):
        session.found.append(f"damage: a damaged {path} ends {node.name} with "
                             f"{node.process.returncode}: {node.said()[-500:]}")
    node.kill()
    node.reap()
    os.replace(kept, path)
    session.run.notes["damaged: ring or identity, refused and put back"] += 1


def revive(session, node):
    """Starts it, as a supervisor would, then as an operator."""
    while True:
        session.starts += 1
        node.start()
        if node.wait_ready():
            return
        node.reap()
        if node.process.returncode != 8:
            session.found.append(f"damage: after {session.last}, {node.name} ends with "
                                 f"{node.process.returncode}: {node.said()[-800:]}")
        if session.starts == 3:
            session.run.notes["removed by hand: " + reason(node)] += 1
            shutil.rmtree(node.shard())
        if session.starts > STARTS:
            raise Stuck(f"{node.name} does not start, even without its data: {node.said()[-800:]}")


def reason(node):
    lines = [line for line in node.said().splitlines() if " error" in line] or ["?"]
    return lines[-1].split("error: ")[-1][:60]


def tend(session):
    """A node that found damage while it ran has ended, and is started again."""
    for node in session.nodes:
        if node.up and node.ended():
            node.up = False
            node.incarnation += 1
            session.run.notes[f"ended by itself with {node.process.returncode}, started again"] += 1
            session.ends += 1
            if session.ends == ENDS:
                session.found.append(f"damage: after {session.last}, {node.name} starts and ends "
                                     f"again and again: {node.said()[-800:]}")
                # Kept to be looked at; the node goes on without.
                os.rename(node.shard(), os.path.join(session.directory, "ends-again-and-again"))
            if node.process.returncode != 8:
                session.found.append(f"damage: after {session.last}, {node.name} ended with "
                                     f"{node.process.returncode}: {node.said()[-800:]}")
            revive(session, node)


def count_aside(session, node):
    aside = [path for path in pathlib.Path(node.directory).iterdir() if ".damaged-" in path.name]
    session.run.notes["set aside and pulled anew"] += len(aside)
    for path in aside:
        shutil.rmtree(path)
