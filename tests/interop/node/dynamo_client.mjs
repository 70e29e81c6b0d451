// A client of dynamo-wire(7), written from that page alone.
//
//     const client = new Client("127.0.0.1:7100");
//     const got = await client.get(key);
//     await client.put(key, value, { mode: CONTEXT, context: got.context });
//
// Keys, values and contexts are Uint8Arrays. Many requests may be in flight. Errors of the daemon
// reject as Failure, silence as Silence.
import { createHash } from "node:crypto";

import { decode, encode } from "@msgpack/msgpack";
import { Dealer } from "zeromq";

export const OBSERVE = 0;
export const CONTEXT = 1;
export const BLIND = 2;

const MAGIC = Buffer.from("DYN1");
const REQUEST = 0;
const REPLY = 1;
// What the client waits beyond the daemon's own deadline: much, for a machine under load.
const PATIENCE_MS = 60000;

/** An error reply. */
export class Failure extends Error {
  constructor(code, body) {
    super(`${body.name} (${code}): ${body.message}`);
    this.name = body.name ?? "";
    this.code = code;
    this.retryable = body.retryable ?? false;
    // Whatever is not known for sure counts as maybe.
    this.applied = body.applied === "no" ? "no" : "maybe";
  }
}

/** No reply came; a write may be applied. */
export class Silence extends Error {}

export class Client {
  #socket;
  #lastId = 0;
  #waiting = new Map();
  #sending = Promise.resolve();
  messages = 0; // received so far

  constructor(address, { timeoutMs = 0 } = {}) {
    this.timeoutMs = timeoutMs; // of a request that names none
    this.#socket = new Dealer({ linger: 0 });
    this.#socket.connect(`tcp://${address}`);
    this.#receive();
  }

  close() {
    this.#socket.close();
  }

  // ------------------------------------------------------------------------------- messages

  /** Sends octets as they are. */
  send(header, body) {
    // A socket takes one message at a time.
    const sent = this.#sending.then(() => this.#socket.send([MAGIC, header, body]));
    this.#sending = sent.catch(() => {});
    return sent;
  }

  async #receive() {
    for await (const [magic, header, body] of this.#socket) {
      if (!magic.equals(MAGIC)) throw new Error("not ours");
      this.messages += 1;
      const [kind, , code] = decode(header);
      if (kind !== REPLY) throw new Error("no reply");
      if (code !== "batch") {
        this.#settle(header, body);
        continue;
      }
      const parts = decode(body);
      for (let at = 0; at < parts.length; at += 2) this.#settle(parts[at], parts[at + 1]);
    }
  }

  #settle(header, body) {
    const [, id, code, meta] = decode(header);
    const waiting = this.#waiting.get(id);
    if (!waiting) return; // given up meanwhile
    this.#waiting.delete(id);
    clearTimeout(waiting.timer);
    const reply = decode(body);
    if (code === 0) waiting.resolve({ body: reply, meta });
    else waiting.reject(new Failure(code, reply));
  }

  /** The promise of a reply to an id. */
  expect(id, patience = PATIENCE_MS) {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(id);
        reject(new Silence("no reply in time"));
      }, patience);
      this.#waiting.set(id, { resolve, reject, timer });
    });
  }

  nextId() {
    this.#lastId += 1;
    return this.#lastId;
  }

  /** The whole reply: its body, and its header's meta. */
  async exchange(op, body, given = {}) {
    const meta = this.timeoutMs ? { timeout_ms: this.timeoutMs, ...given } : given;
    const id = this.nextId();
    const reply = this.expect(id, (meta.timeout_ms ?? 0) + PATIENCE_MS);
    reply.catch(() => {}); // it is looked at below
    await this.send(encode([REQUEST, id, op, meta]), encode(body, { ignoreUndefined: true }));
    return reply;
  }

  /** A promise of the body of each; every request is [op, body, meta]. */
  batch(requests) {
    const parts = [];
    const replies = [];
    for (const [op, body, meta = {}] of requests) {
      const id = this.nextId();
      parts.push(encode([REQUEST, id, op, meta]), encode(body));
      replies.push(this.expect(id).then((reply) => reply.body));
    }
    // What could not be sent is silence to each of them.
    this.send(encode([REQUEST, 0, "batch", {}]), encode(parts)).catch(() => {});
    return replies;
  }

  // ----------------------------------------------------------------------------- operations

  async ask(op, body = {}, meta = {}) {
    return (await this.exchange(op, body, meta)).body;
  }

  hello(meta) {
    return this.ask("hello", { client: "dynamo_client.mjs" }, meta);
  }

  get(key, options = {}, meta = {}) {
    return this.ask("get", { key, ...options }, meta);
  }

  put(key, value, options = {}, meta = {}) {
    return this.ask("put", { key, value, ...options }, meta);
  }

  delete(key, options = {}, meta = {}) {
    return this.ask("del", { key, ...options }, meta);
  }

  async ring() {
    return new Ring((await this.ask("ring")).state);
  }
}

/** The differing values of a get's reply as Buffers: none, one, or a conflict. */
export function valuesOf(got) {
  const found = new Map();
  for (const { value, tombstone } of got.versions)
    if (!tombstone) found.set(Buffer.from(value).toString("hex"), Buffer.from(value));
  return [...found.keys()].sort().map((digits) => found.get(digits));
}

/** Which nodes hold a key. */
export class Ring {
  constructor(state) {
    const [form, clusterId, settings, , epochs] = decode(state);
    const epoch = decode(epochs[epochs.length - 1]);
    if (form !== 1 || epoch[0] !== 1) throw new Error("a ring of another format");
    this.clusterId = clusterId;
    [this.name, , , this.r, this.w] = settings;
    this.number = epoch[1];
    this.members = epoch[6].map(([id, name, , , clientAddress]) => ({ id, name, clientAddress }));
    [this.n, this.q] = epoch.slice(7, 9);
    this.table = Buffer.from(epoch[9]);
  }

  partitionOf(key) {
    const first = createHash("md5").update(key).digest().readUInt16BE(0);
    return first >> (16 - Math.log2(this.q));
  }

  ownersOf(key) {
    const owners = [];
    for (let place = 0; place < this.n; place += 1) {
      const index = this.table.readUInt16BE(2 * (this.partitionOf(key) * this.n + place));
      if (index !== 0xffff) owners.push(this.members[index]);
    }
    return owners;
  }
}
