import assert from "node:assert/strict";
import { readEnvironment } from "../../lib/config/environment.ts";

const NAME = "CACHE_TTL";

/**
 * Runs `work` in a folder of its own and with `NAME` as given in the environment, then puts both back. Without waiting:
 * the working folder is the whole process's.
 */
function inFolder(work: (folder: string) => void, environment: { value?: string } = {}): void {
  const folder = Deno.makeTempDirSync();
  const cwd = Deno.cwd();
  const before = Deno.env.get(NAME);
  try {
    Deno.chdir(folder);
    if (environment.value === undefined) Deno.env.delete(NAME);
    else Deno.env.set(NAME, environment.value);
    work(folder);
  } finally {
    Deno.chdir(cwd);
    if (before === undefined) Deno.env.delete(NAME);
    else Deno.env.set(NAME, before);
    Deno.removeSync(folder, { recursive: true });
  }
}

Deno.test("without a .env there is the environment alone", () => {
  inFolder(() => assert.equal(readEnvironment()[NAME], "5"), { value: "5" });
  inFolder(() => assert.equal(readEnvironment()[NAME], undefined));
});

Deno.test("the .env of the working folder is read: comments, quotes, blanks", () => {
  inFolder(() => {
    Deno.writeTextFileSync(".env", `# a comment\n\n${NAME}=7\nPROXY_PASSWORD="a # b"\n`);
    const record = readEnvironment();
    assert.equal(record[NAME], "7");
    assert.equal(record.PROXY_PASSWORD, "a # b");
  });
});

Deno.test("the environment wins over .env, even when it is empty", () => {
  for (const value of ["5", ""]) {
    inFolder(() => {
      Deno.writeTextFileSync(".env", `${NAME}=7\n`);
      assert.equal(readEnvironment()[NAME], value);
    }, { value });
  }
});

Deno.test("a .env that is there and cannot be read is an error that names it", () => {
  inFolder(() => {
    Deno.mkdirSync(".env");
    assert.throws(() => readEnvironment(), {
      message: /^Cannot read settings: \.env must be a readable text file: received /,
    });
  });
});
