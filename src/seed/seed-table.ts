import type { Node } from 'jsonc-parser';
import { readSchema } from '../web/schema.ts';
import { type SeedDocument, SeedError } from './seed-document.ts';

/** How the items of a table are written. */
export type SeedFormat = 'plain' | 'dynamodb';

/** A table of a seed document. */
export interface ParsedTable {
  readonly document: SeedDocument;
  readonly node: Node;
  /** The members of the CreateTable request. */
  readonly request: Record<string, unknown>;
  readonly namespace: string | undefined;
  readonly format: SeedFormat | undefined;
  /** The member of an UpdateTimeToLive request. */
  readonly timeToLive: unknown;
  readonly items: readonly Node[];
}

/**
 * Reads the tables of a document, which is one table or an array of them.
 * @throws SeedError for a member that no table has
 */
export function tablesIn(document: SeedDocument): readonly ParsedTable[] {
  const { root } = document;
  const nodes = root.type === 'array' ? root.children! : [root];
  return nodes.map((node) => readTable(document, node));
}

/**
 * Reads the value of a part of a document.
 * @throws SeedError for a member that occurs twice, and for text that UTF-8 cannot encode
 */
export function jsonOf(document: SeedDocument, node: Node): unknown {
  switch (node.type) {
    case 'array':
      return node.children!.map((child) => jsonOf(document, child));
    case 'object':
      return Object.fromEntries(members(document, node).map(([name, child]) => [name, jsonOf(document, child)]));
    case 'string':
      return textIn(document, node);
    default:
      return node.value;
  }
}

/** Reads an item, and converts it to DynamoDB's JSON if it is plain. */
export function itemOf({ document, format }: Pick<ParsedTable, 'document' | 'format'>, node: Node): unknown {
  const isPlain = node.type === 'object' && (format ?? formatOf(document, node)) === 'plain';
  return isPlain ? contentOf(document, node) : jsonOf(document, node);
}

/** The members of an object. */
export function members(document: SeedDocument, node: Node): readonly (readonly [name: string, value: Node])[] {
  const seen = new Set<string>();
  return node.children!.map((property) => {
    const [key, value] = property.children as [Node, Node];
    const name = textIn(document, key);
    if (seen.has(name)) throw fail(document, key, `${JSON.stringify(name)} stands there twice`);
    seen.add(name);
    return [name, value];
  });
}

export function fail({ placeOf }: SeedDocument, node: Node, problem: string): SeedError {
  return new SeedError(`${placeOf(node)}: ${problem}`);
}

function readTable(document: SeedDocument, node: Node): ParsedTable {
  if (node.type !== 'object') throw fail(document, node, 'a table must be an object with the members of CreateTable');
  const known = readSchema('CreateTable').properties!;
  const request: Record<string, unknown> = {};
  let timeToLive: unknown;
  let [namespace, format, items]: [string | undefined, SeedFormat | undefined, readonly Node[]] = [
    undefined,
    undefined,
    [],
  ];
  for (const [name, value] of members(document, node)) {
    if (name === 'Items') items = itemsIn(document, value);
    else if (name === 'Format') format = formatIn(document, value);
    else if (name === 'Namespace') namespace = namespaceIn(document, value);
    else if (name === 'TimeToLiveSpecification') timeToLive = jsonOf(document, value);
    else if (Object.hasOwn(known, name)) request[name] = jsonOf(document, value);
    else throw fail(document, value, `neither CreateTable nor a seed has a member ${JSON.stringify(name)}`);
  }
  return { document, node, request, namespace, format, timeToLive, items };
}

function itemsIn(document: SeedDocument, node: Node): readonly Node[] {
  if (node.type !== 'array') throw fail(document, node, '"Items" must be an array');
  return node.children!;
}

function formatIn(document: SeedDocument, { value, ...node }: Node): SeedFormat {
  if (value === 'plain' || value === 'dynamodb') return value;
  throw fail(document, node, '"Format" must be "plain" or "dynamodb"');
}

function namespaceIn(document: SeedDocument, node: Node): string {
  if (node.type !== 'string') throw fail(document, node, '"Namespace" must be a text');
  return textIn(document, node);
}

/**
 * Finds out how an item is written. In DynamoDB's JSON every member is an object. A plain item has at least one that is
 * not: its key, which is a text or a number. An item that could be both is refused.
 */
function formatOf(document: SeedDocument, node: Node): SeedFormat {
  const attributes = members(document, node);
  if (attributes.every(([, { type }]) => type === 'object')) return 'dynamodb';
  for (const [name, value] of attributes) {
    if (!looksTyped(value)) continue;
    const problem = `the item is plain JSON, but ${JSON.stringify(name)} seems to be DynamoDB's`;
    throw fail(document, value, `${problem}: say which with "Format": "plain" or "dynamodb" beside "Items"`);
  }
  return 'plain';
}

function looksTyped({ type, children }: Node): boolean {
  if (type !== 'object' || children!.length !== 1) return false;
  return /^(S|N|B|SS|NS|BS|M|L|NULL|BOOL)$/.test(children![0]!.children![0]!.value);
}

/** Converts a plain object to the content of an `M`, or of an item. */
function contentOf(document: SeedDocument, node: Node): object {
  return Object.fromEntries(members(document, node).map(([name, value]) => [name, typedOf(document, value)]));
}

function typedOf(document: SeedDocument, node: Node): object {
  switch (node.type) {
    case 'string':
      return { S: textIn(document, node) };
    case 'number':
      // The text of the file: a JavaScript number would lose digits.
      return { N: document.text.slice(node.offset, node.offset + node.length) };
    case 'boolean':
      return { BOOL: node.value };
    case 'array':
      return { L: node.children!.map((child) => typedOf(document, child)) };
    case 'object':
      return { M: contentOf(document, node) };
    default:
      return { NULL: true };
  }
}

function textIn(document: SeedDocument, node: Node): string {
  if (/\p{Surrogate}/u.test(node.value)) throw fail(document, node, 'half of a surrogate pair is no text');
  return node.value;
}
