/**
 * The command line: serving is the default, everything else is a question that is answered at once.
 */

import { SETTING_DEFINITIONS } from "./settings.ts";

/** What the command line asks for. */
export type Command = "serve" | "help" | "version" | "healthcheck";

const COMMANDS: ReadonlyMap<string, Command> = new Map([
  ["--help", "help"],
  ["-h", "help"],
  ["--version", "version"],
  ["-V", "version"],
  ["--healthcheck", "healthcheck"],
]);

/** Returns what `args` asks for; `null` where it is not understood. */
export function parseArguments(args: readonly string[]): Command | null {
  if (args.length === 0) return "serve";
  return args.length === 1 ? COMMANDS.get(args[0]) ?? null : null;
}

/** Returns the text of `--help`: usage, and every setting with its default. */
export function helpText(version: string): string {
  const width = Math.max(...SETTING_DEFINITIONS.map((definition) => definition.name.length));
  const settings = SETTING_DEFINITIONS.map(({ name, default: fallback, meaning, must }) =>
    `  ${name.padEnd(width)}  ${meaning}\n  ${" ".repeat(width)}  default ${fallback ?? "unset"}; ${must}`
  );
  return `redis-proxy ${version}: answers reads of a Redis from memory

Usage: redis-proxy [--help | --version | --healthcheck]

  --healthcheck  asks the proxy with the same settings whether it serves; exit code 0 when it does

Settings, from the environment, then from .env in the working folder:

${settings.join("\n")}
`;
}
