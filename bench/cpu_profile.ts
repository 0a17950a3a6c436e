/**
 * A CPU profile as V8 writes it: a tree of calls, and samples that say where in it the time went.
 */

/** A node of the tree, its time added up. */
export interface CallNode {
  readonly name: string;
  /** `lib/http/app.ts:73`, `ext:deno_http/00_serve.ts:512`, or `native`. */
  readonly place: string;
  selfMicros: number;
  /** With all that it called. */
  totalMicros: number;
  readonly children: CallNode[];
}

/** One row of a list. */
export interface TimeShare {
  readonly name: string;
  readonly place: string;
  readonly micros: number;
}

interface RawNode {
  readonly id: number;
  readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  readonly children?: readonly number[];
}

interface RawProfile {
  readonly nodes: readonly RawNode[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
  readonly startTime: number;
  readonly endTime: number;
}

/**
 * What V8 calls idle is all time outside of JavaScript, whether the process sleeps or its event loop reads and writes
 * sockets: how much of it was work, only the process's CPU time can tell.
 */
const outside = "(idle)";

/** A profile of the time in JavaScript, and in what it called. */
export class CpuProfile {
  readonly root: CallNode;

  private constructor(root: CallNode) {
    this.root = root;
  }

  /**
   * Reads the text of a `.cpuprofile`.
   *
   * @param lastMs only what was sampled in so much time before its end, so that the start of a process can be left out
   */
  static parse(text: string, { lastMs = Infinity }: { lastMs?: number } = {}): CpuProfile {
    const raw = JSON.parse(text) as RawProfile;
    const nodes = new Map<number, CallNode>(raw.nodes.map((node) => [node.id, callNode(node)]));
    for (const node of raw.nodes) {
      for (const child of node.children ?? []) nodes.get(node.id)!.children.push(nodes.get(child)!);
    }
    // A delta is the time before its sample: what was running when it ended had run since the last.
    let atMicros = raw.startTime;
    raw.samples.forEach((id, i) => {
      atMicros += raw.timeDeltas[i];
      if (raw.endTime - atMicros <= lastMs * 1000) nodes.get(id)!.selfMicros += Math.max(0, raw.timeDeltas[i]);
    });
    for (const node of nodes.values()) if (node.name === outside) node.selfMicros = 0;
    const root = nodes.get(raw.nodes[0].id)!;
    addUp(root);
    return new CpuProfile(root);
  }

  /** Functions by the time of their own, the most first. */
  selfTimes(): TimeShare[] {
    return this.#grouped((node) => ({ name: node.name, place: node.place }));
  }

  /** The same, by whose code it is. */
  selfTimesByPlace(): TimeShare[] {
    return this.#grouped((node) => ({ name: ownerOf(node), place: "" }));
  }

  #grouped(group: (node: CallNode) => { name: string; place: string }): TimeShare[] {
    const micros = new Map<string, { name: string; place: string; micros: number }>();
    const visit = (node: CallNode): void => {
      const { name, place } = group(node);
      const id = `${name} ${place}`;
      const sum = micros.get(id) ?? { name, place, micros: 0 };
      sum.micros += node.selfMicros;
      micros.set(id, sum);
      node.children.forEach(visit);
    };
    visit(this.root);
    return [...micros.values()]
      .filter((sum) => sum.micros > 0)
      .sort((a, b) => b.micros - a.micros);
  }
}

function callNode({ callFrame }: RawNode): CallNode {
  const { functionName, url, lineNumber } = callFrame;
  // V8 counts lines from 0.
  const place = url === "" ? "native" : `${shortened(url)}:${lineNumber + 1}`;
  return { name: functionName || "(anonymous)", place, selfMicros: 0, totalMicros: 0, children: [] };
}

/** Nothing of this machine's folders is shown: what is below the repository, a package's name, or Deno's own name. */
function shortened(url: string): string {
  const here = new URL("..", import.meta.url).href;
  return url.startsWith(here) ? url.slice(here.length) : url.replace(/^.*\/npm\/[^/]+\//, "npm:");
}

function ownerOf({ name, place }: CallNode): string {
  if (name === "(garbage collector)") return "garbage collector";
  if (name === "(program)" || place === "native") return "native code";
  if (place.startsWith("ext:") || place.startsWith("node:")) return "Deno's runtime, JavaScript";
  return /^(lib\/|main\.ts)/.test(place) ? "the proxy" : "packages";
}

function addUp(node: CallNode): number {
  node.totalMicros = node.children.reduce((sum, child) => sum + addUp(child), node.selfMicros);
  return node.totalMicros;
}
