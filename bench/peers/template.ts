/**
 * Our own configuration files of the peers, with what is decided at start filled in.
 */

/** Reads a file beside this one and puts `values` where it says `{{name}}`. */
export async function fillTemplate(name: string, values: Record<string, string | number>): Promise<string> {
  let text = await Deno.readTextFile(new URL(name, import.meta.url));
  for (const [key, value] of Object.entries(values)) text = text.replaceAll(`{{${key}}}`, `${value}`);
  return text;
}
