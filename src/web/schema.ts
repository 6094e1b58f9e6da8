import { readFileSync } from 'node:fs';

/** The part of JSON Schema (draft-07) that `api-schema/` uses. */
export interface Schema {
  readonly $id?: string;
  readonly $ref?: string;
  /** For a structure: its name in the service's API model. */
  readonly title?: string;
  readonly type?: 'object' | 'array' | 'string' | 'boolean' | 'integer';
  readonly format?: 'int32' | 'int64';
  readonly contentEncoding?: 'base64';
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: Schema;
  readonly items?: Schema;
  readonly definitions?: Readonly<Record<string, Schema>>;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minProperties?: number;
  readonly maxProperties?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly pattern?: string;
  readonly enum?: readonly string[];
  readonly required?: readonly string[];
  readonly propertyNames?: Schema;
  readonly if?: Schema;
  readonly then?: Schema;
  readonly else?: Schema;
  /** Our own keyword: the members of a structure as the service's messages show them, some of which are not public. */
  readonly echo?: readonly string[];
}

/** Reads one file of `api-schema/`, which lies beside `src/` in a checkout and beside `dist/` in the package. */
export function readSchema(name: string): Schema {
  return JSON.parse(readFileSync(new URL(`../../api-schema/${name}.json`, import.meta.url), 'utf8'));
}

/** Resolves `$ref`. Definitions are only in `common.json`. */
export function resolve(schema: Schema, common: Schema): Schema {
  if (schema.$ref === undefined) return schema;
  return common.definitions![schema.$ref.slice(schema.$ref.lastIndexOf('/') + 1)]!;
}

/** The schema of the member `key` of a value with this schema; undefined if the service ignores that member. */
export function childSchema(schema: Schema, key: string): Schema | undefined {
  if (schema.properties) return Object.hasOwn(schema.properties, key) ? schema.properties[key] : undefined;
  return schema.items ?? schema.additionalProperties;
}

/** A copy that checks JSON types only. */
export function typesOnly(schema: Schema): Schema {
  const { $id, $ref, title, type, format, contentEncoding, properties, additionalProperties, items, definitions } =
    schema;
  return {
    ...($id && { $id }),
    ...($ref && { $ref }),
    ...(title && { title }),
    ...(type && { type }),
    ...(format && { format }),
    ...(contentEncoding && { contentEncoding }),
    ...(properties && { properties: mapValues(properties, typesOnly) }),
    ...(additionalProperties && { additionalProperties: typesOnly(additionalProperties) }),
    ...(items && { items: typesOnly(items) }),
    ...(definitions && { definitions: mapValues(definitions, typesOnly) }),
  };
}

/**
 * A copy whose structures allow no unknown members, so that ajv removes them. Attribute values stay open: there are
 * many of them, and `api/attribute-value.ts` drops unknown members when it walks over them anyway.
 */
export function closed(schema: Schema): object {
  const { title, properties, additionalProperties, items, definitions } = schema;
  if (title === 'AttributeValue') return schema;
  return {
    ...schema,
    ...(properties && { properties: mapValues(properties, closed), additionalProperties: false }),
    ...(additionalProperties && { additionalProperties: closed(additionalProperties) }),
    ...(items && { items: closed(items) }),
    ...(definitions && { definitions: mapValues(definitions, closed) }),
  };
}

function mapValues<T, U>(record: Readonly<Record<string, T>>, map: (value: T) => U): Record<string, U> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(value)]));
}
