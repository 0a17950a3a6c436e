/** The clients of Redis that Node programs use, behind one interface. */

import { Buffer } from "node:buffer";

/** What the tests do with a client, however its library calls it. */
export interface NodeClient {
  get(key: string): Promise<string | null>;
  bytes(key: string): Promise<Uint8Array | null>;
  mget(keys: string[]): Promise<(string | null)[]>;
  set(key: string, value: string | Buffer): Promise<unknown>;
  ttl(key: string): Promise<number>;
  /** MULTI, SET, GET, EXEC: returns what the GET in it was answered. */
  transaction(key: string, value: string): Promise<unknown>;
  /** EVAL. */
  script(source: string, key: string, argument: string): Promise<unknown>;
  /** GETs that are sent together and not as a transaction. */
  pipeline(keys: string[]): Promise<unknown[]>;
  publish(channel: string, message: string): Promise<number>;
  /** BLPOP without a timeout, over a connection of its own; returns the element. */
  blockingPop(key: string): Promise<unknown>;
  /** Subscribes, over a connection of its own. */
  subscribe(channel: string, onMessage: (message: string) => void): Promise<void>;
  select(database: number): Promise<unknown>;
  /** Closes all connections that were made here. */
  close(): void | Promise<void>;
}

/** Where to connect to. */
export interface NodeClientOptions {
  port: number;
  password?: string;
}

// deno-lint-ignore no-explicit-any -- five libraries with types of their own; each is used in one line.
type Any = any;

async function nodeRedis(specifier: string, { port, password }: NodeClientOptions): Promise<NodeClient> {
  const { createClient, RESP_TYPES } = await import(specifier) as Any;
  const client = createClient({ socket: { host: "127.0.0.1", port, reconnectStrategy: false }, password });
  const others: Any[] = [];
  const another = async (): Promise<Any> => {
    const other = client.duplicate();
    others.push(other);
    other.on("error", () => {});
    return await other.connect();
  };
  client.on("error", () => {});
  await client.connect();
  const asBytes = client.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer });
  return {
    get: (key) => client.get(key),
    bytes: (key) => asBytes.get(key),
    mget: (keys) => client.mGet(keys),
    set: (key, value) => client.set(key, value),
    ttl: (key) => client.ttl(key),
    transaction: async (key, value) => (await client.multi().set(key, value).get(key).exec())[1],
    script: (source, key, argument) => client.eval(source, { keys: [key], arguments: [argument] }),
    pipeline: (keys) => Promise.all(keys.map((key) => client.get(key))),
    publish: (channel, message) => client.publish(channel, message),
    blockingPop: async (key) => (await (await another()).blPop(key, 0)).element,
    subscribe: async (channel, onMessage) => await (await another()).subscribe(channel, onMessage),
    select: (database) => client.select(database),
    close: () => {
      for (const one of [client, ...others]) one.destroy();
    },
  };
}

async function ioredis(specifier: string, { port, password }: NodeClientOptions): Promise<NodeClient> {
  const module = await import(specifier) as Any;
  const client = new (module.Redis ?? module.default)({
    host: "127.0.0.1",
    port,
    password,
    lazyConnect: true,
    retryStrategy: null,
  });
  const others: Any[] = [];
  const another = async (): Promise<Any> => {
    const other = client.duplicate();
    others.push(other);
    await other.connect();
    return other;
  };
  await client.connect();
  return {
    get: (key) => client.get(key),
    bytes: (key) => client.getBuffer(key),
    mget: (keys) => client.mget(keys),
    set: (key, value) => client.set(key, value),
    ttl: (key) => client.ttl(key),
    transaction: async (key, value) => (await client.multi().set(key, value).get(key).exec())[1][1],
    script: (source, key, argument) => client.eval(source, 1, key, argument),
    pipeline: async (keys) =>
      (await client.pipeline(keys.map((key) => ["get", key])).exec()).map(([, reply]: Any) => reply),
    publish: (channel, message) => client.publish(channel, message),
    blockingPop: async (key) => (await (await another()).blpop(key, 0))[1],
    subscribe: async (channel, onMessage) => {
      const subscriber = await another();
      subscriber.on("message", (_: string, message: string) => onMessage(message));
      await subscriber.subscribe(channel);
    },
    select: (database) => client.select(database),
    close: () => {
      for (const one of [client, ...others]) one.disconnect();
    },
  };
}

/** The libraries, each in the version that is locked, and how to connect by it. */
export const NODE_CLIENTS: { name: string; connect: (options: NodeClientOptions) => Promise<NodeClient> }[] = [
  { name: "npm:redis@5.9.0", connect: nodeRedis },
  { name: "npm:redis@6.3.1", connect: nodeRedis },
  { name: "npm:ioredis@5.9.2", connect: ioredis },
  { name: "npm:ioredis@6.0.0", connect: ioredis },
  { name: "npm:iovalkey@0.4.0", connect: ioredis },
].map(({ name, connect }) => ({ name, connect: (options) => connect(name, options) }));
