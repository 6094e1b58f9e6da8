import type { ItemImage } from '../../api/item.ts';
import { compareKeys, type HalfOpenRange, type KeyOrder, type StoreKey } from '../../env/store.ts';
import type { Failure, RangeOutcome } from '../client.ts';
import { indexOfRow } from '../keyspace.ts';
import { highestCommitted, type ItemRecord, type ReplicaState } from '../record.ts';
import { type Task, together } from '../task.ts';
import { readSettled } from '../transactions/decision.ts';
import type { Coordinator, ReplyOf } from './coordinator.ts';
import { rowIn } from './local-rows.ts';
import type { PageQuery } from './page-query.ts';
import { askForPage, behind, horizonOf, type RangeDemand, type RangeOperation } from './range-read.ts';
import { type RegisterReadOutcome, readEventually } from './register-read.ts';

/** Items read by themselves at a time, each of which may have 400 KB. */
const READS_AT_ONCE = 16;

/** What stays the same from the first page of a read to its last. */
interface LocalRead {
  readonly coordinator: Coordinator;
  /** The number of the index. */
  readonly index: number;
  readonly order: KeyOrder;
  readonly demand: RangeDemand;
  readonly operation: RangeOperation;
}

/**
 * Reads the first items of a range of a local index, in its order or against it (docs/protocol.md section 14.6). Strong: of a
 * majority, the items that have a row in the range, and all items of the same collections that are not settled; each is read
 * by the rule of a strong read, and belongs to the answer if the place of what was found is in the range. Otherwise: the
 * newest committed records of the replicas asked.
 *
 * @param query a range of rows of one index, as `readRange` has it for keys
 */
export function* readLocalRange(
  coordinator: Coordinator,
  query: PageQuery,
  demand: RangeDemand,
  operation: RangeOperation,
): Task<RangeOutcome> {
  const { order, limit, bytesLimit } = query;
  const { rangeEntries, rangeSpareEntries } = coordinator.settings.limits;
  const read: LocalRead = { coordinator, index: indexOfRow(query.from), order, demand, operation };
  const items: ItemImage[] = [];
  /** An item that moves in the index while it is read is answered once. */
  const seen = new Set<StoreKey>();
  let bytes = 0;
  let rest: HalfOpenRange | undefined = { from: query.from, to: query.to };
  while (rest !== undefined && rest.from < rest.to) {
    const wanted = Math.min(limit - items.length + rangeSpareEntries, rangeEntries);
    const page: Page | Failure = yield* readPage(read, { ...rest, limit: wanted, bytesLimit: bytesLimit - bytes });
    if (page.kind !== 'page') return page;
    const first = new FirstRows({ ...rest, horizon: page.horizon, order }, limit - items.length, bytesLimit - bytes);
    for (const { key, record } of page.settled) if (!seen.has(key)) first.add(read, key, record);
    for (let at = 0; at < page.unsettled.length; at += READS_AT_ONCE) {
      const keys = page.unsettled.slice(at, at + READS_AT_ONCE).filter((key) => !seen.has(key));
      const outcomes = yield* together(
        coordinator.clock,
        keys.map((key) => readOne(read, key)),
      );
      for (const [i, outcome] of outcomes.entries()) {
        if (outcome.kind !== 'read') return outcome;
        first.add(read, keys[i]!, outcome.record);
      }
    }
    for (const { key, record } of first.sorted()) {
      seen.add(key);
      items.push(record.item!);
      bytes += record.stored.length;
    }
    rest = page.horizon === undefined ? undefined : behind(page.horizon, rest, order);
    const hasMore = first.isCut || (rest !== undefined && rest.from < rest.to);
    if (first.isCut || items.length >= limit || bytes >= bytesLimit) return { kind: 'items', items, more: hasMore };
  }
  return { kind: 'items', items, more: false };
}

/** What is in a page, and what may be. */
interface Page {
  readonly kind: 'page';
  /** The items of which all replicas that answered have told the committed record: the newest one of each. */
  readonly settled: readonly { readonly key: StoreKey; readonly record: ItemRecord | undefined }[];
  /** The items that have to be read by themselves. */
  readonly unsettled: readonly StoreKey[];
  /** The last row of the page; undefined if it ends with the range. */
  readonly horizon: StoreKey | undefined;
}

function* readPage(
  { coordinator, order, demand, operation }: LocalRead,
  query: Omit<PageQuery, 'order'>,
): Task<Page | Failure> {
  const request = { kind: 'read-local-range', ...query, order } as const;
  const asked = yield* askForPage(coordinator, { request, reply: 'local-range' }, demand, operation);
  if (asked.kind !== 'pages') return asked;
  const { rules } = coordinator.settings;
  const ends = asked.pages.map(({ end }) => end);
  return { kind: 'page', ...candidates(asked.pages, rules.candidatesAreRead), horizon: horizonOf(ends, order, rules) };
}

/**
 * Sorts out what replicas have told. A replica that does not name an item has a committed record of it with another place,
 * or none, and either may be the newest: what the others have told proves nothing then.
 */
function candidates(pages: readonly ReplyOf<'local-range'>[], areRead: boolean): Pick<Page, 'settled' | 'unsettled'> {
  const states = new Map<StoreKey, ReplicaState[]>();
  const unsettled = new Set<StoreKey>();
  for (const page of pages) {
    for (const key of page.unsettled) unsettled.add(key);
    for (const entry of page.entries) {
      const known = states.get(entry.key);
      if (known === undefined) states.set(entry.key, [entry]);
      else known.push(entry);
    }
  }
  if (areRead) {
    for (const [key, told] of states) {
      if (told.length < pages.length || told.some(({ isDamaged }) => isDamaged)) unsettled.add(key);
    }
  } else unsettled.clear();
  const settled = [...states].filter(([key]) => !unsettled.has(key));
  return {
    settled: settled.map(([key, told]) => ({ key, record: highestCommitted(told) })),
    unsettled: [...unsettled],
  };
}

function readOne({ coordinator, demand, operation }: LocalRead, key: StoreKey): Task<RegisterReadOutcome> {
  if (demand.kind === 'strong') return readSettled(coordinator, { ...operation, key });
  return readEventually(coordinator, { ...operation, key }, demand.kind === 'own' ? 1 : demand.replicas);
}

interface FoundRow {
  readonly row: StoreKey;
  readonly key: StoreKey;
  readonly record: ItemRecord;
}

/** The part of a range that a page has told everything about. */
interface Covered extends HalfOpenRange {
  readonly horizon: StoreKey | undefined;
  readonly order: KeyOrder;
}

/** The first rows of a page, as many as are wanted, of all that are added. At no time it keeps many more. */
class FirstRows {
  readonly #covered: Covered;
  readonly #limit: number;
  readonly #bytesLimit: number;
  #found: FoundRow[] = [];
  #bytes = 0;
  /** Whether rows were left out that belong to the page. */
  isCut = false;

  constructor(covered: Covered, limit: number, bytesLimit: number) {
    this.#covered = covered;
    this.#limit = limit;
    this.#bytesLimit = bytesLimit;
  }

  /** @param record of the item as it was read, wherever its place is */
  add({ index }: LocalRead, key: StoreKey, record: ItemRecord | undefined): void {
    const row = rowIn(index, key, record);
    if (row === undefined || !this.#isCovered(row)) return;
    this.#found.push({ row, key, record: record! });
    this.#bytes += record!.stored.length;
    if (this.#found.length > 2 * this.#limit || this.#bytes > 2 * this.#bytesLimit) this.#cut();
  }

  sorted(): readonly FoundRow[] {
    this.#cut();
    return this.#found;
  }

  #isCovered(row: StoreKey): boolean {
    const { from, to, horizon, order } = this.#covered;
    return row >= from && row < to && (horizon === undefined || compareKeys(row, horizon, order) <= 0);
  }

  #cut(): void {
    this.#found.sort((one, other) => compareKeys(one.row, other.row, this.#covered.order));
    let count = 0;
    this.#bytes = 0;
    while (count < this.#found.length && count < this.#limit && this.#bytes < this.#bytesLimit) {
      this.#bytes += this.#found[count]!.record.stored.length;
      count++;
    }
    if (count === this.#found.length) return;
    this.isCut = true;
    this.#found.length = count;
  }
}
