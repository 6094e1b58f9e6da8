import { createRequire } from 'node:module';
import type { Ajv, ErrorObject, ValidateFunction } from 'ajv';
import { ApiError } from '../api/errors.ts';
import type { OperationName } from '../api/operations.ts';
import { isBase64 } from './base64.ts';
import { childSchema, closed, readSchema, resolve, type Schema, typesOnly } from './schema.ts';
import { ERROR_OF_KEYWORD } from './service-texts.ts';

/**
 * Levels of JSON that a request may have. The service allows 32 levels of attribute values, two levels of JSON each,
 * inside at most five of the request; that rule's own check is in `api/`. This one keeps every recursion over a request,
 * here and in the tiers below, far from the end of the stack.
 */
const MAX_JSON_DEPTH = 100;

interface OperationSchema {
  readonly schema: Schema;
  readonly accepts: ValidateFunction;
}

const operations = new Map<OperationName, OperationSchema>();
const typeChecks = new Map<OperationName, ValidateFunction>();
let compiler: { readonly common: Schema; readonly full: Ajv } | undefined;
/** For requests that are refused alone. */
let typesCompiler: Ajv | undefined;

/**
 * Holds a parsed body against the schema of its operation (`api-schema/`), compiled when the operation is first used.
 *
 * Members that the schema does not know are removed, as the service ignores them: tier 2 must not take one for a parameter
 * that another operation has. `null` members count as absent, and what the service's parser would convert is converted.
 * So the request may be changed in place. Serialization errors come before constraint errors, of
 * which the first counts: first missing members in the schema's order, then its other rules, member by member.
 * @returns `request`
 * @throws SerializationException for wrong JSON types, ValidationException for broken constraints
 */
export function validateRequest(operation: OperationName, request: unknown): object {
  if (nestsDeeperThan(request, MAX_JSON_DEPTH)) {
    throw ApiError.validation(
      'Nesting Levels have exceeded supported limits: Attributes in the item have nested levels beyond supported limit',
    );
  }
  const { schema, accepts } = operations.get(operation) ?? compile(operation);
  if (accepts(request)) return request as object;

  const { common } = getCompiler();
  const root = convert(schema, common, request);
  const hasTypes = typeChecks.get(operation) ?? compileTypes(operation, schema);
  if (!hasTypes(root)) throw errorOf(hasTypes.errors![0]!, schema, common);
  if (!accepts(root)) throw errorOf(accepts.errors![0]!, schema, common);
  return root as object;
}

function compile(operation: OperationName): OperationSchema {
  const schema = readSchema(operation);
  const compiled = { schema, accepts: getCompiler().full.compile(closed(schema)) };
  operations.set(operation, compiled);
  return compiled;
}

function compileTypes(operation: OperationName, schema: Schema): ValidateFunction {
  typesCompiler ??= newAjv(typesOnly(getCompiler().common));
  const compiled = typesCompiler.compile(typesOnly(schema));
  typeChecks.set(operation, compiled);
  return compiled;
}

function getCompiler() {
  if (compiler === undefined) {
    const common = readSchema('common');
    compiler = { common, full: newAjv(closed(common)) };
  }
  return compiler;
}

// Loaded with the first request, at once and not by import(): 3 MB and 15 ms that a start does without.
const loadAjv = () => createRequire(import.meta.url)('ajv') as typeof import('ajv');

function newAjv(common: object): Ajv {
  const { Ajv } = loadAjv();
  // `format` tells only which Java type an integer has. `if` and `then` in `TableNameOrArn` stand beside its type.
  const ajv = new Ajv({
    verbose: true,
    removeAdditional: true,
    validateFormats: false,
    formats: { int32: true, int64: true },
    strictTypes: false,
  });
  ajv.removeKeyword('contentEncoding');
  ajv.addKeyword({ keyword: 'contentEncoding', type: 'string', validate: (_: string, text: string) => isBase64(text) });
  ajv.addSchema(common);
  return ajv;
}

function nestsDeeperThan(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (levels === 0) return true;
  if (Array.isArray(value)) {
    for (const element of value) {
      if (typeof element === 'object' && element !== null && nestsDeeperThan(element, levels - 1)) return true;
    }
    return false;
  }
  for (const key in value) {
    const member = (value as Record<string, unknown>)[key];
    if (typeof member === 'object' && member !== null && nestsDeeperThan(member, levels - 1)) return true;
  }
  return false;
}

/**
 * What the service's parser does with values that ajv would refuse: drops `null` members, reads `"true"` and the like as
 * booleans, and cuts fractions off integers. A `null` in a list or map where a structure belongs is an empty structure.
 */
function convert(schema: Schema, common: Schema, value: unknown): unknown {
  if (schema.type === 'boolean' && typeof value === 'string') return BOOLEANS.get(value.toUpperCase()) ?? value;
  if (schema.type === 'integer' && typeof value === 'number') return Math.floor(value);
  if (typeof value !== 'object' || value === null) return value;

  for (const key of Object.keys(value)) {
    const child = childSchema(schema, key);
    if (child === undefined) continue;
    const resolved = resolve(child, common);
    const before = (value as Record<string, unknown>)[key];
    if (before === null && schema.properties) {
      delete (value as Record<string, unknown>)[key];
      continue;
    }
    const after = before === null && resolved.properties ? {} : convert(resolved, common, before);
    // Not by assignment: the key may be `__proto__`.
    if (after !== before) {
      Object.defineProperty(value, key, { value: after, writable: true, enumerable: true, configurable: true });
    }
  }
  return value;
}

const BOOLEANS: ReadonlyMap<string, boolean> = new Map([
  ['TRUE', true],
  ['YES', true],
  ['1', true],
  ['FALSE', false],
  ['NO', false],
  ['0', false],
]);

function errorOf(error: ErrorObject, root: Schema, common: Schema): ApiError {
  const keys = error.instancePath
    .split('/')
    .slice(1)
    .map((segment) => segment.replaceAll('~1', '/').replaceAll('~0', '~'));
  if (error.keyword === 'required') keys.push(error.params.missingProperty);

  let container: Schema | undefined;
  let schema = root;
  const path: string[] = [];
  for (const key of keys) {
    container = schema;
    schema = resolve(childSchema(schema, key)!, common);
    path.push(container.properties ? key : container.items ? `${Number(key) + 1}.member` : `${key}.member`);
  }
  // The rule may stand deeper than the value's schema: in `then`, or in `propertyNames`.
  const broken = error.keyword === 'required' ? schema : { ...schema, ...(error.parentSchema as Schema) };
  const values = broken.additionalProperties;
  return ERROR_OF_KEYWORD[error.keyword]!({
    path: path.join('.'),
    schema: values ? { ...broken, additionalProperties: resolve(values, common) } : broken,
    container,
    value: error.data,
    ofMapKey: error.propertyName !== undefined,
  });
}
