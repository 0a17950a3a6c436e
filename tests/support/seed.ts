/**
 * The seed of every property of one run: printed, and set by `SEED` in the environment to run the same again.
 */

const given = Deno.env.get("SEED");

/** Give it to `fc.assert` and `fc.check`. */
export const SEED = given === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(given);

console.log(`SEED=${SEED}`);
