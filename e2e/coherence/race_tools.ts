/** What the races of a fill and those of a reconnect share. */

import { setImmediate } from "node:timers";
import type { Answer } from "../../lib/read_through/answer.ts";
import type { HeldFrame, LinkDirection } from "../support/link_direction.ts";
import type { Reply } from "../support/resp_client.ts";
import type { Random } from "./random.ts";

/** Deno looks for what has arrived once in 61 turns while there is always something to do [measured, Deno 2.9.6]. */
const TURNS = [0, 30, 130, 130];

/** Lets turns of the event loop pass: none, some, or enough for what was sent to arrive by itself. */
export async function someTurns(random: Random): Promise<void> {
  for (let i = random.pick(TURNS); i > 0; i--) await new Promise<void>((wake) => setImmediate(wake));
}

/** Waits until a frame is held that fits, and returns how many are before it. */
export async function heldFrame(direction: LinkDirection, fits: (frame: HeldFrame) => boolean): Promise<number> {
  let frames = direction.frames;
  while (true) {
    const at = frames.findIndex(fits);
    if (at !== -1) return at;
    frames = await direction.waitForFrames(frames.length + 1);
  }
}

/** Returns what Redis said, as text: the value, or `null`. */
export function textOfReply(reply: Reply): string {
  return reply instanceof Uint8Array ? new TextDecoder().decode(reply) : String(reply);
}

/** Returns what the proxy said, in the same words. */
export function textOf(answer: Answer): string {
  if ("item" in answer) {
    const { body } = answer.item;
    return typeof body === "string" ? body : new TextDecoder().decode(body);
  }
  return answer.kind === "absent" ? "null" : JSON.stringify(answer);
}
