import { binaryLength } from '../api/attribute-value.ts';
import { resolve, type Schema } from './schema.ts';

/**
 * A value as the service's messages show it: the output of Java's `toString` for its model classes, with every member
 * of a structure; absent members are `null`.
 * @param most longest text, in characters; a longer one is cut and ends in `...`, and the rest of the value is not
 *   visited
 */
export function javaForm(value: unknown, schema: Schema, common: Schema, most: number): string {
  const writer: Writer = { common, text: '', most };
  write(writer, value, schema);
  return cut(writer.text, most);
}

/** Shortens a text to `most` characters and adds `...`. Never splits a surrogate pair. */
export function cut(text: string, most: number): string {
  return text.length < most ? text : `${text.slice(0, most).replace(/[\uD800-\uDBFF]$/, '')}...`;
}

/** A member's name as in the service's classes and messages: `SSESpecification` becomes `sSESpecification`. */
export function javaName(member: string): string {
  return member[0]!.toLowerCase() + member.slice(1);
}

interface Writer {
  readonly common: Schema;
  readonly most: number;
  text: string;
}

function write(writer: Writer, value: unknown, of: Schema): void {
  if (writer.text.length >= writer.most) return;
  const schema = resolve(of, writer.common);
  if (value == null) {
    writer.text += 'null';
  } else if (typeof value !== 'object') {
    writer.text += scalar(value, schema, writer.most - writer.text.length);
  } else if (Array.isArray(value)) {
    writeAll(writer, '[]', value, (element) => write(writer, element, schema.items ?? {}));
  } else if (schema.properties) {
    const members = schema.echo ?? Object.keys(schema.properties);
    const { title, properties } = schema;
    writer.text += title;
    writeAll(writer, '()', members, (member) =>
      writePart(writer, javaName(member), value, [member, properties[member]]),
    );
  } else {
    const { additionalProperties } = schema;
    writeAll(writer, '{}', Object.keys(value), (key) => writePart(writer, key, value, [key, additionalProperties]));
  }
}

function writeAll<Part>(
  writer: Writer,
  [start, end]: string,
  parts: readonly Part[],
  writeOne: (part: Part) => void,
): void {
  writer.text += start;
  for (const [at, part] of parts.entries()) {
    if (writer.text.length >= writer.most) return;
    if (at > 0) writer.text += ', ';
    writeOne(part);
  }
  writer.text += end;
}

/** Writes one member of a structure, or one entry of a map. */
function writePart(writer: Writer, name: string, value: object, [key, schema]: [string, Schema | undefined]): void {
  writer.text += `${name.slice(0, writer.most)}=`;
  const content = Object.hasOwn(value, key) ? (value as Record<string, unknown>)[key] : null;
  write(writer, content, schema ?? {});
}

function scalar(value: unknown, { contentEncoding }: Schema, most: number): string {
  if (typeof value !== 'string') return String(value);
  if (!contentEncoding) return value.slice(0, most);
  const bytes = binaryLength(value);
  return `java.nio.HeapByteBuffer[pos=0 lim=${bytes} cap=${bytes}]`;
}
