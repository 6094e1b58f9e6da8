import type { NodeId } from '../dynamo/ring.ts';
import type { Clock, Timer } from '../env/clock.ts';
import type { Port } from '../env/peer-channel.ts';
import {
  MOST_ROUTERS_TOLD,
  MOST_TABLES_TOLD,
  type PeerAnswer,
  type PeerRequest,
  type TablesUsed,
} from './peer-messages.ts';

/** For how long a router counts as one that uses a table after it has, in ms. */
const USED_MS = 10_000;
/** How often others are told, in ms. */
const TELL_MS = 2_000;

interface UsersOfTablesParts {
  readonly self: NodeId;
  readonly port: Pick<Port<PeerRequest, PeerAnswer>, 'ask'>;
  /** The peers that may be there, fronts too. */
  readonly present: () => readonly NodeId[];
  /** The nodes that hold the ring, or shall. */
  readonly members: () => readonly NodeId[];
  readonly clock: Clock;
}

/** What another router has said last. */
interface OtherUse {
  /** By the own clock. */
  readonly saidAtMs: number;
  readonly tables: ReadonlySet<string>;
}

/**
 * Which routers have used which tables in the last ten seconds. Each tells the others of its own tables, and nodes tell
 * fronts what they have heard: fronts do not know each other. A process that uses no table says nothing.
 */
export class UsersOfTables {
  readonly #parts: UsersOfTablesParts;
  /** Tables of this router, each with when it was used last: in this order. */
  readonly #own = new Map<string, number>();
  readonly #others = new Map<NodeId, OtherUse>();
  /** By table, how many use it: valid until the time in ms. */
  #counts = new Map<string, number>();
  #countsUntilMs = 0;
  #timer: Timer;
  /** Whether the last message said that nobody uses any table. */
  #wasIdle = true;
  #isStopped = false;

  constructor(parts: UsersOfTablesParts) {
    this.#parts = parts;
  }

  /** This router uses a table now. @param table its storage id. @returns how many have used it lately, this one included */
  use(table: string): number {
    const nowMs = this.#parts.clock.elapsedMs();
    this.#own.delete(table);
    this.#own.set(table, nowMs);
    if (this.#own.size > MOST_TABLES_TOLD) this.#own.delete(this.#own.keys().next().value!);
    if (this.#timer === undefined && !this.#isStopped) this.#tell();
    if (nowMs >= this.#countsUntilMs) this.#recount(nowMs);
    return 1 + (this.#counts.get(table) ?? 0);
  }

  /** Another process tells who uses what. */
  hear(uses: readonly TablesUsed[]): void {
    const nowMs = this.#parts.clock.elapsedMs();
    for (const { router, ageMs, tables } of uses) {
      const saidAtMs = nowMs - ageMs;
      const known = this.#others.get(router);
      if (router === this.#parts.self || ageMs > USED_MS || saidAtMs <= (known?.saidAtMs ?? -Infinity)) continue;
      if (known === undefined && this.#others.size >= MOST_ROUTERS_TOLD) continue;
      this.#others.set(router, { saidAtMs, tables: new Set(tables) });
    }
    this.#recount(nowMs);
    // One that uses no table itself tells on what it has heard.
    if (this.#timer === undefined && !this.#isStopped && this.#counts.size > 0) this.#tellLater();
  }

  stop(): void {
    this.#isStopped = true;
    this.#parts.clock.cancel(this.#timer);
  }

  #tell(): void {
    const { self, port, present, members, clock } = this.#parts;
    const nowMs = clock.elapsedMs();
    for (const [table, atMs] of this.#own) if (nowMs - atMs > USED_MS) this.#own.delete(table);
    this.#recount(nowMs);
    const isIdle = this.#own.size === 0 && this.#counts.size === 0;
    const hasSaidSo = isIdle && this.#wasIdle;
    this.#wasIdle = isIdle;
    this.#timer = undefined;
    if (hasSaidSo) return;
    const nodes = members();
    const isFront = (peer: NodeId) => !nodes.includes(peer);
    const own = [{ router: self, ageMs: 0, tables: [...this.#own.keys()] }];
    const heard = [...this.#others].map(([router, { saidAtMs, tables }]) => ({
      router,
      ageMs: Math.round(nowMs - saidAtMs),
      tables: [...tables],
    }));
    const all = [...own, ...heard].slice(0, MOST_ROUTERS_TOLD);
    // Nodes know each other, and what fronts say; fronts know nodes alone.
    for (const peer of present()) {
      port.ask(peer, { kind: 'tables-used', uses: isFront(peer) && !isFront(self) ? all : own }, () => {});
    }
    this.#tellLater();
  }

  #tellLater(): void {
    this.#timer = this.#parts.clock.after(TELL_MS, () => this.#tell());
  }

  /** Forgets routers that have said nothing for long. */
  #recount(nowMs: number): void {
    const counts = new Map<string, number>();
    for (const [router, { saidAtMs, tables }] of this.#others) {
      if (nowMs - saidAtMs > USED_MS) this.#others.delete(router);
      else for (const table of tables) counts.set(table, (counts.get(table) ?? 0) + 1);
    }
    this.#counts = counts;
    this.#countsUntilMs = nowMs + RECOUNT_MS;
  }
}

/** How long counts hold if nothing is heard, in ms. */
const RECOUNT_MS = 1_000;
