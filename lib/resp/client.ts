/**
 * One client as the commands see it: what it asked, where the answer goes, and who it is.
 */

import type { Clock } from "../clock.ts";
import type { ReadOutcome } from "../metrics/counters.ts";
import type { Greeting } from "../protocol/resp/greeting.ts";
import type { Protocol } from "../protocol/resp/reply_writer.ts";
import { RequestParser } from "../protocol/resp/request_parser.ts";
import type { Failure } from "../read_through/answer.ts";
import type { ReadThrough } from "../read_through/read_through.ts";
import type { Password } from "../password.ts";
import { RELAYED_REQUEST_BYTES_MAX, REQUEST_BYTES_MAX } from "../limits.ts";
import type { Asker } from "./asker.ts";
import type { Relaying } from "./drop_in.ts";
import type { MgetWarmer } from "./mget_warmer.ts";
import { Outbox } from "./outbox.ts";
import type { Pace } from "./pace.ts";
import type { Relay } from "./relay.ts";
import { SessionState } from "./session_state.ts";

/** What commands need of the proxy. */
export interface Services {
  readonly clock: Clock;
  readonly readThrough: ReadThrough;
  readonly asker: Asker;
  /** Reads over RESP by how they ended; each key of an MGET counts. */
  readonly outcomes: Record<ReadOutcome, number>;
  /** `null` when none is set. */
  readonly password: Password | null;
  /** The proxy's own version. */
  readonly version: string;
  readonly mgetWarmer: MgetWarmer;
  /** What is needed to pass commands on to Redis; `null` where reads alone are served. */
  readonly relaying: Relaying | null;
  /** Of all clients together. */
  readonly pace: Pace;
  /** Memory of requests longer than a usual read buffer, of all clients together. */
  readonly longRequests: { bytes: number };
}

/** The state of one connection. */
export class Client {
  /** Unlike that of any other connection of this process. */
  readonly id: number;

  /** The other side's address, as in 127.0.0.1:50000. */
  readonly address: string;

  readonly services: Services;

  /** The request being answered, and those behind it. */
  readonly request: RequestParser;

  readonly replies = new Outbox();

  /** When it connected, in ms of the proxy's clock. */
  readonly connectedAtMs: number;

  /** What it calls itself; empty is no name. */
  name = "";

  /** What it told of its library, as `CLIENT SETINFO` takes it: `lib-name`, `lib-ver`. */
  readonly library = new Map<string, string>();

  /** Its own connection to Redis, once it needed one. */
  relay: Relay | null = null;

  /** What it told Redis over that connection. */
  state: SessionState;

  /** Why that connection could not be made just now; told once, to the request that needed it. */
  relayFailure: Failure | null = null;

  /** Set when nothing more is to be read from it: it is told what it was promised, and the connection ends. */
  isLeaving = false;

  /** Set when the connection must end without a further word. */
  isUnwanted = false;

  constructor(id: number, { address, services }: { address: string; services: Services }) {
    this.id = id;
    this.address = address;
    this.services = services;
    this.request = new RequestParser({
      isAuthenticated: services.password === null,
      requestBytesMax: services.relaying === null ? REQUEST_BYTES_MAX : RELAYED_REQUEST_BYTES_MAX,
    });
    this.state = this.#newState();
    this.connectedAtMs = services.clock.nowMs;
  }

  /** The version of the protocol that the client has chosen. */
  get protocol(): Protocol {
    return this.replies.writer.protocol;
  }

  set protocol(protocol: Protocol) {
    this.replies.writer.protocol = protocol;
  }

  /** True when no password is needed, or it was given. */
  get isAuthenticated(): boolean {
    return this.request.isAuthenticated;
  }

  set isAuthenticated(isAuthenticated: boolean) {
    this.request.isAuthenticated = isAuthenticated;
  }

  /** What Redis is to be told when it is first asked something: what the client has told us until then. */
  get greeting(): Greeting {
    const further = [...this.library].map(([attribute, value]) => ["CLIENT", "SETINFO", attribute, value]);
    if (this.name !== "") further.push(["CLIENT", "SETNAME", this.name]);
    return { protocol: this.protocol, further };
  }

  /** Makes the client what it was when it connected. */
  reset(): void {
    this.protocol = 2;
    this.name = "";
    this.library.clear();
    this.state = this.#newState();
    this.isAuthenticated = this.services.password === null;
  }

  #newState(): SessionState {
    return new SessionState(this.services.relaying?.database ?? 0);
  }
}
