"""Changes of the ring under load, made with the tools, while nodes are killed and paused."""
import os
import pathlib
import shutil
import subprocess

from cluster import Stuck, eventually
from session import Session

SIZES = (3, 5, 4)  # the ring goes round through these


class Ring:
    """3, 5, 4 and again 3 members; each change meets a kill and a pause."""
    name, fault = "ring", "changes"

    @staticmethod
    def session(run):
        return Session(run, max(SIZES), ["--durability", run.chance.choice(("sync", "os"))],
                       members=SIZES[0])

    @staticmethod
    def round(session):
        return Change(session).make()

    @staticmethod
    def between(session):
        session.audit()


class Change:
    """One change, from what is staged to where all that moves has arrived."""

    def __init__(self, session):
        self.session, self.chance = session, session.chance
        present = len(session.members)
        self.target = SIZES[(SIZES.index(present) + 1) % len(SIZES)]
        self.coming, self.going = [], []
        if self.target > present:
            outside = [node for node in session.nodes if not node.member]
            self.coming = outside[:self.target - present]
        else:
            self.going = self.chance.sample(session.members, present - self.target)

    def make(self):
        session = self.session
        for node in self.coming:
            address = node.client_address
            self.until_done(lambda: self.tool("join", address), f"{node.name} is staged")
        for node in self.going:
            # Clients go elsewhere first, as those of an operator would.
            node.member = False
            self.until_done(lambda: self.tool("leave", node.name), f"{node.name} is staged")
        faults = [self.kill, self.pause]
        self.chance.shuffle(faults)
        if self.chance.random() < 0.3:
            faults.pop()()
        self.until_done(self.commit, "a commit")
        cancelled = self.chance.random() < 0.15 and self.tool("cancel").returncode == 0
        for fault in faults:
            fault()
        self.until_done(lambda: self.tool("wait", "--timeout", "60s"), "the change ends")
        self.end(cancelled)
        session.progress(20)
        if self.chance.random() < 0.3:
            session.audit()
        return 1

    def end(self, cancelled):
        """Those who have left come back as strangers, if at all."""
        for node in self.coming:
            node.member = not cancelled
        for node in self.going:
            node.member = cancelled
        self.session.run.notes["ring: changes taken back"] += cancelled
        for node in self.session.nodes:
            if node.member or (node in self.coming) == (not cancelled):
                continue
            node.kill()
            node.reap()
            shutil.rmtree(node.directory)
            seed = self.session.members[0]
            node.options = ["--seeds", seed.peer_address]
            node.must_start()

    def commit(self):
        done = self.tool("commit")
        # One that was answered by nobody may have been made: then nothing is staged any more.
        return done if done.returncode != 1 else subprocess.CompletedProcess(done.args, 0)

    def victim(self):
        return self.chance.choice(self.session.members + self.going)

    def kill(self):
        node = self.victim()
        node.kill()
        node.reap()
        if self.chance.random() < 0.5:
            self.session.progress(20)
        node.must_start()

    def pause(self):
        node = self.victim()
        node.pause()
        self.session.progress(20)
        node.resume()

    # ------------------------------------------------------------------------------------ tools

    def tool(self, *words):
        session = self.session
        seeds = ",".join(node.client_address for node in session.members)
        environment = dict(os.environ, DYN_SEEDS=seeds, DYN_TIMEOUT="5s", LC_ALL="C.UTF-8")
        program = pathlib.Path(session.cluster.daemon).parent / "dyn-ring"
        return subprocess.run([program, *words], env=environment, capture_output=True, timeout=300,
                              check=False)

    def until_done(self, work, what):
        """Again and again, as an operator would, for what waits for a majority."""
        last = {}

        def tried():
            done = last["done"] = work()
            if done.returncode in (0, 4, 5, 6, 7):
                return done.returncode == 0
            raise Stuck(f"{what}: {done.args}: exit {done.returncode}: {done.stderr.decode()}")

        eventually(tried, lambda: f"{what}: {last['done'].args}: {last['done'].stderr.decode()}",
                   pause=0.2)
