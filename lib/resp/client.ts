/**
 * One client as the commands see it: what it asked, where the answer goes, and who it is.
 */

import type { Clock } from "../clock.ts";
import type { ReadOutcome } from "../metrics/counters.ts";
import type { Protocol } from "../protocol/resp/reply_writer.ts";
import { RequestParser } from "../protocol/resp/request_parser.ts";
import type { ReadThrough } from "../read_through/read_through.ts";
import type { Asker } from "./asker.ts";
import { Outbox } from "./outbox.ts";
import type { Password } from "../password.ts";

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

  /** Set when nothing more is to be read from it: it is told what it was promised, and the connection ends. */
  isLeaving = false;

  /** Set when the connection must end without a further word. */
  isUnwanted = false;

  constructor(id: number, { address, services }: { address: string; services: Services }) {
    this.id = id;
    this.address = address;
    this.services = services;
    this.request = new RequestParser({ isAuthenticated: services.password === null });
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

  /** Makes the client what it was when it connected. */
  reset(): void {
    this.protocol = 2;
    this.name = "";
    this.isAuthenticated = this.services.password === null;
  }
}
