/** Longest line of help, in characters. */
const WIDTH = 100;

/**
 * The help lines of a flag. A long explanation is wrapped.
 * @param column where the explanation begins
 */
export function helpLines(flag: string, help: string, column: number): readonly string[] {
  const lines = [`  ${flag}`.padEnd(column)];
  for (const word of help.split(' ')) {
    if (lines.at(-1)!.length + word.length > WIDTH) lines.push(''.padEnd(column));
    lines.push(`${lines.pop()}${word} `);
  }
  return lines.map((line) => line.trimEnd());
}
