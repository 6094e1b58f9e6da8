import { describe, expect, test } from 'vitest';
import { silentLog } from '../../src/env/log.ts';
import type { PeerAnswer, RuleUse } from '../../src/peer/peer-messages.ts';
import { RulesNews } from '../../src/peer/rules-news.ts';
import { ManualClock } from '../parts/manual-clock.ts';

/** Processes, each of which knows some others; what they are told takes 1 ms, and so does the answer. */
function world(knows: Record<string, readonly string[]>) {
  const clock = new ManualClock();
  const silent = new Set<string>();
  const gone = new Set<string>();
  const all = new Map<string, { news: RulesNews; keeper: TestKeeper }>();
  let messages = 0;
  for (const [self, peers] of Object.entries(knows)) {
    const keeper = new TestKeeper();
    const news = new RulesNews({
      port: {
        ask: (to, request, done) => {
          messages++;
          if (gone.has(to)) clock.after(1, () => done({ kind: 'not-sent', reason: 'down' }));
          else if (!silent.has(to)) {
            clock.after(1, async () => {
              const other = all.get(to)!.news;
              const answer: PeerAnswer =
                request.kind === 'rules'
                  ? { kind: (await other.heard(self, request.version, request.isNew)) ? 'noted' : 'cannot', reason: '' }
                  : { kind: 'rules-used', rules: await other.useFor(self) };
              clock.after(1, () => done({ kind: 'answered', answer }));
            });
          }
          return { cancel: () => {} };
        },
      },
      present: () => peers,
      self,
      members: () => ['a', 'b', 'c'],
      clock,
      log: silentLog,
    });
    news.listen(keeper);
    all.set(self, { news, keeper });
  }
  const newsOf = (name: string) => all.get(name)!.news;
  const versions = () => Object.fromEntries([...all].map(([name, { keeper }]) => [name, keeper.version]));
  return { clock, silent, gone, all, newsOf, versions, messages: () => messages };
}

class TestKeeper {
  version = 0;
  use: readonly RuleUse[] = [];
  canRead = true;

  async noteVersion(version: number): Promise<boolean> {
    if (!this.canRead) throw new Error('too few nodes');
    this.version = Math.max(this.version, version);
    return true;
  }
}

/** Lets so many ms pass, and whatever follows. @returns whether it has resolved */
async function isDoneAfter(clock: ManualClock, promise: Promise<unknown>, ms: number): Promise<boolean> {
  let isDone = false;
  void promise.then(() => {
    isDone = true;
  });
  for (let i = 0; i < ms && !isDone; i++) {
    clock.advance(1);
    await new Promise((resolve) => setImmediate(resolve));
  }
  return isDone;
}

describe('a version of the rules', () => {
  const KNOWN = { a: ['b', 'front-1'], b: ['a', 'front-1', 'front-2'], 'front-1': ['a', 'b'], 'front-2': ['b'] };

  test('reaches all before it is answered, also those that only others know', async () => {
    const { clock, newsOf, versions, messages } = world(KNOWN);
    expect(await isDoneAfter(clock, newsOf('front-1').tellVersion(3), 20)).toBe(true);
    expect(versions()).toEqual({ a: 3, b: 3, 'front-1': 0, 'front-2': 3 });
    // Each tells it on once.
    expect(messages()).toBeLessThanOrEqual(8);
    expect(clock.timers).toBe(0);
  });

  test('is not waited for at those that are gone, and for three seconds at those that are silent', async () => {
    const { clock, gone, silent, newsOf, versions } = world(KNOWN);
    gone.add('front-1');
    expect(await isDoneAfter(clock, newsOf('a').tellVersion(1), 20)).toBe(true);
    silent.add('b');
    const told = newsOf('a').tellVersion(2);
    expect(await isDoneAfter(clock, told, 2_990)).toBe(false);
    expect(await isDoneAfter(clock, told, 20)).toBe(true);
    expect(versions()).toMatchObject({ b: 1 });
  });

  test('that was missed is noted when a peer says, by the way, that it knows it', async () => {
    const { newsOf, versions, all } = world(KNOWN);
    newsOf('b').noteVersion(undefined);
    all.get('b')!.keeper.canRead = false;
    newsOf('b').noteVersion(4);
    await new Promise((resolve) => setImmediate(resolve));
    expect(versions()).toMatchObject({ b: 0 });
    all.get('b')!.keeper.canRead = true;
    newsOf('b').noteVersion(4);
    await new Promise((resolve) => setImmediate(resolve));
    expect(versions()).toMatchObject({ b: 4 });
    expect(newsOf('b').version).toBe(4);
  });
});

test('the use of rules is asked of all that answer within a second', async () => {
  const { clock, newsOf, silent, all } = world({ a: ['b', 'c'], b: [], c: [] });
  all.get('b')!.keeper.use = [{ id: 'f1', fired: 2, underWay: 1 }];
  silent.add('c');
  const used = newsOf('a').useElsewhere();
  expect(await isDoneAfter(clock, used, 1_000)).toBe(true);
  expect(await used).toEqual([{ process: 'b', id: 'f1', fired: 2, underWay: 1 }]);
});

test('a front hears of the use of rules at other fronts by nodes, once of each, and not of its own', async () => {
  const nodes = { a: ['b', 'front', 'other'], b: ['a', 'front', 'other'] };
  const { clock, newsOf, all } = world({ ...nodes, front: ['a', 'b'], other: ['a', 'b'] });
  for (const [name, { keeper }] of all) keeper.use = [{ id: 'f1', fired: name.length, underWay: 0 }];
  const used = newsOf('front').useElsewhere();
  expect(await isDoneAfter(clock, used, 1_000)).toBe(true);
  const processes = (await used).map(({ process, fired }) => `${process} ${fired}`);
  expect(processes.sort()).toEqual(['a 1', 'b 1', 'other 5']);
  const ofNode = newsOf('a').useElsewhere();
  expect(await isDoneAfter(clock, ofNode, 1_000)).toBe(true);
  expect((await ofNode).map(({ process }) => process).sort()).toEqual(['b', 'front', 'other']);
});
