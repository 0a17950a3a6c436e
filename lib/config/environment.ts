/**
 * Where settings come from: the process environment over a `.env` file in the working folder.
 */

import { parseEnv } from "node:util";

/**
 * Returns the environment's variables over those of `.env`; a missing file is none.
 *
 * Throws an Error that names the file when it is there and cannot be read. Needs the permissions to read the
 * environment and `.env`.
 */
export function readEnvironment(): Record<string, string | undefined> {
  return { ...readDotEnv(), ...Deno.env.toObject() };
}

function readDotEnv(): Record<string, string | undefined> {
  let text: string;
  try {
    text = Deno.readTextFileSync(".env");
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return {};
    throw new Error(`Cannot read settings: .env must be a readable text file: received ${(error as Error).name}`);
  }
  return parseEnv(text);
}
