#!/usr/bin/env python3
"""Rings that serve while they change: dyn-ring join, leave, remove, replace, set, cancel.

    usage: changes_test.py BIN [TEST...]
"""
import json
import unittest

from harness import Tools

KEYS = 300


class Changing(Tools):
    """Tests of a class go on with the ring that the one before has left."""
    daemon_options = ("--partitions", "32", "--durability", "os")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        lines = "".join(json.dumps({"key": f"key:{n}", "value": f"value {n}"}) + "\n"
                        for n in range(KEYS))
        done = cls.tool("dyn-put", "--batch", "-", stdin=lines)
        if done.returncode != 0:
            raise RuntimeError(done.stderr.decode())

    def ring(self, *words, code=0):
        return json.loads(self.exits(code, "dyn-ring", *words, "--format", "json"))

    def refused(self, code, *words):
        """The message of a command that fails."""
        done = self.tool("dyn-ring", *words)
        self.assertEqual(done.returncode, code, f"{words}: {done.stdout!r} {done.stderr!r}")
        return done.stderr.decode()

    def all_is_there(self):
        asked = "".join(f"key:{n}\n" for n in range(KEYS))
        out = self.ok("dyn-get", "--batch", "-", stdin=asked).decode()
        self.assertEqual([json.loads(line)["value"] for line in out.splitlines()],
                         [f"value {n}" for n in range(KEYS)])

    def names(self):
        return [node["name"] for node in self.ring("status")["nodes"]]

    def add(self):
        return self.ok("dyn-cluster", "add").decode().strip()

    def healthy(self):
        self.eventually(lambda: self.tool("dyn-ring", "check").returncode == 0, "healthy")


class Joins(Changing):
    nodes = 3

    def test_1_a_plan_says_what_a_joining_costs(self):
        self.ok("dyn-ring", "join", self.add(), "--note", "more room")
        self.ok("dyn-ring", "plan", "--rate", "1MiB", "-o", "plan.json")
        plan = self.ring("plan", "--rate", "1MiB")
        self.assertEqual((plan["moves"], plan["moves_minimum"], plan["replicas"]), (24, 24, 96))
        self.assertEqual([(node["name"], node["owns_before"], node["owns_after"])
                          for node in plan["nodes"]],
                         [("n1", 32, 24), ("n2", 32, 24), ("n3", 32, 24), ("n4", 0, 24)])
        receives = [node["receives"] for node in plan["nodes"]]
        self.assertEqual(receives[:3], [0, 0, 0])
        self.assertEqual(receives[3], plan["bytes"])
        self.assertGreater(plan["bytes"], 0)
        self.assertEqual(plan["eta_s"], -(-plan["bytes"] // (1 << 20)))
        self.assertEqual(plan["short_partitions"], 0)
        self.assertEqual(plan["next"], f"dyn-ring commit --plan {plan['plan']} --wait")
        text = self.ok("dyn-ring", "plan", "--rate", "1MiB").decode()
        self.assertIn("moves 24/96 replicas (minimum 24)", text)
        self.assertIn("ETA ", text)
        self.assertIn("copies ok  disk ok", text)
        status = self.ring("status")
        self.assertEqual([(one["kind"], one["name"]) for one in status["staged"]], [("add", "n4")])

    def test_2_a_plan_that_is_no_more_is_refused(self):
        old = self.ring("plan")["plan"]
        self.ok("dyn-ring", "set", "n3", "--weight", "200")
        self.assertIn("the present plan is", self.refused(3, "commit", "--plan", old))
        self.assertNotEqual(self.ring("plan")["plan"], old)
        self.ok("dyn-ring", "discard")
        self.assertIn("nothing is staged", self.refused(1, "plan"))
        self.assertEqual(self.ring("status")["staged"], [])
        self.refused(1, "commit")
        self.refused(6, "discard")

    def test_3_a_ring_with_data_grows(self):
        address = [node["address"] for node in
                   json.loads(self.ok("dyn-cluster", "list", "--format", "json"))["nodes"]
                   if node["name"] == "n4"][0]
        self.ok("dyn-ring", "join", address)
        plan = self.ring("plan")["plan"]
        self.assertEqual(self.ok("dyn-ring", "commit", "--plan", plan, "--wait"), b"RING v3\n")
        self.assertEqual(self.names(), ["n1", "n2", "n3", "n4"])
        self.healthy()
        self.all_is_there()
        self.ok("dyn-ring", "wait")
        self.assertEqual(self.ok("dyn-ring", "transfers"), b"")
        self.assertEqual(self.ring("transfers")["transfers"], [])
        counts = json.loads(self.ok("dyn-stats", "--all", "--format", "json",
                                    "partitions.*"))["nodes"]
        self.assertEqual([node["stats"]["partitions.owned"] for node in counts], [24] * 4)
        self.assertEqual([node["stats"]["partitions.gaining"] for node in counts], [0] * 4)

    def test_4_two_rings_are_compared(self):
        different = self.ring("diff", "2", "v3", code=1)
        self.assertEqual([node["name"] for node in different["came"]], ["n4"])
        self.assertEqual(different["went"], [])
        moved = [one for one in different["partitions"] if set(one["before"]) != set(one["after"])]
        self.assertEqual(len(moved), 24)
        self.assertTrue(all("n4" in one["after"] for one in moved))
        self.assertTrue(self.exits(1, "dyn-ring", "diff", "v2", "v3").startswith(b"+ n4 "))
        self.assertEqual(self.ok("dyn-ring", "diff", "3", "3"), b"")
        self.assertIn("there is no ring 9", self.refused(2, "diff", "3", "9"))
        self.refused(2, "diff", "3", "now")

    def test_5_a_change_is_taken_back(self):
        self.ok("dyn-ring", "throttle", "pause")
        self.ok("dyn-ring", "leave", "n4")
        self.ok("dyn-ring", "commit")
        moving = self.ring("transfers")
        self.assertIn(("n4", "hands_over"),
                      [(one["node"], one["does"]) for one in moving["transfers"]])
        self.assertTrue(moving["partitions"])
        self.assertIn("are moving", self.refused_check())
        self.assertIn("under way", self.refused_join())
        self.assertIn(["n4", "leaving"], [line.split()[:4:3] for line in
                                          self.ok("dyn-ring", "status").decode().splitlines()])
        self.all_is_there()
        self.ok("dyn-ring", "cancel")
        self.ok("dyn-ring", "throttle", "resume")
        self.ok("dyn-ring", "wait")
        self.healthy()
        self.assertEqual(self.names(), ["n1", "n2", "n3", "n4"])
        self.all_is_there()
        self.assertIn("no change is under way", self.refused(6, "cancel"))

    def refused_check(self):
        return self.exits(1, "dyn-ring", "check").decode()

    def refused_join(self):
        self.ok("dyn-ring", "set", "n1", "--weight", "300")
        message = self.refused(6, "commit")
        self.ok("dyn-ring", "discard")
        return message

    def test_6_weights_and_names_are_set(self):
        self.ok("dyn-ring", "set", "n1", "--weight", "200", "--zone", "z9")
        self.ok("dyn-ring", "commit", "--wait")
        node = self.ring("status")["nodes"][0]
        self.assertEqual((node["name"], node["weight"], node["zone"]), ("n1", 200, "z9"))
        self.all_is_there()
        self.assertIn("already", self.refused(2, "set", "n1", "--weight", "200"))
        self.refused(2, "set", "n9", "--weight", "200")
        self.refused(2, "set", "n1", "--weight", "0")

    def test_7_a_ring_in_balance_has_nothing_to_rebalance(self):
        self.assertIn("in balance", self.refused(1, "rebalance"))


class Leaves(Changing):
    nodes = 4

    def test_1_a_node_hands_over_and_goes(self):
        self.ok("dyn-ring", "leave", "n2", "--note", "old machine")
        self.ok("dyn-ring", "commit", "--wait")
        self.assertEqual(self.names(), ["n1", "n3", "n4"])
        self.assertEqual(self.ring("status")["leaving"], [])
        self.ok("dyn-cluster", "kill", "n2")
        self.healthy()
        self.all_is_there()

    def test_2_a_node_that_has_left_cannot_return(self):
        self.ok("dyn-cluster", "restart", "n2")
        address = f"127.0.0.1:{self.base + 10}"
        self.assertIn("removed", self.refused(6, "join", address))

    def test_3_who_answers_is_not_removed_and_who_does_not_cannot_leave(self):
        self.assertIn("dyn-ring leave n3", self.refused(6, "remove", "n3"))
        self.assertIn("dyn-ring leave n3", self.refused(6, "remove", "n3", "--lost"))
        self.ok("dyn-cluster", "kill", "n3")
        self.assertIn("dyn-ring remove n3", self.refused(6, "leave", "n3"))
        self.refused(2, "remove", "n9")
        self.refused(2, "leave", "n9")

    def test_4_a_dead_node_is_replaced(self):
        address = self.add()
        self.ok("dyn-ring", "replace", "n3", address)
        plan = self.ring("plan")
        self.assertEqual((plan["moves"], plan["moves_minimum"]), (32, 32))
        self.ok("dyn-ring", "commit", "--plan", plan["plan"], "--wait")
        self.assertEqual(self.names(), ["n1", "n4", "n5"])
        self.all_is_there()
        self.assertIn("n3 was removed", self.exits(1, "dyn-ring", "check").decode())
        # Back again, it hands over what it holds and is done.
        self.ok("dyn-cluster", "restart", "n3")
        self.healthy()
        self.all_is_there()

    def test_5_what_is_lost_is_said_and_counted(self):
        self.ok("dyn-cluster", "kill", "n5")
        self.ok("dyn-ring", "remove", "n5", "--lost")
        self.ok("dyn-ring", "commit", "--wait")
        self.assertEqual(self.names(), ["n1", "n4"])
        self.all_is_there()
        self.ok("dyn-ring", "leave", "n4")
        message = self.refused(6, "commit")
        self.assertIn("32 of 32 partitions would be left with fewer than W=2 copies", message)
        self.assertIn("--accept-loss=32", message)
        self.refused(6, "commit", "--accept-loss", "31")
        self.assertEqual(self.ring("plan")["short_partitions"], 32)
        self.ok("dyn-ring", "commit", "--accept-loss", "32", "--wait")
        self.assertEqual(self.names(), ["n1"])
        self.all_is_there()
        self.assertIn("needs no --accept-loss", self.refused_growth())

    def refused_growth(self):
        self.ok("dyn-ring", "join", self.add())
        message = self.refused(6, "commit", "--accept-loss", "1")
        self.ok("dyn-ring", "commit", "--wait")
        self.all_is_there()
        return message


if __name__ == "__main__":
    unittest.main()
