import { type Derivation, derivationKey, parseDerivation } from '../../api/derivation.ts';
import type { ByteString } from '../../api/primary-key.ts';
import type { Clock } from '../../env/clock.ts';
import type { StoreKey } from '../../env/store.ts';
import { SYSTEM_TABLE } from '../client.ts';
import { storeKeyOf } from '../keyspace.ts';
import type { RegisterReadOutcome } from '../registers/register-read.ts';
import type { Task } from '../task.ts';
import type { DerivationOutcome, DerivationSource } from './derivation-source.ts';

/** Tables whose derivation is remembered; the one that was learned longest ago is forgotten. Some KB each. */
const TABLES_KEPT = 1_000;

interface Known {
  /** Undefined: nothing was derived from the table when it was asked for. */
  readonly derivation: Derivation | undefined;
  /** When the strong read began that has found it, in the time of `Clock.elapsedMs`; undefined: a request brought it. */
  readonly sinceMs: number | undefined;
}

interface DerivationsParts {
  readonly clock: Clock;
  /** Q */
  readonly partitions: number;
  /** For how long the answer of a strong read is used. */
  readonly freshMs: number;
  /** For how long a message may be on its way. */
  readonly messageLifeMs: number;
  /** A strong read of a register of the system table. */
  readonly read: (key: StoreKey, deadlineMs: number) => Task<RegisterReadOutcome>;
}

/** What this node knows of the derivations of tables: the newest that it has met of each. */
export class Derivations implements DerivationSource {
  readonly #parts: DerivationsParts;
  /** By table, the one learned last at the end. */
  readonly #known = new Map<ByteString, Known>();
  /** When all rounds that this node began without a request have ended, and all that were left open, in `elapsedMs`. */
  #quietAtMs = 0;

  constructor(parts: DerivationsParts) {
    this.#parts = parts;
  }

  note(derivation: Derivation): Derivation {
    const known = this.#known.get(derivation.table)?.derivation;
    if (known !== undefined && known.version >= derivation.version) return known;
    this.#keep(derivation.table, { derivation, sinceMs: undefined });
    return derivation;
  }

  use(derivation: Derivation): number {
    this.note(derivation);
    return Math.max(0, this.#quietAtMs - this.#parts.clock.elapsedMs());
  }

  noteLoose(): void {
    this.#quietIn(this.#parts.messageLifeMs);
  }

  known(table: ByteString): Derivation | undefined {
    return this.#known.get(table)?.derivation;
  }

  *atLeast(table: ByteString, version: number, deadlineMs: number): Task<DerivationOutcome> {
    const known = this.#known.get(table)?.derivation;
    if (known !== undefined && known.version >= version) return { kind: 'derivation', derivation: known };
    return yield* this.#fetch(table, deadlineMs);
  }

  *present(table: ByteString, deadlineMs: number): Task<DerivationOutcome> {
    // What it answers is proposed by until then.
    this.#quietIn(deadlineMs - this.#parts.clock.elapsedMs());
    const known = this.#known.get(table);
    const { clock, freshMs } = this.#parts;
    const isFresh = known?.sinceMs !== undefined && clock.elapsedMs() - known.sinceMs < freshMs;
    if (isFresh) return { kind: 'derivation', derivation: known.derivation };
    return yield* this.#fetch(table, deadlineMs);
  }

  *#fetch(table: ByteString, deadlineMs: number): Task<DerivationOutcome> {
    const { clock, partitions, read } = this.#parts;
    // What holds the derivations is derived from by nobody.
    if (table === SYSTEM_TABLE) return { kind: 'derivation', derivation: undefined };
    const key = storeKeyOf({ table: SYSTEM_TABLE, partitionKey: derivationKey(table), sortKey: '' }, partitions);
    const sinceMs = clock.elapsedMs();
    const outcome = yield* read(key, deadlineMs);
    if (outcome.kind !== 'read') return outcome;
    const item = outcome.record?.item;
    const found = item === undefined ? undefined : parseDerivation(item);
    const known = this.#known.get(table)?.derivation;
    // A request may have brought a newer one meanwhile.
    const isNewer = known === undefined || (found !== undefined && found.version >= known.version);
    const derivation = isNewer ? found : known;
    this.#keep(table, { derivation, sinceMs });
    return { kind: 'derivation', derivation };
  }

  #quietIn(ms: number): void {
    this.#quietAtMs = Math.max(this.#quietAtMs, this.#parts.clock.elapsedMs() + ms);
  }

  #keep(table: ByteString, known: Known): void {
    this.#known.delete(table);
    this.#known.set(table, known);
    if (this.#known.size <= TABLES_KEPT) return;
    const [oldest] = this.#known.keys();
    this.#known.delete(oldest!);
  }
}
