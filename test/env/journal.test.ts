import {
  closeSync,
  copyFileSync,
  openSync,
  readFileSync,
  rmSync,
  truncateSync,
  type write,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Journal, type JournalPosition, type JournalRun } from '../../src/env/journal.ts';
import type { JournalEntry } from '../../src/env/journal-frame.ts';
import { JOURNAL_HEADER_BYTES } from '../../src/env/journal-header.ts';
import { checkDataLength, readJournal } from '../../src/env/read-journal.ts';
import { StoreDamagedError } from '../../src/env/store-damage.ts';
import { REMOVED } from '../../src/env/write-batch.ts';
import { temporaryDirectory } from '../parts/directory.ts';

/** What the next writes to a file do: they take so many bytes at most, and then say the error, if there is one. */
const faults = vi.hoisted((): { bytes: number; error: Error | null }[] => []);

vi.mock(import('node:fs'), async (original) => {
  const fs = await original();
  const faultyWrite = (
    file: number,
    bytes: Buffer,
    from: number,
    length: number,
    at: number,
    done: (error: Error | null, count: number) => void,
  ) => {
    const fault = faults.shift();
    const most = Math.min(length, fault?.bytes ?? length);
    fs.write(file, bytes, from, most, at, (error, count) => done(fault?.error ?? error, count));
  };
  return { ...fs, write: faultyWrite as typeof write };
});

const DISK_ERROR = new Error('EIO');
const START: JournalPosition = { generation: 0, link: 0, sequence: 0, run: null };
const OWNER = 'this store';
/** Longer than what the files say is renewed after, by as much as a busy machine may be late. */
const STATED_MS = 400;

let path: string;
let journal: Journal | undefined;

beforeEach(() => {
  path = temporaryDirectory();
});

afterEach(async () => {
  faults.length = 0;
  await journal?.close();
  journal = undefined;
});

async function open(settled = START, sync = false, at = path): Promise<Journal> {
  await journal?.close();
  journal = new Journal(at, settled, { sync, owner: OWNER, dataFile: join(path, 'data') });
  return journal;
}

function append(to: Journal, entries: readonly JournalEntry[]): Promise<void> {
  return new Promise((resolve, reject) => to.append(entries, (error) => (error ? reject(error) : resolve())));
}

function put(key: string, bytes = 10): JournalEntry {
  return { name: 'items', key, written: Buffer.alloc(bytes, key) };
}

interface Reading {
  readonly run?: JournalRun | null;
  readonly owner?: string;
  readonly acceptsLoss?: boolean;
}

function read(settled = START, { run = journal!.run, owner = OWNER, acceptsLoss = false }: Reading = {}) {
  const entries: JournalEntry[] = [];
  const apply = (entry: JournalEntry) => entries.push(entry);
  return { entries, ...readJournal(path, { ...settled, run }, { owner, acceptsLoss, apply }) };
}

function keys(settled?: JournalPosition, reading?: Reading): string[] {
  return read(settled, reading).entries.map(({ key }) => key);
}

function damage(reading?: Reading): string {
  try {
    return `nothing: ${keys(START, reading)}`;
  } catch (error) {
    if (!(error instanceof StoreDamagedError)) throw error;
    return error.message;
  }
}

/** Changes a file of the journal where it is. */
function change(name: string, edit: (bytes: Buffer) => void): void {
  const bytes = readFileSync(join(path, name));
  edit(bytes);
  const file = openSync(join(path, name), 'r+');
  writeSync(file, bytes);
  closeSync(file);
}

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

describe('a journal', () => {
  test.each([false, true])('gives back what was appended, in order (sync: %s)', async (sync) => {
    const entries: JournalEntry[] = [
      put('\x00\xff', 0),
      { name: 'paxos', key: 'k'.repeat(1_978), written: REMOVED },
      { name: 'meta', key: 'm', written: Buffer.alloc(100_000, 7) },
    ];
    await append(await open(START, sync), entries);
    await append(journal!, [put('last')]);
    const found = read();
    expect(found.entries).toEqual([...entries, put('last')]);
    expect(found.position).toEqual(journal!.position);
  });

  test('that never was has nothing', () => {
    const settled = { ...START, generation: 7, link: 8 };
    expect(read(settled, { run: null })).toEqual({ entries: [], position: settled, loss: undefined });
  });

  test('gives back only what is not settled', async () => {
    await append(await open(), [put('a')]);
    const first = journal!.position;
    journal!.rotate();
    await append(journal!, [put('b')]);
    expect(keys()).toEqual(['a', 'b']);
    expect(keys(first)).toEqual(['b']);
    expect(keys(journal!.position)).toEqual([]);
  });

  test('does not find the rest of a longer generation behind a shorter one', async () => {
    await open();
    for (const key of 'abcdef') await append(journal!, [put(key)]);
    journal!.rotate();
    await append(journal!, [put('g')]);
    const settled = journal!.position;
    journal!.rotate();
    await append(journal!, [put('h')]);
    expect(keys(settled)).toEqual(['h']);
    expect(readFileSync(join(path, 'journal-1')).includes('ffff')).toBe(true);
  });

  test('goes over a generation in which nothing was appended', async () => {
    await append(await open(), [put('a')]);
    const { position } = journal!;
    journal!.rotate();
    journal!.rotate();
    await append(journal!, [put('b')]);
    expect(keys(position)).toEqual(['b']);
  });

  test('is not looked into when it is not named, as after its store was closed in order', async () => {
    await append(await open(), [put('a')]);
    rmSync(join(path, 'journal-1'));
    expect(keys(START, { run: null })).toEqual([]);
  });

  test('opened again has nothing of what it held', async () => {
    await append(await open(), [put('a')]);
    const { position } = read();
    await append(await open(position), [put('b')]);
    expect(keys(position)).toEqual(['b']);
    expect(read(position).position.sequence).toBe(2);
  });
});

describe('a disk that refuses an append', () => {
  test('in parts takes all of it in the end', async () => {
    await open();
    faults.push({ bytes: 5, error: null }, { bytes: 1, error: null });
    await append(journal!, [put('a')]);
    await append(journal!, [put('b')]);
    expect(keys()).toEqual(['a', 'b']);
  });

  test.each([0, 3, 14, 20, 1_000])(
    'after %i bytes leaves nothing of it, and the next takes its place',
    async (count) => {
      await append(await open(), [put('a')]);
      faults.push({ bytes: count, error: DISK_ERROR });
      await expect(append(journal!, [put('refused', 500)])).rejects.toThrow(DISK_ERROR);
      expect(keys()).toEqual(['a']);
      await append(journal!, [put('b')]);
      expect(keys()).toEqual(['a', 'b']);
      journal!.rotate();
      await append(journal!, [put('c')]);
      expect(keys()).toEqual(['a', 'b', 'c']);
    },
  );

  test('although it has it does not keep the next generation from being read', async () => {
    await append(await open(), [put('a')]);
    faults.push({ bytes: 1_000, error: DISK_ERROR });
    await expect(append(journal!, [put('refused')])).rejects.toThrow(DISK_ERROR);
    journal!.rotate();
    await append(journal!, [put('b')]);
    expect(keys()).toEqual(['a', 'b']);
  });
});

/** What a kill leaves at most: the system takes a write from its start to its end, and may have taken a part of the last. */
describe('an append that was under way when its process was killed', () => {
  test.each([0, 1, 4, 27, 28, 40, 46])('is no damage when %i bytes of it were taken', async (taken) => {
    await append(await open(), [put('a')]);
    const end = JOURNAL_HEADER_BYTES + journal!.length;
    const before = readFileSync(join(path, 'journal-1')).subarray(end);
    await append(journal!, [put('b')]);
    change('journal-1', (bytes) => before.copy(bytes, end + taken, taken));
    expect(keys()).toEqual(['a']);
    expect(read().loss).toBeUndefined();
  });

  test('is no damage over what the file held before either', async () => {
    await open();
    for (const key of 'ab') await append(journal!, [put(key)]);
    journal!.rotate();
    const settled = journal!.position;
    journal!.rotate();
    await append(journal!, [put('c')]);
    const before = readFileSync(join(path, 'journal-1'));
    const end = JOURNAL_HEADER_BYTES + journal!.length;
    await append(journal!, [put('d')]);
    for (let taken = 0; taken < journal!.length / 2; taken++) {
      change('journal-1', (bytes) => before.copy(bytes, end + taken, end + taken));
      expect(keys(settled)).toEqual(['c']);
    }
  });
});

describe('what was acknowledged and is damaged is told from an end:', () => {
  const written = async (...generations: string[]) => {
    await open();
    for (const [at, each] of generations.entries()) {
      if (at > 0) journal!.rotate();
      for (const key of each) await append(journal!, [put(key, 100)]);
    }
  };

  test.each(['journal-0', 'journal-1'])('%s is missing', async (name) => {
    await written('ab', 'c');
    rmSync(join(path, name));
    expect(damage()).toBe(`${name} is missing`);
  });

  test.each([0.5, 0.999])('a file was cut, to %f of its length', async (share) => {
    await written('ab');
    const { length } = readFileSync(join(path, 'journal-1'));
    truncateSync(join(path, 'journal-1'), Math.floor(length * share));
    expect(damage()).toBe(`journal-1 was cut, from ${length} to ${Math.floor(length * share)} bytes`);
  });

  test.each([0, 30, 100])('a file was cut to %i bytes', async (length) => {
    await written('ab');
    truncateSync(join(path, 'journal-0'), length);
    expect(damage()).toBe('journal-0 is damaged at its start');
  });

  test('a frame before another one, in the same file or the next', async () => {
    await written('abc', 'd');
    change('journal-1', (bytes) => bytes.fill(0, JOURNAL_HEADER_BYTES + 150, JOURNAL_HEADER_BYTES + 160));
    expect(damage()).toBe('journal-0 has append 4, and append 2 cannot be read');
    change('journal-1', (bytes) => bytes.fill(0, JOURNAL_HEADER_BYTES));
    expect(damage()).toBe('journal-0 has append 4, and append 1 cannot be read');
  });

  test.each([28, 50, 136])('a bit of the last frame, at %i', async (at) => {
    await written('ab');
    change('journal-1', (bytes) => {
      bytes[JOURNAL_HEADER_BYTES + journal!.length / 2 + at]! ^= 1;
    });
    expect(damage()).toBe('append 2 in journal-1 was changed after it was written');
  });

  test('frames that are gone from the end, once the files have said that they are there', async () => {
    await written('ab');
    await sleep(STATED_MS);
    change('journal-1', (bytes) => bytes.fill(0, JOURNAL_HEADER_BYTES + 10));
    expect(damage()).toBe('append 1 of 2 cannot be read');
  });

  test('the journal of another time is in its place', async () => {
    await written('ab');
    copyFileSync(join(path, 'journal-1'), join(path, 'older'));
    await written('c');
    copyFileSync(join(path, 'older'), join(path, 'journal-1'));
    expect(damage()).toBe('journal-1 is of another time than data.mdb');
  });

  test('data.mdb was cut', async () => {
    writeFileSync(join(path, 'data'), Buffer.alloc(1_000));
    await written('a');
    await sleep(STATED_MS);
    checkDataLength(path, join(path, 'data'));
    truncateSync(join(path, 'data'), 999);
    expect(() => checkDataLength(path, join(path, 'data'))).toThrow('data.mdb was cut, from 1000 to 999 bytes');
    expect(() => checkDataLength(path, join(path, 'none'))).toThrow('data.mdb is missing');
  });

  test('but what is left is taken where that is asked for', async () => {
    await written('abc');
    change('journal-1', (bytes) => bytes.fill(0, JOURNAL_HEADER_BYTES + 150, JOURNAL_HEADER_BYTES + 160));
    const { entries, loss } = read(START, { acceptsLoss: true });
    expect(entries.map(({ key }) => key)).toEqual(['a']);
    expect(loss).toBe('journal-1 has append 3, and append 2 cannot be read');
  });

  test('but the end may be anywhere after the machine was restarted, unless appends were synced', async () => {
    await written('abc');
    change('journal-1', (bytes) => bytes.fill(0, JOURNAL_HEADER_BYTES + 150, JOURNAL_HEADER_BYTES + 160));
    const restarted = { ...journal!.run, machine: 'another run' };
    expect(keys(START, { run: restarted })).toEqual(['a']);
    expect(read(START, { run: restarted }).loss).toBe('journal-1 has append 3, and append 2 cannot be read');
    expect(damage({ run: { ...restarted, isSynced: true } })).toMatch(/append 2 cannot be read$/);
  });
});

test('the journal of another store is refused, and is no damage', async () => {
  await append(await open(), [put('a')]);
  expect(() => keys(START, { owner: 'another' })).toThrow('journal-0 is the journal of this store, not of another');
  expect(() => keys(START, { owner: 'another', acceptsLoss: true })).toThrow();
});

test('what a value holds is never taken for a frame', async () => {
  await append(await open(), [put('a')]);
  await append(journal!, [put('b')]);
  const file = readFileSync(join(path, 'journal-1'));
  // As a client would who had read the journal of an earlier start.
  const forged = file.subarray(JOURNAL_HEADER_BYTES, JOURNAL_HEADER_BYTES + journal!.length);
  const { position } = read();
  await append(await open(position), [{ name: 'items', key: 'c', written: Buffer.from(forged) }]);
  await append(journal!, [put('d')]);
  change('journal-0', (bytes) => bytes.fill(0, JOURNAL_HEADER_BYTES + journal!.length - 1));
  expect(keys(position)).toEqual(['c', 'd']);
});

describe('the files of a journal, cut or changed anywhere,', () => {
  /** Frames by their number of entries; 0 rotates. */
  const frames = fc.array(fc.nat(3), { minLength: 1, maxLength: 12 });
  const damage = fc.record({
    file: fc.constantFrom('journal-0', 'journal-1'),
    at: fc.double({ min: 0, max: 0.999, noNaN: true }),
    isCut: fc.boolean(),
    bits: fc.integer({ min: 1, max: 255 }),
  });

  test('hold all of what was appended, or are known to be damaged', async () => {
    let damages = 0;
    await fc.assert(
      fc.asyncProperty(frames, damage, fc.boolean(), async (sizes, { file, at, isCut, bits }, isRefused) => {
        await open();
        let settled = START;
        const last: { position: JournalPosition; keys: string[] } = { position: START, keys: [] };
        let expected: string[] = [];
        let count = 0;
        let lastSize = 0;
        for (const size of sizes) {
          if (size === 0) {
            // What the file held that is used again is settled now.
            settled = last.position;
            expected = expected.slice(last.keys.length);
            last.position = journal!.position;
            last.keys = expected;
            journal!.rotate();
            continue;
          }
          const entries = Array.from({ length: size }, (_, n) => put(`${count++}`, size * 7 + n));
          if (isRefused && count % 3 === 0) {
            faults.push({ bytes: count, error: DISK_ERROR });
            await append(journal!, entries).catch(() => {});
            continue;
          }
          await append(journal!, entries);
          lastSize = size;
          expected = [...expected, ...entries.map(({ key }) => key)];
        }
        expect(keys(settled)).toEqual(expected);
        const offset = Math.floor(at * readFileSync(join(path, file)).length);
        if (isCut) truncateSync(join(path, file), offset);
        else change(file, (bytes) => bytes.writeUInt8(bytes[offset]! ^ bits, offset));
        let found: JournalEntry[];
        try {
          found = read(settled).entries;
        } catch (error) {
          expect(error).toBeInstanceOf(StoreDamagedError);
          damages++;
          found = read(settled, { acceptsLoss: true }).entries;
          expect(found.map(({ key }) => key)).toEqual(expected.slice(0, found.length));
          return;
        }
        // Only the last frame can be taken for one that was never there: where the first bytes of it were changed.
        expect(found.map(({ key }) => key)).toEqual(expected.slice(0, found.length));
        expect(expected.length - found.length).toBeLessThanOrEqual(lastSize);
        for (const { key, written } of found) expect(written).toEqual(Buffer.alloc(written!.length, key));
      }),
      { numRuns: 150 },
    );
    expect(damages).toBeGreaterThan(50);
  });
});
