import type { Codec } from '../../src/env/codec.ts';
import type { Channel, Greeting, Refusal } from '../../src/env/peer-channel.ts';

/** A message of the tests. `lane` is told from the kind of request. */
export interface Note {
  readonly text: string;
  readonly isBulk?: boolean;
}

export interface TestHello {
  readonly name: string;
  readonly instance: number;
}

class Unreadable extends Error {}

/** Texts that begin with `?` are of a newer release, and with `!` they are no messages. */
export const NOTES: Codec<Note> = {
  encode: (note) => Buffer.from(JSON.stringify(note)),
  decode(bytes) {
    const note = JSON.parse(Buffer.from(bytes).toString()) as Note;
    if (note.text.startsWith('?')) throw new Unreadable(note.text);
    if (note.text.startsWith('!')) throw new Error(note.text);
    return note;
  },
};

export const TEST_CHANNEL: Channel<Note, Note> = {
  number: 3,
  requests: NOTES,
  answersTo: () => NOTES,
  lane: ({ isBulk }) => (isBulk === true ? 'bulk' : 'hot'),
  isUnsupported: (error) => error instanceof Unreadable,
};

/** The greeting of a peer of this name. */
export function testGreeting(
  name: string,
  admit: (hello: TestHello) => Refusal | undefined = () => undefined,
): Greeting<TestHello> {
  const instance = ++lastInstance;
  return {
    codec: {
      encode: (hello) => Buffer.from(JSON.stringify(hello)),
      decode: (bytes) => JSON.parse(Buffer.from(bytes).toString()) as TestHello,
    },
    mine: () => ({ name, instance }),
    peerOf: (hello) => hello.name,
    nameOf: (hello) => hello.name,
    admit,
  };
}

let lastInstance = 0;
