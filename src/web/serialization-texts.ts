import { ApiError } from '../api/errors.ts';
import type { Schema } from './schema.ts';

/** A value that the service's JSON parser cannot convert to the Java type that the schema asks for. */
export interface WrongValue {
  readonly schema: Schema;
  /** The schema of the container; undefined for the request itself. */
  readonly container: Schema | undefined;
  readonly value: unknown;
  /** The keyword of the schema that the value violates. */
  readonly keyword: string;
}

/**
 * The errors of the service's JSON parser, recorded in the emulator dynalite and in bug reports (localstack#9412,
 * aws-sdk-js-v3#7102).
 */
export function serializationError(wrong: WrongValue): ApiError {
  return ApiError.serialization(
    wrong.keyword === 'contentEncoding' ? notBase64(String(wrong.value)) : wrongType(wrong),
  );
}

const SERVICE_CLASS = 'com.amazonaws.dynamodb.v20120810.';

function wrongType({ schema, container, value }: WrongValue): string {
  if (isMapOrStructure(value)) return 'Start of structure or map found where not expected';
  if (Array.isArray(value)) return `Unrecognized collection type ${javaType(schema)}`;
  if (schema.type === 'object' || schema.type === 'array') {
    const isElement = container === undefined || container.items || container.additionalProperties;
    return isElement && schema.properties ? 'Unexpected value type in payload' : 'Unexpected field type';
  }
  if (schema.contentEncoding) return 'only base-64-encoded strings are convertible to bytes';
  if (schema.type === 'boolean' && typeof value === 'string') return 'Unexpected token received from parser';
  return `${tokenName(value)} cannot be converted to ${javaTypeName(schema)}`;
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
  return `class java.lang.${javaTypeName(schema)}`;
}

function javaTypeName({ type, format }: Schema): string {
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
  // The misspelling is the service's.
  return 'Invalid last non-pad Base64 character dectected';
}
