import { ApiError } from './errors.ts';
import { itemTooLarge, MAX_ITEM_BYTES } from './item-limits.ts';
import { compareNumbers, normaliseNumber } from './number.ts';
import { VALUE_TEXTS, type ValueTexts } from './value-texts.ts';

/**
 * The service's typed values, in the shape they have on the wire (API reference, `AttributeValue`).
 * `B` and the members of `BS` stay base64 text; `N` is text of up to 38 significant digits.
 */
export type AttributeValue =
  | { S: string }
  | { N: string }
  | { B: string }
  | { SS: string[] }
  | { NS: string[] }
  | { BS: string[] }
  | { M: AttributeMap }
  | { L: AttributeValue[] }
  | { NULL: boolean }
  | { BOOL: boolean };

/**
 * An item, a key, or the content of an `M`.
 *
 * Hazard: attribute names are chosen by clients, so `__proto__` and `constructor` occur. `JSON.parse` makes them own
 * properties; read them with `Object.hasOwn`, never copy them by plain assignment.
 */
export type AttributeMap = Record<string, AttributeValue>;

/** The type descriptors of `AttributeValue`, as on the wire. */
export type AttributeType = 'S' | 'N' | 'B' | 'SS' | 'NS' | 'BS' | 'M' | 'L' | 'NULL' | 'BOOL';

/**
 * Document depth (developer guide, "Attribute nesting depth"): an attribute's value is level 1, so a scalar may be
 * nested in 31 maps and lists.
 */
const MAX_LEVELS = 32;
const MAX_NAME_BYTES = 65535;

/** The message of a value that is nested too deeply; the service gives it bare even in `ExpressionAttributeValues`. */
export const NESTED_TOO_DEEP =
  'Nesting Levels have exceeded supported limits: Attributes in the item have nested levels beyond supported limit';

/**
 * Checks the values of an item or key in the order in which they were sent, and brings them into canonical form in
 * place: numbers as `normaliseNumber` writes them, sets sorted, members that are not part of an AttributeValue dropped.
 * The schema (tier 1) has already made sure that binaries are canonical base64 and that members have the right JSON
 * types.
 *
 * Sets are no longer sorted once their members together are too large for any item.
 * @param texts the operation's words for faults of values
 * @throws ApiError (ValidationException)
 */
export function normaliseMap(map: AttributeMap, texts: ValueTexts = VALUE_TEXTS.default): void {
  normaliseMembers(map, 1, { texts, setBytesLeft: MAX_ITEM_BYTES });
}

/** The same as `normaliseMap` for one value of any size. A caller that names the value (`:v`) wraps the message. */
export function normaliseValue(value: AttributeValue, texts: ValueTexts = VALUE_TEXTS.default): void {
  normaliseAt(value, 1, { texts, setBytesLeft: Number.POSITIVE_INFINITY });
}

/**
 * Checks the depth of a document that an update moves to another place.
 * @param level the level of the value; that of an attribute is 1
 * @throws ApiError (ValidationException)
 */
export function checkLevels(value: AttributeValue, level: number): void {
  if (level > MAX_LEVELS) throw ApiError.validation(NESTED_TOO_DEEP);
  if ('L' in value) for (const element of value.L) checkLevels(element, level + 1);
  if ('M' in value) for (const member of Object.values(value.M)) checkLevels(member, level + 1);
}

/** The type of a value in canonical form. */
export function typeOf(value: AttributeValue): AttributeType {
  for (const type in value) return type as AttributeType;
  throw new Error('an AttributeValue without a type');
}

/** Equality of values in canonical form: numbers by value, sets without regard to order, documents deeply. */
export function equalValues(left: AttributeValue, right: AttributeValue): boolean {
  const type = typeOf(left);
  if (type !== typeOf(right)) return false;
  const a = contentOf(left, type);
  const b = contentOf(right, type);
  switch (type) {
    case 'SS':
    case 'NS':
    case 'BS':
      return equalTexts(a as string[], b as string[]);
    case 'L':
      return equalLists(a as AttributeValue[], b as AttributeValue[]);
    case 'M':
      return equalMaps(a as AttributeMap, b as AttributeMap);
    default:
      return a === b;
  }
}

/**
 * The service's order of two values in canonical form: negative, zero or positive. Undefined unless both are S, both N
 * or both B: other values have no order.
 */
export function compareValues(left: AttributeValue, right: AttributeValue): number | undefined {
  if ('S' in left && 'S' in right) return compareTexts(left.S, right.S);
  if ('N' in left && 'N' in right) return compareNumbers(left.N, right.N);
  if ('B' in left && 'B' in right) return compareBinaries(left.B, right.B);
  return undefined;
}

/**
 * Orders texts by their UTF-8 bytes. JavaScript's own order differs: it puts U+E000..U+FFFF after the surrogate pairs.
 */
export function compareTexts(left: string, right: string): number {
  const shared = Math.min(left.length, right.length);
  for (let at = 0; at < shared; at++) {
    const a = left.charCodeAt(at);
    const b = right.charCodeAt(at);
    if (a !== b) return utf8Rank(a) - utf8Rank(b);
  }
  return left.length - right.length;
}

/** Orders base64 texts by the bytes that they encode. */
function compareBinaries(left: string, right: string): number {
  return Buffer.compare(Buffer.from(left, 'base64'), Buffer.from(right, 'base64'));
}

/** The number of bytes that canonical base64 encodes. */
export function binaryLength(base64: string): number {
  const padding = base64.endsWith('==') ? 2 : base64.endsWith('=') ? 1 : 0;
  return (base64.length / 4) * 3 - padding;
}

/** The state of one walk through values. */
interface Walk {
  readonly texts: ValueTexts;
  /** How many bytes members of sets may still have. It bounds the cost of sorting, which is the largest part. */
  setBytesLeft: number;
}

function normaliseMembers(map: AttributeMap, level: number, walk: Walk): void {
  for (const name in map) {
    checkName(name);
    normaliseAt(map[name], level, walk);
  }
}

function normaliseAt(value: AttributeValue | undefined | null, level: number, walk: Walk): void {
  if (level > MAX_LEVELS) throw ApiError.validation(NESTED_TOO_DEEP);
  let types = 0;
  let dropped = false;
  for (const type in value) {
    if (normaliseContent(value, type, level, walk)) types++;
    else dropped = true;
  }
  if (types === 0) {
    throw ApiError.validation('Supplied AttributeValue is empty, must contain exactly one of the supported datatypes');
  }
  if (types > 1) {
    throw ApiError.validation(
      'Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes',
    );
  }
  if (dropped) dropForeign(value as Partial<Record<AttributeType, unknown>>);
}

/** @returns false if `member` is no type of the service or has no value: it counts as absent then */
function normaliseContent(value: AttributeValue, member: string, level: number, walk: Walk): boolean {
  const content = (value as Record<string, unknown>)[member];
  if (content === null || content === undefined) return false;
  switch (member) {
    case 'S':
    case 'B':
    case 'BOOL':
      return true;
    case 'N':
      (value as { N: string }).N = normaliseNumber(content as string, walk.texts);
      return true;
    case 'M':
      normaliseMembers(content as AttributeMap, level + 1, walk);
      return true;
    case 'L':
      for (const element of content as AttributeValue[]) normaliseAt(element, level + 1, walk);
      return true;
    case 'NULL':
      if (content !== true) throw invalid('Null attribute value types must have the value of true');
      return true;
    case 'SS':
      (value as { SS: string[] }).SS = stringSet(content as string[], walk);
      return true;
    case 'NS':
      (value as { NS: string[] }).NS = numberSet(content as string[], walk);
      return true;
    case 'BS':
      (value as { BS: string[] }).BS = binarySet(content as string[], walk);
      return true;
    default:
      return false;
  }
}

function stringSet(members: string[], walk: Walk): string[] {
  if (members.length === 0) throw invalid('An string set  may not be empty');
  // A UTF-16 unit has at least one byte.
  for (const member of members) takeSetBytes(walk, member.length);
  const sorted = [...members].sort(compareTexts);
  if (hasNeighboursAlike(sorted)) throw walk.texts.duplicates('SS', members);
  return sorted;
}

function numberSet(members: string[], walk: Walk): string[] {
  if (members.length === 0) throw invalid('An number set  may not be empty');
  // Every number but zero has at least two bytes.
  takeSetBytes(walk, 2 * members.length - 1);
  const sorted = members.map((member) => normaliseNumber(member, walk.texts)).sort(compareNumbers);
  if (hasNeighboursAlike(sorted)) throw walk.texts.duplicates('NS', members);
  return sorted;
}

function binarySet(members: string[], walk: Walk): string[] {
  if (members.length === 0) throw invalid('Binary sets should not be empty');
  for (const member of members) takeSetBytes(walk, binaryLength(member));
  // Decoded once instead of in each comparison. The default order of byte strings is the order of their bytes.
  const sorted = members.map((member) => Buffer.from(member, 'base64').toString('latin1')).sort();
  if (hasNeighboursAlike(sorted)) throw walk.texts.duplicates('BS', members);
  return sorted.map((bytes) => Buffer.from(bytes, 'latin1').toString('base64'));
}

function takeSetBytes(walk: Walk, bytes: number): void {
  walk.setBytesLeft -= bytes;
  if (walk.setBytesLeft < 0) throw itemTooLarge();
}

/** Also checks the names in legacy parameters: an item with an empty attribute name could not be put back. */
export function checkName(name: string): void {
  if (name === '') throw invalid('Empty attribute name');
  if (name.length * 3 > MAX_NAME_BYTES && Buffer.byteLength(name) > MAX_NAME_BYTES) {
    throw ApiError.validation('Attribute name is too large, must be less than 65536 bytes');
  }
}

function dropForeign(value: Partial<Record<AttributeType, unknown>>): void {
  for (const member of Object.keys(value) as AttributeType[]) {
    const isType = ATTRIBUTE_TYPES.has(member) && value[member] !== null && value[member] !== undefined;
    if (!isType) delete value[member];
  }
}

const ATTRIBUTE_TYPES: ReadonlySet<string> = new Set(['S', 'N', 'B', 'SS', 'NS', 'BS', 'M', 'L', 'NULL', 'BOOL']);

function hasNeighboursAlike(sorted: readonly string[]): boolean {
  for (let at = 1; at < sorted.length; at++) if (sorted[at] === sorted[at - 1]) return true;
  return false;
}

function equalTexts(left: readonly string[], right: readonly string[]): boolean {
  return left.length === right.length && left.every((text, at) => text === right[at]);
}

function equalLists(left: readonly AttributeValue[], right: readonly AttributeValue[]): boolean {
  return left.length === right.length && left.every((value, at) => equalValues(value, right[at]!));
}

function equalMaps(left: AttributeMap, right: AttributeMap): boolean {
  const names = Object.keys(left);
  if (names.length !== Object.keys(right).length) return false;
  return names.every((name) => Object.hasOwn(right, name) && equalValues(left[name]!, right[name]!));
}

function contentOf(value: AttributeValue, type: AttributeType): unknown {
  return (value as Record<string, unknown>)[type];
}

/** Moves the surrogates (D800..DFFF), which stand for four-byte sequences, behind E000..FFFF. */
function utf8Rank(unit: number): number {
  if (unit < 0xd800) return unit;
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800;
}

function invalid(problem: string): ApiError {
  return ApiError.validation(`One or more parameter values were invalid: ${problem}`);
}
