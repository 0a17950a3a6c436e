import { Admission } from "../../lib/admission.ts";
import { App } from "../../lib/http/app.ts";
import type { PlantedBug } from "./planted_bug.ts";
import { Rig } from "./rig.ts";

/** A proxy over HTTP with a bug in it, or with none, in the test's own process. */
export class PlantedProxy implements AsyncDisposable {
  readonly port: number;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #rig: Rig;

  private constructor(rig: Rig) {
    this.#rig = rig;
    const app = new App({
      clock: rig.clock,
      counters: rig.counters,
      admission: new Admission(1_000),
      readThrough: rig.readThrough,
      bearer: null,
      metricsText: () => Promise.resolve(""),
      page: { handle: () => null },
      onBug: (error) => console.error(error),
    });
    this.#server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, app.handle);
    this.port = this.#server.addr.port;
  }

  /** Starts it and waits until it is connected to Redis. */
  static async start({ redisPort, bug }: { redisPort: number; bug?: PlantedBug }): Promise<PlantedProxy> {
    return new PlantedProxy(await Rig.start({ redisPort, bug, timeoutMs: 1_000 }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
    await this.#rig[Symbol.asyncDispose]();
  }
}
