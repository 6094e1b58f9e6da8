import type { ItemImage } from '../api/item.ts';
import type { Mutation } from '../api/mutation.ts';
import type { DynamoClient, Failure, ItemKey, WriteOptions } from './client.ts';

const STRICT: WriteOptions = { consistency: 'strict', wantsOld: false };

/** An edit that loses so many races in a row gives up; it has changed nothing then. */
const EDIT_ATTEMPTS = 8;

export interface VersionedItemParts<Found, Next> {
  readonly client: Pick<DynamoClient, 'read' | 'write'>;
  readonly key: ItemKey;
  /** Reads what is stored. May throw. */
  readonly decode: (image: ItemImage) => Found;
  /** A write of `next`, on the condition that what was found is there still. @param found undefined: nothing */
  readonly mutationTo: (found: Found | undefined, next: Next) => Mutation;
  /** Whether what is found is what was to be written: by nobody else. */
  readonly isIt: (found: Found, next: Next) => boolean;
  /** What is thrown. @param reason one line */
  readonly error: (reason: string) => Error;
  /** One line each, for people. */
  readonly words: {
    /** A reason follows. */
    readonly unreadable: string;
    readonly unwritable: string;
    readonly contended: string;
    readonly unknown: string;
  };
}

interface Edited<Found, Next> {
  readonly found: Found | undefined;
  readonly written: Next | undefined;
}

/**
 * What all processes of a cluster go by, as one strict item of the system table. Each edit is one conditional write on what
 * it was made from, so edits at several processes at a time all count, one after the other.
 */
export class VersionedItem<Found, Next> {
  readonly #parts: VersionedItemParts<Found, Next>;

  constructor(parts: VersionedItemParts<Found, Next>) {
    this.#parts = parts;
  }

  /** @returns undefined if nothing was ever written. @throws `error` if the cluster cannot tell */
  async read(): Promise<Found | undefined> {
    const { client, key, decode, error, words } = this.#parts;
    const outcome = await client.read({ key, from: 'latest', consistency: 'strict' });
    if (outcome.kind === 'none') return undefined;
    if (outcome.kind !== 'found') throw error(`${words.unreadable}: ${reasonOf(outcome)}`);
    return decode(outcome.item);
  }

  /**
   * Replaces what is there by what `change` makes of it.
   *
   * @param change pure; called again if another edit came first; may object by throwing; undefined: there is nothing to do
   * @returns what was written, if anything was, and what was there before
   * @throws `error` if the cluster cannot do it, or it is not known whether it has; whatever `change` throws
   */
  async edit(change: (found: Found | undefined) => Next | undefined): Promise<Edited<Found, Next>> {
    for (let attempt = 0; attempt < EDIT_ATTEMPTS; attempt++) {
      const found = await this.read();
      const written = change(found);
      if (written === undefined || (await this.#replace(found, written))) return { found, written };
    }
    throw this.#parts.error(this.#parts.words.contended);
  }

  /** @returns false if another edit came first */
  async #replace(found: Found | undefined, next: Next): Promise<boolean> {
    const { client, key, mutationTo, error, words } = this.#parts;
    const outcome = await client.write(key, mutationTo(found, next), STRICT);
    switch (outcome.kind) {
      case 'applied':
        return true;
      case 'condition-failed':
        return false;
      case 'unknown':
        return this.#hasBecome(next);
      case 'refused':
      case 'collection-full':
      case 'conflict':
        throw error(words.unwritable);
      default:
        throw error(`nothing was changed: ${reasonOf(outcome)}`);
    }
  }

  /** After a write whose outcome is not known: what is there now decides it, unless others have gone on meanwhile. */
  async #hasBecome(next: Next): Promise<boolean> {
    const { isIt, error, words } = this.#parts;
    const found = await this.read().catch(() => undefined);
    if (found !== undefined && isIt(found, next)) return true;
    throw error(words.unknown);
  }
}

function reasonOf(failure: Failure): string {
  switch (failure.kind) {
    case 'unavailable':
      return `${failure.got} of the ${failure.needed} replicas that it takes have answered`;
    case 'overloaded':
      return 'the node that was asked is overloaded';
    case 'storage-failed':
      return failure.message;
    default:
      return 'it is not known whether it has happened';
  }
}
