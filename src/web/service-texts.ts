import { ApiError } from '../api/errors.ts';
import type { Schema } from './schema.ts';

/** Where and how a request breaks its schema: all that the service's texts mention. */
export interface Violation {
  /** As the service spells it: `KeySchema.1.member.AttributeName`. */
  readonly path: string;
  /** The schema that is broken, and of its container. */
  readonly schema: Schema;
  readonly container: Schema | undefined;
  readonly value: unknown;
  /** The broken rule is one on the keys of a map. */
  readonly ofMapKey: boolean;
}

/**
 * From ajv's keywords to the errors of the service: the one table.
 *
 * `type` and `contentEncoding` are failures of the service's JSON parser, recorded in the emulator dynalite and in bug
 * reports (localstack#9412, aws-sdk-js-v3#7102). All others are constraint failures in the wording of June 2026 and
 * later: one failure only, without the value, and with members spelled as on the wire (dynoxide#83 and #198, and
 * `docs/compatibility.md`).
 */
export const ERROR_OF_KEYWORD: Readonly<Record<string, (violation: Violation) => ApiError>> = {
  type: (violation) =>
    violation.value === null
      ? failure(violation.path, 'Member must not be null')
      : ApiError.serialization(wrongType(violation)),
  contentEncoding: ({ value }) => ApiError.serialization(notBase64(String(value))),
  required: constraint(() => 'Member must not be null'),
  minLength: constraint(({ minLength }) => atLeast('length', minLength)),
  maxLength: constraint(({ maxLength }) => atMost('length', maxLength)),
  minItems: constraint(({ minItems }) => atLeast('length', minItems)),
  maxItems: constraint(({ maxItems }) => atMost('length', maxItems)),
  minProperties: constraint(({ minProperties }) => atLeast('length', minProperties)),
  maxProperties: constraint(({ maxProperties }) => atMost('length', maxProperties)),
  minimum: constraint(({ minimum }) => atLeast('value', minimum)),
  maximum: constraint(({ maximum }) => atMost('value', maximum)),
  pattern: constraint(patternText),
  enum: constraint(enumText),
};

function constraint(text: (schema: Schema) => string): (violation: Violation) => ApiError {
  return ({ path, schema, container, ofMapKey }) => {
    const scalar = schema.type !== 'object' && schema.type !== 'array';
    if (ofMapKey) return failure(path, `Map keys must satisfy constraint: [${allTexts(schema)}]`);
    // Rules on the scalars in a list or a map are reported of the list or map as a whole, all of them at once; and those on
    // the lists in a map (recorded of BatchWriteItem with 26 requests, boto3#483, valec#46).
    const whole = path.slice(0, path.lastIndexOf('.', path.lastIndexOf('.') - 1));
    if (scalar && container?.items) return failure(whole, `Member must satisfy constraint: [${allTexts(schema)}]`);
    if (schema.type !== 'object' && container?.additionalProperties) {
      return failure(whole, `Map value must satisfy constraint: [${allTexts(schema)}]`);
    }
    return failure(path, text(schema));
  };
}

function failure(path: string, text: string): ApiError {
  return ApiError.validation(`1 validation error detected: Value at '${path}' failed to satisfy constraint: ${text}`);
}

function allTexts(schema: Schema): string {
  const texts = [];
  if (schema.maxItems !== undefined) texts.push(atMost('length', schema.maxItems));
  if (schema.minItems !== undefined) texts.push(atLeast('length', schema.minItems));
  if (schema.maxLength !== undefined) texts.push(atMost('length', schema.maxLength));
  if (schema.minLength !== undefined) texts.push(atLeast('length', schema.minLength));
  if (schema.pattern !== undefined) texts.push(patternText(schema));
  if (schema.enum !== undefined) texts.push(enumText(schema));
  return texts.join(', ');
}

function atLeast(what: 'length' | 'value', limit: number | undefined): string {
  return `Member must have ${what} greater than or equal to ${limit}`;
}

function atMost(what: 'length' | 'value', limit: number | undefined): string {
  return `Member must have ${what} less than or equal to ${limit}`;
}

/** The service's patterns always match a whole value, so its texts have no anchors. */
function patternText({ pattern }: Schema): string {
  return `Member must satisfy regular expression pattern: ${pattern?.replace(/^\^|\$$/g, '')}`;
}

function enumText(schema: Schema): string {
  return `Member must satisfy enum value set: [${schema.enum?.join(', ')}]`;
}

const SERVICE_CLASS = 'com.amazonaws.dynamodb.v20120810.';

function wrongType({ schema, container, value }: Violation): string {
  if (isMapOrStructure(value)) return 'Start of structure or map found where not expected';
  if (Array.isArray(value)) return `Unrecognized collection type ${javaType(schema)}`;
  if (schema.type === 'object' || schema.type === 'array') {
    const isElement = container === undefined || container.items || container.additionalProperties;
    return isElement && schema.properties ? 'Unexpected value type in payload' : 'Unexpected field type';
  }
  if (schema.contentEncoding) return 'only base-64-encoded strings are convertible to bytes';
  if (schema.type === 'boolean' && typeof value === 'string') return 'Unexpected token received from parser';
  return `${tokenName(value)} cannot be converted to ${javaName(schema)}`;
}

function isMapOrStructure(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function javaType(schema: Schema): string {
  if (schema.contentEncoding) return 'class java.nio.ByteBuffer';
  if (schema.properties) return `class ${SERVICE_CLASS}${schema.title}`;
  if (schema.additionalProperties) {
    const { title } = schema.additionalProperties;
    return `java.util.Map<java.lang.String, ${title ? SERVICE_CLASS + title : 'java.lang.String'}>`;
  }
  return `class java.lang.${javaName(schema)}`;
}

function javaName({ type, format }: Schema): string {
  if (type === 'boolean') return 'Boolean';
  if (type === 'integer') return format === 'int32' ? 'Integer' : 'Long';
  return 'String';
}

function tokenName(value: unknown): string {
  if (typeof value === 'number') return Number.isInteger(value) ? 'NUMBER_VALUE' : 'DECIMAL_VALUE';
  if (typeof value === 'boolean') return value ? 'TRUE_VALUE' : 'FALSE_VALUE';
  return 'STRING_VALUE';
}

function notBase64(text: string): string {
  if (text.length % 4 !== 0) {
    return `Base64 encoded length is expected a multiple of 4 bytes but found: ${text.length}`;
  }
  const stranger = /[^A-Za-z0-9+/=]/u.exec(text);
  if (stranger) return `Invalid Base64 character: '${stranger[0]}'`;
  // Spelled as the service does.
  return 'Invalid last non-pad Base64 character dectected';
}
