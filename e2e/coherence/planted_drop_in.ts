import { Buffer } from "node:buffer";
import { Admission } from "../../lib/admission.ts";
import type { Coherence } from "../../lib/config/settings.ts";
import { ReadThrough } from "../../lib/read_through/read_through.ts";
import { dialRedis } from "../../lib/redis/redis_dial.ts";
import { Asker } from "../../lib/resp/asker.ts";
import { CommandTable } from "../../lib/resp/command_table.ts";
import { MgetWarmer } from "../../lib/resp/mget_warmer.ts";
import { Pace } from "../../lib/resp/pace.ts";
import { RespServer } from "../../lib/resp/resp_server.ts";
import { type Reply, RespClient } from "../support/resp_client.ts";
import { Rig } from "./rig.ts";

/**
 * What can be wrong with reading one's own writes:
 *
 * - `ignores written keys`: the keys of a write are left to Redis's invalidations.
 * - `ignores changes of all keys`: so are FLUSHALL and SWAPDB.
 * - `waits for nothing`: the reply to a script or to EXEC does not wait for the invalidations before it.
 */
export type OwnWriteFault = "ignores written keys" | "ignores changes of all keys" | "waits for nothing";

const FAULTS: Record<OwnWriteFault, typeof ReadThrough> = {
  "ignores written keys": class extends ReadThrough {
    override wrote(): void {}
  },
  "ignores changes of all keys": class extends ReadThrough {
    override wroteAll(): void {}
  },
  "waits for nothing": class extends ReadThrough {
    override caughtUp(): Promise<void> {
      return Promise.resolve();
    }
  },
};

const TIMEOUT_MS = 1_000;

/** A drop-in with a fault in it, or with none, in the test's own process; it has no HTTP door. */
export class PlantedDropIn implements AsyncDisposable {
  readonly port = null;
  readonly respPort: number;
  readonly #server: RespServer;
  readonly #rig: Rig;

  private constructor(rig: Rig, { redisPort, table }: { redisPort: number; table: CommandTable }) {
    this.#rig = rig;
    const address = { host: "127.0.0.1", port: redisPort, tls: false, username: null, password: null, database: 0 };
    const { clock, counters, readThrough } = rig;
    this.#server = new RespServer({
      hostname: "127.0.0.1",
      port: 0,
      admission: new Admission(1_000),
      counters,
      services: {
        clock,
        readThrough,
        asker: new Asker({ integer: () => Promise.reject(new Error("Cannot ask: nobody is there")) }, TIMEOUT_MS),
        outcomes: counters.resp,
        password: null,
        version: "0.0.0",
        relaying: {
          dial: (greeting) => dialRedis(address, { greeting, timeoutMs: TIMEOUT_MS }),
          database: 0,
          user: "default",
          password: null,
          counters,
          table,
          redisVersion: null,
        },
        mgetWarmer: new MgetWarmer(readThrough, clock),
        pace: new Pace(clock),
        longRequests: { bytes: 0 },
      },
    });
    this.respPort = this.#server.start().port;
  }

  /** Starts it and waits until it is connected to Redis. */
  static async start(
    { redisPort, coherence, fault }: { redisPort: number; coherence: Coherence; fault: OwnWriteFault | null },
  ): Promise<PlantedDropIn> {
    const readThroughClass = fault === null ? ReadThrough : FAULTS[fault];
    const rig = await Rig.start({ redisPort, coherence, readThroughClass, parallelMax: 4, timeoutMs: TIMEOUT_MS });
    using client = await RespClient.connect(redisPort);
    const table = new CommandTable(textsIn(await client.command("COMMAND")));
    return new PlantedDropIn(rig, { redisPort, table });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.stop({ deadlineMs: 0 });
    await this.#rig[Symbol.asyncDispose]();
  }
}

/** Returns a reply with its bulks as text. */
function textsIn(reply: Reply): unknown {
  if (Array.isArray(reply)) return reply.map(textsIn);
  return reply instanceof Uint8Array ? Buffer.from(reply).toString() : reply;
}
