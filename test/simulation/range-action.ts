import type { ReadFrom } from '../../src/dynamo/client.ts';
import { prefixEnd } from '../../src/dynamo/keyspace.ts';
import { type Random, randomBelow } from '../../src/env/random.ts';
import { type HalfOpenRange, halfOpen, type KeyOrder } from '../../src/env/store.ts';
import type { SimulatedKey } from './workload.ts';

/** Reads items of one collection. */
export interface RangeAction {
  readonly kind: 'range-read';
  readonly limit: number;
  readonly from: ReadFrom;
  readonly order: KeyOrder;
  /** Undefined: from the first key of the collection. */
  readonly lower: Bound | undefined;
  /** Undefined: to the last key. */
  readonly upper: Bound | undefined;
}

interface Bound {
  readonly key: SimulatedKey;
  readonly isInclusive: boolean;
}

/**
 * @param keys those of the collection, ascending
 * @param varies whether to draw an order and bounds as well; otherwise the range is the whole collection, forward
 */
export function drawRange(random: Random, keys: readonly SimulatedKey[], varies: boolean): RangeAction {
  const limit = 1 + randomBelow(random, 4);
  const from = random.next() < 0.7 ? 'latest' : 'committed';
  const whole: RangeAction = { kind: 'range-read', limit, from, order: 'forward', lower: undefined, upper: undefined };
  if (!varies) return whole;
  const order = random.next() < 0.6 ? 'backward' : 'forward';
  const drawBound = (): Bound | undefined =>
    random.next() < 0.5
      ? undefined
      : { key: keys[randomBelow(random, keys.length)]!, isInclusive: random.next() < 0.5 };
  const [one, other] = [drawBound(), drawBound()];
  const isCrossed = one !== undefined && other !== undefined && one.key.storeKey > other.key.storeKey;
  return { ...whole, order, lower: isCrossed ? other : one, upper: isCrossed ? one : other };
}

/** The keys of a collection that are in the range, in its order. @param keys ascending */
export function keysOf({ lower, upper, order }: RangeAction, keys: readonly SimulatedKey[]): readonly SimulatedKey[] {
  const found = keys
    .filter((key) => lower === undefined || isBeyond(key.storeKey > lower.key.storeKey, key, lower))
    .filter((key) => upper === undefined || isBeyond(key.storeKey < upper.key.storeKey, key, upper));
  return order === 'forward' ? found : found.toReversed();
}

function isBeyond(isInside: boolean, key: SimulatedKey, bound: Bound): boolean {
  return isInside || (bound.isInclusive && key === bound.key);
}

/** @param collection the prefix of its store keys */
export function storeRangeOf({ lower, upper }: RangeAction, collection: string): HalfOpenRange {
  const low = lower?.key.storeKey ?? collection;
  const high = upper?.key.storeKey ?? prefixEnd(collection);
  return halfOpen({
    ...(lower?.isInclusive === false ? { after: low } : { from: low }),
    ...(upper?.isInclusive === true ? { through: high } : { to: high }),
  });
}

/** `range-read of 3 in [k02, k07) backward`, or `in [.., ..]` of a range without bounds */
export function showRange({ limit, from, order, lower, upper }: RangeAction): string {
  const what = `${from === 'latest' ? '' : 'eventual '}range-read of ${limit}`;
  if (order === 'forward' && lower === undefined && upper === undefined) return what;
  const begin = `${lower?.isInclusive === false ? '(' : '['}${lower?.key.name ?? '..'}`;
  const end = `${upper?.key.name ?? '..'}${upper?.isInclusive === false ? ')' : ']'}`;
  return `${what} in ${begin}, ${end} ${order}`;
}
