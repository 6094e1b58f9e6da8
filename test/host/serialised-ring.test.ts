import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { fromImage, toImage } from '../../src/api/item.ts';
import type { Mutation } from '../../src/api/mutation.ts';
import { completeConfig } from '../../src/config.ts';
import type { Consistency, ItemKey } from '../../src/dynamo/client.ts';
import type { Reply, Request } from '../../src/dynamo/messages.ts';
import type { Codec } from '../../src/env/codec.ts';
import type { DataDirectory } from '../../src/env/data-directory.ts';
import { silentLog } from '../../src/env/log.ts';
import { openTemporaryDirectory } from '../../src/env/temporary-directory.ts';
import { LocalRing } from '../../src/host/local-ring.ts';
import { REPLY_CODEC } from '../../src/wire/reply-codec.ts';
import { REQUEST_CODEC } from '../../src/wire/request-codec.ts';

const TABLES: Record<Consistency, string> = { strict: 'table-01', dynamo: 'table-02' };
const NAMES = Array.from({ length: 40 }, (_, i) => `k${String(i).padStart(2, '0')}`);
const WAIT_MS = 60_000;

const requests = new Set<Request['kind']>();
const replies = new Set<Reply['kind']>();
let directory: DataDirectory;
let ring: LocalRing;

/** Notes which kinds of messages were sent. */
function noting<Message extends { readonly kind: string }>(
  codec: Codec<Message>,
  kinds: Set<Message['kind']>,
): Codec<Message> {
  return {
    encode(message) {
      kinds.add(message.kind);
      return codec.encode(message);
    },
    decode: (bytes) => codec.decode(bytes),
  };
}

beforeAll(async () => {
  directory = await openTemporaryDirectory();
  const codecs = { request: noting(REQUEST_CODEC, requests), reply: noting(REPLY_CODEC, replies) };
  const settings = completeConfig({ partitions: 8, nodes: 4, antiEntropyIntervalMs: 500 });
  ring = await LocalRing.open({ settings, directory, log: silentLog, codecs });
}, WAIT_MS);

afterAll(async () => {
  await ring?.close();
  await directory?.close();
}, WAIT_MS);

const keyOf = (mode: Consistency, name: string): ItemKey => ({ table: TABLES[mode], partitionKey: name, sortKey: '' });
const put = (version: string): Mutation => ({ kind: 'put', item: toImage({ v: { S: version } }) });

async function write(mode: Consistency, name: string, mutation: Mutation, wantsOld = false): Promise<string> {
  const outcome = await ring.client.write(keyOf(mode, name), mutation, { consistency: mode, wantsOld });
  return outcome.kind;
}

async function writeAll(version: string): Promise<void> {
  for (const mode of ['strict', 'dynamo'] as const) {
    const kinds = await Promise.all(NAMES.map((name) => write(mode, name, put(version))));
    expect(new Set(kinds)).toEqual(new Set(['applied']));
  }
}

/** The versions of all items, by a read of each. */
async function versionsOf(mode: Consistency, from: 'latest' | 'committed' = 'latest'): Promise<Set<string>> {
  const outcomes = await Promise.all(
    NAMES.map((name) => ring.client.read({ key: keyOf(mode, name), from, consistency: mode })),
  );
  return new Set(outcomes.map((outcome) => (outcome.kind === 'found' ? textOf(outcome.item.json) : outcome.kind)));
}

function textOf(json: Uint8Array): string {
  return (fromImage({ size: 0, json }).v as { S: string }).S;
}

/** How many items a walk through all partitions finds. */
async function countOf(mode: Consistency): Promise<number> {
  let count = 0;
  for (let partition = 0; partition < ring.client.partitions; partition++) {
    const start = { kind: 'partition', partition } as const;
    const page = await ring.client.scan({ table: TABLES[mode], start, limit: 100, from: 'latest', consistency: mode });
    if (page.kind === 'items') count += page.items.length;
  }
  return count;
}

describe('a ring whose nodes exchange bytes', { timeout: WAIT_MS }, () => {
  test('writes, reads and scans in both modes', async () => {
    await writeAll('first');
    for (const mode of ['strict', 'dynamo'] as const) {
      expect(await versionsOf(mode)).toEqual(new Set(['first']));
      expect(await countOf(mode)).toBe(NAMES.length);
      const absent: Mutation = { ...put('never'), condition: { kind: 'not-exists', path: ['v'] } };
      expect(await write(mode, NAMES[0]!, absent)).toBe('condition-failed');
      expect(await write(mode, 'gone', put('x'), true)).toBe('applied');
      expect(await write(mode, 'gone', { kind: 'delete' }, true)).toBe('applied');
    }
    expect(await versionsOf('strict', 'committed')).toEqual(new Set(['first']));
  });

  test('keeps what is written while a node is away, and brings it to that node afterwards', async () => {
    await ring.stop('node-2');
    await writeAll('second');
    // The others hear nothing of it, and ask in the next round of probes.
    await expect.poll(() => [...requests], { timeout: WAIT_MS }).toContain('ping');
    await ring.start('node-2');
    await ring.waitUntilConsistent(WAIT_MS);
    expect(await versionsOf('strict')).toEqual(new Set(['second']));
    expect(await versionsOf('dynamo')).toEqual(new Set(['second']));
  });

  test('brings back a node that has lost its disk, and moves its partitions as nodes come and go', async () => {
    await ring.wipe('node-3');
    await ring.settled();
    await ring.addNode();
    await ring.settled();
    await ring.removeNode('node-1');
    await ring.settled();
    await ring.repair();
    expect(await versionsOf('strict')).toEqual(new Set(['second']));
    expect(await versionsOf('dynamo')).toEqual(new Set(['second']));
    await writeAll('third');
    expect(await versionsOf('strict')).toEqual(new Set(['third']));
  });

  test('has sent messages of nearly all kinds by then', () => {
    const sent = ['prepare', 'accept', 'learn', 'read', 'read-committed', 'read-range', 'ping', 'gossip'] as const;
    const moved = [
      'copy',
      'seal',
      'sealed-records',
      'stage',
      'activate',
      'merkle-hashes',
      'merkle-keys',
      'fetch',
    ] as const;
    expect([...requests]).toEqual(expect.arrayContaining([...sent, ...moved]));
    const answered = ['promise', 'state', 'accepted', 'learned', 'range', 'merkle-hashes', 'records', 'pong'] as const;
    expect([...replies]).toEqual(expect.arrayContaining([...answered, 'copied', 'sealed', 'staged', 'activated']));
  });
});
