import assert from "node:assert/strict";
import { Loopback } from "../../lib/resp/loopback.ts";

/** Makes `Deno.connect` tell of what it makes. */
function watchConnections(): { made: Deno.TcpConn[] } & Disposable {
  const { connect } = Deno;
  const made: Deno.TcpConn[] = [];
  Deno.connect = (async (options: Deno.ConnectOptions) => {
    const connection = await connect(options);
    made.push(connection);
    return connection;
  }) as typeof Deno.connect;
  return { made, [Symbol.dispose]: () => void (Deno.connect = connect) };
}

Deno.test("it uses one connection, and another when that was cut off", async () => {
  using connections = watchConnections();
  const loopback = new Loopback();
  for (let i = 0; i < 3; i++) await loopback.roundTrip();
  assert.equal(connections.made.length, 1);
  connections.made[0].close();
  await loopback.roundTrip();
  await loopback.roundTrip();
  assert.equal(connections.made.length, 2);
  loopback.close();
});

Deno.test("an end that says goodbye is no byte", async () => {
  using connections = watchConnections();
  const loopback = new Loopback();
  await loopback.roundTrip();
  await connections.made[0].closeWrite();
  await loopback.roundTrip();
  await loopback.roundTrip();
  assert.equal(connections.made.length, 2);
  loopback.close();
});

Deno.test("it rests without a connection where none can be made, and once it is closed", async () => {
  const { connect } = Deno;
  let tried = 0;
  Deno.connect = (() => {
    tried++;
    throw new Error("no descriptor is free");
  }) as typeof Deno.connect;
  try {
    const loopback = new Loopback();
    await loopback.roundTrip();
    await loopback.roundTrip();
    assert.equal(tried, 2);
    loopback.close();
    await loopback.roundTrip();
    assert.equal(tried, 2);
  } finally {
    Deno.connect = connect;
  }
});

Deno.test("a round trip that is under way when it is closed ends", async () => {
  const loopback = new Loopback();
  const resting = loopback.roundTrip();
  loopback.close();
  await resting;
});
