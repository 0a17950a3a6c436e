// Linux hands out ports from 32768 up to outgoing connections. Below that, nobody takes a port between the moment when
// it was found free and the moment when it is used, nor while a server on it is being restarted.
const portMin = 20_000;
const portMax = 32_000;

/**
 * Finds a loopback port on which nothing listens now.
 *
 * It is not reserved: another test run can take it, so whoever listens on it must be ready to try another.
 *
 * @throws Error when 100 random ports in a row were taken
 */
export function freePort(): number {
  for (let tries = 0; tries < 100; tries++) {
    const port = portMin + Math.floor(Math.random() * (portMax - portMin));
    try {
      Deno.listen({ hostname: "127.0.0.1", port }).close();
      return port;
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
  throw new Error(`Cannot find a port: a free one from ${portMin} to ${portMax} is needed: received none`);
}
