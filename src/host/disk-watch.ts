import type { NodeId } from '../dynamo/ring.ts';
import type { Clock, Timer } from '../env/clock.ts';
import type { Log } from '../env/log.ts';

/** A disk counts as well again when it has refused nothing for this long. */
const CALM_MS = 5_000;
const REMIND_MS = 60_000;
const LOOK_MS = 1_000;

/** The system's words for a disk, a quota or a limit that is used up. */
const FULL = /\b(ENOSPC|EDQUOT|EFBIG|MDB_MAP_FULL)\b|No space left|quota exceeded|File too large/i;

interface Trouble {
  readonly path: string;
  /** When the disk last refused a write, and when it last took one. */
  refusedMs: number;
  takenMs: number;
}

/**
 * Logs when disks begin to refuse writes, once a minute while they still do, and when they take writes again. Each time
 * it is one line, however many writes and nodes are concerned.
 */
export class DiskWatch {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #troubles = new Map<NodeId, Trouble>();
  #sinceMs = 0;
  #remindedMs = 0;
  #cause = '';
  #timer: Timer | undefined;

  constructor(clock: Clock, log: Log) {
    this.#clock = clock;
    this.#log = log;
  }

  /** A disk has refused a write. */
  refused(node: NodeId, path: string, { message }: Error): void {
    const nowMs = this.#clock.elapsedMs();
    this.#cause = message;
    const trouble = this.#troubles.get(node);
    if (trouble !== undefined) {
      trouble.refusedMs = nowMs;
      return;
    }
    this.#troubles.set(node, { path, refusedMs: nowMs, takenMs: Number.NEGATIVE_INFINITY });
    if (this.#troubles.size > 1) return;
    this.#sinceMs = nowMs;
    this.#remindedMs = nowMs;
    this.#log.error(`the disk ${this.#isFull ? 'is full: writes' : 'refuses writes: they'} fail, reads go on`, {
      node,
      path,
      reason: message,
    });
    this.#timer = this.#clock.after(LOOK_MS, () => this.#look());
  }

  /** A disk that had refused a write has taken one. */
  taken(node: NodeId): void {
    const trouble = this.#troubles.get(node);
    if (trouble !== undefined) trouble.takenMs = this.#clock.elapsedMs();
  }

  /** A node has ended, or has another disk. */
  forget(node: NodeId): void {
    this.#troubles.delete(node);
    if (this.#troubles.size === 0) this.stop();
  }

  stop(): void {
    this.#clock.cancel(this.#timer);
  }

  get #isFull(): boolean {
    return FULL.test(this.#cause);
  }

  #look(): void {
    const nowMs = this.#clock.elapsedMs();
    for (const [node, { refusedMs, takenMs }] of this.#troubles) {
      if (takenMs > refusedMs && nowMs - refusedMs >= CALM_MS) this.#troubles.delete(node);
    }
    const seconds = Math.round((nowMs - this.#sinceMs) / 1_000);
    if (this.#troubles.size === 0) return this.#log.warn('the disk takes writes again', { seconds });
    if (nowMs - this.#remindedMs >= REMIND_MS) {
      this.#remindedMs = nowMs;
      const nodes = [...this.#troubles.keys()].sort();
      const [{ path }] = [...this.#troubles.values()] as [Trouble];
      this.#log.error(`the disk ${this.#isFull ? 'is still full' : 'still refuses writes'}`, {
        nodes,
        path,
        reason: this.#cause,
        seconds,
      });
    }
    this.#timer = this.#clock.after(LOOK_MS, () => this.#look());
  }
}
