"""Broken networks: each node is a host of its own, and routes between them are blackholes."""
import subprocess
import time

import cleanup
from cluster import Node
from private import is_private
from run import Skip
from session import Session

NET = "10.99.0"
GATEWAY = 254  # where the clients are


def ip(*words, host=None):
    inside = ("nsenter", "-t", str(host), "-n") if host else ()
    subprocess.run([*inside, "ip", *words], check=True, capture_output=True)


class Host(Node):
    """A node in a network namespace, which a sleeping process holds."""

    def __init__(self, cluster, number):
        self.number = number
        self.holder = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "unshare", "--net", "cat"],
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        cleanup.later(self.holder.kill)
        # It answers once it is in its namespace.
        self.holder.stdin.write(b"\n")
        self.holder.stdin.flush()
        self.holder.stdout.readline()
        self.pid = self.holder.pid
        link = f"soak{number}"
        subprocess.run(["ip", "link", "del", link], check=False, capture_output=True)
        ip("link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", str(self.pid))
        ip("link", "set", link, "master", "soak", "up")
        ip("link", "set", "lo", "up", host=self.pid)
        ip("addr", "add", f"{NET}.{number}/24", "dev", "eth0", host=self.pid)
        ip("link", "set", "eth0", "up", host=self.pid)
        super().__init__(cluster, number, f"{NET}.{number}",
                         ("nsenter", "-t", str(self.pid), "-n", "--"))
        self.options = []

    def deaf_to(self, other, on):
        """What this host sends to the other goes nowhere."""
        number = other if isinstance(other, int) else other.number
        ip("route", "add" if on else "del", "blackhole", f"{NET}.{number}/32", host=self.pid)


def bridge():
    subprocess.run(["ip", "link", "del", "soak"], check=False, capture_output=True)
    try:
        ip("link", "add", "soak", "type", "bridge")
        ip("addr", "add", f"{NET}.{GATEWAY}/24", "dev", "soak")
        ip("link", "set", "soak", "up")
    except subprocess.CalledProcessError as error:
        raise Skip(f"no bridge can be made: {error.stderr.decode().strip()}") from error


class Partition:
    name, fault = "partition", "partitions"

    @staticmethod
    def session(run):
        if not is_private():
            raise Skip("network namespaces need root, or user namespaces")
        bridge()
        return Session(run, run.chance.choice((3, 5)), ["--durability", "os", "--allow-insecure"],
                       make_node=Host)

    @staticmethod
    def round(session):
        shape = session.chance.choice(SHAPES)
        session.run.notes[f"partition: {shape.__name__.replace('_', ' ')}"] += 1
        cut = shape(session)
        times = session.chance.randint(3, 8) if session.chance.random() < 0.25 else 1
        if times > 1:
            session.run.notes["partition: flapping"] += 1
        for _ in range(times):
            for source, target in cut:
                source.deaf_to(target, True)
            time.sleep(session.chance.choice((0.05, 0.2)) if times > 1
                       else session.chance.choice((0.5, 1, 2, 4)))
            for source, target in cut:
                source.deaf_to(target, False)
            time.sleep(0.05 if times > 1 else 0)
        session.progress(20)
        if session.chance.random() < 0.3:
            session.audit()
        return 1

    @staticmethod
    def between(session):
        session.audit()


# Each shape is a list of (who, to whom) that is not delivered.

def halves(session):
    nodes = list(session.nodes)
    session.chance.shuffle(nodes)
    at = session.chance.randint(1, len(nodes) - 1)
    return nodes[:at], nodes[at:]


def split(session):
    left, right = halves(session)
    return ([(one, two) for one in left for two in right]
            + [(two, one) for one in left for two in right])


def one_way(session):
    left, right = halves(session)
    return [(one, two) for one in left for two in right]


def isolated(session):
    node = session.chance.choice(session.nodes)
    others = [other for other in session.nodes if other is not node]
    return [(node, other) for other in others] + [(other, node) for other in others]


def isolated_from_clients_too(session):
    node = isolated(session)[0][0]
    others = [other for other in session.nodes if other is not node]
    return ([(node, other) for other in others] + [(other, node) for other in others]
            + [(node, GATEWAY)])


def bridged(session):
    """One node sees both halves, which do not see each other."""
    nodes = list(session.nodes)
    session.chance.shuffle(nodes)
    middle = len(nodes) // 2
    left, right = nodes[:middle], nodes[middle + 1:]
    return ([(one, two) for one in left for two in right]
            + [(two, one) for one in left for two in right])


def neighbours_only(session):
    nodes = session.nodes
    count = len(nodes)
    if count < 4:
        return bridged(session)
    return [(nodes[i], nodes[j]) for i in range(count) for j in range(count)
            if i != j and (i - j) % count not in (1, count - 1)]


def nobody_hears_anybody(session):
    return [(one, two) for one in session.nodes for two in session.nodes if one is not two]


SHAPES = (split, split, one_way, isolated, isolated_from_clients_too, bridged, neighbours_only,
          nobody_hears_anybody)
