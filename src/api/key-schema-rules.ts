import { ApiError } from './errors.ts';
import { invalidParameter } from './invalid-parameter.ts';
import type { KeyAttribute, KeySchema } from './primary-key.ts';
import type { IndexKeySchema } from './table-definition.ts';
import type { AttributeDefinition, KeySchemaElement } from './table-requests.ts';

/** How many attributes of each kind the key of a global index may have. */
const MOST_INDEX_KEY_ATTRIBUTES = 4;

/** @throws ValidationException if two definitions have one name, whatever their types */
export function checkDistinct(definitions: readonly AttributeDefinition[]): void {
  const names = new Set<string>();
  for (const { AttributeName } of definitions) {
    if (names.has(AttributeName)) throw ApiError.validation(`Attribute Name is duplicated: ${AttributeName}`);
    names.add(AttributeName);
  }
}

/**
 * The key of a table: HASH then RANGE, each with a definition. The schema allows one or two elements.
 * @throws ValidationException
 */
export function tableKey(
  elements: readonly KeySchemaElement[],
  definitions: readonly AttributeDefinition[],
): KeySchema {
  const { partition, sort } = localIndexKey(elements, definitions);
  return { partition: partition[0]!, sort: sort[0] };
}

/**
 * The key of a local index. It has the form of a table's key.
 * @throws ValidationException
 */
export function localIndexKey(
  elements: readonly KeySchemaElement[],
  definitions: readonly AttributeDefinition[],
): IndexKeySchema {
  if (elements.length > definitions.length) {
    throw ApiError.validation('Invalid KeySchema: Some index key attribute have no definition');
  }
  checkDefined(elements, definitions);
  const [hash, range] = elements;
  if (hash!.AttributeName === range?.AttributeName) {
    throw ApiError.validation('Both the Hash Key and the Range Key element in the KeySchema have the same name');
  }
  checkFirstIsHash(elements);
  if (range !== undefined && range.KeyType !== 'RANGE') {
    throw ApiError.validation('Invalid KeySchema: The second KeySchemaElement is not a RANGE key type');
  }
  return resolved(elements, definitions);
}

/**
 * The key of a global index: up to four HASH elements, then up to four RANGE elements.
 * @throws ValidationException
 */
export function globalIndexKey(
  elements: readonly KeySchemaElement[],
  definitions: readonly AttributeDefinition[],
): IndexKeySchema {
  checkDefined(elements, definitions);
  checkFirstIsHash(elements);
  if (new Set(elements.map(({ AttributeName }) => AttributeName)).size < elements.length) {
    throw ApiError.validation('The KeySchema contains multiple key attributes with the same name');
  }
  const firstRange = elements.findIndex(({ KeyType }) => KeyType === 'RANGE');
  if (firstRange !== -1 && elements.slice(firstRange).some(({ KeyType }) => KeyType === 'HASH')) {
    throw invalidParameter('All HASH key attributes must precede RANGE key attributes in the KeySchema');
  }
  const key = resolved(elements, definitions);
  for (const [kind, attributes] of [
    ['HASH', key.partition],
    ['RANGE', key.sort],
  ] as const) {
    if (attributes.length > MOST_INDEX_KEY_ATTRIBUTES) {
      throw invalidParameter(`The KeySchema exceeds the maximum allowed number of ${kind} key attributes`);
    }
  }
  return key;
}

function checkFirstIsHash(elements: readonly KeySchemaElement[]): void {
  if (elements[0]!.KeyType !== 'HASH') {
    throw ApiError.validation('Invalid KeySchema: The first KeySchemaElement is not a HASH key type');
  }
}

function checkDefined(elements: readonly KeySchemaElement[], definitions: readonly AttributeDefinition[]): void {
  if (elements.every((element) => typeOf(element, definitions) !== undefined)) return;
  throw invalidParameter(
    'Some index key attributes are not defined in AttributeDefinitions. ' +
      `Keys: ${names(elements)}, AttributeDefinitions: ${names(definitions)}`,
  );
}

function resolved(elements: readonly KeySchemaElement[], definitions: readonly AttributeDefinition[]): IndexKeySchema {
  const attributes = (kind: KeySchemaElement['KeyType']): KeyAttribute[] =>
    elements
      .filter(({ KeyType }) => KeyType === kind)
      .map((element) => ({ name: element.AttributeName, type: typeOf(element, definitions)! }));
  return { partition: attributes('HASH'), sort: attributes('RANGE') };
}

function typeOf(element: KeySchemaElement, definitions: readonly AttributeDefinition[]) {
  return definitions.find(({ AttributeName }) => AttributeName === element.AttributeName)?.AttributeType;
}

/** The names as the service's texts list them. */
export function names(elements: readonly { AttributeName: string }[]): string {
  return `[${elements.map(({ AttributeName }) => AttributeName).join(', ')}]`;
}

/**
 * The definitions as they are kept: in the order of the service's descriptions, and without members it does not know.
 */
export function sorted(definitions: readonly AttributeDefinition[]): AttributeDefinition[] {
  return definitions
    .map(({ AttributeName, AttributeType }) => ({ AttributeName, AttributeType }))
    .sort((a, b) => (a.AttributeName < b.AttributeName ? -1 : 1));
}
