import { ApiError } from '../api/errors.ts';
import { OPERATION_TRAITS } from '../api/operation-traits.ts';
import type { OperationName } from '../api/operations.ts';
import { isEnveloped, validationErrors } from '../api/refusal.ts';
import { cut, javaForm, javaName } from './java-form.ts';
import type { Schema } from './schema.ts';
import type { Rule, Step, Violation } from './violations.ts';

/** A constraint whose message does not quote the value as most of the service's messages do. */
interface Form {
  /** The path of the member; `*` stands for any map key and any list position. */
  readonly at: string;
  readonly rule: Rule;
  /** Only for this value; undefined: for any value. */
  readonly of?: unknown;
  /** The message. */
  readonly text: (violation: Violation) => string;
  /** If this error is reported, other errors of the same member, or all other errors, are not. */
  readonly hides?: 'the member' | 'all';
  /** It is not counted as a validation error: its text stands alone. */
  readonly isBare?: true;
}

const EMPTY_TABLE_NAME: Form = {
  at: 'TableName',
  rule: 'minLength',
  of: '',
  text: () => valueAt('TableName', atLeast('length', 1)),
  hides: 'all',
};
const RETURN_VALUES = unnamed('ReturnValues', ['ALL_OLD', 'UPDATED_OLD', 'ALL_NEW', 'UPDATE_NEW', 'NONE']);
const CONDITIONAL_OPERATOR = unnamed('ConditionalOperator', ['AND', 'OR']);

/**
 * The messages of constraint errors that differ from the usual form, by operation. All others have the service's usual
 * form, which quotes the value: `Value 'ab' at 'tableName' failed to satisfy constraint: ...`, with members in lower
 * camel case, several joined (recorded 2026-09-20 to 2026-10-09, eu-west-2 and us-east-1).
 */
const FORMS: Readonly<Partial<Record<OperationName, readonly Form[]>>> = {
  BatchGetItem: [
    asOnTheWire('RequestItems', 'minProperties'),
    asOnTheWire('RequestItems.*.Keys', 'minItems'),
    asOnTheWire('RequestItems.*.Keys', 'maxItems'),
  ],
  BatchWriteItem: [alone('RequestItems', 'minProperties', 'The requestItems parameter is required for BatchWriteItem')],
  CreateTable: [
    alone('TableName', 'required', "The parameter 'TableName' is required but was not present in the request"),
  ],
  DeleteItem: [EMPTY_TABLE_NAME, RETURN_VALUES, CONDITIONAL_OPERATOR],
  PutItem: [EMPTY_TABLE_NAME, RETURN_VALUES, CONDITIONAL_OPERATOR],
  UpdateItem: [{ ...EMPTY_TABLE_NAME, hides: 'the member' }, { ...RETURN_VALUES, hides: 'all' }, CONDITIONAL_OPERATOR],
};

/** The service reports no more violations than this, according to emulators that were compared with it. */
export const MOST_VIOLATIONS = 10;

/** Longest quoted value, in characters; the service quotes the whole value. */
const LONGEST_ECHO = 64 * 1024;
/** Longest total of quoted values in one answer, in characters. */
const LONGEST_ECHOES = 2 * LONGEST_ECHO;
/** Longest path of a member, in characters: it may contain map keys. */
const LONGEST_PATH = 4096;

/**
 * The error of a request that violates constraints.
 * @param violations at least one
 */
export function constraintError(
  operation: OperationName,
  request: unknown,
  violations: readonly Violation[],
  common: Schema,
): ApiError {
  // Requests of these operations without the envelope have only the usual form.
  const isOlder = OPERATION_TRAITS[operation].hasEnvelope === true && !isEnveloped(operation, request);
  const forms = isOlder ? [] : (FORMS[operation] ?? []);
  const found = violations.map((violation) => ({ violation, form: forms.find((form) => isOf(form, violation)) }));

  const over = found.find(({ form }) => form?.hides === 'all');
  if (over?.form?.isBare) return ApiError.validation(over.form.text(over.violation));
  const hidden = found.filter(({ form }) => form?.hides === 'the member').map(({ violation }) => patternOf(violation));
  const shown = over
    ? [over]
    : found.filter(({ form, violation }) => form !== undefined || !hidden.includes(patternOf(violation)));
  let room = LONGEST_ECHOES;
  const texts = shown.map(({ violation, form }) => {
    if (form !== undefined) return form.text(violation);
    const value = violation.value === undefined ? 'null' : echo(violation, common, Math.min(room, LONGEST_ECHO));
    room = Math.max(0, room - value.length);
    return `Value ${value} at '${pathText(violation.path, javaName)}' failed to satisfy constraint: ${ruleText(violation)}`;
  });
  return validationErrors(texts);
}

/** The error for a `null` in a list or map of scalars. */
export function nullError(path: readonly Step[]): ApiError {
  return validationErrors([
    `Value null at '${pathText(path, javaName)}' failed to satisfy constraint: Member must not be null`,
  ]);
}

function asOnTheWire(at: string, rule: Rule): Form {
  return {
    at,
    rule,
    text: (violation) =>
      valueAt(
        pathText(violation.path, (member) => member),
        ruleText(violation),
      ),
  };
}

function alone(at: string, rule: Rule, text: string): Form {
  return { at, rule, text: () => text, hides: 'all', isBare: true };
}

function unnamed(at: string, values: readonly string[]): Form {
  return { at, rule: 'enum', text: () => `Failed to satisfy constraint: ${oneOf(values)}` };
}

function isOf({ at, rule, of }: Form, violation: Violation): boolean {
  return violation.rule === rule && patternOf(violation) === at && (of === undefined || violation.value === of);
}

function patternOf({ path }: Violation): string {
  return path.map((step) => ('member' in step ? step.member : '*')).join('.');
}

/** A path in the service's spelling: `keySchema.1.member.keyType`. */
function pathText(path: readonly Step[], spell: (member: string) => string): string {
  const parts = path.map((step) => {
    if ('member' in step) return spell(step.member);
    return `${'key' in step ? cut(step.key, LONGEST_PATH) : step.position + 1}.member`;
  });
  return cut(parts.join('.'), LONGEST_PATH);
}

function echo({ value, valueSchema }: Violation, common: Schema, most: number): string {
  return `'${javaForm(value, valueSchema, common, most)}'`;
}

function valueAt(where: string, text: string): string {
  return `Value at '${where}' failed to satisfy constraint: ${text}`;
}

function ruleText({ rule, of, schema }: Violation): string {
  switch (of) {
    case 'value':
      return TEXTS[rule](schema);
    case 'elements':
      return `Member must satisfy constraint: [${allTexts(schema)}]`;
    case 'keys':
      return `Map keys must satisfy constraint: [${allTexts(schema)}]`;
    case 'values':
      return `Map value must satisfy constraint: [${allTexts(schema)}]`;
  }
}

const TEXTS: Readonly<Record<Rule, (schema: Schema) => string>> = {
  required: () => 'Member must not be null',
  minLength: ({ minLength }) => atLeast('length', minLength),
  maxLength: ({ maxLength }) => atMost('length', maxLength),
  minItems: ({ minItems }) => atLeast('length', minItems),
  maxItems: ({ maxItems }) => atMost('length', maxItems),
  minProperties: ({ minProperties }) => atLeast('length', minProperties),
  maxProperties: ({ maxProperties }) => atMost('length', maxProperties),
  minimum: ({ minimum }) => atLeast('value', minimum),
  maximum: ({ maximum }) => atMost('value', maximum),
  // The service's patterns always match the whole value, so its messages show them without anchors.
  pattern: ({ pattern }) => `Member must satisfy regular expression pattern: ${pattern?.replace(/^\^|\$$/g, '')}`,
  enum: (schema) => oneOf(schema.enum ?? []),
};

/** Rules on elements, keys or values are all listed in the message, in this order. */
const LISTED = ['maxItems', 'minItems', 'maxLength', 'minLength', 'pattern', 'enum'] as const;

function allTexts(schema: Schema): string {
  return LISTED.filter((rule) => schema[rule] !== undefined)
    .map((rule) => TEXTS[rule](schema))
    .join(', ');
}

function atLeast(what: 'length' | 'value', limit: number | undefined): string {
  return `Member must have ${what} greater than or equal to ${limit}`;
}

function atMost(what: 'length' | 'value', limit: number | undefined): string {
  return `Member must have ${what} less than or equal to ${limit}`;
}

function oneOf(values: readonly string[]): string {
  return `Member must satisfy enum value set: [${values.join(', ')}]`;
}
