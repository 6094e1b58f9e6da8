import { type AttributeType, type AttributeValue, typeOf } from '../attribute-value.ts';

/** Below, looking it up costs as much as finding it out again. */
const LARGE_TEXT = 256;
export const LARGE_COLLECTION = 16;

type Question = 'equal' | 'order' | 'contains' | 'begins-with';

/**
 * What the operators of one condition have found out about large values, so that a text of 4 KB, which can name the same two
 * values hundreds of times, has each pair of them compared once. Values are told apart by identity: paths and placeholders
 * that are the same lead to the same object.
 */
export class Memo {
  // Made when they are needed: most conditions have no large values.
  #answers: Map<Question, Map<AttributeValue, Map<AttributeValue, unknown>>> | undefined;
  #sizes: Map<AttributeValue, number> | undefined;
  #scalars: Map<AttributeValue, Map<AttributeType, Set<unknown>>> | undefined;

  /** What `work` answers for these values; asked once for large ones. */
  pair<Answer>(
    question: Question,
    left: AttributeValue,
    right: AttributeValue,
    work: (left: AttributeValue, right: AttributeValue) => Answer,
  ): Answer {
    if (!isLarge(left) || !isLarge(right)) return work(left, right);
    this.#answers ??= new Map();
    const ofQuestion = entry(this.#answers, question, () => new Map<AttributeValue, Map<AttributeValue, unknown>>());
    const ofLeft = entry(ofQuestion, left, () => new Map<AttributeValue, unknown>());
    if (!ofLeft.has(right)) ofLeft.set(right, work(left, right));
    return ofLeft.get(right) as Answer;
  }

  /** The number of attributes of a map. */
  countOf(map: Extract<AttributeValue, { M: unknown }>): number {
    this.#sizes ??= new Map();
    return entry(this.#sizes, map, () => Object.keys(map.M).length);
  }

  /** Whether a scalar is an element of a list, which is sorted into types the first time. */
  hasScalar(list: Extract<AttributeValue, { L: unknown }>, sought: AttributeValue): boolean {
    this.#scalars ??= new Map();
    const byType = entry(this.#scalars, list, () => scalarsOf(list.L));
    const type = typeOf(sought);
    return byType.get(type)?.has(contentOf(sought, type)) ?? false;
  }
}

function entry<Key, Value>(map: Map<Key, Value>, key: Key, make: () => Value): Value {
  let value = map.get(key);
  if (value === undefined) {
    value = make();
    map.set(key, value);
  }
  return value;
}

function isLarge(value: AttributeValue): boolean {
  if ('N' in value) return false;
  if ('S' in value) return value.S.length > LARGE_TEXT;
  if ('B' in value) return value.B.length > LARGE_TEXT;
  if ('L' in value) return value.L.length > LARGE_COLLECTION;
  // Of a map, counting alone would take the time.
  if ('M' in value) return true;
  const content = contentOf(value, typeOf(value));
  return Array.isArray(content) && content.length > LARGE_COLLECTION;
}

function scalarsOf(elements: readonly AttributeValue[]): Map<AttributeType, Set<unknown>> {
  const byType = new Map<AttributeType, Set<unknown>>();
  for (const element of elements) {
    const type = typeOf(element);
    const content = contentOf(element, type);
    if (typeof content !== 'object') entry(byType, type, () => new Set<unknown>()).add(content);
  }
  return byType;
}

function contentOf(value: AttributeValue, type: AttributeType): unknown {
  return (value as Record<string, unknown>)[type];
}
