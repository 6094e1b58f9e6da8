import type { ByteString } from '../api/primary-key.ts';
import { type Ballot, highestAt, isFloor } from '../dynamo/ballot.ts';
import type { RangeRequest } from '../dynamo/client.ts';
import type { ConfigValue, Member, PartitionConfig } from '../dynamo/messages.ts';
import { decodeRecord, type ItemRecord, isWholeRecord } from '../dynamo/record.ts';
import { type ByteReader, malformed } from './byte-reader.ts';
import type { ByteWriter } from './byte-writer.ts';
import { MAX_UINT32 } from './wire-limits.ts';

/** How one value of a message is written and read. */
export interface Field<T> {
  write(output: ByteWriter, value: T): void;
  read(input: ByteReader): T;
  /** The fewest bytes that a value takes. A list checks its count against it before it reads anything. */
  readonly leastBytes: number;
}

/** A field for each property. TypeScript reports a property that has none. */
export type FieldsOf<T> = { readonly [Name in keyof T]-?: Field<T[Name]> };

export const uint: Field<number> = {
  leastBytes: 1,
  write: (output, value) => output.uint(value),
  read: (input) => input.uint(),
};

/** A whole number that a stored record has 32 bits for. */
export const uint32: Field<number> = {
  leastBytes: 1,
  write: (output, value) => output.uint(value),
  read: (input) => input.uint(MAX_UINT32),
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

/** A boolean property that may be absent. */
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

/**
 * The ballot above which a replica would have agreed: that of a coordinator, or a floor. The coordinator of a floor is above
 * every disk id and does not fit into 48 bits, so a floor is written as its time alone.
 */
export const effective: Field<Ballot> = {
  leastBytes: 9,
  write(output, value) {
    output.byte(isFloor(value) ? 1 : 0);
    if (isFloor(value)) output.double(value.hlc);
    else output.ballot(value);
  },
  read: (input) => (bool.read(input) ? highestAt(input.time()) : input.ballot()),
};

/** The stored form of a record, as it is. */
export const record: Field<ItemRecord> = {
  leastBytes: 25,
  write: (output, value) => output.bytes(value.stored),
  read(input) {
    const stored = input.bytes();
    if (!isWholeRecord(stored)) throw malformed('a record');
    return decodeRecord(stored);
  },
};

/** A whole number that a stored record has 48 bits for, such as the id of a disk. */
export const uint48: Field<number> = {
  leastBytes: 6,
  write: (output, value) => output.uint48(value),
  read: (input) => input.uint48(),
};

const member: Field<Member> = object({ node: text, diskId: uint48 });

export const config: Field<PartitionConfig> = object({
  partition: uint,
  epoch: uint,
  members: list(member),
  attempt: uint,
});

export const configValue: Field<ConfigValue> = object({ begun: uint, decided: optional(config) });

/** One of a few texts. @param numbers the byte for each text, from 0 upwards without gaps; never reuse one */
export function oneOf<Text extends string>(numbers: Readonly<Record<Text, number>>): Field<Text> {
  const choices: Text[] = [];
  for (const [value, number] of Object.entries<number>(numbers)) choices[number] = value as Text;
  return {
    leastBytes: 1,
    write: (output, value) => output.byte(numbers[value]),
    read: (input) => choice(input, choices),
  };
}

/** The direction of a range read. */
export const keyOrder: Field<RangeRequest['order']> = oneOf({ forward: 0, backward: 1 });

/** A flag, then the value if there is one. */
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

/** The id of the client's request that a message is sent for. Without a trace there is none, which takes one byte. */
export const requestId = optional(text);

/** The number of values, then each of them. */
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

/** As `list`, with one value or more: none at all is malformed. */
export function listOfSome<T>(field: Field<T>): Field<readonly T[]> {
  const values = list(field);
  return {
    leastBytes: 1 + field.leastBytes,
    write: (output, some) => values.write(output, some as T[]),
    read(input) {
      const some = values.read(input);
      if (some.length === 0) throw malformed('an empty list');
      return some;
    },
  };
}

/** The properties, in the order of `fields`. To reorder `fields` is to change the format. */
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

/** Reads one byte and returns the choice of that index. */
export function choice<T>(input: ByteReader, choices: readonly T[]): T {
  const index = input.byte();
  if (index >= choices.length) throw malformed('a choice');
  return choices[index]!;
}
