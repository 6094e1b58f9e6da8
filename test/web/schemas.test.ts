import { readdirSync, readFileSync } from 'node:fs';
import * as dynamodb from '@aws-sdk/client-dynamodb';
import * as streams from '@aws-sdk/client-dynamodb-streams';
import { describe, expect, test } from 'vitest';
import { OPERATIONS } from '../../src/api/operations.ts';
import { readSchema, resolve, type Schema } from '../../src/web/schema.ts';

/** Both services at the endpoint. What they share has one shape. */
const sdk = { ...streams, ...dynamodb };

/** The requests of the service's API model (2012-08-10), with constraints; reduced to the operations served. */
const model: {
  operations: Record<string, string>;
  shapes: Record<string, ModelShape>;
} = JSON.parse(readFileSync(new URL('./service-model.json', import.meta.url), 'utf8'));

interface ModelShape {
  type: 'structure' | 'list' | 'map' | 'string' | 'boolean' | 'integer' | 'long' | 'blob';
  required?: string[];
  members?: Record<string, string>;
  member?: string;
  key?: string;
  value?: string;
  min?: number;
  max?: number;
  pattern?: string;
  enum?: string[];
}

/**
 * Where the schemas say something else than the model on purpose. The service answers a bad tag or table class in words of
 * its own and not as a broken constraint, so those rules are in `api/table-settings-rules.ts`, and a schema that had them
 * too would answer first. An empty key id is refused as a constraint although the model has none for it.
 */
const DELIBERATE: Readonly<Record<string, Partial<ModelShape>>> = {
  Tag: { required: [] },
  TagKeyString: { min: undefined, max: undefined },
  TagValueString: { min: undefined, max: undefined },
  TableClass: { enum: undefined },
  KMSMasterKeyId: { min: 1 },
};

/** The same of one use of a shape: a new table's name is no ARN, and its key and those of its local indexes have two parts. */
const DELIBERATE_AT: Readonly<Record<string, Partial<ModelShape>>> = {
  'CreateTable.TableName': { min: 3, max: 255, pattern: '[a-zA-Z0-9_.-]+' },
  'CreateTable.KeySchema': { max: 2 },
  'CreateTable.LocalSecondaryIndexes[].KeySchema': { max: 2 },
};

const common = readSchema('common');

test('there is one schema for each operation served, and the common one', () => {
  const files = readdirSync(new URL('../../api-schema/', import.meta.url)).sort();
  expect(files).toEqual([...OPERATIONS, 'common'].map((name) => `${name}.json`).sort());
});

describe.each(OPERATIONS)('the schema of %s', (operation) => {
  test('has the members, types and required members that the installed SDK has', () => {
    const differences: string[] = [];
    const input = (sdk as unknown as Record<string, SdkSchema>)[`${model.operations[operation]}$`]!;
    compareWithSdk(operation, readSchema(operation), input, new Set(), differences);
    expect(differences).toEqual([]);
  });

  test('has the limits, patterns and enums of the service model', () => {
    const differences: string[] = [];
    compareWithModel(operation, readSchema(operation), model.operations[operation]!, new Set(), differences);
    expect(differences).toEqual([]);
  });
});

test('every enum has the values that the installed SDK has', () => {
  for (const [name, { enum: values }] of Object.entries(common.definitions!)) {
    if (!values) continue;
    const theirs = (sdk as unknown as Record<string, Record<string, string>>)[name]!;
    expect([...values].sort(), name).toEqual(Object.values(theirs).sort());
  }
});

test('every deliberate difference from the model is one', () => {
  for (const [name, rules] of Object.entries(DELIBERATE)) {
    for (const rule of Object.keys(rules) as (keyof ModelShape)[]) {
      expect(model.shapes[name]![rule], `${name} ${rule}`).not.toEqual(rules[rule]);
    }
  }
});

test('every definition in the common schema is used', () => {
  const texts = [...OPERATIONS, 'common'].map((name) => JSON.stringify(readSchema(name))).join('');
  const unused = Object.keys(common.definitions!).filter((name) => !texts.includes(`#/definitions/${name}"`));
  expect(unused).toEqual([]);
});

/**
 * The SDK's runtime schemas: [3, namespace, name, traits, member names, member schemas, number of required members, which
 * come first], 4 in place of 3 for a union, [1, ..., element] for a list, [2, ..., key, value] for a map; numbers for simple
 * types, plus 64 for a list and 128 for a map of them. Functions stand for schemas defined later.
 */
type SdkSchema = number | readonly [number, string, string, unknown, ...unknown[]] | (() => SdkSchema);

const SDK_TYPES: Record<number, string> = { 0: 'string', 1: 'integer', 2: 'boolean', 21: 'base64' };

function compareWithSdk(
  path: string,
  of: Schema,
  sdkSchema: SdkSchema,
  seen: Set<Schema>,
  differences: string[],
): void {
  const schema = resolve(of, common);
  let theirs = sdkSchema;
  // Some schemas come in pairs with traits: [schema, traits]. All others that are lists have more parts.
  while (
    typeof theirs === 'function' ||
    (Array.isArray(theirs) && (typeof theirs[0] !== 'number' || theirs.length === 2))
  ) {
    theirs = typeof theirs === 'function' ? theirs() : (theirs[0] as SdkSchema);
  }
  if (typeof theirs === 'number') return compareSimple(path, schema, theirs, differences);
  if (seen.has(schema)) return;
  seen.add(schema);
  const [kind, , name, , first, second, requiredCount = 0] = theirs as unknown as unknown[];
  if (kind === 1) return compareWithSdk(`${path}[]`, schema.items!, first as SdkSchema, seen, differences);
  if (kind === 2)
    return compareWithSdk(`${path}{}`, schema.additionalProperties!, second as SdkSchema, seen, differences);
  const names = first as string[];
  const members = second as SdkSchema[];
  same(`${path} title`, schema.title, name, differences);
  same(`${path} members`, Object.keys(schema.properties ?? {}).sort(), [...names].sort(), differences);
  same(
    `${path} required`,
    [...(schema.required ?? [])].sort(),
    DELIBERATE[name as string]?.required ?? names.slice(0, requiredCount as number).sort(),
    differences,
  );
  for (const [i, member] of names.entries()) {
    const child = schema.properties?.[member];
    if (child) compareWithSdk(`${path}.${member}`, child, members[i]!, seen, differences);
  }
}

function compareSimple(path: string, schema: Schema, code: number, differences: string[]): void {
  const inner = code & 128 ? resolve(schema.additionalProperties!, common) : code & 64 ? schema.items! : schema;
  const simple = resolve(inner, common);
  same(path, simple.contentEncoding ?? simple.type, SDK_TYPES[code & 63], differences);
}

function compareWithModel(path: string, of: Schema, shapeName: string, seen: Set<Schema>, differences: string[]): void {
  const schema = resolve(of, common);
  const shape = { ...model.shapes[shapeName]!, ...DELIBERATE[shapeName], ...DELIBERATE_AT[path] };
  const check = (what: string, ours: unknown, theirs: unknown) => same(`${path} ${what}`, ours, theirs, differences);
  switch (shape.type) {
    case 'structure':
      if (seen.has(schema)) return;
      seen.add(schema);
      check('type', schema.type, 'object');
      check('required', schema.required ?? [], shape.required ?? []);
      // Requests are never shown whole.
      if (path.includes('.')) {
        const shown = (schema.echo ?? Object.keys(schema.properties!)).filter((member) => shape.members![member]);
        check('echo', shown, Object.keys(shape.members!));
      }
      for (const [member, name] of Object.entries(shape.members!)) {
        const child = schema.properties?.[member];
        if (child === undefined) differences.push(`${path}.${member} is missing`);
        else compareWithModel(`${path}.${member}`, child, name, seen, differences);
      }
      return;
    case 'list':
      check('type', schema.type, 'array');
      check('limits', [schema.minItems, schema.maxItems], [shape.min, shape.max]);
      return compareWithModel(`${path}[]`, schema.items!, shape.member!, seen, differences);
    case 'map': {
      if (seen.has(schema)) return;
      seen.add(schema);
      check('type', schema.type, 'object');
      const { propertyNames } = schema as { propertyNames?: Schema };
      check('key', propertyNames && resolve(propertyNames, common).maxLength, model.shapes[shape.key!]!.max);
      return compareWithModel(`${path}{}`, schema.additionalProperties!, shape.value!, seen, differences);
    }
    case 'string':
      check('type', schema.type, 'string');
      check('limits', [schema.minLength, schema.maxLength], [shape.min, shape.max]);
      check('pattern', schema.pattern, shape.pattern && `^${shape.pattern}$`);
      // The schema's order is that of the service's message, the model's that of its documentation.
      check('enum', schema.enum && [...schema.enum].sort(), shape.enum && [...shape.enum].sort());
      return;
    case 'boolean':
      return check('type', schema.type, 'boolean');
    case 'blob':
      return check('type', [schema.type, schema.contentEncoding], ['string', 'base64']);
    default:
      check('type', [schema.type, schema.format], ['integer', shape.type === 'long' ? 'int64' : 'int32']);
      check('limits', [schema.minimum, schema.maximum], [shape.min, shape.max]);
  }
}

function same(path: string, ours: unknown, theirs: unknown, differences: string[]): void {
  if (JSON.stringify(ours) !== JSON.stringify(theirs)) {
    differences.push(`${path}: ${JSON.stringify(ours)} here, ${JSON.stringify(theirs)} there`);
  }
}
