"""What clients do: each workload is a way in which an application uses keys.

A worker thread runs one workload on keys that it shares with other workers, picks any node for each
request, and tells the ledger all about it. A key is left alone after a number of writes and a new
one begun; the end of the run judges them all.
"""
import json
import random
import threading
import time

from ledger import FAILED, OK
from wire import BLIND, CONTEXT, Wire


class Shop:
    """The keys of a workload that are in use, shared by its workers."""

    def __init__(self, name, ledger, width=4, writes=100):
        self.name, self.ledger, self.width, self.writes = name, ledger, width, writes
        self.lock = threading.Lock()
        self.made = 0
        self.in_use = []

    def key(self, chance):
        with self.lock:
            while len(self.in_use) < self.width:
                self.in_use.append(b"%s:%d" % (self.name.encode(), self.made))
                self.made += 1
            place = chance.randrange(self.width)
            key = self.in_use[place]
            entry = self.ledger.keys.get(key)
            if entry and len(entry.writes) >= self.writes:
                del self.in_use[place]
            return key

    def all_keys(self):
        return [b"%s:%d" % (self.name.encode(), number) for number in range(self.made)]


class Client:
    """A wire and a ledger: operations that are recorded."""

    def __init__(self, cluster, ledger, chance):
        self.cluster, self.ledger, self.chance = cluster, ledger, chance
        self.wire = Wire()
        self.why = {}  # what refused or silenced requests, counted

    def node(self):
        up = self.cluster.up_nodes()
        if not up:
            time.sleep(0.01)
            up = self.cluster.members()
        return self.chance.choice(up)

    def get(self, key, node=None):
        """(values, context, set of writes that it covers), or None."""
        read = self.ledger.reading(key)
        # All tries are one read, which began before the first of them.
        outcome = self.wire.ask_patiently(node or self.node(), "get", key=key)
        self.note("get", outcome)
        if not outcome.ok:
            return None
        versions = outcome.body["versions"]
        covered = self.ledger.saw(key, versions, read)
        values = [self.ledger.payload(version["value"]) for version in versions
                  if not version["tombstone"]]
        return values, outcome.body["context"], covered

    def put(self, key, payload, context=b"", past=0, note=None, node=None):
        """`payload` is octets, or makes them of the number of the write."""
        write = self.ledger.begin(key, past, note=note)
        value = self.ledger.value(write, payload(write.number) if callable(payload) else payload)
        outcome = self.wire.ask(node or self.node(), "put", key=key, value=value, context=context,
                                mode=CONTEXT if context else BLIND)
        return self.finish(write, outcome)

    def delete(self, key, context, past, node=None):
        write = self.ledger.begin(key, past, delete=True)
        return self.finish(write, self.wire.ask(node or self.node(), "del", key=key, mode=CONTEXT,
                                                context=context))

    def finish(self, write, outcome):
        self.note("write", outcome)
        self.ledger.finish(write, outcome.status)
        return write, outcome

    def note(self, what, outcome):
        if not outcome.ok:
            name = f"{what}: {outcome.why}"
            self.why[name] = self.why.get(name, 0) + 1


class SetMerge:
    """A set of which no element may be lost: read, merge all siblings, add one's own, write."""

    @staticmethod
    def step(client, key):
        got = client.get(key)
        if not got:
            return
        values, context, past = got
        union = set().union(*(json.loads(value) for value in values))
        client.put(key, lambda number: json.dumps(sorted(union | {number})).encode(), context, past)

    @staticmethod
    def judge(ledger, key, values):
        union = set().union(*(json.loads(value) for value in values))
        meant = {write.number for write in ledger.keys[key].writes if write.status == OK}
        if not meant <= union:
            ledger.fail("lost", key, f"elements {sorted(meant - union)[:10]} of the set")


class Cart:
    """The paper's shopping cart: what was added is never lost; what was removed may come back when
    carts are merged (paper section 4.4)."""

    @staticmethod
    def step(client, key):
        got = client.get(key)
        if not got:
            return
        values, context, past = got
        items = set().union(*(json.loads(value) for value in values))
        out = None
        if len(items) > 3 and client.chance.random() < 0.4:
            out = client.chance.choice(sorted(items))
            items.discard(out)
        client.put(key, lambda number: json.dumps(
            sorted(items if out is not None else items | {number})).encode(), context, past, out)

    @staticmethod
    def judge(ledger, key, values):
        union = set().union(*(json.loads(value) for value in values))
        writes = ledger.keys[key].writes
        added = {write.number for write in writes if write.note is None and write.status == OK}
        removed = {write.note for write in writes if write.status != FAILED}
        if not added - removed <= union:
            ledger.fail("lost", key, f"items {sorted(added - removed - union)[:10]} of the cart")
        known = {write.number for write in writes if write.note is None}
        if not union <= known:
            ledger.fail("invented", key, f"items {sorted(union - known)[:10]} of the cart")


class Recreate:
    """Deleted and written again, over and over."""

    @staticmethod
    def step(client, key):
        got = client.get(key)
        if not got:
            return
        values, context, past = got
        if values and client.chance.random() < 0.6:
            client.delete(key, context, past)
        else:
            client.put(key, b"again", context, past)


class Hot:
    """One key for all, written with contexts, old ones too: a chain that others break into."""

    @staticmethod
    def step(client, key):
        got = client.get(key)
        if not got:
            return
        _, context, past = got
        for _ in range(client.chance.randint(1, 3)):
            write, outcome = client.put(key, b"hot" * client.chance.randint(1, 30), context, past)
            if not outcome.ok:
                return
            # The reply's context covers what was sent and the new write.
            context = outcome.body["context"]
            past |= write.bit


class Large:
    """Values to the limit of a value."""

    @staticmethod
    def step(client, key):
        got = client.get(key)
        if not got:
            return
        _, context, past = got
        size = client.chance.choice((10_000, 100_000, 300_000, 1_048_000))
        client.put(key, client.chance.randbytes(64) * (size // 64), context, past)


class Blind:
    """Values without a context: each becomes a sibling."""

    @staticmethod
    def step(client, key):
        client.put(key, b"blind")
        client.get(key)


KINDS = {"set": SetMerge, "cart": Cart, "recreate": Recreate, "hot": Hot, "large": Large,
         "blind": Blind}
# Keys in use at one time, and writes until a key is left alone.
SHAPES = {"set": (4, 120), "cart": (4, 120), "recreate": (4, 120), "hot": (1, 300), "large": (1, 20),
          "blind": (2, 20)}


class Load:
    """Workers that run until they are told to stop, and stand still while the gate is shut."""

    def __init__(self, cluster, ledger, seed, kinds, workers):
        self.cluster, self.ledger = cluster, ledger
        self.shops = {kind: Shop(kind, ledger, *SHAPES[kind]) for kind in kinds}
        self.gate = threading.Event()
        self.gate.set()
        self.ending = False
        self.resting = 0
        self.lock = threading.Condition()
        self.errors = []
        self.clients = []
        self.threads = []
        for number in range(workers):
            kind = kinds[number % len(kinds)]
            client = Client(cluster, ledger, random.Random(f"{seed}/worker/{number}"))
            self.clients.append(client)
            self.threads.append(threading.Thread(target=self.work, args=(kind, client),
                                                 daemon=True))

    def start(self):
        for thread in self.threads:
            thread.start()
        return self

    def work(self, kind, client):
        try:
            while not self.ending:
                if not self.gate.is_set():
                    self.rest()
                    continue
                KINDS[kind].step(client, self.shops[kind].key(client.chance))
                time.sleep(0.001)
        except Exception as error:  # a worker that dies unseen would make the run say nothing
            self.errors.append(f"worker: {kind}: {error!r}")
            raise
        finally:
            client.wire.close()
            with self.lock:
                self.resting += 1
                self.lock.notify_all()

    def rest(self):
        with self.lock:
            self.resting += 1
            self.lock.notify_all()
        self.gate.wait()
        with self.lock:
            self.resting -= 1

    def hold(self):
        """Shuts the gate and waits until nobody is in the middle of a request."""
        self.gate.clear()
        with self.lock:
            if not self.lock.wait_for(lambda: self.resting == len(self.threads), 60):
                raise RuntimeError("workers do not come to rest")

    def release(self):
        self.gate.set()

    def stop(self):
        self.ending = True
        self.gate.set()
        for thread in self.threads:
            if thread.ident:
                thread.join(60)

    def keys(self, in_use_only=False):
        return [key for shop in self.shops.values()
                for key in (list(shop.in_use) if in_use_only else shop.all_keys())]

    def acknowledged(self):
        return self.ledger.counts[OK]

    def why(self):
        total = {}
        for client in self.clients:
            for name, count in list(client.why.items()):
                total[name] = total.get(name, 0) + count
        return total

    def judge(self, key, versions):
        """The rules of the ledger, then the application's own."""
        self.ledger.judge(key, versions)
        judge = getattr(KINDS[key.partition(b":")[0].decode()], "judge", None)
        if judge and key in self.ledger.keys:
            judge(self.ledger, key, [self.ledger.payload(version["value"]) for version in versions
                                     if not version["tombstone"]])
