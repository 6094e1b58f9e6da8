import { itemProblem } from './attribute-problem.ts';
import type { FoundTable } from './tables.ts';
import type { BadInput, Write } from './write.ts';
import { bad, deleteOf, putOf } from './write-of.ts';

/** The text before the item in a line that has nothing else. */
const BEFORE_ITEM = /^\s*\{\s*"Item"\s*:\s*/;

/** A line of a document that is formatted over several lines, as `aws dynamodb scan` prints it. */
const NO_WHOLE_VALUE = /^\s*[{[]\s*$/;
const ONE_A_LINE = `an item has to be one line, as jq -c '.Items[]' makes of what "aws dynamodb scan" prints`;

/**
 * The write that a line of DynamoDB JSON asks for. The line is `{"Item":{...}}` (a full export of the service), or
 * `{"Metadata":...,"Keys":...,"NewImage":...}` (an incremental one, in which a missing `NewImage` means that the item
 * was deleted), or the bare item. These forms cannot be confused: a value of one is no valid value in another.
 */
export function writeOfLine(table: FoundTable, text: string): Write | BadInput {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    if (NO_WHOLE_VALUE.test(text)) return bad(ONE_A_LINE);
    return bad(`it is no JSON: ${(error as Error).message}`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return bad('it is no object such as {"Item":{"id":{"S":"1"}}}');
  }
  const members = value as Record<string, unknown>;
  const form = formOf(members);
  switch (form) {
    case 'answer':
      return bad(ONE_A_LINE);
    case 'item':
      return putOf(table, members.Item, itemText(text) ?? JSON.stringify(members.Item));
    case 'change':
      return members.NewImage == null
        ? deleteOf(table, members.Keys, JSON.stringify(members.Keys))
        : putOf(table, members.NewImage, JSON.stringify(members.NewImage));
    case 'bare':
      return putOf(table, members, text);
  }
}

/**
 * The item's text as written in the line; undefined if "Item" is written with escapes.
 * The end is not found by a regular expression, which would start again at each blank of a long text.
 */
function itemText(line: string): string | undefined {
  if (!BEFORE_ITEM.test(line)) return undefined;
  return line.replace(BEFORE_ITEM, '').trimEnd().slice(0, -1).trimEnd();
}

function formOf(members: Readonly<Record<string, unknown>>): 'item' | 'change' | 'bare' | 'answer' {
  const names = Object.keys(members);
  if (Array.isArray(members.Items) && Object.hasOwn(members, 'Count')) return 'answer';
  const form =
    names.length === 1 && names[0] === 'Item'
      ? 'item'
      : Object.hasOwn(members, 'Keys') && Object.hasOwn(members, 'Metadata')
        ? 'change'
        : 'bare';
  return form !== 'bare' && itemProblem(members) === undefined ? 'bare' : form;
}
