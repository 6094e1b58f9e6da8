import { createHash } from 'node:crypto';
import { tableNameOf } from './arn.ts';
import type { AttributeValue } from './attribute-value.ts';
import type { TransactPut, TransactWriteItem } from './operations.ts';
import type { ByteString } from './primary-key.ts';

const KINDS = ['ConditionCheck', 'Put', 'Delete', 'Update'] as const satisfies readonly (keyof TransactWriteItem)[];
/** Attributes of an item between two pauses. */
const ATTRIBUTES_AT_ONCE = 4_000;

/**
 * Names what a transaction does: two requests that mean the same have the same digest, in whatever order their members
 * were sent (recorded in LocalStack issue 6529). What an answer is to report is not part of it.
 */
export class TransactionDigest {
  readonly #hash = createHash('sha256');

  /**
   * @param member whose values are normalised
   * @param pause of a large request: awaited every few milliseconds
   */
  async add(member: TransactWriteItem, pause: (() => Promise<void>) | undefined): Promise<void> {
    const kind = KINDS.find((name) => member[name] != null)!;
    const { TableName, ...parameters } = member[kind]!;
    const { Item, ...others } = parameters as Partial<TransactPut>;
    this.#hash.update(canonical([kind, tableNameOf(TableName), others]));
    if (Item === undefined) return;
    const names = Object.keys(Item).sort();
    for (let from = 0; from < names.length; from += ATTRIBUTES_AT_ONCE) {
      if (from > 0) await pause?.();
      const slice = names.slice(from, from + ATTRIBUTES_AT_ONCE);
      this.#hash.update(canonical(slice.map((name) => [name, Item[name]])));
    }
  }

  /** @param parameters normalised */
  async addStatement(
    text: string,
    parameters: readonly AttributeValue[],
    pause: (() => Promise<void>) | undefined,
  ): Promise<void> {
    this.#hash.update(canonical(['Statement', text, parameters.length]));
    for (const parameter of parameters) {
      this.#hash.update(canonical(parameter));
      await pause?.();
    }
  }

  /** 64 hexadecimal digits. */
  end(): string {
    return this.#hash.digest('hex');
  }
}

/**
 * The name of a client's token: tokens of different namespaces are independent of each other. Its length is bounded by those
 * of a namespace and a token.
 * @param token 1 to 36 characters
 */
export function tokenName(namespace: string, token: string): ByteString {
  // A namespace has no slash.
  return `${namespace}/${Buffer.from(token, 'utf8').toString('latin1')}`;
}

/** The JSON of a value with its members sorted. */
function canonical(value: unknown): string {
  return JSON.stringify(sorted(value));
}

/**
 * The value with the members of all its maps in order. What is in order already is not copied: a list of a hundred
 * thousand values has few maps of several members, or none.
 */
function sorted(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return sortedList(value);
  const names = Object.keys(value);
  if (names.length === 1) {
    const name = names[0]!;
    const content = (value as Record<string, unknown>)[name];
    if (typeof content !== 'object') return value;
    const inOrder = sorted(content);
    return inOrder === content ? value : Object.fromEntries([[name, inOrder]]);
  }
  // `fromEntries` makes own properties of all names, `__proto__` included. Numbers as names come first in any object.
  return Object.fromEntries(names.sort().map((name) => [name, sorted((value as Record<string, unknown>)[name])]));
}

function sortedList(list: readonly unknown[]): readonly unknown[] {
  let copy: unknown[] | undefined;
  for (let at = 0; at < list.length; at++) {
    const element = sorted(list[at]);
    if (element !== list[at]) copy ??= list.slice(0, at);
    copy?.push(element);
  }
  return copy ?? list;
}
