/** How many typing mistakes a name may have and still be recognised. */
const MAX_MISTAKES = 2;

/**
 * The name that was probably meant: one that differs only in dashes and capital letters, or in up to two letters.
 * Undefined if there is none.
 */
function nearest(given: string, names: readonly string[]): string | undefined {
  const plain = (name: string) => name.replaceAll(/[-_]/g, '').toLowerCase();
  const mistakes = (name: string) => distance(plain(given), plain(name));
  const best = [...names].sort((a, b) => mistakes(a) - mistakes(b))[0];
  if (best === undefined) return undefined;
  // In a short name, two mistakes would match too much.
  return mistakes(best) <= Math.min(MAX_MISTAKES, Math.floor(plain(best).length / 3)) ? best : undefined;
}

/** The nearest name as the end of a message: `; did you mean --port?`, or nothing. */
export function hintOf(given: string, names: readonly string[]): string {
  const near = nearest(given, names);
  return near === undefined ? '' : `; did you mean ${near}?`;
}

/** The number of letters to insert, leave out, replace, or exchange with their neighbour (optimal string alignment). */
function distance(from: string, to: string): number {
  let before: number[] = [];
  let row = Array.from({ length: to.length + 1 }, (_, at) => at);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++) {
      const replaced = row[j - 1]! + (from[i - 1] === to[j - 1] ? 0 : 1);
      const isExchanged = i > 1 && j > 1 && from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1];
      const exchanged = isExchanged ? before[j - 2]! + 1 : Number.POSITIVE_INFINITY;
      next.push(Math.min(replaced, row[j]! + 1, next[j - 1]! + 1, exchanged));
    }
    before = row;
    row = next;
  }
  return row[to.length]!;
}
