/** Prometheus text as numbers by name, labels included: `redis_proxy_reads_total{door="http",outcome="hit"}`. */
export function metricsOf(text: string): Map<string, number> {
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(lines.map((line) => {
    const at = line.lastIndexOf(" ");
    return [line.slice(0, at), Number(line.slice(at + 1))];
  }));
}
