import { type AttributeValue, NESTED_TOO_DEEP, normaliseValue } from '../attribute-value.ts';
import { ApiError } from '../errors.ts';
import type { ExpressionParameters } from '../operations.ts';
import { type ExpressionKind, expressionError, isReference } from './lexer.ts';

/** Developer guide, "Expression parameters" quotas: bytes of one `#name` or `:value`. */
const MAX_REFERENCE_BYTES = 255;
/** Same place: bytes of all substitution variables of an expression. */
const MAX_PLACEHOLDER_BYTES = 2 * 1024 * 1024;

/** The `#name`s and `:value`s of one request, and which of them its expressions have used. */
export interface Placeholders {
  readonly names: Readonly<Record<string, string>>;
  readonly values: Readonly<Record<string, AttributeValue>>;
  readonly usedNames: Set<string>;
  readonly usedValues: Set<string>;
}

const NONE = Object.freeze({});

/**
 * Checks the two maps of placeholders by themselves, and normalises the values in place.
 * @param namesFaulty whether the refusal of a value says which one it is, as the service's does only for what reads items
 */
export function readPlaceholders(request: ExpressionParameters, namesFaulty = false): Placeholders {
  const names = request.ExpressionAttributeNames;
  const values = request.ExpressionAttributeValues;
  if (names != null) checkNames(names);
  if (values != null) checkValues(values, namesFaulty);
  return { names: names ?? NONE, values: values ?? NONE, usedNames: new Set(), usedValues: new Set() };
}

/** @param reference with its `#` */
export function definedName(kind: ExpressionKind, placeholders: Placeholders, reference: string): string {
  if (!Object.hasOwn(placeholders.names, reference)) {
    throw expressionError(
      kind,
      `An expression attribute name used in the document path is not defined; attribute name: ${reference}`,
    );
  }
  placeholders.usedNames.add(reference);
  return placeholders.names[reference]!;
}

/** @param reference with its `:` */
export function definedValue(kind: ExpressionKind, placeholders: Placeholders, reference: string): AttributeValue {
  if (!Object.hasOwn(placeholders.values, reference)) {
    throw expressionError(
      kind,
      `An expression attribute value used in expression is not defined; attribute value: ${reference}`,
    );
  }
  placeholders.usedValues.add(reference);
  return placeholders.values[reference]!;
}

/** To be called when all expressions of the request are resolved. */
export function checkAllUsed(placeholders: Placeholders): void {
  checkUsed('ExpressionAttributeNames', Object.keys(placeholders.names), placeholders.usedNames);
  checkUsed('ExpressionAttributeValues', Object.keys(placeholders.values), placeholders.usedValues);
}

function checkUsed(parameter: string, defined: readonly string[], used: ReadonlySet<string>): void {
  if (used.size === defined.length) return;
  const unused = defined.filter((key) => !used.has(key));
  throw ApiError.validation(`Value provided in ${parameter} unused in expressions: keys: {${unused.join(', ')}}`);
}

function checkNames(names: Readonly<Record<string, string>>): void {
  const keys = Object.keys(names);
  checkKeys('ExpressionAttributeNames', keys, '#');
  let bytes = 0;
  for (const key of keys) {
    const name = names[key]!;
    if (name === '') {
      throw ApiError.validation(`ExpressionAttributeNames contains invalid value: Empty attribute name for key ${key}`);
    }
    bytes += key.length + Buffer.byteLength(name);
  }
  if (bytes > MAX_PLACEHOLDER_BYTES) throw ApiError.validation('ExpressionAttributeNames exceeds max size');
}

function checkValues(values: Readonly<Record<string, AttributeValue>>, namesFaulty: boolean): void {
  const keys = Object.keys(values);
  checkKeys('ExpressionAttributeValues', keys, ':');
  let bytes = 0;
  for (const key of keys) {
    if (namesFaulty) checkNamedValue(key, values[key]!);
    else normaliseValue(values[key]!);
    bytes += key.length + valueSize(values[key]!);
  }
  if (bytes > MAX_PLACEHOLDER_BYTES) throw ApiError.validation('ExpressionAttributeValues exceeds max size');
}

/** The service says where the problem is, but not of a document that is too deep. */
function checkNamedValue(key: string, value: AttributeValue): void {
  try {
    normaliseValue(value);
  } catch (error) {
    if (!(error instanceof ApiError) || error.message === NESTED_TOO_DEEP) throw error;
    throw ApiError.validation(`ExpressionAttributeValues contains invalid value: ${error.message} for key ${key}`);
  }
}

function checkKeys(parameter: string, keys: readonly string[], prefix: '#' | ':'): void {
  if (keys.length === 0) throw ApiError.validation(`${parameter} must not be empty`);
  for (const key of keys) {
    if (key === '') {
      throw ApiError.validation(
        `${parameter} contains invalid key: The expression attribute map contains an empty key;`,
      );
    }
    if (!isReference(key, prefix)) {
      throw ApiError.validation(`${parameter} contains invalid key: Syntax error; key: "${key}"`);
    }
    if (key.length > MAX_REFERENCE_BYTES) {
      throw ApiError.validation(
        `${parameter} contains invalid key: The expression attribute map contains a key that is too long; key: "${key}"`,
      );
    }
  }
}

/** What the value's names and texts take, near enough for a limit of megabytes. */
function valueSize(value: AttributeValue): number {
  if ('M' in value) {
    const entries = Object.entries(value.M);
    return entries.reduce((sum, [name, member]) => sum + Buffer.byteLength(name) + valueSize(member), 0);
  }
  if ('L' in value) return value.L.reduce((sum, element) => sum + valueSize(element), 0);
  for (const content of Object.values(value)) {
    if (typeof content === 'string') return Buffer.byteLength(content);
    if (Array.isArray(content)) return content.reduce((sum, member) => sum + Buffer.byteLength(member), 0);
  }
  return 1;
}
