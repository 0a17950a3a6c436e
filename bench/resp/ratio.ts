/**
 * How fast GETs from memory are over RESP, as a part of what Redis itself does in the same minute:
 *
 *   deno run --allow-run bench/resp/ratio.ts <port of Redis> <port of the proxy> [rounds]
 *
 * Both must hold the key `key:__rand_int__`. The rounds of the two are interleaved, as the machine may have other work;
 * shown are the median of the ratios of each round, and of the requests a second.
 */

const REQUESTS: Record<number, number> = { 1: 100_000, 16: 1_000_000, 64: 3_000_000 };

async function requestsPerSecond(port: string, pipeline: number): Promise<number> {
  const args = ["-p", port, "-t", "get", "-n", `${REQUESTS[pipeline]}`, "-P", `${pipeline}`, "--csv"];
  const { stdout } = await new Deno.Command("redis-benchmark", { args, stderr: "null" }).output();
  const found = /^"GET","([0-9.]+)"/m.exec(new TextDecoder().decode(stdout));
  if (found === null) throw new Error(`Cannot measure: a server on port ${port} is needed: received no figures`);
  return Number(found[1]);
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1];
}

const [redisPort, proxyPort, rounds = "7"] = Deno.args;
for (const pipeline of Object.keys(REQUESTS).map(Number)) {
  const ofRedis: number[] = [];
  const ofProxy: number[] = [];
  for (let round = 0; round < Number(rounds); round++) {
    // Who begins changes, so that a trend helps neither.
    if (round % 2 === 0) ofRedis.push(await requestsPerSecond(redisPort, pipeline));
    ofProxy.push(await requestsPerSecond(proxyPort, pipeline));
    if (round % 2 === 1) ofRedis.push(await requestsPerSecond(redisPort, pipeline));
  }
  const ratios = ofProxy.map((proxy, round) => proxy / ofRedis[round]);
  console.log(
    `${pipeline} deep: ${median(ratios).toFixed(2)} of Redis (${median(ofProxy).toFixed(0)}/s to ` +
      `${median(ofRedis).toFixed(0)}/s; rounds ${ratios.map((ratio) => ratio.toFixed(2)).join(" ")})`,
  );
}
