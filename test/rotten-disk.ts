import { readFileSync, writeFileSync } from 'node:fs';

/**
 * Flips one bit in each of these texts wherever a file has them: the lowest of their last byte, which leaves the JSON
 * around it what it was.
 * @returns how many bits
 */
export function flipBits(file: string, texts: readonly string[]): number {
  const bytes = readFileSync(file);
  const places: number[] = [];
  for (const text of texts) {
    for (let at = bytes.indexOf(text); at >= 0; at = bytes.indexOf(text, at + 1)) places.push(at + text.length - 1);
  }
  // Afterwards: one text with its bit flipped may be another one.
  for (const place of places) bytes[place]! ^= 1;
  writeFileSync(file, bytes);
  return places.length;
}
