// The Node client against real daemons; node_test.py starts them and writes what is read here.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { after, test } from "node:test";

import { decode, encode } from "@msgpack/msgpack";
import { Request } from "zeromq";

import { BLIND, CONTEXT, Client, Failure, Silence, valuesOf } from "./dynamo_client.mjs";

const addresses = process.env.DYN_SEEDS.split(",");
const clients = addresses.map((address) => new Client(address, { timeoutMs: 60000 }));
const [client] = clients;
after(() => clients.forEach((each) => each.close()));

const octets = (text) => Buffer.from(text);
const everyOctet = Buffer.from(Array.from({ length: 256 }, (_, octet) => octet));
const texts = (got) => valuesOf(got).map(String).sort();

async function fails(code, name, applied, asked) {
  await assert.rejects(asked, (failure) => {
    assert.ok(failure instanceof Failure, failure);
    assert.deepEqual([failure.code, failure.name, failure.applied], [code, name, applied]);
    return true;
  });
}

/** No number is beyond what a double holds exactly, however deep. */
function assertExact(value) {
  if (typeof value === "number" && Number.isInteger(value))
    assert.ok(Math.abs(value) <= 2 ** 53, String(value));
  assert.notEqual(typeof value, "bigint");
  if (value instanceof Uint8Array || value === null || typeof value !== "object") return;
  Object.values(value).forEach(assertExact);
}

async function eventually(condition, what) {
  const end = Date.now() + 120000;
  for (;;) {
    const value = await condition();
    if (value) return value;
    assert.ok(Date.now() < end, `never: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** On all three nodes; again while a busy machine makes one seem dead. */
function putEverywhere(key, value) {
  return eventually(() => client.put(key, value, { w: 3 }).catch((failure) => {
    assert.ok([20, 32].includes(failure.code), failure);
    return null;
  }), "stored everywhere");
}

const isHealthy = () => spawnSync("dyn-ring", ["check"]).status === 0;

test("hello says who is there", async () => {
  const hello = await client.hello();
  assert.ok(hello.proto_min <= 1 && hello.proto_max >= 1);
  assert.ok(hello.features.includes("batch"));
  assert.deepEqual([hello.max_key, hello.max_value, hello.max_context], [1024, 2 ** 20, 8192]);
  assert.deepEqual([hello.node, hello.state, hello.cluster_id.length], ["n1", "member", 16]);
});

test("values come back from every node, octet for octet", async () => {
  const key = Buffer.concat([octets("node:every"), everyOctet]);
  for (const value of [Buffer.alloc(0), everyOctet, Buffer.alloc(2 ** 20, "x")]) {
    await putEverywhere(key, value);
    for (const each of clients) assert.deepEqual(valuesOf(await each.get(key)), [value]);
  }
});

test("an absent key is no error and has a context", async () => {
  const got = await client.get(octets("node:never"));
  assert.deepEqual(got.versions, []);
  assert.ok(got.context.length > 0);
  await client.put(octets("node:never"), octets("x"), { mode: CONTEXT, context: got.context });
});

test("two blind puts are siblings until a context covers them", async () => {
  const key = octets("node:siblings");
  await client.put(key, octets("milk"), { mode: BLIND });
  assert.equal((await client.put(key, octets("bread"), { mode: BLIND })).existed, true);
  const got = await client.get(key);
  assert.deepEqual(texts(got), ["bread", "milk"]);
  for (const version of got.versions) assert.ok(BigInt(version.birth) > 0n);
  await fails(10, "conflict", "no", client.put(key, octets("x")));
  await client.put(key, octets("both"), { mode: CONTEXT, context: got.context });
  assert.deepEqual(texts(await client.get(key)), ["both"]);
});

test("a delete leaves a tombstone and a second one nothing", async () => {
  const key = octets("node:gone");
  await client.put(key, octets("x"));
  assert.equal((await client.delete(key)).existed, true);
  const got = await client.get(key);
  assert.deepEqual(got.versions.map((version) => version.tombstone), [true]);
  assert.deepEqual(valuesOf(got), []);
  assert.equal((await client.delete(key)).existed, false);
  await client.put(key, octets("y"), { if_absent: true });
  await fails(11, "exists", "no", client.put(key, octets("z"), { if_absent: true }));
});

test("a delete does not take what it did not see", async () => {
  const key = octets("node:race");
  const { context } = await client.put(key, octets("1"));
  await client.put(key, octets("2"), { mode: BLIND });
  await client.delete(key, { mode: CONTEXT, context });
  const got = await client.get(key);
  assert.deepEqual(texts(got), ["2"]);
  assert.equal(got.versions.filter((version) => version.tombstone).length, 1);
});

test("a batch is answered request by request", async () => {
  const keys = Array.from({ length: 500 }, (_, number) => octets(`node:batch:${number}`));
  await Promise.all(client.batch(keys.map((key) => ["put", { key, value: key, mode: BLIND }])));
  assert.ok(client.messages < 500);
  const got = await Promise.all(client.batch(keys.map((key) => ["get", { key }])));
  got.forEach((reply, place) => assert.deepEqual(valuesOf(reply), [keys[place]]));
});

test("what is wrong in a batch harms nothing else", async () => {
  const key = octets("node:beside");
  const [bad, good, foreign] = client.batch([
    ["fly", {}],
    ["put", { key, value: octets("x") }],
    ["get", { key }, { cluster: Buffer.alloc(16, 1) }],
  ]);
  await Promise.all([
    fails(4, "unknown_op", "no", bad),
    good,
    fails(40, "wrong_cluster", "no", foreign),
  ]);
  assert.deepEqual(texts(await client.get(key)), ["x"]);
});

test("many requests are in flight at once", async () => {
  const puts = Array.from({ length: 300 }, (_, number) =>
    client.put(octets(`node:flight:${number}`), octets("x")));
  assert.equal((await Promise.all(puts)).length, 300);
});

test("requests out of bounds are refused by name", async () => {
  const key = octets("node:refused");
  const large = Buffer.alloc(2 ** 20 + 1);
  await fails(1, "bad_request", "no", client.get("text"));
  await fails(1, "bad_request", "no", client.get(Buffer.alloc(0)));
  await fails(1, "bad_request", "no", client.get(key, { r: 4 }));
  await fails(1, "bad_request", "no", client.get(key, {}, { timeout_ms: 86400001 }));
  await fails(1, "bad_request", "no", client.put(key, null));
  await fails(2, "too_large", "no", client.put(Buffer.alloc(1025, "k"), key));
  await fails(2, "too_large", "no", client.put(key, large));
  await fails(4, "unknown_op", "no", client.ask("fly"));
  await fails(40, "wrong_cluster", "no", client.get(key, {}, { cluster: Buffer.alloc(16, 1) }));
  assert.deepEqual((await client.get(key)).versions, []);
});

test("a message that cannot be read is answered with no id", async () => {
  const reply = client.expect(0);
  await client.send(Buffer.from([0xc1]), encode({}));
  await fails(1, "bad_request", "no", reply);
});

test("a context is refused when damaged or made for another key", async () => {
  const { context } = await client.put(octets("node:mine"), octets("x"));
  const damaged = Buffer.from(context);
  damaged[damaged.length >> 1] ^= 1;
  for (const [key, token] of [["node:mine", damaged], ["node:mine", octets("x")],
    ["node:yours", context]])
    await fails(3, "bad_context", "no",
      client.put(octets(key), octets("y"), { mode: CONTEXT, context: token }));
});

test("unknown fields, metas and elements are ignored", async () => {
  const key = octets("node:later");
  const id = client.nextId();
  const reply = client.expect(id);
  await client.send(encode([0, id, "put", { later: [1, { x: null }] }, "later"]),
    encode({ key, value: octets("x"), later: { deep: [1, 2.5] } }));
  assert.equal((await reply).body.existed, false);
  assert.deepEqual(texts(await client.get(key)), ["x"]);
});

test("a plain request socket is served", async () => {
  const socket = new Request({ linger: 0, receiveTimeout: 60000 });
  socket.connect(`tcp://${addresses[1]}`);
  try {
    for (const [op, code] of [["hello", 0], ["fly", 4]]) {
      await socket.send(["DYN1", encode([0, 1, op, {}]), encode({})]);
      const [magic, header] = await socket.receive();
      assert.equal(String(magic), "DYN1");
      assert.deepEqual(decode(header).slice(0, 3), [1, 1, code]);
    }
  } finally {
    socket.close();
  }
});

test("no number is too large for a double", async () => {
  for (const op of ["hello", "stats", "status"]) assertExact(await client.ask(op));
  const key = octets("node:exact");
  await client.put(key, octets("x"), { trace: true });
  const reply = await client.exchange("get", { key, trace: true });
  assert.equal(reply.body.trace[0].what, "coordinates");
  assertExact(reply);
  assertExact(await client.ask("peek", { key }));
});

test("a client finds the owners by itself", async () => {
  const ring = await client.ring();
  assert.equal((await client.exchange("hello", {})).meta.ring, ring.number);
  for (let number = 0; number < 8; number += 1) {
    const key = `node:route:${number}`;
    const where = JSON.parse(execFileSync("dyn-ring", ["where", key, "--format", "json"]));
    assert.deepEqual(ring.ownersOf(octets(key)).map((owner) => owner.name),
      where.nodes.map((node) => node.name));
  }
});

test("what Python wrote is read here, and its context is good", async () => {
  assert.deepEqual(valuesOf(await client.get(octets("python:octets"))), [everyOctet]);
  assert.deepEqual(texts(await client.get(octets("python:gone"))), []);
  const key = octets("python:two");
  assert.deepEqual(texts(await client.get(key)), ["bread", "milk"]);
  const context = readFileSync("python.context");
  await client.put(key, octets("merged by node"), { mode: CONTEXT, context });
  assert.deepEqual(texts(await client.get(key)), ["merged by node"]);
});

test("what is written here is read by the tools", async () => {
  await client.put(octets("node:octets"), everyOctet);
  assert.deepEqual(execFileSync("dyn-get", ["node:octets"]), everyOctet);
  execFileSync("dyn-put", ["node:from-the-tools", "value"]);
  assert.deepEqual(texts(await client.get(octets("node:from-the-tools"))), ["value"]);
  // These two wait for Python.
  for (const value of ["milk", "bread"])
    await client.put(octets("node:two"), octets(value), { mode: BLIND });
  writeFileSync("node.context", (await client.get(octets("node:two"))).context);
});

test("a node that is silent is told apart from errors", async () => {
  const paused = new Client(addresses[1]);
  try {
    await paused.hello();
    execFileSync("dyn-cluster", ["pause", "n2"]);
    const id = paused.nextId();
    const reply = paused.expect(id, 500);
    await paused.send(encode([0, id, "get", {}]), encode({ key: octets("k") }));
    await assert.rejects(reply, Silence);
  } finally {
    execFileSync("dyn-cluster", ["resume", "n2"]);
    paused.close();
  }
  await eventually(isHealthy, "healthy again");
});

test("with a node down three copies cannot be had", async () => {
  const key = octets("node:down");
  await putEverywhere(key, octets("x"));
  execFileSync("dyn-cluster", ["kill", "n3"]);
  await eventually(async () => {
    // The first requests that miss it may have been sent already, and say something else.
    const failure = await client.get(key, { r: 3 }).catch((error) => error);
    assert.ok([20, 32].includes(failure.code), failure);
    return failure.code === 32;
  }, "the dead node is suspected");
  await fails(32, "too_few_nodes", "no", client.put(key, octets("y"), { w: 3, mode: BLIND }));
  await fails(32, "too_few_nodes", "no", client.delete(key, { w: 3 }));
  assert.deepEqual(texts(await client.get(key)), ["x"]);
  await client.put(key, octets("z"));
  execFileSync("dyn-cluster", ["restart", "n3", "--wait", "120s"]);
  await eventually(isHealthy, "healthy again");
  assert.deepEqual(texts(await clients[2].get(key)), ["z"]);
});
