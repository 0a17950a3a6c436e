/**
 * Makes one module of several, so that the page can be written in files and sent as one document.
 *
 * No bundler: every module imports by name from modules before it and exports declarations, which is checked; the two
 * words are taken away, comments on lines of their own with them, and what is left is one scope. Names are therefore unique over all modules; a browser refuses a
 * module in which they are not, and a test parses it.
 */

const IMPORT = /^import \{ [\w$, \n]+ \} from "\.\/([\w.]+)";\n/gm;
const COMMENT = /^ *(?:\/\/.*|\/\*\*(?:(?!\*\/)[^])*\*\/)\n/gm;
const EXPORT = /^export (?=(?:async )?(?:function|const|class) )/gm;

/**
 * Returns `modules` (file names to texts, in the order of need) as one module that imports nothing.
 *
 * @throws {SyntaxError} when a module imports what does not come before it, or in a way that is not understood here
 *
 * ```ts
 * import assert from "node:assert/strict";
 *
 * const script = joinModules({
 *   "a.js": "export const a = 1;\n",
 *   "b.js": 'import { a } from "./a.js";\nconst b = a + 1;\n',
 * });
 * assert.equal(new Function(script + "return b;")(), 2);
 * ```
 */
export function joinModules(modules: Readonly<Record<string, string>>): string {
  const known = new Set<string>();
  let script = "";
  for (const [name, text] of Object.entries(modules)) {
    const body = text
      .replace(IMPORT, (_, from: string) => {
        if (!known.has(from)) {
          throw new SyntaxError(`Cannot join ${name}: imports of modules before it are needed: received ${from}`);
        }
        return "";
      })
      .replace(COMMENT, "")
      .replace(EXPORT, "");
    const rest = /^(?:import|export)\b.*/m.exec(body);
    if (rest !== null) {
      throw new SyntaxError(`Cannot join ${name}: plain imports and exports are needed: received ${rest[0]}`);
    }
    script += body;
    known.add(name);
  }
  return script;
}
