import type { ByteString } from '../api/primary-key.ts';
import { type Ballot, highestAt, isFloor } from '../dynamo/ballot.ts';
import type { RangeRequest } from '../dynamo/client.ts';
import type { Member, PartitionConfig } from '../dynamo/messages.ts';
import { decodeRecord, type ItemRecord, isWholeRecord } from '../dynamo/record.ts';
import { type ByteReader, malformed } from './byte-reader.ts';
import type { ByteWriter } from './byte-writer.ts';

/** How one value is written and read. */
export interface Field<T> {
  write(output: ByteWriter, value: T): void;
  read(input: ByteReader): T;
  /** The fewest bytes that a value takes, by which a count of them is judged before any is read. */
  readonly leastBytes: number;
}

/** A field for each property: a property without one is an error of types. */
export type FieldsOf<T> = { readonly [Name in keyof T]-?: Field<T[Name]> };

export const uint: Field<number> = {
  leastBytes: 1,
  write: (output, value) => output.uint(value),
  read: (input) => input.uint(),
};

/** Any number. */
export const double: Field<number> = {
  leastBytes: 8,
  write: (output, value) => output.double(value),
  read: (input) => input.double(),
};

export const bool: Field<boolean> = {
  leastBytes: 1,
  write: (output, value) => output.byte(value ? 1 : 0),
  read: (input) => choice(input, [false, true]),
};

/** Of a property that may be left out. */
export const maybeBool: Field<boolean | undefined> = {
  leastBytes: 1,
  write: (output, value) => output.byte(value === undefined ? 0 : value ? 2 : 1),
  read: (input) => choice(input, [undefined, false, true]),
};

export const text: Field<string> = {
  leastBytes: 1,
  write: (output, value) => output.text(value),
  read: (input) => input.text(),
};

export const byteString: Field<ByteString> = {
  leastBytes: 1,
  write: (output, value) => output.byteString(value),
  read: (input) => input.byteString(),
};

export const bytes: Field<Uint8Array> = {
  leastBytes: 1,
  write: (output, value) => output.bytes(value),
  read: (input) => input.bytes(),
};

export const ballot: Field<Ballot> = {
  leastBytes: 18,
  write: (output, value) => output.ballot(value),
  read: (input) => input.ballot(),
};

/** What a replica refuses for: the ballot of somebody, or a floor, which is above every disk and has more bits than one. */
export const effective: Field<Ballot> = {
  leastBytes: 9,
  write(output, value) {
    output.byte(isFloor(value) ? 1 : 0);
    if (isFloor(value)) output.double(value.hlc);
    else output.ballot(value);
  },
  read: (input) => (bool.read(input) ? highestAt(input.time()) : input.ballot()),
};

/** As it is stored. */
export const record: Field<ItemRecord> = {
  leastBytes: 25,
  write: (output, value) => output.bytes(value.stored),
  read(input) {
    const stored = input.bytes();
    if (!isWholeRecord(stored)) throw malformed('a record');
    return decodeRecord(stored);
  },
};

export const diskId: Field<number> = {
  leastBytes: 6,
  write: (output, value) => output.uint48(value),
  read: (input) => input.uint48(),
};

const member: Field<Member> = object({ node: text, diskId });

export const config: Field<PartitionConfig> = object({
  partition: uint,
  epoch: uint,
  members: list(member),
  attempt: uint,
});

/** One of a few texts. @param numbers the byte that stands for each, from 0 on, and never for another */
export function oneOf<Text extends string>(numbers: Readonly<Record<Text, number>>): Field<Text> {
  const choices: Text[] = [];
  for (const [value, number] of Object.entries<number>(numbers)) choices[number] = value as Text;
  return {
    leastBytes: 1,
    write: (output, value) => output.byte(numbers[value]),
    read: (input) => choice(input, choices),
  };
}

/** Of a range read. */
export const keyOrder: Field<RangeRequest['order']> = oneOf({ forward: 0, backward: 1 });

/** Whether it is there, and then the value. */
export function optional<T>(field: Field<T>): Field<T | undefined> {
  return {
    leastBytes: 1,
    write(output, value) {
      output.byte(value === undefined ? 0 : 1);
      if (value !== undefined) field.write(output, value);
    },
    read: (input) => (bool.read(input) ? field.read(input) : undefined),
  };
}

/** The client's request that a message is sent for, in a trace; else one byte. */
export const requestId = optional(text);

/** Their number, and then each. */
export function list<T>(field: Field<T>): Field<T[]> {
  return {
    leastBytes: 1,
    write(output, values) {
      output.uint(values.length);
      for (const value of values) field.write(output, value);
    },
    read(input) {
      const values: T[] = [];
      for (let left = input.count(field.leastBytes); left > 0; left--) values.push(field.read(input));
      return values;
    },
  };
}

/** Each property in the order in which `fields` has them. */
export function object<T extends object>(fields: FieldsOf<T>): Field<T> {
  const entries = Object.entries(fields) as [string, Field<unknown>][];
  return {
    leastBytes: entries.reduce((sum, [, field]) => sum + field.leastBytes, 0),
    write(output, value) {
      for (const [name, field] of entries) field.write(output, (value as Record<string, unknown>)[name]);
    },
    read(input) {
      const value: Record<string, unknown> = {};
      for (const [name, field] of entries) value[name] = field.read(input);
      return value as T;
    },
  };
}

/** The value that one byte chooses. */
export function choice<T>(input: ByteReader, choices: readonly T[]): T {
  const index = input.byte();
  if (index >= choices.length) throw malformed('a choice');
  return choices[index]!;
}
