/**
 * A link to Redis with a delay, in a process of its own: its work must not be counted as the proxy's, nor the bench's.
 *
 * Arguments: the port of Redis, and how much a round trip takes longer, in ms. Prints the port to connect to.
 */

import { TcpMiddleman } from "../e2e/support/tcp_middleman.ts";

const [targetPort, roundTripMs] = Deno.args.map(Number);
const link = await TcpMiddleman.start({ targetPort });
// All of it on the way back: one timer for each chunk, and not two that both come late.
link.fromServer.delay({ ms: roundTripMs });
console.log(link.port);
