import type { ItemImage } from '../../api/item.ts';
import { compareKeys, type HalfOpenRange, type KeyOrder, keyAfter, type StoreKey } from '../../env/store.ts';
import type { Failure, RangeOutcome } from '../client.ts';
import type { PartitionConfig, RangeEntry, Request } from '../messages.ts';
import { highestCommitted } from '../record.ts';
import type { NodeId } from '../ring.ts';
import type { Rules } from '../rules.ts';
import type { Task } from '../task.ts';
import { readDecided } from '../transactions/decision.ts';
import { type Coordinator, type ReplyOf, refusalIn } from './coordinator.ts';
import type { Operation } from './operation.ts';
import type { PageQuery } from './page-query.ts';
import {
  chooseReplicas,
  proveNewest,
  type RegisterReadOutcome,
  readEventually,
  readStrongly,
} from './register-read.ts';

/**
 * How much a range read asks for. `strong`: of a majority, each record proved to be chosen. `committed`: what so many
 * replicas have committed. `own`: what the replica of this node has.
 */
export type RangeDemand =
  | { readonly kind: 'strong' }
  | { readonly kind: 'committed'; readonly replicas: number }
  | { readonly kind: 'own' };

/** What a range read carries through all its pages. */
export type RangeOperation = Omit<Operation, 'key'>;

/** What stays the same from the first page of a range read to its last. */
export interface RangeRead {
  readonly coordinator: Coordinator;
  readonly order: KeyOrder;
  readonly demand: RangeDemand;
  readonly operation: RangeOperation;
}

/**
 * Reads the first items of one range of keys within a partition, in key order or against it. Strong: the union of the
 * keys that a majority knows of, each read by the rule of a strong read. So each item is as a strong read of it during
 * this call would have found it; the items together are no snapshot. Otherwise: the newest committed records among the
 * replicas asked.
 *
 * @param query at most `limit` items are returned, and none behind the one with which their records have `bytesLimit`
 *   bytes. A replica may be asked for more entries than that
 */
export function* readRange(
  coordinator: Coordinator,
  query: PageQuery,
  demand: RangeDemand,
  operation: RangeOperation,
): Task<RangeOutcome> {
  const { order, limit, bytesLimit } = query;
  const { rangeEntries, rangeSpareEntries } = coordinator.settings.limits;
  const read: RangeRead = { coordinator, order, demand, operation };
  const items: ItemImage[] = [];
  let bytes = 0;
  let rest: HalfOpenRange | undefined = { from: query.from, to: query.to };
  while (rest !== undefined && rest.from < rest.to) {
    const wanted = Math.min(limit - items.length + rangeSpareEntries, rangeEntries);
    const page: Page | Failure = yield* readPage(read, { ...rest, limit: wanted, bytesLimit: bytesLimit - bytes });
    if (page.kind !== 'page') return page;
    for (const { key, states } of page.keys) {
      let record = highestCommitted(states);
      if (demand.kind === 'strong' || states.some(({ isDamaged }) => isDamaged)) {
        const newest = yield* readOne(read, key, states, page.majority);
        if (newest.kind !== 'read') return newest;
        record = newest.record;
      }
      let item = record?.item;
      if (demand.kind === 'strong' && record?.isPending === true) {
        const decided = yield* readDecided(coordinator, { ...operation, key }, { kind: 'read', record });
        if (decided.kind !== 'decided') return decided;
        ({ item, record } = decided);
      }
      if (record === undefined || item === undefined) continue;
      if (items.length === limit || bytes >= bytesLimit) return { kind: 'items', items, more: true };
      items.push(item);
      bytes += record.stored.length;
    }
    rest = page.rest;
    if (bytes >= bytesLimit) break;
  }
  return { kind: 'items', items, more: rest !== undefined && rest.from < rest.to };
}

/** What a replica holds of one key of a page. */
export type KeyState = RangeEntry & { readonly from: NodeId };

/**
 * One key of a page. A replica that cannot read its record has no say about the key: then the key is read by itself.
 */
export function readOne(
  { coordinator, demand, operation: ofRange }: RangeRead,
  key: StoreKey,
  states: readonly KeyState[],
  majority: number,
): Task<RegisterReadOutcome> {
  const operation = { ...ofRange, key };
  const isDamaged = states.some((state) => state.isDamaged);
  if (demand.kind !== 'strong') {
    return readEventually(coordinator, operation, demand.kind === 'own' ? 1 : demand.replicas);
  }
  if (isDamaged) return readStrongly(coordinator, operation);
  return proveNewest(coordinator, operation, states, majority);
}

export interface Page {
  readonly kind: 'page';
  readonly majority: number;
  /** In the order of the read: what each replica that answered holds of each key. */
  readonly keys: readonly { readonly key: StoreKey; readonly states: readonly KeyState[] }[];
  /** What is left of the range behind this page; undefined if this was the last page. */
  readonly rest: HalfOpenRange | undefined;
}

/** One page of what replicas hold, up to where all that have answered have told. */
export function* readPage(
  { coordinator, order, demand, operation }: RangeRead,
  { from, to, limit, bytesLimit }: Omit<PageQuery, 'order'>,
): Task<Page | Failure> {
  const request = { kind: 'read-range', from, to, order, limit, bytesLimit } as const;
  const asked = yield* askForPage(coordinator, { request, reply: 'range' }, demand, operation);
  if (asked.kind !== 'pages') return asked;
  const { needed, pages } = asked;
  const ends = pages.map(({ entries, more }) => (more ? entries.at(-1)?.key : undefined));
  const horizon = horizonOf(ends, order, coordinator.settings.rules);
  const rest = horizon === undefined ? undefined : behind(horizon, { from, to }, order);
  return { kind: 'page', majority: needed, keys: mergePages(pages, order, horizon), rest };
}

/** A question for a page, and the kind of its answer. */
interface PageQuestion<Kind extends 'range' | 'local-range'> {
  readonly request: PageRequestOf<'read-range' | 'read-local-range'>;
  readonly reply: Kind;
}

type PageRequestOf<Kind extends Request['kind']> = Omit<Extract<Request, { kind: Kind }>, 'epoch' | 'requestId'>;

/** What as many replicas have answered as were needed. */
interface Pages<Kind extends 'range' | 'local-range'> {
  readonly kind: 'pages';
  readonly needed: number;
  readonly pages: readonly ReplyOf<Kind>[];
}

/** Asks the replicas of a range for a page until enough of them have answered, in one epoch if the read is strong. */
export function* askForPage<Kind extends 'range' | 'local-range'>(
  coordinator: Coordinator,
  { request, reply }: PageQuestion<Kind>,
  demand: RangeDemand,
  { requestId, deadlineMs }: RangeOperation,
): Task<Pages<Kind> | Failure> {
  let got = 0;
  let needed = 0;
  let isFirstTry = true;
  while (!coordinator.isPast(deadlineMs)) {
    const config = coordinator.configOfKey(request.from);
    needed = neededBy(coordinator, config, demand);
    const targets = targetsOf(coordinator, config, demand, isFirstTry);
    isFirstTry = false;
    const epoch = demand.kind === 'strong' ? config.epoch : undefined;
    const { agreed, replies } = yield* coordinator.ask(targets, { ...request, requestId, epoch }, { reply, needed });
    if (agreed.length >= needed) return { kind: 'pages', needed, pages: agreed };
    const failure = refusalIn(replies);
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
  // What this node's replica cannot tell, one of the others can.
  if (demand.kind === 'strong' || !isFirstTry) return config.members;
  if (demand.kind === 'own') return [{ node: coordinator.settings.id }];
  return chooseReplicas(coordinator, config, demand.replicas);
}

/**
 * The last key up to which every replica has told what it holds: the nearest of the last keys of those whose page was
 * full. Nearest in the order of the read: the lowest of them forward, the highest backward. Behind it, one of them may
 * hold keys that its page had no room for. Undefined: all have told everything.
 * @param ends the last key of each page, undefined if there is nothing behind it
 */
export function horizonOf(
  ends: readonly (StoreKey | undefined)[],
  order: KeyOrder,
  { horizonFollowsOrder, horizonIsNearest }: Rules,
): StoreKey | undefined {
  const direction = horizonFollowsOrder ? order : 'forward';
  let horizon: StoreKey | undefined;
  for (const last of ends) {
    if (last === undefined) continue;
    if (horizon === undefined || compareKeys(last, horizon, direction) < 0 === horizonIsNearest) horizon = last;
  }
  return horizon;
}

/** What is left of a range when it was read up to a key, which is read too. */
export function behind(key: StoreKey, { from, to }: HalfOpenRange, order: KeyOrder): HalfOpenRange {
  return order === 'forward' ? { from: keyAfter(key), to } : { from, to: key };
}

/** What the replicas hold of each key up to the horizon. */
function mergePages(
  pages: readonly ReplyOf<'range'>[],
  order: KeyOrder,
  horizon: StoreKey | undefined,
): { readonly key: StoreKey; readonly states: readonly KeyState[] }[] {
  const [only, second] = pages;
  // The usual case of a read that is not strong: one page, in order, whose last key is the horizon.
  if (only !== undefined && second === undefined) {
    return only.entries.map((entry) => ({ key: entry.key, states: [{ ...entry, from: only.from }] }));
  }
  const keys = new Map<StoreKey, KeyState[]>();
  for (const { from, entries } of pages) {
    for (const entry of entries) {
      if (horizon !== undefined && compareKeys(entry.key, horizon, order) > 0) break;
      const states = keys.get(entry.key);
      if (states === undefined) keys.set(entry.key, [{ ...entry, from }]);
      else states.push({ ...entry, from });
    }
  }
  return [...keys].map(([key, states]) => ({ key, states })).sort((a, b) => compareKeys(a.key, b.key, order));
}
