import { writeSync } from 'node:fs';
import { openDataDirectory } from '../../src/env/data-directory.ts';
import { LmdbStore } from '../../src/env/lmdb-store.ts';
import { openTemporaryDirectory } from '../../src/env/temporary-directory.ts';
import { flush } from '../suites/flush.ts';

/** What a test does in a process of its own, so that the process can be killed or limited. Says what it did by lines. */
const [command, path] = process.argv.slice(2) as [string, string];

/** Past every pipe buffer of this process: what a killed process said, it said. */
function say(line: string): void {
  writeSync(1, `${line}\n`);
}

switch (command) {
  case 'hold':
    await openDataDirectory(path, { partitions: 64, replication: 3, nodes: 3 });
    say('held');
    setInterval(() => {}, 1_000);
    break;
  case 'hold-temporary':
    say((await openTemporaryDirectory([path])).path);
    setInterval(() => {}, 1_000);
    break;
  case 'write-process':
  case 'write-disk':
    await writeForEver(command === 'write-disk' ? 'disk' : 'process');
    break;
  case 'open':
    try {
      await new LmdbStore(path, { durability: 'process' }).close();
      say('opened');
    } catch (error) {
      say(`refused ${error}`);
    }
    break;
  case 'fill':
    await fill();
}

/** Counts up; each write is said when it is flushed. Not all are flushed one by one, and not all are in one table. */
async function writeForEver(durability: 'process' | 'disk'): Promise<void> {
  const store = new LmdbStore(path, { durability, lazyFlushMs: 5 });
  for (let at = 0; ; at++) {
    store.put(at % 3 === 0 ? 'paxos' : 'items', String(at).padStart(9, '0'), Buffer.alloc(300, at & 0xff));
    if (at % 5 === 0) store.flush(() => say(String(at)));
    if (at % 40 === 0) await new Promise((resolve) => setTimeout(resolve, at % 3));
  }
}

/** Writes until the file may not grow, twice, and says what it sees before, then, and after. */
async function fill(): Promise<void> {
  const store = new LmdbStore(path, { durability: 'process' });
  let lostCount = 0;
  store.onLost = () => lostCount++;
  process.on('unhandledRejection', (error) => say(`unhandled ${error}`));
  let kept = 0;
  const writeUntilRefused = async () => {
    for (;;) {
      store.put('items', `k${kept}`, Buffer.alloc(50_000, kept & 0xff));
      store.put('paxos', `k${kept}`, Buffer.from('with it'));
      try {
        await flush(store);
      } catch (error) {
        return (error as Error).message;
      }
      kept++;
    }
  };
  say(`refused ${await writeUntilRefused()}`);
  say(`lost ${lostCount}, reads ${store.get('items', `k${kept}`)} and ${store.get('paxos', `k${kept}`)}`);
  say(`refused ${await writeUntilRefused()}`);
  const keptAtFirst = kept;
  // One by one: LMDB uses the pages that a transaction has freed from the next but one on.
  for (let at = 10; at < 30; at++) {
    store.remove('items', `k${at}`);
    await flush(store);
  }
  // The room may come a little later than the removal.
  for (let tries = 0; kept === keptAtFirst && tries < 50; tries++) {
    await writeUntilRefused();
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  say(`room for ${kept > keptAtFirst ? 'more' : 'nothing'}`);
  // It may say that the disk is still full; what was flushed has to be there all the same.
  await store.close().catch(() => {});
  say(`kept ${kept}`);
}
