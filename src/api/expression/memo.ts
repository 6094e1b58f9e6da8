import { type AttributeType, type AttributeValue, equalValues, typeOf } from '../attribute-value.ts';

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
  #elements: Map<AttributeValue, Map<AttributeType, Set<unknown>> | undefined> | undefined;

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

  /**
   * Whether a list has an element that equals a value. The second time that a list is looked through, it is sorted so that
   * there is no third.
   */
  hasElement(list: Extract<AttributeValue, { L: unknown }>, sought: AttributeValue): boolean {
    this.#elements ??= new Map();
    let elements = this.#elements.get(list);
    if (elements === undefined) {
      const isFirstTime = !this.#elements.has(list);
      elements = isFirstTime ? undefined : elementsOf(list.L);
      this.#elements.set(list, elements);
    }
    if (elements === undefined) return list.L.some((element) => equalValues(element, sought));
    const type = typeOf(sought);
    return elements.get(type)?.has(identityOf(sought, type)) ?? false;
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

function elementsOf(elements: readonly AttributeValue[]): Map<AttributeType, Set<unknown>> {
  const byType = new Map<AttributeType, Set<unknown>>();
  for (const element of elements) {
    const type = typeOf(element);
    entry(byType, type, () => new Set<unknown>()).add(identityOf(element, type));
  }
  return byType;
}

/** Something primitive that is the same for two values of a type exactly if they are equal. */
function identityOf(value: AttributeValue, type: AttributeType): unknown {
  const content = contentOf(value, type);
  return typeof content === 'object' ? textOf(value) : content;
}

function textOf(value: AttributeValue): string {
  if ('L' in value) return `{"L":[${value.L.map(textOf).join(',')}]}`;
  if (!('M' in value)) return JSON.stringify(value);
  const members = Object.keys(value.M).sort();
  return `{"M":{${members.map((name) => `${JSON.stringify(name)}:${textOf(value.M[name]!)}`).join(',')}}}`;
}

function contentOf(value: AttributeValue, type: AttributeType): unknown {
  return (value as Record<string, unknown>)[type];
}
