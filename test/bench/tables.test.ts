import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

/** The cells of the table that a bench prints, without its head. */
async function tableOf(bench: string, env: Record<string, string> = {}): Promise<number[][]> {
  const path = fileURLToPath(new URL(`../../bench/${bench}`, import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [path], { env: { PATH: process.env.PATH, ...env } });
  return stdout
    .split('\n')
    .filter((line) => /^\| \d/.test(line))
    .map((line) => line.slice(1, -1).split('|').map(Number));
}

test('the cost of repair grows with what has changed, and not with what there is', { timeout: 60_000 }, async () => {
  const rows = await tableOf('merkle.mjs', { ITEMS: '2000,20000' });
  const hashesOf = (items: number, changed: number) => rows.find(([n, d]) => n === items && d === changed)![2]!;
  expect(hashesOf(2_000, 0)).toBe(hashesOf(20_000, 0));
  expect(hashesOf(20_000, 10)).toBeLessThan(hashesOf(2_000, 10) * 1.1);
  expect(hashesOf(20_000, 1_000)).toBeGreaterThan(hashesOf(20_000, 10) * 10);
  for (const [, changed, , , repaired] of rows) expect(repaired).toBe(changed);
});

test('the ring stays even as nodes join, and no join moves more than its share', { timeout: 60_000 }, async () => {
  const rows = await tableOf('load-balance.mjs');
  expect(rows.length).toBeGreaterThan(20);
  // The ring that the joins begin with has no share that moved.
  for (const [, nodes, replicas, , , , moved] of rows.filter(([, first]) => first! > 3)) {
    expect(replicas).toBeGreaterThan(0.9);
    expect(moved).toBeLessThanOrEqual(1 / nodes! + 0.0001);
  }
});
