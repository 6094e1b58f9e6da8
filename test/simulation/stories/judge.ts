import { findLostWrites, findViolations, type Violation } from '../checks.ts';
import type { SimulatedKey } from '../workload.ts';
import type { Story } from './story.ts';
import { PARTITION_KEY, type StoryWorld } from './world.ts';

/** After these a committed record may be gone before it was flushed, or members be in that lack it. */
const FORGETTING: ReadonlySet<string> = new Set(['kill', 'wipe', 'fill-disk', 'lead']);

/** The judges of random histories. What has to be there in the end, and where, a story says itself. */
export function judge({ setting, steps }: Story, world: StoryWorld): readonly Violation[] {
  const { history, chosen, told, key } = world;
  const homes = world.homes;
  const only: SimulatedKey = {
    name: PARTITION_KEY,
    storeKey: key,
    partitionKey: PARTITION_KEY,
    collection: key,
    homes,
    coordinators: () => homes,
  };
  if (setting.consistency === 'dynamo') {
    return findLostWrites({
      told,
      keys: [only],
      wounds: [],
      unanswered: new Set(),
      keepsAll: false,
      clocksAgree: !steps.some(({ command }) => command.kind === 'step-clock'),
      writeQuorum: setting.writeQuorum,
    });
  }
  const { operations, eventualReads } = history;
  const { writeQuorum, readQuorum, members } = setting;
  const forgets = steps.some(({ command }) => FORGETTING.has('task' in command ? command.task.kind : command.kind));
  const isFresh = writeQuorum + readQuorum > members.length && !forgets;
  return findViolations({
    operations,
    transactions: [],
    eventualReads,
    chosen,
    keys: [only],
    unanswered: new Set(),
    wounds: [],
    isFresh,
    dirtyEntries: [],
    configViolations: [],
    falseEntries: [],
    staleEntries: [],
    indexFaults: [],
    streamFaults: [],
  });
}
