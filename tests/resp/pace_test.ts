import assert from "node:assert/strict";
import { Clock } from "../../lib/clock.ts";
import { BUSY_MS_MAX } from "../../lib/limits.ts";
import { Pace } from "../../lib/resp/pace.ts";

/** One, and more for a byte that the kernel brings over loopback a moment later. The runtime alone looks once in 61. */
const TURNS_MAX = 10;

function paceAt(): { pace: Pace; work: (ms: number) => void } & Disposable {
  let nowMs = 0;
  const pace = new Pace(new Clock(() => nowMs));
  return {
    pace,
    work: (ms) => {
      const beganAtMs = pace.begin();
      nowMs += ms;
      pace.spentSince(beganAtMs);
    },
    [Symbol.dispose]: () => pace.close(),
  };
}

Deno.test("a rest is due when the time of all turns together is spent, and again when it is spent again", async () => {
  using paced = paceAt();
  const { pace, work } = paced;
  for (let round = 0; round < 2; round++) {
    assert.equal(pace.isRestDue, false);
    work(BUSY_MS_MAX / 2);
    assert.equal(pace.isRestDue, false);
    work(BUSY_MS_MAX / 2);
    assert.equal(pace.isRestDue, true);
    await pace.rest();
  }
  assert.equal(pace.isRestDue, false);
});

Deno.test("all rest together: who comes while somebody rests does as well", async () => {
  using paced = paceAt();
  const { pace, work } = paced;
  work(BUSY_MS_MAX);
  const first = pace.rest();
  assert.equal(pace.isRestDue, true);
  assert.equal(pace.rest(), first);
  await first;
  assert.equal(pace.isRestDue, false);
});

Deno.test("what arrives is seen after a rest, though there is always something to do", async () => {
  using paced = paceAt();
  const { pace } = paced;
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  const connect = () => Promise.all([Deno.connect({ hostname: "127.0.0.1", port }), listener.accept()]);
  const [asker, asked] = await connect();
  const [busy, always] = await connect();
  try {
    const turnsAfter: number[] = [];
    const byte = new Uint8Array(1);
    for (let i = 0; i < 20; i++) {
      await busy.write(new Uint8Array(1_000));
      let isSeen = false;
      const seen = asked.read(new Uint8Array(1)).then(() => isSeen = true);
      await asker.write(byte);
      let turns = 0;
      for (; !isSeen && turns <= TURNS_MAX; turns++) {
        assert.equal(await always.read(byte), 1);
        await pace.rest();
      }
      turnsAfter.push(turns);
      await seen;
    }
    assert.ok(turnsAfter.every((turns) => turns <= TURNS_MAX), `${turnsAfter}`);
  } finally {
    for (const connection of [asker, asked, busy, always]) connection.close();
  }
});
