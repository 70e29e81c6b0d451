#!/usr/bin/python3
"""The rules of the ledger find what they are there to find, and nothing else."""
import unittest

from ledger import FAILED, OK, UNKNOWN, Ledger

KEY = b"k"


class Rules(unittest.TestCase):
    def setUp(self):
        self.ledger = Ledger(strict=True)
        self.values = {}

    def put(self, status=OK, past=0):
        write = self.ledger.begin(KEY, past)
        self.values[write.number] = self.ledger.value(write)
        self.ledger.finish(write, status)
        return write

    def delete(self, past, status=OK):
        write = self.ledger.begin(KEY, past, delete=True)
        self.ledger.finish(write, status)
        return write

    def version(self, write, counter=None, value=None):
        counter = write.number + 1 if counter is None else counter
        if write.delete:
            value = b""
        elif value is None:
            value = self.values[write.number]
        return {"node": b"n", "birth": "1", "counter": counter, "value": value,
                "tombstone": write.delete}

    def read(self, *writes, since=None):
        return self.ledger.saw(KEY, [self.version(write) for write in writes], since)

    def judge(self, *writes):
        self.ledger.judge(KEY, [self.version(write) for write in writes])

    def found(self, *rules):
        self.assertEqual([line.split(":")[0] for line in self.ledger.violations], list(rules))

    # ------------------------------------------------------------------------- what is in order

    def test_a_chain_of_writes_leaves_the_last(self):
        first = self.put()
        second = self.put(past=self.read(first))
        self.judge(self.put(past=self.read(second)))
        self.found()

    def test_concurrent_writes_are_siblings(self):
        self.judge(self.put(), self.put(), self.put())
        self.found()

    def test_an_unknown_write_may_be_there_or_not(self):
        first, second = self.put(), self.put(UNKNOWN)
        self.judge(first)
        self.judge(first, second)
        self.found()

    def test_an_unknown_write_that_is_there_supersedes(self):
        first = self.put()
        self.judge(self.put(UNKNOWN, past=self.read(first)))
        self.found()

    def test_an_unknown_delete_excuses_absence_and_presence(self):
        first = self.put()
        self.delete(self.read(first), UNKNOWN)
        self.judge()
        self.judge(first)
        self.found()

    def test_what_a_deleted_write_had_superseded_is_not_missed(self):
        first = self.put()
        second = self.put(UNKNOWN, past=self.read(first))
        tombstone = self.delete(self.read(second))
        self.judge(tombstone)
        self.found()

    def test_a_read_shows_what_was_acknowledged_or_something_newer(self):
        first = self.put()
        since = self.ledger.reading(KEY)
        self.read(self.put(past=self.read(first, since=since)), since=since)
        self.found()

    def test_a_read_may_miss_a_write_that_was_not_acknowledged_though_another_read_showed_it(self):
        first = self.put()
        self.read(self.put(UNKNOWN, past=self.read(first)))
        self.read(first, since=self.ledger.reading(KEY))
        self.found()

    # --------------------------------------------------------------------------------- planted

    def test_a_lost_write_is_found(self):
        self.put()
        self.judge()
        self.found("lost")

    def test_a_lost_sibling_is_found(self):
        first, _ = self.put(), self.put()
        self.judge(first)
        self.found("lost")

    def test_a_write_is_lost_if_what_superseded_it_is_gone_too(self):
        first = self.put()
        self.put(UNKNOWN, past=self.read(first))
        self.judge()
        self.found("lost")

    def test_a_refused_write_excuses_nothing(self):
        first = self.put()
        self.put(FAILED, past=self.read(first))
        self.delete(self.read(first), FAILED)
        self.judge()
        self.found("lost")

    def test_what_a_delete_had_not_seen_is_lost_with_it(self):
        first = self.put()
        seen = self.read(first)
        self.put()
        self.judge(self.delete(seen))
        self.found("lost")

    def test_a_returned_delete_is_found(self):
        first = self.put()
        tombstone = self.delete(self.read(first))
        self.judge(first, tombstone)
        self.found("returned", "siblings")

    def test_an_old_value_that_is_shown_alone_is_found(self):
        first = self.put()
        second = self.put(past=self.read(first))
        self.judge(first)
        self.found("lost", "returned")
        self.assertIn(str(second), self.ledger.violations[0])

    def test_what_an_unknown_write_superseded_returns_once_that_was_seen(self):
        first = self.put()
        self.read(self.put(UNKNOWN, past=self.read(first)))
        self.judge(first)
        self.found("returned")

    def test_an_invented_value_is_found(self):
        first = self.put()
        self.ledger.judge(KEY, [self.version(first), self.version(first, 9, b"k#7 x")])
        self.found("invented", "siblings")

    def test_a_changed_octet_is_found(self):
        write = self.ledger.begin(KEY)
        value = self.ledger.value(write, b"payload")
        self.ledger.finish(write, OK)
        self.ledger.saw(KEY, [self.version(write, value=value[:-1] + b"D")])
        self.found("invented")

    def test_another_keys_value_is_found(self):
        write = self.ledger.begin(b"other")
        value = self.ledger.value(write)
        self.ledger.finish(write, OK)
        mine = self.put()
        self.ledger.saw(KEY, [self.version(mine, value=value)])
        self.found("invented")

    def test_one_name_for_two_values_is_found(self):
        first, second = self.put(), self.put()
        self.ledger.saw(KEY, [self.version(first, 1)])
        self.ledger.saw(KEY, [self.version(second, 1)])
        self.found("invented")

    def test_extra_siblings_are_found(self):
        first = self.put()
        self.ledger.judge(KEY, [self.version(first, 1), self.version(first, 2)])
        self.found("twice", "siblings")

    def test_tombstones_that_nobody_wrote_are_extra_siblings(self):
        first = self.put()
        stone = self.version(self.ledger.begin(b"other", delete=True), 7)
        self.ledger.judge(KEY, [self.version(first), stone])
        self.found("siblings")

    def test_a_sibling_that_the_other_superseded_is_found_in_any_read(self):
        first = self.put()
        second = self.put(past=self.read(first))
        self.read(first, second)
        self.found("returned")

    def test_a_refused_write_that_is_shown_is_found(self):
        self.read(self.put(FAILED))
        self.found("applied")

    def test_a_write_that_is_refused_after_it_was_shown_is_found(self):
        write = self.ledger.begin(KEY)
        self.values[write.number] = self.ledger.value(write)
        self.read(write)
        self.ledger.finish(write, FAILED)
        self.found("applied")

    def test_a_read_that_misses_an_acknowledged_write_is_stale(self):
        self.put()
        self.read(since=self.ledger.reading(KEY))
        self.found("stale")

    def test_a_read_that_shows_what_was_superseded_is_stale(self):
        first = self.put()
        self.delete(self.read(first))
        self.read(first, since=self.ledger.reading(KEY))
        self.found("stale")


if __name__ == "__main__":
    unittest.main()
