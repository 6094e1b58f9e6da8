import type { ClockMove, LinkSetting, NodeAction, Snapshot } from '../api/admin.ts';
import type { AttributeMap } from '../api/attribute-value.ts';
import { AdminError } from '../api/fault-rule.ts';
import { isBase64 } from './base64.ts';

/** Readers of what an administrator sends. Each throws an AdminError that names the invalid field. */

const NODE_ACTIONS: readonly NodeAction[] = ['stop', 'start', 'pause', 'resume', 'wipe', 'replace'];

export function readNodeAction(text: string): NodeAction {
  const action = NODE_ACTIONS.find((each) => each === text);
  if (action === undefined) throw new AdminError(`action must be one of ${NODE_ACTIONS.join(', ')}`, 'action');
  return action;
}

/** The most nodes that hold a partition. */
const MOST_HOMES = 64;

export function readPartition(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new AdminError('partition must be the number of a partition', 'partition');
  return Number(text);
}

/** Who shall hold a partition. */
export function readHomes(body: unknown): readonly string[] {
  const { to, ...others } = objectOf(body, 'body') as Readonly<Record<string, unknown>>;
  const [stranger] = Object.keys(others);
  if (stranger !== undefined) throw new AdminError(`a move of a partition has no ${quoted(stranger)}`, stranger);
  const isList = Array.isArray(to) && to.length > 0 && to.length <= MOST_HOMES;
  if (isList && to.every((name) => typeof name === 'string')) return to as string[];
  throw new AdminError('to must be a list of names of nodes', 'to');
}

export function readLinkSetting(body: unknown): LinkSetting {
  const members = Object.entries(objectOf(body, 'body'));
  if (members.length === 0) throw new AdminError('the body must have cut, delayMs or dropRate', 'body');
  for (const [name, value] of members) {
    switch (name) {
      case 'cut':
        if (typeof value !== 'boolean') throw new AdminError('cut must be true or false', name);
        break;
      case 'delayMs':
        if (!isNumberUpTo(value, Number.MAX_SAFE_INTEGER))
          throw new AdminError('delayMs must be a number from 0', name);
        break;
      case 'dropRate':
        if (!isNumberUpTo(value, 1)) throw new AdminError('dropRate must be a number from 0 to 1', name);
        break;
      default:
        throw new AdminError(`a link setting has no ${quoted(name)}`, name);
    }
  }
  return body as LinkSetting;
}

/** What each setting may be is known elsewhere. */
export function readSettings(body: unknown): Readonly<Record<string, unknown>> {
  const settings = objectOf(body, 'body') as Readonly<Record<string, unknown>>;
  if (Object.keys(settings).length === 0) throw new AdminError('the body must have a setting', 'body');
  return settings;
}

export function readClockMove(body: unknown): ClockMove {
  const [only, ...others] = Object.entries(objectOf(body, 'body'));
  if (only === undefined || others.length > 0) throw new AdminError('the body must have advance or set', 'body');
  const [name, value] = only;
  if (name !== 'advance' && name !== 'set') throw new AdminError(`a move of the clock has no ${quoted(name)}`, name);
  if (typeof value !== 'string' && typeof value !== 'number') {
    throw new AdminError(`${name} must be a string or a number`, name);
  }
  return body as ClockMove;
}

/** @param text DynamoDB's JSON of a primary key: `{"id": {"S": "a"}}` */
export function readKey(text: string): AttributeMap {
  let key: unknown;
  try {
    key = JSON.parse(text);
  } catch {
    throw new AdminError('key must be JSON', 'key');
  }
  const members = Object.entries(objectOf(key, 'key'));
  if (members.length < 1 || members.length > 2) {
    throw new AdminError('key must be a partition key, or a partition key and a sort key', 'key');
  }
  for (const [name, value] of members) checkKeyValue(`key.${name}`, value);
  return key as AttributeMap;
}

function checkKeyValue(field: string, value: unknown): void {
  const [only, ...others] = Object.entries(objectOf(value, field));
  const isTyped = only !== undefined && others.length === 0 && /^[SNB]$/.test(only[0]) && typeof only[1] === 'string';
  if (!isTyped) throw new AdminError(`${field} must have one of S, N and B, as a string`, field);
  if (only[0] === 'B' && !isBase64(only[1] as string)) throw new AdminError(`${field}.B must be base64`, field);
}

/** Checks the outer shape of a snapshot. Tier 2 checks the contents of the tables. */
export function readSnapshot(body: unknown): Snapshot {
  const { format, namespace, tables, ...others } = objectOf(body, 'body') as Record<string, unknown>;
  const [stranger] = Object.keys(others);
  if (stranger !== undefined) throw new AdminError(`a snapshot has no ${quoted(stranger)}`, stranger);
  if (format !== 1) throw new AdminError('format must be 1', 'format');
  if (namespace !== undefined && typeof namespace !== 'string') {
    throw new AdminError('namespace must be a string', 'namespace');
  }
  if (!Array.isArray(tables)) throw new AdminError('tables must be a list', 'tables');
  for (const [i, table] of tables.entries()) checkTableSnapshot(`tables[${i}]`, table);
  return body as Snapshot;
}

function checkTableSnapshot(field: string, table: unknown): void {
  const { namespace, definition, items } = objectOf(table, field) as Record<string, unknown>;
  if (typeof namespace !== 'string') {
    throw new AdminError(`${field}.namespace must be a string`, `${field}.namespace`);
  }
  objectOf(definition, `${field}.definition`);
  if (!Array.isArray(items)) throw new AdminError(`${field}.items must be a list`, `${field}.items`);
  for (const [i, item] of items.entries()) objectOf(item, `${field}.items[${i}]`);
}

function objectOf(value: unknown, field: string): object {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  throw new AdminError(`${field} must be an object`, field);
}

function isNumberUpTo(value: unknown, max: number): boolean {
  return typeof value === 'number' && value >= 0 && value <= max;
}

function quoted(name: string): string {
  return JSON.stringify(name.slice(0, 100));
}
