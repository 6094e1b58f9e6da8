import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { DeleteTableCommand, DynamoDBClient, GetItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { completeConfig } from '../../src/config.ts';
import { DEFAULT_NODE_LIMITS } from '../../src/dynamo/node-settings.ts';
import { silentLog } from '../../src/env/log.ts';
import { openTemporaryDirectory } from '../../src/env/temporary-directory.ts';
import { LocalRing } from '../../src/host/local-ring.ts';
import type { RingObserver } from '../../src/host/ring-observer.ts';
import type { Dynaring, DynaringOptions } from '../../src/index.ts';
import { startDynaring } from '../../src/index.ts';
import { temporaryDirectory } from '../parts/directory.ts';
import { insideOf } from '../parts/inside.ts';
import { createTable, keysOf } from '../parts/tables.ts';

let dataDir: string;
let db: Dynaring;
let client: DynamoDBClient;

beforeEach(() => {
  dataDir = temporaryDirectory();
});

afterEach(async () => {
  client?.destroy();
  await db?.stop();
});

async function start(options: DynaringOptions = {}): Promise<void> {
  db = await startDynaring({ partitions: 16, ...options });
  client = new DynamoDBClient({ ...db.clientConfig(), maxAttempts: 1 });
}

async function createThings(Tags: { Key: string; Value: string }[] = [], TableName = 'things'): Promise<void> {
  await createTable(client, TableName, { ...keysOf('k'), Tags });
}

async function put(k: string, v: string, TableName = 'things'): Promise<void> {
  await client.send(new PutItemCommand({ TableName, Item: { k: { S: k }, v: { S: v } } }));
}

async function get(k: string, ConsistentRead = true, TableName = 'things'): Promise<string | undefined> {
  const { Item } = await client.send(new GetItemCommand({ TableName, Key: { k: { S: k } }, ConsistentRead }));
  return Item?.v?.S;
}

const KEYS = Array.from({ length: 100 }, (_, i) => `k${i}`);

async function putAll(v: string): Promise<void> {
  await Promise.all(KEYS.map((k) => put(k, v)));
}

async function valuesOfAll(): Promise<(string | undefined)[]> {
  return [...new Set(await Promise.all(KEYS.map((k) => get(k))))];
}

/** Nothing that goes on needs as long: a write fails for what the ring does, not for a machine that is slow. */
const PATIENT: DynaringOptions = { limits: { node: { opLifeMs: 30_000 } } };

/** The nodes that coordinate reads of all keys. */
async function coordinatorsOfAll(): Promise<Set<string>> {
  const asked = KEYS.map((k) =>
    client.send(new GetItemCommand({ TableName: 'things', Key: { k: { S: k } }, ConsistentRead: true })),
  );
  return new Set((await Promise.all(asked)).map((answer) => db.trace(answer)!.coordinator!));
}

/** Every node that runs holds the same of each partition that it votes in. */
function expectHealthy(): void {
  const { nodes, partitions } = db.ring.describe();
  for (const { partition, members } of partitions) {
    expect(new Set(members.map(({ node }) => node)).size).toBe(3);
    for (const { node } of members) {
      const { status } = nodes.find(({ id }) => id === node)!;
      expect(status!.partitions).toContain(partition);
      expect(status!.sealed).toEqual([]);
    }
  }
}

/** Writes until `stop` is called, which returns what was acknowledged of each key and what may have happened since. */
function writeWithoutPause() {
  const acknowledged = new Map<string, number>();
  const failed: string[] = [];
  let isStopped = false;
  const writer = async (k: string) => {
    for (let v = 1; !isStopped; v++) {
      await put(k, String(v)).then(
        () => acknowledged.set(k, v),
        (error: Error) => failed.push(`${k} ${v}: ${error.name}`),
      );
    }
  };
  const writers = KEYS.slice(0, 8).map(writer);
  return async () => {
    isStopped = true;
    await Promise.all(writers);
    return { acknowledged, failed };
  };
}

/** Records that nodes keep for others. */
function hints(): number {
  return db.ring.describe().nodes.reduce((sum, { status }) => sum + (status?.hints ?? 0), 0);
}

describe('a node that stops', () => {
  test('is not missed, and gets what it has missed as hints when it starts', async () => {
    await start();
    await createThings();
    await putAll('old');
    await db.ring.stop('node-2');
    await putAll('new');
    expect(await valuesOfAll()).toEqual(['new']);
    await expect.poll(hints, { timeout: 5_000 }).toBeGreaterThanOrEqual(KEYS.length);
    await db.ring.start('node-2');
    await expect.poll(hints, { timeout: 5_000 }).toBe(0);
    const repaired = await db.ring.repair();
    expect(repaired.recordsRepaired).toBe(0);
    expect(repaired.partitions).toBe(16 * 3 * 2);
  });

  test('takes a majority with it if it is the second, and the ring says so within the life of an operation', async () => {
    await start({ limits: { node: { opLifeMs: 300, phaseTimeoutMs: 50 } } });
    await createThings();
    await put('k0', 'old');
    await db.ring.stop('node-2');
    await db.ring.stop('node-3');
    await expect(put('k0', 'new')).rejects.toMatchObject({ $metadata: { httpStatusCode: 503 } });
    await expect(get('k0')).rejects.toMatchObject({ $metadata: { httpStatusCode: 503 } });
    expect(await get('k0', false)).toBe('old');
    await db.ring.start('node-2');
    await put('k0', 'new');
    expect(await get('k0')).toBe('new');
  });
});

describe('a node that is paused', () => {
  test('is gone around, and goes on with what has waited', async () => {
    await start();
    await createThings();
    await putAll('old');
    db.ring.pause('node-1');
    // Until it is missed, what it should coordinate gets no answer.
    await Promise.allSettled(KEYS.map((k) => put(k, 'new')));
    await putAll('newer');
    expect(await valuesOfAll()).toEqual(['newer']);
    db.ring.resume('node-1');
    expect(await valuesOfAll()).toEqual(['newer']);
  }, 20_000);
});

describe('a node that was missed', () => {
  test('coordinates again when it is back, though nobody asked it anything meanwhile', async () => {
    await start({
      limits: { node: { opLifeMs: 500, suspectAfterMs: 100, phaseTimeoutMs: 50 } },
    });
    await createThings();
    await putAll('old');
    db.ring.pause('node-1');
    // Nothing of this is waited for any more when it goes on.
    await valuesOfAll();
    await new Promise((resolve) => setTimeout(resolve, 600));
    db.ring.resume('node-1');
    expect(await coordinatorsOfAll()).toContain('node-1');
    // Its disk is lost while it owes answers.
    const owed = valuesOfAll();
    await db.ring.wipe('node-2');
    await owed;
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(await coordinatorsOfAll()).toContain('node-2');
  });
});

describe('a link that is cut', () => {
  test('costs nothing but a copy, which comes when it is healed', async () => {
    await start({ limits: { node: { opLifeMs: 300, phaseTimeoutMs: 50 } } });
    await createThings();
    for (const [from, to] of [
      ['node-1', 'node-3'],
      ['node-2', 'node-3'],
    ] as const) {
      db.ring.setLink(from, to, { cut: true });
    }
    await putAll('new').catch(() => {});
    db.ring.healLinks();
    await db.ring.repair();
    expect((await db.ring.repair()).recordsRepaired).toBe(0);
  }, 20_000);
});

describe('a node that loses its disk', () => {
  test('is brought back partition by partition, under load, and nothing acknowledged is lost', async () => {
    await start(PATIENT);
    await createThings();
    await putAll('old');
    const stop = writeWithoutPause();
    await db.ring.wipe('node-2');
    await db.ring.settled();
    const { acknowledged, failed } = await stop();
    expect(failed).toEqual([]);
    for (const [k, v] of acknowledged) expect(Number(await get(k))).toBeGreaterThanOrEqual(v);
    for (const k of KEYS.slice(8)) expect(await get(k)).toBe('old');
    expectHealthy();
    expect((await db.ring.repair()).recordsRepaired).toBe(0);
    // No request that came during a pause has failed of it: a request lives so long by default.
    expect(db.ring.describe().moves.longestPauseMs).toBeLessThan(DEFAULT_NODE_LIMITS.opLifeMs);
  });

  test('may have lost it while the cluster was stopped', async () => {
    await start({ dataDir });
    await createThings();
    await putAll('old');
    await db.stop();
    rmSync(join(dataDir, 'nodes', 'node-3'), { recursive: true });
    await start({ dataDir });
    expect(await valuesOfAll()).toEqual(['old']);
    await db.ring.settled();
    expectHealthy();
    await db.ring.stop('node-1');
    expect(await valuesOfAll()).toEqual(['old']);
  });
});

describe('the nodes of a ring', () => {
  test('come and go under load, and nothing acknowledged is lost', async () => {
    await start(PATIENT);
    await createThings();
    await putAll('old');
    const stop = writeWithoutPause();
    expect(await db.ring.addNode()).toBe('node-4');
    expect(await db.ring.addNode()).toBe('node-5');
    await db.ring.settled();
    const counts = db.ring.describe().nodes.map(({ status }) => status!.partitions.length);
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
    await db.ring.removeNode('node-1');
    await db.ring.removeNode('node-4');
    const { acknowledged, failed } = await stop();
    expect(failed).toEqual([]);
    expect(db.ring.describe().nodes.map(({ id }) => id)).toEqual(['node-2', 'node-3', 'node-5']);
    for (const [k, v] of acknowledged) expect(Number(await get(k))).toBeGreaterThanOrEqual(v);
    for (const k of KEYS.slice(8)) expect(await get(k)).toBe('old');
    expectHealthy();
    expect((await db.ring.repair()).recordsRepaired).toBe(0);
  });

  test('move although the one that leads a move is paused meanwhile', async () => {
    // A leader tries five times for so long.
    const settings = completeConfig({ partitions: 16 }, { node: { repairTimeoutMs: 2_000 } });
    const directory = await openTemporaryDirectory();
    const leaders = new Set<string>();
    const observer: RingObserver = {
      sent(from, _to, request, onReply) {
        if (request.kind === 'copy') leaders.add(from);
        return onReply;
      },
      asked() {},
      answered() {},
      hintKept() {},
    };
    const ring = await LocalRing.open({ settings, directory, log: silentLog, observer });
    try {
      for (const node of ['node-2', 'node-3']) ring.setLink('node-1', node, { delayMs: 300 });
      await ring.addNode();
      await expect.poll(() => leaders.has('node-1'), { timeout: 10_000 }).toBe(true);
      ring.pause('node-1');
      const startMs = performance.now();
      await ring.settled();
      expect(performance.now() - startMs).toBeLessThan(6_000);
    } finally {
      await ring.close();
      await directory.close();
    }
  }, 20_000);

  test('are the same after a restart, and a move that was under way goes on', async () => {
    await start({ dataDir });
    await createThings();
    await putAll('old');
    await db.ring.addNode();
    await db.stop();
    await start({ dataDir });
    await db.ring.settled();
    const counts = db.ring.describe().nodes.map(({ status }) => status!.partitions.length);
    expect(counts).toEqual([12, 12, 12, 12]);
    expect(await valuesOfAll()).toEqual(['old']);
    await db.ring.removeNode('node-2');
    await db.stop();
    expect(existsSync(join(dataDir, 'nodes', 'node-2'))).toBe(false);
    await start({ dataDir });
    expect(await valuesOfAll()).toEqual(['old']);
    expect(await db.ring.addNode()).toBe('node-5');
  });
});

describe('a node that is removed', () => {
  test('first hands off what it keeps for others, which nobody else may have', async () => {
    await start({
      nodes: 5,
      writeQuorum: 1,
      limits: { node: { phaseTimeoutMs: 50, hintIntervalMs: 1_000 } },
    });
    await createThings([{ Key: 'dynaring:consistency', Value: 'dynamo' }]);
    const others = ['node-1', 'node-2', 'node-3', 'node-5'];
    for (const node of others) await db.ring.stop(node);
    await putAll('alone');
    await expect.poll(hints).toBeGreaterThanOrEqual(KEYS.length);
    for (const node of others) await db.ring.start(node);
    await db.ring.removeNode('node-4');
    expect(await valuesOfAll()).toEqual(['alone']);
  });

  test('does so at the next start, if the cluster was stopped meanwhile', async () => {
    await start({ dataDir, nodes: 4 });
    await createThings();
    await putAll('old');
    const removal = db.ring.removeNode('node-2');
    await expect.poll(() => db.ring.describe().moves.left, { interval: 1, timeout: 5_000 }).toBe(0);
    cpSync(join(dataDir, 'nodes', 'node-2'), join(dataDir, 'as-it-was'), { recursive: true });
    await removal;
    await db.stop();
    renameSync(join(dataDir, 'as-it-was'), join(dataDir, 'nodes', 'node-2'));
    await start({ dataDir });
    await expect.poll(() => existsSync(join(dataDir, 'nodes', 'node-2'))).toBe(false);
    expect(db.ring.describe().nodes.map(({ id }) => id)).toEqual(['node-1', 'node-3', 'node-4']);
    expect(await valuesOfAll()).toEqual(['old']);
  });
});

describe('what cannot be done to a ring', () => {
  test('includes a new node in the folder of another, and leaves the ring as it was', async () => {
    await start({ dataDir });
    cpSync(join(dataDir, 'nodes', 'node-2'), join(dataDir, 'nodes', 'node-4'), { recursive: true });
    await expect(db.ring.addNode()).rejects.toThrow('node-4 is in the way of a new node');
    expect(db.ring.describe()).toMatchObject({ nodes: { length: 3 }, moves: { left: 0 } });
    await db.stop();
    await start({ dataDir });
    rmSync(join(dataDir, 'nodes', 'node-4'), { recursive: true });
    expect(await db.ring.addNode()).toBe('node-4');
  });

  test('is refused with the reason', async () => {
    await start();
    await expect(db.ring.removeNode('node-1')).rejects.toThrow(
      'node-1 cannot be removed: 2 nodes would be left for 3 copies of each item',
    );
    await expect(db.ring.removeNode('node-9')).rejects.toThrow('there is no node-9 in the ring');
    await expect(db.ring.start('node-1')).rejects.toThrow('node-1 is running');
    await db.ring.stop('node-1');
    await expect(db.ring.stop('node-1')).rejects.toThrow('node-1 has stopped already');
    expect(() => db.ring.pause('node-1')).toThrow('node-1 has stopped');
    await db.ring.stop('node-2');
    await expect(db.ring.wipe('node-3')).rejects.toThrow('too few copies would be left');
    expect(() => db.ring.setLink('node-1', 'node-7', { cut: true })).toThrow('there is no node-7 in the ring');
    expect(() => db.ring.setLink('node-1', 'node-1', { cut: true })).toThrow('no link from node-1 to itself');
    for (const delayMs of [-1, Number.NaN, Number.POSITIVE_INFINITY, 60_001]) {
      expect(() => db.ring.setLink('node-1', 'node-2', { delayMs })).toThrow(
        `delayMs must be from 0 to 60000, not ${delayMs}`,
      );
    }
    for (const dropRate of [-0.1, Number.NaN, 1.1]) {
      expect(() => db.ring.setLink('node-1', 'node-2', { dropRate })).toThrow(
        `dropRate must be from 0 to 1, not ${dropRate}`,
      );
    }
  });

  test("a data directory with two nodes' folders swapped, or with one of another cluster, is not opened", async () => {
    await start({ dataDir });
    await db.stop();
    const folder = (node: string) => join(dataDir, 'nodes', node);
    renameSync(folder('node-1'), folder('other'));
    renameSync(folder('node-2'), folder('node-1'));
    renameSync(folder('other'), folder('node-2'));
    await expect(startDynaring({ dataDir, partitions: 16 })).rejects.toThrow(
      /node-1 holds the data of node-2, not of node-1$/,
    );
    const other = temporaryDirectory();
    await (await startDynaring({ dataDir: other, partitions: 16 })).stop();
    rmSync(folder('node-1'), { recursive: true });
    cpSync(join(other, 'nodes', 'node-1'), folder('node-1'), { recursive: true });
    await expect(startDynaring({ dataDir, partitions: 16 })).rejects.toThrow(/holds the data of another cluster$/);
  });
});

describe('a data directory that is not whole', () => {
  const folder = (node: string) => join(dataDir, 'nodes', node);

  beforeEach(async () => {
    await start({ dataDir });
    await createThings();
    await putAll('old');
    client.destroy();
    await db.stop();
  });

  test('without the data of a majority is left as it is, so that what is put back is welcome', async () => {
    renameSync(folder('node-1'), join(dataDir, 'kept'));
    rmSync(folder('node-2'), { recursive: true });
    // As a mount point without its disk.
    mkdirSync(folder('node-1'));
    for (let time = 0; time < 2; time++) {
      await expect(startDynaring({ dataDir, partitions: 16 })).rejects.toThrow(
        `too few copies are left in ${dataDir}: data was lost by node-1 (is missing or empty), node-2 (is missing or empty); ` +
          'put it back or begin a new data directory',
      );
    }
    rmSync(folder('node-1'), { recursive: true });
    renameSync(join(dataDir, 'kept'), folder('node-1'));
    await start({ dataDir });
    expect(await valuesOfAll()).toEqual(['old']);
    await db.ring.settled();
    expectHealthy();
  });

  test('whose files were cut short has one node begin anew, and does not take the process with it', async () => {
    const file = join(folder('node-2'), 'data.mdb');
    const whole = readFileSync(file);
    for (const bytes of [undefined, 20_000, 8_192, 5_000, 100]) {
      writeFileSync(file, bytes === undefined ? Buffer.alloc(8_192, 7) : whole.subarray(0, bytes));
      await start({ dataDir });
      await db.ring.settled();
      expect(await valuesOfAll()).toEqual(['old']);
      expectHealthy();
      client.destroy();
      await db.stop();
      expect(existsSync(`${folder('node-2')}.damaged`)).toBe(true);
    }
    rmSync(folder('node-2'), { recursive: true });
    writeFileSync(folder('node-2'), '');
    await expect(startDynaring({ dataDir, partitions: 16 })).rejects.toThrow(
      `cannot read ${folder('node-2')}: ENOTDIR: not a directory`,
    );
  });

  test.each<[string, (record: { nodes: { node: string }[]; configs: { members: unknown[] }[] }) => void]>([
    ['a node that is no folder', ({ nodes }) => Object.assign(nodes[0]!, { node: '../outside' })],
    ['too few nodes', ({ nodes }) => nodes.splice(1)],
    ['a partition of nobody', ({ configs }) => configs[3]!.members.splice(0)],
    ['a member twice', ({ configs }) => configs[3]!.members.splice(1, 1, configs[3]!.members[0])],
  ])('whose record names %s is refused', async (_, change) => {
    const file = join(dataDir, 'dynaring.json');
    const { formatVersion, checksum, ...record } = JSON.parse(readFileSync(file, 'utf8'));
    expect(checksum).toBe(crc32(JSON.stringify(record)));
    change(record);
    writeFileSync(file, JSON.stringify({ formatVersion, checksum: crc32(JSON.stringify(record)), ...record }));
    await expect(startDynaring({ dataDir, partitions: 16 })).rejects.toThrow(
      /is damaged: it does not describe a cluster$/,
    );
  });
});

describe('what is asked of one node while something else goes on', () => {
  test('follows that, and is refused if it is not possible then', async () => {
    await start();
    await createThings();
    await putAll('old');
    const outcomes = async (...asked: Promise<void>[]) =>
      (await Promise.allSettled(asked)).map((each) => (each.status === 'rejected' ? each.reason.message : 'done'));
    const { ring } = db;
    expect(await outcomes(ring.stop('node-2'), ring.stop('node-2'))).toEqual(['done', 'node-2 has stopped already']);
    expect(await outcomes(ring.start('node-2'), ring.start('node-2'))).toEqual(['done', 'node-2 is running']);
    expect(await outcomes(ring.stop('node-2'), ring.start('node-2'))).toEqual(['done', 'done']);
    expect(await outcomes(ring.wipe('node-2'), ring.start('node-2'))).toEqual(['done', 'node-2 is running']);
    await ring.settled();
    expect(await valuesOfAll()).toEqual(['old']);
    expectHealthy();
  });
});

describe('a ring that is closed', () => {
  test('lets nobody wait, and nothing more be done to it', async () => {
    const repairTimeoutMs = 100;
    await start({ limits: { node: { repairTimeoutMs } } });
    await createThings();
    await putAll('old');
    const { ring } = db;
    ring.pause('node-1');
    await ring.stop('node-3');
    const added = await ring.addNode();
    const ends = [ring.settled(), ring.removeNode('node-3'), ring.repair()].map((each) =>
      expect(each).rejects.toThrow('the ring is closed'),
    );
    await db.stop();
    await Promise.all(ends);
    await expect(ring.addNode()).rejects.toThrow('the ring is closed');
    await expect(ring.start(added)).rejects.toThrow('the ring is closed');
    await expect(ring.wipe('node-2')).rejects.toThrow('the ring is closed');
    await expect(ring.repair()).rejects.toThrow('the ring is closed');
    // A comparison that was under way must not look into its store any more.
    await new Promise((resolve) => setTimeout(resolve, 2 * repairTimeoutMs));
  });

  test('a repair on demand ends with a node that stops, and does not wait for one that is paused', async () => {
    await start({ limits: { node: { repairTimeoutMs: 60_000 } } });
    await createThings();
    await putAll('old');
    db.ring.pause('node-1');
    const repair = db.ring.repair();
    await new Promise((resolve) => setTimeout(resolve, 20));
    await Promise.all([db.ring.stop('node-2'), db.ring.stop('node-3')]);
    expect((await repair).partitions).toBeGreaterThanOrEqual(0);
  });
});

describe('a table that is deleted', () => {
  test('while a node is down is erased there too, once it is back, and from those it has told', async () => {
    await start({ limits: { sweepIntervalMs: 500 } });
    await createThings();
    await putAll('old');
    await db.ring.stop('node-2');
    await client.send(new DeleteTableCommand({ TableName: 'things' }));
    await createThings();
    await put('k0', 'of the next');
    await db.ring.start('node-2');
    await db.ring.repair();
    // The definitions and the new table.
    await expect.poll(async () => (await insideOf(db).ring.client.tables()).size, { timeout: 5_000 }).toBe(2);
    expect(await get('k0')).toBe('of the next');
    expect((await db.ring.repair()).recordsRepaired).toBe(0);
  });

  test('takes nothing of those with it that are made and filled meanwhile', async () => {
    await start({ limits: { sweepIntervalMs: 1 } });
    const fill = async (table: string) => {
      for (let round = 0; round < 15; round++) {
        await createThings([], table);
        await Promise.all(KEYS.slice(0, 10).map((k) => put(k, String(round), table)));
        for (const k of KEYS.slice(0, 10)) expect(await get(k, true, table)).toBe(String(round));
        await client.send(new DeleteTableCommand({ TableName: table }));
      }
    };
    await Promise.all(['one', 'two', 'three', 'four'].map((name) => fill(`table-${name}`)));
    await expect.poll(async () => (await insideOf(db).ring.client.tables()).size).toBe(1);
  });
});

describe('a table in dynamo mode', () => {
  test('is writable and readable as long as any node lives', async () => {
    await start({
      nodes: 5,
      writeQuorum: 1,
      readQuorum: 1,
      limits: { node: { phaseTimeoutMs: 50 } },
    });
    await createThings([{ Key: 'dynaring:consistency', Value: 'dynamo' }]);
    await putAll('old');
    for (const node of ['node-1', 'node-2', 'node-3', 'node-4']) await db.ring.stop(node);
    for (const k of KEYS.slice(0, 10)) await put(k, 'alone');
    for (const k of KEYS.slice(0, 10)) expect(await get(k, false)).toBe('alone');
    expect(hints()).toBeGreaterThanOrEqual(20);
    for (const node of ['node-1', 'node-2', 'node-3', 'node-4']) await db.ring.start(node);
    await expect.poll(hints, { timeout: 8_000 }).toBe(0);
    for (const k of KEYS.slice(0, 10)) expect(await get(k)).toBe('alone');
  }, 30_000);
});

describe('where an item lives', () => {
  test('tells its partition, its nodes, what they hold, and which of them is behind', async () => {
    await start({ antiEntropyIntervalMs: 0, limits: { node: { hintsKept: 0 } } });
    await createThings();
    const key = { k: { S: 'k0' } };
    const { preferenceList, replicas, epoch } = await db.locate('things', key);
    expect([...preferenceList].sort()).toEqual(['node-1', 'node-2', 'node-3']);
    expect(epoch).toBe(0);
    expect(replicas.map(({ node }) => node)).toEqual(preferenceList);
    for (const replica of replicas) {
      expect(replica).toMatchObject({ isKnown: true, committedAtMs: undefined, isBehind: false });
    }
    await put('k0', 'old');
    const holders = async () => (await db.locate('things', key)).replicas.filter((each) => each.committedAtMs);
    await expect.poll(async () => (await holders()).length).toBe(3);
    await db.ring.stop('node-2');
    await put('k0', 'new');
    const stopped = (await db.locate('things', key)).replicas.find(({ node }) => node === 'node-2');
    expect(stopped).toEqual({ node: 'node-2', isKnown: false });
    await db.ring.start('node-2');
    const behind = async () => (await db.locate('things', key)).replicas.filter(({ isBehind }) => isBehind);
    expect((await behind()).map(({ node }) => node)).toEqual(['node-2']);
    await db.ring.repair();
    expect(await behind()).toEqual([]);
  });

  test('is asked as an item is: of a table and a key that are there', async () => {
    await start();
    await expect(db.locate('things', { k: { S: 'k0' } })).rejects.toThrow('Requested resource not found');
    await createThings();
    await expect(db.locate('things', { id: { S: 'k0' } })).rejects.toThrow(/key/);
  });
});
