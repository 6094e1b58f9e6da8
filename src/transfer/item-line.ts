import { itemProblem } from './attribute-problem.ts';
import type { FoundTable } from './tables.ts';
import type { BadInput, Write } from './write.ts';
import { bad, deleteOf, putOf } from './write-of.ts';

/** What stands before the item in a line that has nothing else. */
const BEFORE_ITEM = /^\s*\{\s*"Item"\s*:\s*/;

/** A line of a document that is laid out over several, as `aws dynamodb scan` prints. */
const NO_WHOLE_VALUE = /^\s*[{[]\s*$/;
const ONE_A_LINE = `an item has to be one line, as jq -c '.Items[]' makes of what "aws dynamodb scan" prints`;

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
 * The item as it is written; undefined if the line has "Item" in letters that are escaped.
 * The end not by an expression: it would begin anew at each blank of a long text.
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
