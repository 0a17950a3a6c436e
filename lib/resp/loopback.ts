/** A byte's way out to the kernel and back. */

const BYTE = new Uint8Array(1);

type Ends = readonly [near: Deno.TcpConn, far: Deno.TcpConn];

/** Two ends of one connection within this process, made when they are first needed. */
export class Loopback {
  readonly #received = new Uint8Array(1);
  #ends: Promise<Ends> | null = null;
  #isClosed = false;

  /**
   * Fulfilled when the event loop has asked the kernel what has arrived, since when this was called. Never rejects. Not to
   * be called again before that.
   *
   * The read is begun before the byte is there, so only the kernel's word fulfils it, and with that word comes that of
   * every other socket. Cost: 45 us; where there is no connection a timer does the same, in 2 ms.
   */
  async roundTrip(): Promise<void> {
    if (this.#isClosed || !await this.#passesByte()) await new Promise((resolve) => setTimeout(resolve, 0));
  }

  /** Closes it for good. A round trip that is under way ends. */
  close(): void {
    this.#isClosed = true;
    this.#drop();
  }

  async #passesByte(): Promise<boolean> {
    try {
      const [near, far] = await (this.#ends ??= connectedPair());
      const [count] = await Promise.all([far.read(this.#received), near.write(BYTE)]);
      if (count === 1) return true;
    } catch {
      // Closed, cut off from outside, or no descriptor was free.
    }
    this.#drop();
    return false;
  }

  #drop(): void {
    this.#ends?.then((ends) => ends.forEach(close), () => {});
    this.#ends = null;
  }
}

function close(end: Deno.TcpConn): void {
  try {
    end.close();
  } catch {
    // It is closed already.
  }
}

async function connectedPair(): Promise<Ends> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const near = await Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port });
  try {
    near.setNoDelay(true);
    for (;;) {
      const far = await listener.accept();
      // Whoever else found the port in this moment is not meant.
      if (far.remoteAddr.port === near.localAddr.port) return [near, far];
      far.close();
    }
  } catch (error) {
    near.close();
    throw error;
  }
}
