import type { Derivation } from '../../src/api/derivation.ts';
import { fromImage, type ItemImage, toImage } from '../../src/api/item.ts';
import type { Writer } from '../../src/dynamo/client.ts';
import type {
  EndOutcome,
  LogEndsOutcome,
  LoggedChange,
  LogOutcome,
  LogReadRequest,
  StreamClient,
  StreamShard,
  TrimOutcome,
} from '../../src/dynamo/stream-client.ts';

interface Log {
  /** Trimmed ones are undefined. */
  readonly cells: (LoggedChange | undefined)[];
  isEnded: boolean;
}

/** Logs of streams that never fail: each change is a cell of its own. */
export class MemoryStreams implements StreamClient {
  /** The clock of the nodes. */
  nowMs = Date.UTC(2026, 9, 8, 23, 7, 31, 275);
  readonly forgotten: string[] = [];
  readonly #logs = new Map<string, Log>();

  append(
    derivation: Derivation | undefined,
    old: ItemImage | undefined,
    next: ItemImage | undefined,
    by?: Writer,
  ): void {
    const stream = derivation?.stream;
    const item = next ?? old;
    if (stream === undefined || item === undefined) return;
    if (old !== undefined && next !== undefined && Buffer.compare(old.json, next.json) === 0) return;
    const { partition, sort } = derivation!.key;
    const attributes = fromImage(item);
    const names = sort === undefined ? [partition.name] : [partition.name, sort.name];
    const key = toImage(Object.fromEntries(names.map((name) => [name, attributes[name]!])));
    const { view, storageId, shards } = stream;
    const log = this.#logOf({ stream: storageId, shard: key.json.length % shards });
    log.cells.push({
      position: { cell: log.cells.length, offset: 0 },
      atMs: this.nowMs,
      event: old === undefined ? 'INSERT' : next === undefined ? 'REMOVE' : 'MODIFY',
      by,
      key,
      old: view === 'OLD_IMAGE' || view === 'NEW_AND_OLD_IMAGES' ? old : undefined,
      next: view === 'NEW_IMAGE' || view === 'NEW_AND_OLD_IMAGES' ? next : undefined,
    });
  }

  async readLog({ from, limit, ...shard }: LogReadRequest): Promise<LogOutcome> {
    const { cells, isEnded } = this.#logOf(shard);
    const first = from.offset === 0 ? from.cell : from.cell + 1;
    const lowest = cells.findIndex((cell) => cell !== undefined);
    if (cells.length > first && cells[first] === undefined) {
      return { kind: 'trimmed', lowest: { cell: lowest < 0 ? cells.length : lowest, offset: 0 } };
    }
    const changes = cells.slice(first, first + limit).map((cell) => cell!);
    const next = { cell: first + changes.length, offset: 0 };
    return { kind: 'changes', changes, next, isEnded: isEnded && next.cell >= cells.length };
  }

  async logEnds(shard: StreamShard): Promise<LogEndsOutcome> {
    const { cells, isEnded } = this.#logOf(shard);
    const lowest = cells.findIndex((cell) => cell !== undefined);
    const end = { cell: cells.length, offset: 0 };
    return { kind: 'log-ends', lowest: lowest < 0 ? end : { cell: lowest, offset: 0 }, next: end, isEnded };
  }

  async endStream({ stream, shards }: Pick<StreamShard, 'stream' | 'shards'>): Promise<EndOutcome> {
    for (let shard = 0; shard < shards; shard++) this.#logOf({ stream, shard }).isEnded = true;
    return { kind: 'log-ended' };
  }

  async trimLog({ beforeMs, ...shard }: StreamShard & { readonly beforeMs: number }): Promise<TrimOutcome> {
    const { cells } = this.#logOf(shard);
    let trimmed = 0;
    // The newest cell stays.
    for (const [at, cell] of cells.slice(0, -1).entries()) {
      if (cell === undefined || cell.atMs >= beforeMs) continue;
      cells[at] = undefined;
      trimmed++;
    }
    return { kind: 'cells-trimmed', cells: trimmed, isDone: true };
  }

  async forgetStream(stream: string): Promise<void> {
    this.forgotten.push(stream);
    for (const name of this.#logs.keys()) if (name.startsWith(`${stream}/`)) this.#logs.delete(name);
  }

  #logOf({ stream, shard }: Pick<StreamShard, 'stream' | 'shard'>): Log {
    const name = `${stream}/${shard}`;
    let log = this.#logs.get(name);
    if (log === undefined) {
      log = { cells: [], isEnded: false };
      this.#logs.set(name, log);
    }
    return log;
  }
}
