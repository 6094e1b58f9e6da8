import { createRequire } from 'node:module';
import type { Ajv, ErrorObject, ValidateFunction } from 'ajv';
import { NESTED_TOO_DEEP } from '../api/attribute-value.ts';
import { ApiError } from '../api/errors.ts';
import type { OperationName } from '../api/operations.ts';
import { nestsDeeperThan } from '../api/refusal.ts';
import { isBase64 } from './base64.ts';
import { childSchema, closed, readSchema, resolve, type Schema, typesOnly } from './schema.ts';
import { serializationError } from './serialization-texts.ts';
import { constraintError, MOST_VIOLATIONS, nullError } from './service-texts.ts';
import { type Search, type Step, searchFor, type Violation } from './violations.ts';

/**
 * Deepest nesting of JSON in a request. The service allows 32 levels of attribute values (`api/` checks that rule), but
 * reports other errors first for up to 100 levels (recorded 2026-09-20 to 2026-10-09, eu-west-2 and us-east-1). Each
 * level is two levels of JSON; one more is around them, inside at most six of the request. This limit keeps every
 * recursion over a request, here and in the lower tiers, far from the end of the stack.
 */
const MAX_JSON_DEPTH = 6 + 2 * 100 + 1;

interface OperationSchema {
  readonly schema: Schema;
  readonly accepts: ValidateFunction;
}

const operations = new Map<OperationName, OperationSchema>();
const typeChecks = new Map<OperationName, ValidateFunction>();
const searches = new Map<OperationName, Search>();
let compiler: { readonly common: Schema; readonly full: Ajv } | undefined;
/** Compiles schemas that are needed only to word refusals. */
let typesCompiler: Ajv | undefined;

/**
 * Validates a parsed body against the schema of its operation (`api-schema/`), which is compiled at first use.
 *
 * Unknown members are removed, as the service ignores them: tier 2 must not take one for a parameter of another
 * operation. `null` members count as absent, and values that the service's parser converts are converted. So the
 * request may be changed in place. Serialization errors come before constraint errors, of which the service reports
 * several at once.
 *
 * @param bytes of the JSON text, if it is at hand: a short one cannot nest deeply
 * @returns `request`
 * @throws SerializationException for wrong JSON types, ValidationException for violated constraints
 */
export function validateRequest(operation: OperationName, request: unknown, bytes = Number.POSITIVE_INFINITY): object {
  const { schema, accepts } = operations.get(operation) ?? compile(operation);
  // Two brackets for each level.
  if (bytes > 2 * MAX_JSON_DEPTH && nestsDeeperThan(request, MAX_JSON_DEPTH)) {
    throw brokenConstraints(operation, request) ?? ApiError.validation(NESTED_TOO_DEEP);
  }
  if (accepts(request)) return request as object;

  const { common } = getCompiler();
  const root = convert(schema, common, request);
  const hasTypes = typeChecks.get(operation) ?? compileTypes(operation, schema);
  if (!hasTypes(root)) throw errorOf(hasTypes.errors![0]!, schema, common);
  if (!accepts(root)) throw brokenConstraints(operation, root) ?? new Error(`ajv alone refuses: ${operation}`);
  return root as object;
}

/**
 * The path of the first constraint that a request violates.
 * @returns members, map keys and list positions from 0, from the request down; undefined if it violates none
 */
export function placeOfViolation(operation: OperationName, request: unknown): readonly (string | number)[] | undefined {
  const [first] = violationsIn(operation, request, 1);
  return first?.path.map((step) => Object.values(step)[0] as string | number);
}

function brokenConstraints(operation: OperationName, request: unknown): ApiError | undefined {
  const violations = violationsIn(operation, request, MOST_VIOLATIONS);
  return violations.length === 0 ? undefined : constraintError(operation, request, violations, getCompiler().common);
}

function violationsIn(operation: OperationName, request: unknown, most: number): readonly Violation[] {
  const search = searches.get(operation) ?? compileSearch(operation);
  return search(request, most, MAX_JSON_DEPTH);
}

function compileSearch(operation: OperationName): Search {
  const { schema } = operations.get(operation) ?? compile(operation);
  const search = searchFor(schema, getCompiler().common);
  searches.set(operation, search);
  return search;
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

// Loaded at the first request, and synchronously: it costs 3 MB and 15 ms, which the start-up does without.
const loadAjv = () => createRequire(import.meta.url)('ajv') as typeof import('ajv');

function newAjv(common: object): Ajv {
  const { Ajv } = loadAjv();
  // `format` only says which Java type an integer has. `if` and `then` in `TableNameOrArn` stand beside its type.
  const ajv = new Ajv({
    verbose: true,
    removeAdditional: true,
    validateFormats: false,
    formats: { int32: true, int64: true },
    strictTypes: false,
  });
  ajv.addVocabulary(['echo']);
  ajv.removeKeyword('contentEncoding');
  ajv.addKeyword({ keyword: 'contentEncoding', type: 'string', validate: (_: string, text: string) => isBase64(text) });
  ajv.addSchema(common);
  return ajv;
}

/**
 * Converts values that ajv would refuse as the service's parser does: drops `null` members, reads `"true"` and the like
 * as booleans, and truncates fractions. A `null` in a list or map of structures becomes an empty structure.
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
    // An assignment would fail if the key is `__proto__`.
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

/** @param error about a JSON type */
function errorOf(error: ErrorObject, root: Schema, common: Schema): ApiError {
  const keys = error.instancePath
    .split('/')
    .slice(1)
    .map((segment) => segment.replaceAll('~1', '/').replaceAll('~0', '~'));
  let container: Schema | undefined;
  let schema = root;
  const path: Step[] = [];
  for (const key of keys) {
    container = schema;
    schema = resolve(childSchema(schema, key)!, common);
    path.push(container.properties ? { member: key } : container.items ? { position: Number(key) } : { key });
  }
  if (error.data === null && error.keyword === 'type') return nullError(path);
  const values = schema.additionalProperties;
  return serializationError({
    schema: values ? { ...schema, additionalProperties: resolve(values, common) } : schema,
    container,
    value: error.data,
    keyword: error.keyword,
  });
}
