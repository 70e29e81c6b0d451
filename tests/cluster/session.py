"""A session: one cluster under one kind of fault and load, from its founding to its verdict."""
import os
import random

from cluster import Cluster, Node, Stuck, eventually
from ledger import Ledger
from workloads import Load


def names_of(versions):
    return {(one["node"], one["birth"], one["counter"]) for one in versions}


class Session:
    """What a nemesis works on. Violations of any rule are collected, never raised."""

    kinds = ("set", "cart", "recreate", "hot", "large", "blind")

    def __init__(self, run, nodes=3, options=(), kinds=None, workers=6, make_node=Node,
                 directory=None, members=None):
        self.run = run
        self.number = run.next_session()
        self.chance = random.Random(f"{run.seed}/session/{self.number}")
        self.directory = directory or os.path.join(run.scratch, f"s{self.number}")
        self.cluster = Cluster(run.daemon, self.directory, *options)
        # With as many nodes as copies nobody can stand in, so that every read meets every write.
        self.ledger = Ledger(strict=nodes <= 3)
        self.found = []
        self.load = None
        self.make_node, self.size, self.founding = make_node, nodes, members
        self.load_kinds, self.workers = kinds or self.kinds, workers
        # What has to be looked after while something is waited for; whether there was anything.
        self.tend = lambda: False

    @property
    def nodes(self):
        return self.cluster.nodes

    @property
    def members(self):
        return self.cluster.members()

    def __enter__(self):
        try:
            self.cluster.form([self.make_node(self.cluster, number + 1)
                               for number in range(self.size)], self.founding)
        except Exception:
            self.cluster.stop()
            raise
        self.load = Load(self.cluster, self.ledger, f"{self.run.seed}/{self.number}",
                         self.load_kinds, self.workers).start()
        self.progress(30)
        return self

    def __exit__(self, kind, error, trace):
        """The verdict: everything healed, everything read back."""
        try:
            if kind is None or kind is Stuck:
                if error:
                    self.found.append(f"stuck: {error}")
                else:
                    self.conclude()
        except (Stuck, RuntimeError) as late:
            self.found.append(f"stuck: {late}")
        finally:
            self.found += self.cluster.defects()
            if self.load:
                self.load.stop()
            self.cluster.stop()
        if kind is Stuck or kind is None:
            self.run.session_ended(self)
            return True
        return False

    def conclude(self):
        for node in self.nodes:
            if node.paused:
                node.resume()
            self.tend()
            node.must_start()
        self.progress(20)
        self.audit(everything=True)

    # --------------------------------------------------------------------------------- waiting

    def progress(self, writes):
        """Waits until so many more writes are acknowledged."""
        target = self.load.acknowledged() + writes
        eventually(lambda: self.tend() or self.load.acknowledged() >= target or self.load.errors,
                   lambda: f"{writes} writes acknowledged; refused so far: {self.load.why()}",
                   pause=0.005)
        self.found += self.load.errors

    # ---------------------------------------------------------------------------------- audits

    def audit(self, everything=False, wait_hints=True):
        """Stops the load, waits until all copies agree, judges keys, lets the load go on."""
        self.load.hold()
        try:
            keys = self.load.keys(in_use_only=not everything)
            states = self.settle(keys, wait_hints)
            for key in keys:
                self.load.judge(key, states[key])
            if everything:
                self.read_back(keys, states)
        finally:
            self.load.release()

    def settle(self, keys, wait_hints=True):
        """Waits until every key is the same on all its owners; returns what they hold."""
        state = {"left": list(keys), "held": {}, "why": "nothing was asked"}

        def settled():
            if self.tend():
                return False
            if state["left"]:
                state["left"], state["why"] = self.apart(state["left"], state["held"])
            if state["left"]:
                return False
            hints = {node.name: self.cluster.told(node, "status").get("hints_held")
                     for node in self.members}
            state["why"] = f"hints held: {hints}"
            return not wait_hints or all(count == 0 for count in hints.values())

        eventually(settled, lambda: f"copies agree: {len(state['left'])} keys left, e.g. "
                   f"{state['why']}", pause=0.05)
        return state["held"]

    def apart(self, keys, held):
        """The keys whose copies differ, and why the first of them; notes the others' versions."""
        left, reason = [], ""
        for start in range(0, len(keys), 50):
            some = keys[start:start + 50]
            answers = {node: self.cluster.wire.ask_all(node, [("peek", {"key": key})
                                                             for key in some])
                       for node in self.members}
            for place, key in enumerate(some):
                why, versions = self.compare({node: answers[node][place] for node in self.members})
                if why:
                    left.append(key)
                    reason = reason or f"{key.decode()}: {why}"
                else:
                    held[key] = versions
        return left, reason

    @staticmethod
    def compare(answers):
        """Why the copies of a key differ, if they do, and the versions that they hold."""
        digests, versions, owners = set(), [], 0
        for node, answer in answers.items():
            if not answer.ok:
                return f"{node.name} {answer.why}", None
            if not answer.body["owner"]:
                continue
            owners += 1
            if answer.body["rebuilding"]:
                return f"{node.name} is rebuilding", None
            own = [copy for copy in answer.body["copies"] if copy["hint_for"] == b""]
            if any(copy["damaged"] for copy in own):
                return f"{node.name} holds a damaged copy", None
            digests.add(own[0]["digest"] if own else b"")
            versions = own[0]["versions"] if own else []
        if len(digests) != 1 or owners < 1:
            return f"{len(digests)} differing copies on {owners} owners", None
        return None, versions

    def read_back(self, keys, states):
        """An ordinary client's reads show what the copies hold."""
        for key in keys:
            for _ in range(5):
                node = self.chance.choice(self.members)
                body = eventually(lambda: not self.tend() and self.cluster.told(node, "get", key=key),
                                  f"a final read of {key} at {node.name}")
                self.ledger.judge(key, body["versions"])
                shown, held = names_of(body["versions"]), names_of(states[key])
                if shown == held:
                    break
                # What a broken network held back may come in between: then the copies hold it now.
                states.update(self.settle([key]))
            else:
                self.found.append(f"read: {key}: a read at {node.name} shows {shown}, not {held}, "
                                  "which the copies hold")

    def violations(self):
        return self.ledger.violations + self.found
