import { tableNameOf } from './arn.ts';
import type { AttributeMap } from './attribute-value.ts';
import { DELAY_MODEL_NAMES } from './delay-model.ts';
import { canConflict, faultErrorFits } from './fault-error.ts';
import {
  AdminError,
  type DelayModelName,
  type FaultEffect,
  type FaultError,
  type FaultRule,
  type FaultScope,
  type Lag,
} from './fault-rule.ts';
import { normaliseNumber } from './number.ts';
import { OPERATION_TRAITS } from './operation-traits.ts';
import { OPERATIONS, type OperationName } from './operations.ts';

/** A day: longer than any test runs. Node.js fires timers beyond 2^31 ms at once, so there has to be a limit. */
const MAX_FAULT_MS = 86_400_000;
/** A waiting request holds a connection. SDKs time out long before. */
export const MAX_LATENCY_MS = 600_000;
/** Developer guide, "How it works: DynamoDB time to live (TTL)": items are typically deleted within 48 hours. */
const MAX_LINGER_MS = 48 * 3_600_000;
/** Longer than any namespace. */
const MAX_NAMESPACE_CHARACTERS = 1_024;

const SCOPE_FIELDS = ['table', 'operation', 'index', 'key', 'namespace', 'probability', 'seed', 'times', 'forMs'];
const LAG_FIELDS = ['lagMs', 'versions', 'model', 'worst'];
const EFFECT_FIELDS: Readonly<Record<FaultEffect['kind'], readonly string[]>> = {
  staleness: [...LAG_FIELDS, 'whole', 'stream'],
  error: ['error', 'when'],
  'drop-connection': ['when'],
  conflict: [],
  redelivery: ['records'],
  latency: ['ms', 'model'],
  expiry: ['lingerMs', 'withinMs'],
};
/** Those that tell requests apart. */
const REQUEST_FIELDS = ['operation', 'index', 'key', 'probability', 'times'] as const;
const KINDS = Object.keys(EFFECT_FIELDS) as FaultEffect['kind'][];
const ERRORS: readonly FaultError[] = [
  'ConditionalCheckFailedException',
  'ExpiredIteratorException',
  'InternalServerError',
  'LimitExceededException',
  'ProvisionedThroughputExceededException',
  'RequestLimitExceeded',
  'ServiceUnavailable',
  'ThrottlingException',
  'TransactionConflictException',
  'TrimmedDataAccessException',
];
const TIMES = ['before', 'after'] as const;

type Json = Readonly<Record<string, unknown>>;

/**
 * A fault rule from its JSON. Members that are undefined count as absent, as in JSON. The result shares nothing with
 * the input.
 *
 * @throws AdminError that names the first wrong field
 */
export function readFaultRule(json: unknown): FaultRule {
  if (!isObject(json)) throw new AdminError(`a fault rule must be an object, not ${inWords(json)}`);
  const kind = oneOf('kind', KINDS, json);
  if (kind === undefined) throw wrong('kind', `is missing: one of ${KINDS.join(', ')}`);
  checkFields(kind, json);
  const effect = readEffect(kind, json);
  const scope = readScope(json);
  checkTogether(effect, scope);
  return { ...effect, ...scope };
}

function checkFields(kind: FaultEffect['kind'], json: Json): void {
  const known = [...SCOPE_FIELDS, ...EFFECT_FIELDS[kind], 'kind'];
  const foreign = Object.keys(json).find((field) => !known.includes(field) && json[field] !== undefined);
  if (foreign === undefined) return;
  const isOther = Object.values(EFFECT_FIELDS).some((fields) => fields.includes(foreign));
  throw isOther
    ? wrong(foreign, `is no field of a rule of kind ${kind}`)
    : new AdminError(`a fault rule has no field ${JSON.stringify(foreign)}`, foreign);
}

function readEffect(kind: FaultEffect['kind'], json: Json): FaultEffect {
  switch (kind) {
    case 'staleness':
      return readStaleness(json);
    case 'error': {
      const error = oneOf('error', ERRORS, json);
      if (error === undefined) throw wrong('error', `is missing: one of ${ERRORS.join(', ')}`);
      return { kind, error, when: readWhen(json) };
    }
    case 'drop-connection':
      return { kind, when: readWhen(json) };
    case 'conflict':
      return { kind };
    case 'redelivery': {
      const records = wholeNumber('records', 1, json);
      return { kind, ...(records !== undefined && { records }) };
    }
    case 'latency':
      switch (onlyOne(EFFECT_FIELDS.latency, json)) {
        case 'ms':
          return { kind, ms: timeMs('ms', MAX_LATENCY_MS, json)! };
        default:
          return { kind, model: readModel(json) };
      }
    case 'expiry':
      switch (onlyOne(EFFECT_FIELDS.expiry, json)) {
        case 'lingerMs':
          return { kind, lingerMs: timeMs('lingerMs', MAX_LINGER_MS, json)! };
        default:
          return { kind, withinMs: timeMs('withinMs', MAX_LINGER_MS, json)! };
      }
  }
}

function readStaleness(json: Json): FaultEffect {
  for (const field of ['whole', 'stream'] as const) {
    if (json[field] === undefined || json[field] === true) continue;
    throw wrong(field, `must be true, not ${inWords(json[field])}`);
  }
  const of = {
    ...(json.whole === true && { whole: true as const }),
    ...(json.stream === true && { stream: true as const }),
  };
  return { kind: 'staleness', ...readLag(json), ...of };
}

function readLag(json: Json): Lag {
  switch (onlyOne(LAG_FIELDS, json)) {
    case 'lagMs':
      return { lagMs: timeMs('lagMs', MAX_FAULT_MS, json)! };
    case 'versions':
      return { versions: wholeNumber('versions', 1, json)! };
    case 'model':
      return { model: readModel(json) };
    default:
      if (json.worst !== true) throw wrong('worst', `must be true, not ${inWords(json.worst)}`);
      return { worst: true };
  }
}

function readScope(json: Json): FaultScope {
  const scope: FaultScope = {
    table: readTable(json),
    operation: oneOf<OperationName>('operation', OPERATIONS, json),
    index: readIndex(json),
    key: readKey(json),
    namespace: readNamespace(json),
    probability: readProbability(json),
    seed: wholeNumber('seed', Number.MIN_SAFE_INTEGER, json),
    times: wholeNumber('times', 1, json),
    forMs: timeMs('forMs', MAX_FAULT_MS, json),
  };
  if (scope.forMs === 0) throw wrong('forMs', 'must be more than 0');
  return Object.fromEntries(Object.entries(scope).filter(([, value]) => value !== undefined));
}

/** Refuses combinations of valid fields that no request can match. */
function checkTogether(effect: FaultEffect, scope: FaultScope): void {
  const { operation, table, index, key } = scope;
  if (index !== undefined && key !== undefined) throw wrong('key', 'must not be given together with "index"');
  if (effect.kind === 'staleness' && effect.stream) checkStream(effect, scope);
  if (effect.kind === 'staleness' && effect.whole) checkWhole(scope);
  if (effect.kind === 'redelivery') {
    const foreign = (['operation', 'index', 'key'] as const).find((field) => scope[field] !== undefined);
    if (foreign !== undefined) throw wrong(foreign, 'is no field of a rule of kind redelivery');
  }
  if (effect.kind === 'expiry') {
    const foreign = REQUEST_FIELDS.find((field) => scope[field] !== undefined);
    if (foreign !== undefined) throw wrong(foreign, 'is no field of a rule of kind expiry');
  }
  if (effect.kind === 'conflict' && index !== undefined) throw wrong('index', 'is no field of a rule of kind conflict');
  if (operation === undefined) return;
  const traits = OPERATION_TRAITS[operation];
  if (effect.kind === 'staleness' && traits.readsEventually === undefined) {
    throw wrong('operation', `must be one that reads items for a rule of kind staleness, not ${operation}`);
  }
  if (effect.kind === 'error' && !faultErrorFits(effect.error, operation)) {
    throw wrong('error', `must be one that ${operation} can answer with, not ${effect.error}`);
  }
  if (effect.kind === 'conflict' && !canConflict(operation)) {
    throw wrong('operation', `must be one that transactions can conflict with, not ${operation}`);
  }
  if (table !== undefined && !traits.namesTable) throw wrong('table', `is given, and ${operation} is of no table`);
  if (key !== undefined && traits.keyMember === undefined && !traits.hasKeyInText && !traits.hasActions) {
    throw wrong('key', `is given, and ${operation} is of no item`);
  }
  if (index !== undefined && operation !== 'Query' && operation !== 'Scan') {
    throw wrong('index', `is given, and ${operation} reads no index`);
  }
}

/** What a whole index lacks is seen by every read of it, also by one that no draw is for. */
function checkWhole({ index, probability, operation }: FaultScope): void {
  if (index === undefined) throw wrong('whole', 'is given, and no "index"');
  if (probability !== undefined) throw wrong('probability', 'must not be given together with "whole"');
  if (operation !== undefined) throw wrong('operation', 'must not be given together with "whole"');
}

/** What has not come into a stream is missed by every read of it. */
function checkStream({ whole }: { readonly whole?: true }, scope: FaultScope): void {
  if (whole) throw wrong('whole', 'must not be given together with "stream"');
  const foreign = (['index', 'key', 'probability', 'operation'] as const).find((field) => scope[field] !== undefined);
  if (foreign !== undefined) throw wrong(foreign, 'must not be given together with "stream"');
}

function readIndex(json: Json): string | undefined {
  const index = text('index', json);
  if (index === undefined || /^[a-zA-Z0-9_.-]{3,255}$/.test(index)) return index;
  throw wrong('index', `must be an index's name, not ${inWords(index)}`);
}

function readTable(json: Json): string | undefined {
  const table = text('table', json);
  if (table === undefined) return undefined;
  const isName = /^[a-zA-Z0-9_.-]{3,255}$/.test(table) || isTableArn(table);
  if (!isName) throw wrong('table', `must be a table's name or ARN, not ${inWords(table)}`);
  return table;
}

function isTableArn(table: string): boolean {
  if (!table.startsWith('arn:')) return false;
  try {
    tableNameOf(table);
    return true;
  } catch {
    return false;
  }
}

function readNamespace(json: Json): string | undefined {
  const namespace = text('namespace', json);
  if (namespace !== undefined && namespace.length > MAX_NAMESPACE_CHARACTERS) {
    throw wrong('namespace', `must have at most ${MAX_NAMESPACE_CHARACTERS} characters`);
  }
  return namespace;
}

function readKey(json: Json): AttributeMap | undefined {
  const { key } = json;
  if (key === undefined) return undefined;
  if (!isObject(key)) throw wrong('key', `must be an item's key in DynamoDB's JSON, not ${inWords(key)}`);
  const attributes = Object.entries(key);
  if (attributes.length < 1 || attributes.length > 2) throw wrong('key', 'must have one or two attributes');
  // `fromEntries` makes own properties of all names, `__proto__` included.
  return Object.fromEntries(attributes.map(([name, value]) => [name, readKeyValue(name, value)]));
}

function readKeyValue(name: string, value: unknown): { S: string } | { N: string } | { B: string } {
  const attribute = `must have an attribute ${JSON.stringify(name)}`;
  if (name === '') throw wrong('key', 'must not have an attribute without a name');
  const members = isObject(value) ? Object.entries(value) : [];
  const [type, content] = members[0] ?? [];
  if (members.length !== 1 || typeof content !== 'string' || !(type === 'S' || type === 'N' || type === 'B')) {
    throw wrong('key', `${attribute} like {"S": "..."}, {"N": "..."} or {"B": "..."}`);
  }
  if (content === '') throw wrong('key', `${attribute} that is not empty`);
  if (type === 'S') return { S: content };
  if (type === 'B') {
    if (!isBase64(content)) throw wrong('key', `${attribute} that is base64`);
    return { B: content };
  }
  try {
    normaliseNumber(content);
  } catch {
    throw wrong('key', `${attribute} that is a number`);
  }
  return { N: content };
}

function isBase64(content: string): boolean {
  return Buffer.from(content, 'base64').toString('base64') === content;
}

function readProbability(json: Json): number | undefined {
  const value = number('probability', json);
  if (value !== undefined && !(value >= 0 && value <= 1)) {
    throw wrong('probability', `must be a number from 0 to 1, not ${inWords(value)}`);
  }
  return value;
}

function readModel(json: Json): DelayModelName {
  return oneOf('model', DELAY_MODEL_NAMES, json)!;
}

function readWhen(json: Json): 'before' | 'after' {
  const when = oneOf('when', TIMES, json);
  if (when === undefined) throw wrong('when', 'is missing: before or after');
  return when;
}

/** The only one of these fields that is given. */
function onlyOne(fields: readonly string[], json: Json): string {
  const [first, second] = fields.filter((field) => json[field] !== undefined);
  if (first === undefined) throw wrong(fields[0]!, `or another of ${fields.join(', ')} must be given`);
  if (second !== undefined) throw wrong(second, `must not be given together with "${first}"`);
  return first;
}

function oneOf<Choice extends string>(field: string, choices: readonly Choice[], json: Json): Choice | undefined {
  const value = json[field];
  if (value === undefined) return undefined;
  const choice = choices.find((candidate) => candidate === value);
  if (choice === undefined) throw wrong(field, `must be one of ${choices.join(', ')}, not ${inWords(value)}`);
  return choice;
}

function text(field: string, json: Json): string | undefined {
  const value = json[field];
  if (value === undefined || typeof value === 'string') return value;
  throw wrong(field, `must be a text, not ${inWords(value)}`);
}

function number(field: string, json: Json): number | undefined {
  const value = json[field];
  if (value === undefined || (typeof value === 'number' && Number.isFinite(value))) return value;
  throw wrong(field, `must be a number, not ${inWords(value)}`);
}

function timeMs(field: string, mostMs: number, json: Json): number | undefined {
  const value = number(field, json);
  if (value === undefined || (value >= 0 && value <= mostMs)) return value;
  throw wrong(field, `must be milliseconds from 0 to ${mostMs}, not ${value}`);
}

function wholeNumber(field: string, least: number, json: Json): number | undefined {
  const value = json[field];
  if (value === undefined || (Number.isSafeInteger(value) && (value as number) >= least)) return value as number;
  const from = least === Number.MIN_SAFE_INTEGER ? '' : ` from ${least}`;
  throw wrong(field, `must be a whole number${from}, not ${inWords(value)}`);
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The value as text for a message of one line. */
function inWords(value: unknown): string {
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'string') return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}...` : value);
  if (typeof value === 'object' && value !== null) return 'an object';
  return typeof value === 'function' ? 'a function' : String(value);
}

function wrong(field: string, problem: string): AdminError {
  return new AdminError(`"${field}" ${problem}`, field);
}
