"""Faults of processes: killed, paused, and a node's data removed."""
import shutil
import time

from session import Session


class Kill:
    """kill -9 of one to all nodes at once under load, and a restart at once."""
    name, fault = "kill", "kills"

    @staticmethod
    def session(run):
        size = run.chance.choice((3, 3, 5))
        durability = run.chance.choice(("sync", "os"))
        return Session(run, size, ["--durability", durability])

    @staticmethod
    def round(session):
        count = session.chance.randint(1, len(session.nodes))
        victims = session.chance.sample(session.nodes, count)
        for node in victims:
            node.kill()
        for node in victims:
            node.reap()
            node.start()
        for node in victims:
            # Now and then it is killed while it still recovers.
            if session.chance.random() < 0.1:
                time.sleep(session.chance.random() * 0.05)
                node.kill()
                node.reap()
                count += 1
            node.must_start()
        session.progress(session.chance.randint(5, 25))
        return count

    @staticmethod
    def between(session):
        session.audit()


class Pause:
    """SIGSTOP of any nodes, for long enough to be held for dead, and SIGCONT."""
    name, fault = "pause", "pauses"

    @staticmethod
    def session(run):
        return Session(run, run.chance.choice((3, 5)), ["--durability", "os"])

    @staticmethod
    def round(session):
        count = session.chance.randint(1, len(session.nodes))
        victims = session.chance.sample(session.nodes, count)
        for node in victims:
            node.pause()
        time.sleep(session.chance.choice((0.05, 0.3, 1.0, 2.0)))
        for node in victims:
            node.resume()
        session.progress(20)
        return count

    @staticmethod
    def between(session):
        session.audit()


def whole(session):
    """Waits until every copy of every key is there again: only then may another be destroyed."""
    session.audit(everything=True)


class Wipe:
    """A killed node's data is removed; its identity and its ring stay."""
    name, fault = "wipe", "wipes"

    @staticmethod
    def session(run):
        return Session(run, run.chance.choice((3, 4)), ["--durability", "os"])

    @staticmethod
    def round(session):
        node = session.chance.choice(session.nodes)
        node.kill()
        node.reap()
        shutil.rmtree(node.shard())
        if session.chance.random() < 0.5:
            session.progress(10)
        node.must_start()
        if session.chance.random() < 0.3:
            # Killed in the middle of its rebuilding.
            session.progress(3)
            node.kill()
            node.reap()
            node.must_start()
        session.progress(10)
        whole(session)
        return 1

    @staticmethod
    def between(session):
        del session


class Mix:
    """Kills, pauses and wipes in any order."""
    name, fault = "mix", "mixed"

    @staticmethod
    def session(run):
        return Session(run, run.chance.choice((3, 4, 5)), ["--durability", "os"])

    @staticmethod
    def round(session):
        return session.chance.choices((Kill, Pause, Wipe), (6, 2, 2))[0].round(session)

    @staticmethod
    def between(session):
        session.audit()
