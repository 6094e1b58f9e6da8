import type { Clock, Timer } from '../../env/clock.ts';
import type { StoreKey } from '../../env/store.ts';
import type { Member } from '../messages.ts';
import type { NodeLimits } from '../node-settings.ts';
import type { ItemRecord } from '../record.ts';
import type { NodeId } from '../ring.ts';
import type { Operation } from './operation.ts';

/** A committed record that perhaps not all home replicas have taken. */
export interface LateCopies {
  readonly operation: Operation;
  readonly record: ItemRecord;
  /** The home replicas that have it; late answers are added. */
  readonly holders: Set<NodeId>;
  /** The home replicas from which a rule of lag holds it back: they get no hint. */
  readonly lagging: Set<NodeId>;
  /** When it was first sent, in the time of `Clock.elapsedMs`. */
  readonly sinceMs: number;
}

export interface PendingHintsParts {
  readonly self: NodeId;
  readonly clock: Clock;
  readonly limits: NodeLimits;
  readonly membersOf: (key: StoreKey) => readonly Member[];
  /** Keeps a committed record for a home replica that did not take it. */
  readonly keepHint: (home: NodeId, operation: Operation, record: ItemRecord) => void;
}

/**
 * The records of answered writes that some home replica may still lack. The replica has until the time-out of a phase
 * to acknowledge the record; then a hint is kept for it.
 */
export class PendingHints {
  readonly #parts: PendingHintsParts;
  /** Oldest first. */
  readonly #pending = new Set<LateCopies>();
  #timer: Timer | undefined;
  #isStopped = false;

  constructor(parts: PendingHintsParts) {
    this.#parts = parts;
  }

  add(copies: LateCopies): void {
    // Operations under way end by themselves; after a stop there is no store for hints any more.
    if (this.#isStopped || this.#isComplete(copies)) return;
    const { phaseTimeoutMs, pendingHintsKept } = this.#parts.limits;
    this.#pending.add(copies);
    if (this.#timer === undefined) this.#arm(phaseTimeoutMs);
    if (this.#pending.size > pendingHintsKept) {
      const [oldest] = this.#pending;
      this.#keepHints(oldest!);
    }
  }

  /** A replica has acknowledged the record late. */
  noteCopy(copies: LateCopies): void {
    if (this.#isComplete(copies)) this.#pending.delete(copies);
  }

  /** From now on no hint is kept. */
  stop(): void {
    this.#isStopped = true;
    this.#parts.clock.cancel(this.#timer);
    this.#timer = undefined;
    this.#pending.clear();
  }

  /** Whether no home replica needs a hint. */
  #isComplete({ operation, holders, lagging }: LateCopies): boolean {
    const members = this.#parts.membersOf(operation.key);
    if (lagging.size === 0) return holders.size >= members.length;
    return members.every(({ node }) => holders.has(node) || lagging.has(node));
  }

  #arm(delayMs: number): void {
    const { clock, limits } = this.#parts;
    this.#timer = clock.after(delayMs, () => {
      this.#timer = undefined;
      const nowMs = clock.elapsedMs();
      for (const copies of this.#pending) {
        const leftMs = copies.sinceMs + limits.phaseTimeoutMs - nowMs;
        if (leftMs > 0) return this.#arm(leftMs);
        this.#keepHints(copies);
      }
    });
  }

  #keepHints(copies: LateCopies): void {
    this.#pending.delete(copies);
    const { operation, record, holders, lagging } = copies;
    for (const { node } of this.#parts.membersOf(operation.key)) {
      if (holders.has(node) || lagging.has(node) || node === this.#parts.self) continue;
      this.#parts.keepHint(node, operation, record);
    }
  }
}
