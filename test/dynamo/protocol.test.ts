import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { DEFAULT_NODE_LIMITS } from '../../src/dynamo/node-settings.ts';
import { COORDINATION_KINDS, REPLY_KINDS, REQUEST_KINDS } from '../parts/message-kinds.ts';
import { BREAKABLE } from '../simulation/stories/broken-in-stories.ts';
import { storyNames } from '../simulation/stories/library.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const PROTOCOL = readFileSync(`${ROOT}docs/protocol.md`, 'utf8');

/** The text of a section `6` or a part `12.1` of one. */
function sectionOf(number: string): string {
  const isPart = number.includes('.');
  const sections = PROTOCOL.split(isPart ? /^##+ /m : /^## /m);
  return sections.find((section) => section.startsWith(isPart ? `${number} ` : `${number}. `))!;
}

/** The cells of a section's table, without its head. */
function rowsOf(number: string): string[][] {
  return [...sectionOf(number).matchAll(/^\| (?!---)(.+) \|$/gm)].map(([, row]) => row!.split(' | ')).slice(1);
}

/** What is written as code in these cells. */
function namesIn(cells: readonly string[]): string[] {
  return cells.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name!));
}

describe('the specification', () => {
  test('has a row for each message, and for no other', () => {
    const kinds = rowsOf('12.1').map(([kind]) => namesIn([kind!])[0]);
    expect(kinds.sort()).toEqual(REQUEST_KINDS);
    const ofClients = rowsOf('12.2').map(([kind]) => namesIn([kind!])[0]);
    expect(ofClients.sort()).toEqual(COORDINATION_KINDS);
  });

  test('says which message is answered by what, and knows all answers', () => {
    const answers = rowsOf('12.1').map(([, , answer]) => namesIn([answer!])[0]!);
    const refusals = rowsOf('12.1').flatMap((cells) => namesIn([cells.at(-1)!]));
    expect([...new Set([...answers, ...refusals, 'storage-failed'])].sort()).toEqual(REPLY_KINDS);
  });

  test('shows each counterexample by stories, broken rules or tests that there are', () => {
    const shown = rowsOf('6').map(([number, , , by]) => ({ number, names: namesIn([by!]) }));
    const exists = (name: string) =>
      name.includes('/') ? existsSync(ROOT + name) : name in BREAKABLE || storyNames().includes(name);
    expect(shown.filter(({ names }) => names.length === 0 || !names.every(exists))).toEqual([]);
    expect(shown.map(({ number }) => Number(number))).toEqual(shown.map((_, i) => i + 1));
  });

  test('has a row for each story of a counterexample, of its number, and for each story of a fault', () => {
    const rows = new Map(rowsOf('6').map(([number, ...cells]) => [Number(number), namesIn(cells)]));
    const told = storyNames().filter((name) => name.startsWith('ce-'));
    expect(told.filter((name) => !rows.get(Number(name.split('-')[1]))!.includes(name))).toEqual([]);
    const faults = rowsOf('7').flatMap((cells) => namesIn([cells.at(-1)!]));
    expect(faults.sort()).toEqual(storyNames().filter((name) => name.startsWith('fault-')));
  });

  test('refers to sections of its own that it has', () => {
    const sections = [...PROTOCOL.matchAll(/^##+ ([\d.]+?)\.? /gm)].map(([, number]) => number!);
    const found = [...PROTOCOL.matchAll(/\((?:sections? )?(\d+(?:\.\d+)?(?:, \d+(?:\.\d+)?)*)\)/g)];
    const referred = found.flatMap(([, numbers]) => numbers!.split(', '));
    expect(referred.filter((number) => !sections.includes(number))).toEqual([]);
  });

  test('has relations of times that the default limits keep', () => {
    const limits = DEFAULT_NODE_LIMITS;
    expect(limits.lineageWindowMs).toBeGreaterThan(2 * limits.opLifeMs);
    expect(limits.hintLifeMs).toBeGreaterThan(Math.max(limits.opLifeMs, limits.messageLifeMs));
    expect(limits.tombstoneGraceMs).toBeGreaterThan(limits.hintLifeMs + limits.opLifeMs + 2 * limits.messageLifeMs);
    expect(limits.ceilingAheadMs).toBeGreaterThan(limits.phaseTimeoutMs);
  });

  test('names broken rules that there are, and is named by each', () => {
    const named = rowsOf('4').flatMap((cells) => namesIn([cells.at(-1)!]));
    expect(named.filter((name) => !(name in BREAKABLE) && !existsSync(ROOT + name))).toEqual([]);
    const cites = /\((protocol\.md section|I\d|counterexamples? \d|docs\/simulation\.md)/;
    expect(Object.entries(BREAKABLE).filter(([, { rule }]) => !cites.test(rule))).toEqual([]);
  });
});
