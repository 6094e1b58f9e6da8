import { mkdtempSync, readFileSync, rmSync, truncateSync, type write, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { JOURNAL_START, Journal, type JournalEntry, type JournalPosition, readJournal } from '../../src/env/journal.ts';
import { REMOVED } from '../../src/env/write-batch.ts';

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

let path: string;
let journal: Journal | undefined;

beforeEach(() => {
  path = mkdtempSync(join(tmpdir(), 'dynaring-test-'));
});

afterEach(() => {
  faults.length = 0;
  journal?.close();
  journal = undefined;
  rmSync(path, { recursive: true });
});

function open(settled: JournalPosition = JOURNAL_START, sync = false): Journal {
  journal?.close();
  journal = new Journal(path, settled, sync);
  return journal;
}

function append(to: Journal, entries: readonly JournalEntry[]): Promise<void> {
  return new Promise((resolve, reject) => to.append(entries, (error) => (error ? reject(error) : resolve())));
}

function put(key: string, bytes = 10): JournalEntry {
  return { name: 'items', key, written: Buffer.alloc(bytes, key) };
}

function read(settled: JournalPosition = JOURNAL_START): { entries: JournalEntry[]; position: JournalPosition } {
  const entries: JournalEntry[] = [];
  const position = readJournal(path, settled, (entry) => entries.push(entry));
  return { entries, position };
}

function keys(settled?: JournalPosition): string[] {
  return read(settled).entries.map(({ key }) => key);
}

describe('a journal', () => {
  test.each([false, true])('gives back what was appended, in order (sync: %s)', async (sync) => {
    const entries: JournalEntry[] = [
      put('\x00\xff', 0),
      { name: 'paxos', key: 'k'.repeat(1_978), written: REMOVED },
      { name: 'meta', key: 'm', written: Buffer.alloc(100_000, 7) },
    ];
    await append(open(JOURNAL_START, sync), entries);
    await append(journal!, [put('last')]);
    const found = read();
    expect(found.entries).toEqual([...entries, put('last')]);
    expect(found.position).toEqual(journal!.position);
  });

  test('that never was has nothing', () => {
    expect(read({ generation: 7, link: 8 })).toEqual({ entries: [], position: { generation: 7, link: 8 } });
  });

  test('gives back only what is not settled', async () => {
    await append(open(), [put('a')]);
    const first = journal!.position;
    journal!.rotate();
    await append(journal!, [put('b')]);
    expect(keys()).toEqual(['a', 'b']);
    expect(keys(first)).toEqual(['b']);
    expect(keys(journal!.position)).toEqual([]);
  });

  test('does not find the rest of a longer generation behind a shorter one', async () => {
    open();
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
    await append(open(), [put('a')]);
    journal!.rotate();
    journal!.rotate();
    const { position } = journal!;
    await append(journal!, [put('b')]);
    expect(keys(position)).toEqual([]);
    expect(keys({ ...position, generation: position.generation - 1 })).toEqual(['b']);
  });

  test('whose first file was lost does not give back the second', async () => {
    await append(open(), [put('a')]);
    journal!.rotate();
    await append(journal!, [put('b')]);
    rmSync(join(path, 'journal-1'));
    expect(keys()).toEqual([]);
  });

  test('whose oldest unsettled generation was overwritten gives back nothing', async () => {
    await append(open(), [put('a')]);
    const old = JOURNAL_START;
    journal!.rotate();
    await append(journal!, [put('b')]);
    journal!.rotate();
    await append(journal!, [put('c')]);
    expect(keys(old)).toEqual([]);
  });

  test('opened again over a damaged one does not bring back what lay behind the damage', async () => {
    await append(open(), [put('a')]);
    await append(journal!, [put('b')]);
    const bytes = readFileSync(join(path, 'journal-1'));
    bytes[20]! ^= 1;
    writeFileSync(join(path, 'journal-1'), bytes);
    const { position } = read();
    expect(position).toEqual(JOURNAL_START);
    // The same bytes as before the damage: the frame of b would fit behind them.
    await append(open(position), [put('a')]);
    expect(keys()).toEqual(['a']);
  });
});

describe('a disk that refuses an append', () => {
  test('in parts takes all of it in the end', async () => {
    open();
    faults.push({ bytes: 5, error: null }, { bytes: 1, error: null });
    await append(journal!, [put('a')]);
    await append(journal!, [put('b')]);
    expect(keys()).toEqual(['a', 'b']);
  });

  test.each([0, 3, 14, 20, 1_000])(
    'after %i bytes leaves nothing of it, and the next takes its place',
    async (count) => {
      await append(open(), [put('a')]);
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
    await append(open(), [put('a')]);
    faults.push({ bytes: 1_000, error: DISK_ERROR });
    await expect(append(journal!, [put('refused')])).rejects.toThrow(DISK_ERROR);
    journal!.rotate();
    await append(journal!, [put('b')]);
    expect(keys()).toEqual(['a', 'b']);
  });
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

  test('hold a beginning of what was appended, or all of it', async () => {
    await fc.assert(
      fc.asyncProperty(frames, damage, fc.boolean(), async (sizes, { file, at, isCut, bits }, isRefused) => {
        open();
        let settled = JOURNAL_START;
        const last: { position: JournalPosition; keys: string[] } = { position: JOURNAL_START, keys: [] };
        let expected: string[] = [];
        let count = 0;
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
          expected = [...expected, ...entries.map(({ key }) => key)];
        }
        expect(keys(settled)).toEqual(expected);
        const bytes = readFileSync(join(path, file));
        const offset = Math.floor(at * bytes.length);
        if (isCut) truncateSync(join(path, file), offset);
        else if (bytes.length > 0) {
          bytes[offset]! ^= bits;
          writeFileSync(join(path, file), bytes);
        }
        const { entries } = read(settled);
        expect(entries.map(({ key }) => key)).toEqual(expected.slice(0, entries.length));
        for (const { key, written } of entries) expect(written).toEqual(Buffer.alloc(written!.length, key));
      }),
      { numRuns: 300 },
    );
  });
});
