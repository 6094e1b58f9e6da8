import { type AttributeValue, NESTED_TOO_DEEP, normaliseValue } from '../attribute-value.ts';
import { ApiError } from '../errors.ts';
import type { ExpressionParameters } from '../operations.ts';
import { VALUE_TEXTS, type ValueTexts } from '../value-texts.ts';
import { type ExpressionKind, expressionError, isReference } from './lexer.ts';
import { checkValueBytes, MAX_PLACEHOLDER_BYTES } from './value-bytes.ts';

/** Developer guide, "Expression parameters" quotas: bytes of one `#name` or `:value`. */
const MAX_REFERENCE_BYTES = 255;

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
 * @param texts the operation's words for faults of values
 */
export function readPlaceholders(request: ExpressionParameters, texts: ValueTexts = VALUE_TEXTS.default): Placeholders {
  const names = request.ExpressionAttributeNames;
  const values = request.ExpressionAttributeValues;
  if (names != null) checkNames(names);
  if (values != null) checkValues(values, texts);
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

function checkValues(values: Readonly<Record<string, AttributeValue>>, texts: ValueTexts): void {
  const keys = Object.keys(values);
  checkKeys('ExpressionAttributeValues', keys, ':');
  // Before the other checks, which take longer.
  checkValueBytes('ExpressionAttributeValues', values);
  for (const key of keys) {
    if (texts.namesPlaceholder) checkNamedValue(key, values[key]!, texts);
    else normaliseValue(values[key]!, texts);
  }
}

/** The service names the value in the error, except for a document that is nested too deeply. */
function checkNamedValue(key: string, value: AttributeValue, texts: ValueTexts): void {
  try {
    normaliseValue(value, texts);
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
