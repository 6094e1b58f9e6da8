import type { ByteReader } from './byte-reader.ts';
import type { ByteWriter } from './byte-writer.ts';
import { type Field, type FieldsOf, object } from './field.ts';
import { WireError } from './wire-error.ts';

/** A member of a discriminated union. */
export interface Kinded {
  readonly kind: string;
}

/** The members of a union that can be of kind `K`. */
type OfKind<M extends Kinded, K extends M['kind']> = M extends Kinded ? (K extends M['kind'] ? M : never) : never;

/** `M` with every property required, also those that may be absent, so that a reader cannot forget one. */
export type Complete<M> = { [Name in keyof Required<M>]: Name extends keyof M ? M[Name] : never };

/** How the members of one kind are written and read. */
export interface KindCodec<M extends Kinded> {
  /** The byte for this kind, 0 to 255. Never reuse one. */
  readonly number: number;
  write(output: ByteWriter, value: M): void;
  /** @returns every property, also those that may be absent */
  read(input: ByteReader, kind: M['kind']): Complete<M>;
}

/** A codec for each kind. TypeScript reports a kind that has none. */
export type KindCodecs<M extends Kinded> = { readonly [K in M['kind']]: KindCodec<OfKind<M, K>> };

/** The codec of a kind that is not sent often: its fields, one after the other. */
export function fieldsOf<M extends Kinded>(number: number, fields: FieldsOf<Omit<M, 'kind'>>): KindCodec<M> {
  const all = object<Omit<M, 'kind'>>(fields);
  return {
    number,
    write: (output, value) => all.write(output, value),
    read: (input, kind) => ({ kind, ...all.read(input) }) as unknown as Complete<M>,
  };
}

/** A value of any kind: the byte for its kind, then what that kind writes. */
export function union<M extends Kinded>(kinds: KindCodecs<M>): Field<M> {
  const byKind = kinds as unknown as Record<string, KindCodec<Kinded>>;
  const byNumber: ({ readonly kind: string; readonly codec: KindCodec<Kinded> } | undefined)[] =
    Array(256).fill(undefined);
  for (const [kind, codec] of Object.entries(byKind)) {
    if (byNumber[codec.number] !== undefined) throw new RangeError(`two kinds have the number ${codec.number}`);
    byNumber[codec.number] = { kind, codec };
  }
  return {
    leastBytes: 1,
    write(output, value) {
      const codec = byKind[value.kind]!;
      output.byte(codec.number);
      codec.write(output, value);
    },
    read(input) {
      const number = input.byte();
      const entry = byNumber[number];
      if (entry === undefined) throw new WireError('unknown-kind', String(number));
      return entry.codec.read(input, entry.kind) as Kinded as M;
    },
  };
}

/** A field whose type contains itself. Each level counts against MAX_DEPTH. */
export function nested<T>(field: () => Field<T>): Field<T> {
  return {
    leastBytes: 1,
    write: (output, value) => output.nest(() => field().write(output, value)),
    read: (input) => input.nest(() => field().read(input)),
  };
}
