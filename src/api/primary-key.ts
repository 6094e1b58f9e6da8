import { type AttributeMap, type AttributeValue, binaryLength, typeOf } from './attribute-value.ts';
import { ApiError } from './errors.ts';
import { encodeNumber } from './number.ts';
import { VALUE_TEXTS, type ValueTexts } from './value-texts.ts';

/**
 * A string with one byte per UTF-16 unit (`latin1`). Two such strings compare with `<` as their bytes do, are fast as
 * keys of a `Map`, and are converted to a Buffer by `Buffer.from(text, 'latin1')`.
 */
export type ByteString = string;

/** The types a key attribute may have. */
export type KeyType = 'S' | 'N' | 'B';

export interface KeyAttribute {
  readonly name: string;
  readonly type: KeyType;
}

/** The key schema of a table or an index, resolved against its attribute definitions. */
export interface KeySchema {
  readonly partition: KeyAttribute;
  readonly sort?: KeyAttribute;
}

/**
 * An encoded primary key. Equal keys have equal encodings (1 and 1.0 are one number), and sort keys of one type compare
 * bytewise in DynamoDB's order (S and B by unsigned bytes, N by value). The type is not encoded, since the schema has
 * it: so keys of different tables are not comparable.
 */
export interface EncodedKey {
  readonly partitionKey: ByteString;
  /** Empty for a table without a sort key. */
  readonly sortKey: ByteString;
}

/** Developer guide, quotas, "Partition key length" and "Sort key length". */
export const MAX_PARTITION_KEY_BYTES = 2048;
export const MAX_SORT_KEY_BYTES = 1024;

/**
 * The key of an item that a request puts.
 * @param item normalised
 * @param texts the operation's words for faults of values
 * @throws ApiError (ValidationException) if a key attribute is missing, of another type, empty or too long
 */
export function keyOfItem(
  schema: KeySchema,
  item: AttributeMap,
  { keyFaultsOfPut }: ValueTexts = VALUE_TEXTS.default,
): EncodedKey {
  const attributeOf = keyFaultsOfPut === 'told' ? attributeToPut : attributeToFind;
  const partitionKey = partitionKeyOf(schema.partition, attributeOf(schema.partition, item));
  const sortKey = schema.sort ? sortKeyOf(schema.sort, attributeOf(schema.sort, item)) : '';
  return { partitionKey, sortKey };
}

/**
 * The key in a request that names an item. It has exactly the attributes of the schema.
 * @param key normalised
 * @throws ApiError (ValidationException)
 */
export function keyOfKey(schema: KeySchema, key: AttributeMap): EncodedKey {
  if (Object.keys(key).length !== (schema.sort ? 2 : 1)) throw schemaMismatch();
  const partitionKey = partitionKeyOf(schema.partition, attributeToFind(schema.partition, key));
  const sortKey = schema.sort ? sortKeyOf(schema.sort, attributeToFind(schema.sort, key)) : '';
  return { partitionKey, sortKey };
}

function attributeToPut({ name, type }: KeyAttribute, item: AttributeMap): AttributeValue {
  if (!Object.hasOwn(item, name)) throw invalid(`Missing the key ${name} in the item`);
  const value = item[name]!;
  if (!(type in value)) throw invalid(`Type mismatch for key ${name} expected: ${type} actual: ${typeOf(value)}`);
  return value;
}

function attributeToFind({ name, type }: KeyAttribute, key: AttributeMap): AttributeValue {
  const value = Object.hasOwn(key, name) ? key[name]! : undefined;
  if (value === undefined || !(type in value)) throw schemaMismatch();
  return value;
}

function partitionKeyOf(attribute: KeyAttribute, value: AttributeValue): ByteString {
  const encoded = encodeNotEmpty(attribute, value);
  if (encoded.length > MAX_PARTITION_KEY_BYTES) {
    throw hashKeyTooLong();
  }
  return encoded;
}

function sortKeyOf(attribute: KeyAttribute, value: AttributeValue): ByteString {
  const encoded = encodeNotEmpty(attribute, value);
  if (encoded.length > MAX_SORT_KEY_BYTES) {
    throw rangeKeysTooLong();
  }
  return encoded;
}

function encodeNotEmpty(attribute: KeyAttribute, value: AttributeValue): ByteString {
  const encoded = encodeKeyValue(attribute, value);
  if (encoded === '') {
    throw ApiError.validation(
      'One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty ' +
        `${nameOfType(attribute.type)} value. Key: ${attribute.name}`,
    );
  }
  return encoded;
}

/** Whether an error is that of an empty value in a key of a table or an index: no other text begins as theirs. */
export function isEmptyKey({ message }: ApiError): boolean {
  return message.startsWith('One or more parameter values are not valid. ');
}

/**
 * The bytes that count for the limits on keys. The value has the attribute's type; numbers are far below the limits.
 */
export function keyValueBytes({ type }: KeyAttribute, value: AttributeValue): number {
  const text = (value as Record<KeyType, string>)[type];
  switch (type) {
    case 'S':
      return Buffer.byteLength(text);
    case 'N':
      return 1;
    case 'B':
      return binaryLength(text);
  }
}

/** Encodes a value of the attribute's type. The encoding of a string or binary has the length `keyValueBytes`. */
export function encodeKeyValue({ type }: KeyAttribute, value: AttributeValue): ByteString {
  const text = (value as Record<KeyType, string>)[type];
  switch (type) {
    case 'S':
      return isAscii(text) ? text : Buffer.from(text, 'utf8').toString('latin1');
    case 'N':
      return encodeNumber(text);
    case 'B':
      return Buffer.from(text, 'base64').toString('latin1');
  }
}

function isAscii(text: string): boolean {
  for (let at = 0; at < text.length; at++) if (text.charCodeAt(at) > 0x7f) return false;
  return true;
}

/** The name in the service's messages of a type whose values can be empty. */
export function nameOfType(type: KeyType): string {
  return type === 'B' ? 'binary' : 'string';
}

export function hashKeyTooLong(): ApiError {
  return invalid('Size of hashkey has exceeded the maximum size limit of2048 bytes');
}

export function rangeKeysTooLong(): ApiError {
  return invalid('Aggregated size of all range keys has exceeded the size limit of 1024 bytes');
}

function schemaMismatch(): ApiError {
  return ApiError.validation('The provided key element does not match the schema');
}

function invalid(problem: string): ApiError {
  return ApiError.validation(`One or more parameter values were invalid: ${problem}`);
}
