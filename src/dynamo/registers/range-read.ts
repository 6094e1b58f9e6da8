import type { ItemImage } from '../../api/item.ts';
import type { StoreKey } from '../../env/store.ts';
import type { Failure, RangeOutcome } from '../client.ts';
import type { PartitionConfig, RangeEntry } from '../messages.ts';
import { highestCommitted } from '../record.ts';
import type { NodeId } from '../ring.ts';
import type { Task } from '../task.ts';
import { type Coordinator, type ReplyOf, storageFailure } from './coordinator.ts';
import {
  chooseReplicas,
  proveNewest,
  type RegisterReadOutcome,
  readEventually,
  readStrongly,
} from './register-read.ts';

/** So many more entries than the items wanted are asked of a replica at a time, since tombstones are among them. */
const SPARE_ENTRIES = 16;

/**
 * How much a range read asks for. `strong`: of a majority, each record proved to be chosen. `committed`: what so many
 * replicas have committed. `own`: what the replica of this node has.
 */
export type RangeDemand =
  | { readonly kind: 'strong' }
  | { readonly kind: 'committed'; readonly replicas: number }
  | { readonly kind: 'own' };

/**
 * Reads the items of one range of keys within a partition, in key order. Strong: the union of the keys that a
 * majority knows of, each by the rule of a strong read, so every item is as a strong read of it during this call would
 * have been; not a snapshot of them all. Otherwise: the newest committed records among the replicas asked.
 */
export function* readRange(
  coordinator: Coordinator,
  from: StoreKey,
  to: StoreKey,
  limit: number,
  demand: RangeDemand,
  deadlineMs: number,
): Task<RangeOutcome> {
  const items: ItemImage[] = [];
  let next: StoreKey | undefined = from;
  while (next !== undefined) {
    const wanted = limit - items.length + SPARE_ENTRIES;
    const page: Page | Failure = yield* readPage(coordinator, next, to, wanted, demand, deadlineMs);
    if (page.kind !== 'page') return page;
    for (const [key, states] of page.keys) {
      let record = highestCommitted(states);
      if (demand.kind === 'strong' || states.some(({ isDamaged }) => isDamaged)) {
        const newest = yield* readOne(coordinator, key, states, page.majority, demand, deadlineMs);
        if (newest.kind !== 'read') return newest;
        record = newest.record;
      }
      if (record?.item === undefined) continue;
      if (items.length === limit) return { kind: 'items', items, more: true };
      items.push(record.item);
    }
    next = page.next;
  }
  return { kind: 'items', items, more: false };
}

/** One key of a page. Who cannot read it has no say about it: then it is read by itself, which asks others. */
function readOne(
  coordinator: Coordinator,
  key: StoreKey,
  states: readonly (RangeEntry & { readonly from: NodeId })[],
  majority: number,
  demand: RangeDemand,
  deadlineMs: number,
): Task<RegisterReadOutcome> {
  const isDamaged = states.some((state) => state.isDamaged);
  if (demand.kind !== 'strong') {
    return readEventually(
      coordinator,
      { requestId: undefined, key, deadlineMs },
      demand.kind === 'own' ? 1 : demand.replicas,
    );
  }
  if (isDamaged) return readStrongly(coordinator, { requestId: undefined, key, deadlineMs });
  return proveNewest(coordinator, { requestId: undefined, key, deadlineMs }, states, majority);
}

interface Page {
  readonly kind: 'page';
  readonly majority: number;
  /** In key order: what each replica that answered holds of each key. */
  readonly keys: readonly (readonly [StoreKey, readonly (RangeEntry & { readonly from: NodeId })[]])[];
  /** Where the next page begins; undefined if this was the last. */
  readonly next: StoreKey | undefined;
}

function* readPage(
  coordinator: Coordinator,
  from: StoreKey,
  to: StoreKey,
  limit: number,
  demand: RangeDemand,
  deadlineMs: number,
): Task<Page | Failure> {
  let got = 0;
  let needed = 0;
  let isFirstTry = true;
  while (!coordinator.isPast(deadlineMs)) {
    const config = coordinator.configOfKey(from);
    needed = neededBy(coordinator, config, demand);
    const targets = targetsOf(coordinator, config, demand, isFirstTry);
    isFirstTry = false;
    const epoch = demand.kind === 'strong' ? config.epoch : undefined;
    const { agreed, replies } = yield* coordinator.ask(
      targets,
      { kind: 'read-range', from, to, limit, epoch },
      { reply: 'range', needed },
    );
    if (agreed.length >= needed) return mergePages(agreed, needed);
    const failure = storageFailure(replies);
    if (failure !== undefined) return failure;
    got = agreed.length;
    if (coordinator.isCutOff(config.members, needed)) break;
    yield* coordinator.pause();
  }
  return { kind: 'unavailable', needed, got };
}

function neededBy(coordinator: Coordinator, config: PartitionConfig, demand: RangeDemand): number {
  if (demand.kind === 'strong') return coordinator.majorityOf(config);
  return demand.kind === 'own' ? 1 : demand.replicas;
}

function targetsOf(
  coordinator: Coordinator,
  config: PartitionConfig,
  demand: RangeDemand,
  isFirstTry: boolean,
): readonly { readonly node: NodeId }[] {
  if (demand.kind === 'own') return [{ node: coordinator.settings.id }];
  if (demand.kind === 'strong' || !isFirstTry) return config.members;
  return chooseReplicas(coordinator, config, demand.replicas);
}

/** Only as far as every replica has told: behind that, one of them may hold keys that it did not name. */
function mergePages(replies: readonly ReplyOf<'range'>[], majority: number): Page {
  let horizon: StoreKey | undefined;
  for (const { entries, more } of replies) {
    const last = entries.at(-1)?.key;
    if (more && last !== undefined && (horizon === undefined || last < horizon)) horizon = last;
  }
  const keys = new Map<StoreKey, (RangeEntry & { readonly from: NodeId })[]>();
  for (const { from, entries } of replies) {
    for (const entry of entries) {
      if (horizon !== undefined && entry.key > horizon) break;
      const states = keys.get(entry.key);
      if (states === undefined) keys.set(entry.key, [{ ...entry, from }]);
      else states.push({ ...entry, from });
    }
  }
  return {
    kind: 'page',
    majority,
    keys: [...keys].sort(([a], [b]) => (a < b ? -1 : 1)),
    next: horizon === undefined ? undefined : `${horizon}\x00`,
  };
}
