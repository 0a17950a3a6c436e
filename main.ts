/**
 * Wires redis-proxy: command line → settings → parts → serve → signals.
 */

import config from "./deno.json" with { type: "json" };
import { helpText, parseArguments } from "./lib/config/arguments.ts";
import { readEnvironment } from "./lib/config/environment.ts";
import { parseSettings, type Settings } from "./lib/config/settings.ts";
import { isServing } from "./lib/http/healthcheck.ts";
import { configureLog } from "./lib/log.ts";
import { Proxy } from "./lib/proxy.ts";

/** Exit codes: settings or a command line that cannot be used; anything else that went wrong. */
const EXIT_UNUSABLE = 2;
const EXIT_FAILED = 1;

function quit(code: number, ...lines: string[]): never {
  for (const line of lines) console.error(`redis-proxy: ${line}`);
  Deno.exit(code);
}

function readSettings(): Settings {
  try {
    const result = parseSettings(readEnvironment());
    for (const warning of result.warnings) console.error(`redis-proxy: warning: ${warning}`);
    if (!result.ok) quit(EXIT_UNUSABLE, ...result.problems);
    return result.settings;
  } catch (error) {
    quit(EXIT_UNUSABLE, (error as Error).message);
  }
}

async function serve(): Promise<void> {
  const settings = readSettings();
  await configureLog(settings.logLevel);
  const proxy = new Proxy(settings, config.version);
  let isStopping = false;
  const stop = (): void => {
    if (isStopping) quit(EXIT_FAILED, "stopped at once by a second signal");
    isStopping = true;
    proxy.stop().then(() => Deno.exit(0));
  };
  Deno.addSignalListener("SIGTERM", stop);
  Deno.addSignalListener("SIGINT", stop);
  // After the listeners: the runtime sets up its signals at the first one, and dies if no descriptor is free then.
  try {
    proxy.start();
  } catch (error) {
    quit(EXIT_FAILED, (error as Error).message);
  }
}

/** The names of options as they were given; values may be secrets. */
function namesOf(args: readonly string[]): string {
  return args.map((arg) => arg.startsWith("-") ? arg.replace(/=.*/s, "=…") : "…").join(" ");
}

switch (parseArguments(Deno.args)) {
  case "serve":
    await serve();
    break;
  case "help":
    console.log(helpText(config.version));
    break;
  case "version":
    console.log(`redis-proxy ${config.version} (deno ${Deno.version.deno})`);
    break;
  case "healthcheck":
    Deno.exit(await isServing(readSettings()) ? 0 : 1);
    break;
  case null:
    quit(EXIT_UNUSABLE, `unknown arguments: ${namesOf(Deno.args)}; see redis-proxy --help`);
}
