import { itemProblem } from './attribute-problem.ts';
import type { FoundTable } from './tables.ts';
import type { BadInput, Write } from './write.ts';
import { bad, deleteOf, putOf } from './write-of.ts';

/** What stands before the item in a line that has nothing else. */
const BEFORE_ITEM = /^\s*\{\s*"Item"\s*:\s*/;

/**
 * The write that a line of DynamoDB JSON asks for. It is `{"Item":{...}}` as in a full export of the service,
 * `{"Metadata":...,"Keys":...,"NewImage":...}` as in an incremental one, where a missing `NewImage` means that the item was
 * deleted, or the bare item. A line cannot be two of these: what is a value in one is no value in the other.
 */
export function writeOfLine(table: FoundTable, text: string): Write | BadInput {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return bad(`it is no JSON: ${(error as Error).message}`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return bad('it is no object such as {"Item":{"id":{"S":"1"}}}');
  }
  const members = value as Record<string, unknown>;
  const form = formOf(members);
  switch (form) {
    case 'item':
      return putOf(table, members.Item, itemText(text));
    case 'change':
      return members.NewImage == null
        ? deleteOf(table, members.Keys, JSON.stringify(members.Keys))
        : putOf(table, members.NewImage, JSON.stringify(members.NewImage));
    case 'bare':
      return putOf(table, members, text);
  }
}

/** Not by an expression at the end: it would begin anew at each blank of a long text. */
function itemText(line: string): string {
  return line.replace(BEFORE_ITEM, '').trimEnd().slice(0, -1).trimEnd();
}

function formOf(members: Readonly<Record<string, unknown>>): 'item' | 'change' | 'bare' {
  const names = Object.keys(members);
  const form =
    names.length === 1 && names[0] === 'Item'
      ? 'item'
      : Object.hasOwn(members, 'Keys') && Object.hasOwn(members, 'Metadata')
        ? 'change'
        : 'bare';
  return form !== 'bare' && itemProblem(members) === undefined ? 'bare' : form;
}
