import type { AttributeMap, AttributeValue } from '../../src/api/attribute-value.ts';

/** The types that a key attribute may have. */
export type ScalarType = 'S' | 'N' | 'B';

/** A key attribute of a table or an index. */
export interface KeyPart {
  readonly name: string;
  readonly type: ScalarType;
}

/** The smallest magnitude is 1E-130, and 38 digits may follow it: every number times this is a whole one. */
const SCALE = 130 + 38;

/** A number of the service as a whole number of 1E-168: exact, and compared as whole numbers are. */
export function scaled(text: string): bigint {
  const [, sign, integer, fraction, exponent] = /^([-+]?)(\d*)\.?(\d*)(?:[eE]([-+]?\d+))?$/.exec(text)!;
  const digits = BigInt(`${integer}${fraction}`);
  const value = digits * 10n ** BigInt(SCALE + Number(exponent ?? 0) - fraction!.length);
  return sign === '-' ? -value : value;
}

/** The text that the service answers for a number: without an exponent and without superfluous zeros. */
export function plain(text: string): string {
  const value = scaled(text);
  const digits = String(value < 0n ? -value : value).padStart(SCALE + 1, '0');
  const fraction = digits.slice(-SCALE).replace(/0+$/, '');
  return `${value < 0n ? '-' : ''}${digits.slice(0, -SCALE)}${fraction === '' ? '' : `.${fraction}`}`;
}

/**
 * The order of sort keys: "If the data type of the sort key is Number, the results are returned in numeric order.
 * Otherwise, the results are returned in order of UTF-8 bytes" (API reference, Query); binaries by their unsigned bytes
 * (developer guide, "Naming rules and data types").
 */
export function compareScalars(left: AttributeValue, right: AttributeValue): number {
  if ('S' in left && 'S' in right) return Buffer.compare(Buffer.from(left.S), Buffer.from(right.S));
  if ('B' in left && 'B' in right) {
    return Buffer.compare(Buffer.from(left.B, 'base64'), Buffer.from(right.B, 'base64'));
  }
  if ('N' in left && 'N' in right) {
    const [a, b] = [scaled(left.N), scaled(right.N)];
    return a < b ? -1 : a > b ? 1 : 0;
  }
  throw new Error('values of two types have no order');
}

export function beginsWith(value: AttributeValue, prefix: AttributeValue): boolean {
  if ('S' in value && 'S' in prefix) return startsWith(Buffer.from(value.S), Buffer.from(prefix.S));
  if ('B' in value && 'B' in prefix) {
    return startsWith(Buffer.from(value.B, 'base64'), Buffer.from(prefix.B, 'base64'));
  }
  return false;
}

function startsWith(bytes: Buffer, prefix: Buffer): boolean {
  return bytes.subarray(0, prefix.length).equals(prefix);
}

/** The value as the service answers it. */
export function asAnswered(value: AttributeValue): AttributeValue {
  if ('N' in value) return { N: plain(value.N) };
  if ('L' in value) return { L: value.L.map(asAnswered) };
  if ('M' in value) return { M: itemAsAnswered(value.M) };
  return value;
}

export function itemAsAnswered(item: AttributeMap): AttributeMap {
  return mapValues(item, asAnswered);
}

export function mapValues<From, To>(of: Record<string, From>, map: (value: From) => To): Record<string, To> {
  return Object.fromEntries(Object.entries(of).map(([name, value]) => [name, map(value)]));
}

/** The attribute, also of a name that objects have by themselves. */
export function attributeOf(item: AttributeMap, name: string): AttributeValue | undefined {
  return Object.hasOwn(item, name) ? item[name] : undefined;
}

export function pick(item: AttributeMap, names: Iterable<string>): AttributeMap {
  const kept = new Set(names);
  return Object.fromEntries(Object.entries(item).filter(([name]) => kept.has(name)));
}

/** Equal items have equal texts, whatever the order of their attributes. */
export function textOf(item: AttributeMap): string {
  return JSON.stringify(sorted(item));
}

/** Whatever has equal texts is equal, names like `__proto__` included; in lines, so that a difference is seen. */
export function linesOf(of: unknown): string {
  return JSON.stringify(sorted(of), null, 1);
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([name, each]) => [name, sorted(each)]));
}

export function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}
