/**
 * What a scenario found, as text: on the screen and in `bench/results/`.
 */

import { describeMachine } from "./machine.ts";
import type { Table } from "./table.ts";

/** One table with its heading. */
export interface ReportTable {
  readonly caption: string;
  readonly table: Table;
}

/** What a scenario found. */
export interface Report {
  readonly title: string;
  /** How it was measured, and what the columns mean where they do not say so. */
  readonly notes: readonly string[];
  readonly tables: readonly ReportTable[];
  /** Targets and what became of them, and what was left out and why. */
  readonly findings: readonly string[];
  /** What was run, so that it can be run again. */
  readonly commands: readonly string[];
}

/** Writes reports into a folder, one file each. */
export class ReportWriter {
  readonly #folder: URL;
  readonly #machine: readonly string[];

  private constructor(folder: URL, { machine }: { machine: readonly string[] }) {
    this.#folder = folder;
    this.#machine = machine;
  }

  /** Makes the folder where it is missing, and looks at the machine as it is now. */
  static async open(folder: URL): Promise<ReportWriter> {
    await Deno.mkdir(folder, { recursive: true });
    return new ReportWriter(folder, { machine: await describeMachine() });
  }

  /** Prints the report and keeps it as `name.txt`, with where and how it was found. */
  async write(name: string, report: Report): Promise<void> {
    const tables = report.tables.flatMap(({ caption, table }) => [caption, "", `${table}`, ""]);
    const body = [...tables, ...report.findings];
    console.log([`\n## ${report.title}`, "", ...body].join("\n").trimEnd());
    const head = [`# ${report.title}`, "", `command: ${commandLine()}`, ...this.#machine, ""];
    const notes = report.notes.length === 0 ? [] : [...report.notes, ""];
    const commands = report.commands.length === 0
      ? []
      : ["", "what was run (ports are chosen anew each time):", ...report.commands.map((line) => `  ${line}`)];
    await Deno.writeTextFile(
      new URL(`${name}.txt`, this.#folder),
      [...head, ...notes, ...body, ...commands].join("\n").trimEnd() + "\n",
    );
  }
}

/** The command that gives these results again. */
function commandLine(): string {
  const script = Deno.mainModule.slice(Deno.mainModule.indexOf("/bench/") + 1);
  return ["deno run -A", script, ...Deno.args].join(" ");
}
