/** `rediss://`: Redis over TLS, its certificate checked. */

import assert from "node:assert/strict";
import { eventually } from "./support/eventually.ts";
import { freePort } from "./support/free_port.ts";
import { ProxyProcess } from "./support/proxy_process.ts";
import { RedisServer } from "./support/redis_server.ts";
import { RespClient } from "./support/resp_client.ts";

async function openssl(folder: string, ...args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command("openssl", { args, cwd: folder, stderr: "piped" }).output();
  if (!success) throw new Error(`Cannot make a certificate: ${new TextDecoder().decode(stderr)}`);
}

function isInstalled(program: string): boolean {
  try {
    return new Deno.Command(program, { args: ["version"], stdout: "null", stderr: "null" }).outputSync().success;
  } catch {
    return false;
  }
}

const canMakeCertificates = isInstalled("openssl");
if (!canMakeCertificates) console.log("skipped: TLS to Redis, since openssl is not installed");

Deno.test({
  name: "rediss:// reads and relays over TLS, and does not trust a certificate that nobody vouches for",
  ignore: !canMakeCertificates,
  fn: async () => {
    const folder = await Deno.makeTempDir({ prefix: "redis-proxy-e2e-tls-" });
    try {
      const key = ["-newkey", "rsa:2048", "-nodes"];
      await openssl(
        folder,
        "req",
        "-x509",
        ...key,
        "-keyout",
        "ca.key",
        "-out",
        "ca.crt",
        "-subj",
        "/CN=test authority",
      );
      await openssl(folder, "req", ...key, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=localhost");
      await Deno.writeTextFile(`${folder}/names`, "subjectAltName=DNS:localhost,IP:127.0.0.1");
      const authority = ["-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "names"];
      await openssl(folder, "x509", "-req", "-in", "server.csr", ...authority, "-out", "server.crt");

      const tlsPort = freePort();
      const files = ["--tls-cert-file", `${folder}/server.crt`, "--tls-key-file", `${folder}/server.key`];
      await using redis = await RedisServer.start({
        args: [
          "--tls-port",
          `${tlsPort}`,
          ...files,
          "--tls-ca-cert-file",
          `${folder}/ca.crt`,
          "--tls-auth-clients",
          "no",
        ],
      });
      await redis.command("SET", "k", "over TLS");
      for (const host of ["localhost", "127.0.0.1"]) {
        const respPort = freePort();
        const env = { REDIS_URL: `rediss://${host}:${tlsPort}` };
        const relaying = { RESP_PORT: `${respPort}`, RESP_COMMANDS: "all" };
        await using trusting = await ProxyProcess.start({
          redisPort: redis.port,
          env: { ...env, ...relaying, DENO_CERT: `${folder}/ca.crt` },
        });
        const response = await trusting.get("/get/k");
        assert.equal(await response.text(), "over TLS");
        using client = await RespClient.connect(respPort);
        assert.deepEqual(await client.pipeline([["SET", "relayed", "over TLS"], ["APPEND", "relayed", "!"]]), [
          "OK",
          9,
        ]);
        assert.equal(new TextDecoder().decode(await client.command("GET", "relayed") as Uint8Array), "over TLS!");

        await using wary = await ProxyProcess.start({ redisPort: redis.port, env, waitFor: "live" });
        await wary.waitForLog((record) =>
          record.message === "Redis unavailable" && /certificate/.test(String(record.reason))
        );
        await eventually(async () => {
          const refused = await wary.get("/get/k");
          await refused.body?.cancel();
          return refused.status === 503;
        });
      }
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});
