/**
 * Rounds: every subject has its turn in each, A B C A B C …, so that what the machine does meanwhile hits all alike.
 */

/** What became of one subject: what each of its turns gave, or why it is out. */
export type Outcome<R> =
  | { readonly ok: true; readonly results: R[] }
  | { readonly ok: false; readonly reason: string };

/**
 * Runs `turn` for each subject in each round, one at a time.
 *
 * A turn that throws takes its subject out for good: one that fails must not look fast by its other rounds.
 */
export async function runRounds<S extends { readonly name: string }, R>(
  subjects: readonly S[],
  { rounds, turn }: { rounds: number; turn: (subject: S, round: number) => Promise<R> },
): Promise<Map<string, Outcome<R>>> {
  const outcomes = new Map<string, Outcome<R>>(subjects.map(({ name }) => [name, { ok: true, results: [] }]));
  for (let round = 0; round < rounds; round++) {
    for (const subject of subjects) {
      const outcome = outcomes.get(subject.name)!;
      if (!outcome.ok) continue;
      try {
        outcome.results.push(await turn(subject, round));
      } catch (error) {
        outcomes.set(subject.name, { ok: false, reason: (error as Error).message.replace(/\s+/g, " ") });
      }
    }
  }
  return outcomes;
}
