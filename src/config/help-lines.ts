/** Where lines of help end at the latest. */
const WIDTH = 100;

/**
 * The lines of a flag and what it is for, which goes on below where it is long.
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
