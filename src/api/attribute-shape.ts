import type { AttributeMap } from './attribute-value.ts';

/** More than the service allows, which `normaliseMap` checks, and less than would overflow the stack. */
const MAX_DEPTH = 40;

/**
 * Whether parsed JSON has the shape of an item. This is for items that do not come in a request, whose schema would
 * check it. All further rules for values are checked by `normaliseMap`.
 */
export function isAttributeMap(value: unknown): value is AttributeMap {
  return isMapAt(value, MAX_DEPTH);
}

function isMapAt(value: unknown, depth: number): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return Object.values(value).every((member) => isValueAt(member, depth));
}

function isValueAt(value: unknown, depth: number): boolean {
  if (depth === 0 || typeof value !== 'object' || value === null) return false;
  const members = Object.entries(value);
  if (members.length !== 1) return false;
  const [type, content] = members[0]!;
  switch (type) {
    case 'S':
    case 'N':
      return typeof content === 'string';
    case 'B':
      return isBinary(content);
    case 'BOOL':
    case 'NULL':
      return typeof content === 'boolean';
    case 'SS':
    case 'NS':
      return Array.isArray(content) && content.every((member) => typeof member === 'string');
    case 'BS':
      return Array.isArray(content) && content.every(isBinary);
    case 'L':
      return Array.isArray(content) && content.every((member) => isValueAt(member, depth - 1));
    case 'M':
      return isMapAt(content, depth - 1);
    default:
      return false;
  }
}

function isBinary(content: unknown): boolean {
  return typeof content === 'string' && Buffer.from(content, 'base64').toString('base64') === content;
}
