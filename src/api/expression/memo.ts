import { type AttributeType, type AttributeValue, equalValues, typeOf } from '../attribute-value.ts';

/** For a smaller text, a look-up costs as much as the work itself. */
const LARGE_TEXT = 256;
export const LARGE_COLLECTION = 16;

type Question = 'equal' | 'order' | 'contains' | 'begins-with';

/**
 * Remembers the answers of the operators of one condition about large values. A text of 4 KB can name the same two
 * values hundreds of times; with this, each pair is compared once. Values are compared by identity: equal paths and
 * equal placeholders lead to the same object.
 */
export class Memo {
  // Made on first use: most conditions have no large values.
  #answers: Map<Question, Map<AttributeValue, Map<AttributeValue, unknown>>> | undefined;
  #sizes: Map<AttributeValue, number> | undefined;
  #elements: Map<AttributeValue, Map<AttributeType, Set<unknown>> | undefined> | undefined;

  /** The answer of `work` for these values. For large values, `work` is called once. */
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
   * Whether a list has an element that equals a value. The second search in a list builds an index of it, so there is
   * no third walk through the list.
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
  // Every map: counting the bytes of a map would take as long as the work.
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

/** A primitive that is the same for two values of a type exactly if they are equal. */
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
