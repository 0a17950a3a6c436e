import { connect, createServer, type Server, type Socket } from "node:net";
import { freePort } from "./free_port.ts";
import { LinkDirection } from "./link_direction.ts";

// node:net and not Deno.listen: only its sockets can be reset on purpose (`resetAndDestroy`).

/**
 * A TCP relay on loopback that spoils the link between the proxy and Redis as a test tells it.
 *
 * ```ts
 * await using link = await TcpMiddleman.start({ targetPort: redis.port });
 * await using proxy = await ProxyProcess.start({ redisPort: link.port });
 * link.fromServer.stall();
 * ```
 *
 * When the target refuses, the client sees a connection that is taken and then reset, not one that is refused: for
 * that there is `refuse()`.
 */
export class TcpMiddleman {
  readonly port: number;
  /** What the client, the proxy, sends towards Redis. */
  readonly fromClient = new LinkDirection();
  /** What Redis sends towards the client. */
  readonly fromServer = new LinkDirection();
  readonly #targetPort: number;
  readonly #sockets = new Set<Socket>();
  #connectionsSeen = 0;
  #connectionsOpen = 0;
  #listener: Server | null = null;

  private constructor({ port, targetPort }: { port: number; targetPort: number }) {
    this.port = port;
    this.#targetPort = targetPort;
  }

  /** Listens on a free port and relays each connection to `targetPort`, unchanged until told otherwise. */
  static async start({ targetPort }: { targetPort: number }): Promise<TcpMiddleman> {
    for (let tries = 1;; tries++) {
      const middleman = new TcpMiddleman({ port: freePort(), targetPort });
      try {
        await middleman.accept();
        return middleman;
      } catch (error) {
        if (tries === 5) throw error;
      }
    }
  }

  /** Connections that were accepted since the start. */
  get connectionsSeen(): number {
    return this.#connectionsSeen;
  }

  /** Connections that a client holds now, or that the middleman still holds for it. */
  get connectionsOpen(): number {
    return this.#connectionsOpen;
  }

  /** Holds both directions: to each side the other one looks hung. */
  stall(): void {
    this.fromClient.stall();
    this.fromServer.stall();
  }

  /** Ends `stall()` and `holdFrames()` of both directions. */
  release(): void {
    this.fromClient.release();
    this.fromServer.release();
  }

  /** Closes every connection (FIN to both sides), dropping what was held; new ones are accepted. */
  async cut(): Promise<void> {
    await this.#closeAll((socket) => socket.destroy());
  }

  /** Resets every connection (RST to both sides), dropping what was held; new ones are accepted. */
  async reset(): Promise<void> {
    await this.#closeAll((socket) => socket.resetAndDestroy());
  }

  /** Stops listening, so that new connections are refused; those that are open stay. */
  refuse(): void {
    this.#listener?.close();
    this.#listener = null;
  }

  /** Ends `refuse()`: listens again on the same port. */
  async accept(): Promise<void> {
    if (this.#listener !== null) return;
    const listener = createServer({ allowHalfOpen: true }, (client) => this.#relay(client));
    await new Promise<void>((resolve, reject) => {
      listener.once("error", reject);
      listener.listen(this.port, "127.0.0.1", resolve);
    });
    this.#listener = listener;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.refuse();
    await this.cut();
  }

  #relay(client: Socket): void {
    const connection = ++this.#connectionsSeen;
    const server = connect({ port: this.#targetPort, host: "127.0.0.1", allowHalfOpen: true });
    this.#connectionsOpen++;
    client.on("close", () => this.#connectionsOpen--);
    for (const socket of [client, server]) {
      // Nagle's algorithm would add 40 ms of its own to what a test measures.
      socket.setNoDelay(true);
      this.#sockets.add(socket);
      socket.on("close", () => this.#sockets.delete(socket));
    }
    this.fromClient.open(client, { sink: server, connection, cut: (last) => cutAfter(last, server, client) });
    this.fromServer.open(server, { sink: client, connection, cut: (last) => cutAfter(last, client, server) });
  }

  async #closeAll(close: (socket: Socket) => void): Promise<void> {
    await Promise.all([...this.#sockets].map((socket) =>
      new Promise<void>((resolve) => {
        socket.once("close", () => resolve());
        close(socket);
      })
    ));
  }
}

/** Writes `last` to `sink`, then ends both sockets. */
function cutAfter(last: Uint8Array, sink: Socket, source: Socket): void {
  sink.end(last, () => sink.destroy());
  source.destroy();
}
