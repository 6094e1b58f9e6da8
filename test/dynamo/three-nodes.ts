import type { ItemImage } from '../../src/api/item.ts';
import type { Mutation } from '../../src/api/mutation.ts';
import type { ReadFrom, ReadOutcome, WriteOptions } from '../../src/dynamo/client.ts';
import { collectionPrefix } from '../../src/dynamo/keyspace.ts';
import type { PartitionConfig } from '../../src/dynamo/messages.ts';
import type { StorageNode } from '../../src/dynamo/node.ts';
import type { NodeLimits } from '../../src/dynamo/node-settings.ts';
import type { WriteAnswer } from '../../src/dynamo/registers/handed-back.ts';
import { type Rules, SOUND_RULES } from '../../src/dynamo/rules.ts';
import { MemoryStore } from '../../src/env/memory-store.ts';
import { ManualClock } from '../parts/manual-clock.ts';
import { openNode, type Sent } from '../parts/memory-node.ts';
import { readOf, writeOf } from './coordination-requests.ts';

export type NodeName = 'A' | 'B' | 'C';

/** A message on its way; what a test may lose. */
export type Message = Sent<NodeName>;

export const KEY = collectionPrefix('\0\0\0\0\0\0\0\x01', 'user', 1);
export const STRICT: WriteOptions = { consistency: 'strict', wantsOld: true };

export const image = (text: string): ItemImage => {
  const json = Buffer.from(JSON.stringify({ v: { S: text } }));
  return { size: text.length + 1, json };
};
export const put = (text: string): Mutation => ({ kind: 'put', item: image(text) });
export const putIfAbsent = (text: string): Mutation => ({
  ...put(text),
  condition: { kind: 'not-exists', path: ['v'] },
});

/**
 * Three nodes that share one partition, on a network and a clock that a test moves by hand: nothing is delivered and no
 * time passes but in `settle`.
 */
export class ThreeNodes {
  readonly stores: Record<NodeName, MemoryStore>;
  /** Every message that was sent, lost ones too. */
  readonly sent: Message[] = [];
  /** Decides which messages are lost. */
  isLost: (message: Message) => boolean = () => false;
  /** How many ms of the clock a message takes. */
  delayOf: (message: Message) => number = () => 0;
  readonly clock = new ManualClock(1_000_000);
  #deliveries: (() => void)[] = [];
  readonly #nodes = new Map<NodeName, StorageNode>();
  readonly #open = {} as Record<NodeName, () => void>;

  /** @param options `flushMs`: how long the disks take */
  constructor(
    options: {
      writeQuorum?: number;
      readQuorum?: number;
      limits?: Partial<NodeLimits>;
      rules?: Partial<Rules>;
      flushMs?: number;
    } = {},
  ) {
    const { flushMs } = options;
    const flushAfter = (complete: () => void) => {
      this.clock.after(flushMs!, complete);
    };
    const store = () => new MemoryStore(flushMs === undefined ? {} : { flushAfter });
    this.stores = { A: store(), B: store(), C: store() };
    const names: NodeName[] = ['A', 'B', 'C'];
    const config: PartitionConfig = {
      partition: 0,
      epoch: 0,
      members: names.map((node, i) => ({ node, diskId: i + 1 })),
      attempt: 0,
    };
    const wiring = {
      clock: this.clock,
      node: (name: NodeName) => this.#nodes.get(name),
      post: (message: Message, deliver: () => void) => this.#post(message, deliver),
    };
    for (const [i, name] of names.entries()) {
      this.#open[name] = () => {
        const { writeQuorum = 2, readQuorum = 1, limits } = options;
        const rules = { ...SOUND_RULES, ...options.rules };
        const settings = { id: name, diskId: i + 1, writeQuorum, readQuorum, ring: [config], limits, rules };
        openNode(wiring, settings, { store: this.stores[name], seed: i }, (node) => this.#nodes.set(name, node!));
      };
      this.#open[name]();
    }
    this.settle();
  }

  /** Stops a node and starts another one on its store. */
  restart(name: NodeName): void {
    this.node(name).stop();
    this.#open[name]();
  }

  node(name: NodeName): StorageNode {
    return this.#nodes.get(name)!;
  }

  /** Runs until nothing is on its way and no timer is left, or for `forMs` of the clock. */
  settle(forMs = Number.POSITIVE_INFINITY): void {
    const untilMs = this.clock.elapsedMs() + forMs;
    for (;;) {
      for (let deliver = this.#deliveries.shift(); deliver !== undefined; deliver = this.#deliveries.shift()) deliver();
      const leftMs = untilMs - this.clock.elapsedMs();
      const nextInMs = this.clock.nextInMs ?? Number.POSITIVE_INFINITY;
      if (nextInMs > leftMs || nextInMs === Number.POSITIVE_INFINITY) {
        if (Number.isFinite(leftMs)) this.clock.advance(leftMs);
        return;
      }
      this.clock.runNext();
    }
  }

  /** Has `settle` call something in its turn, as it delivers messages. */
  later(deliver: () => void): void {
    this.#deliveries.push(deliver);
  }

  /** Starts an operation at a node; `result` is there once it was answered. */
  start<Outcome>(ask: (done: (outcome: Outcome) => void) => void): { result: Outcome | undefined } {
    const operation: { result: Outcome | undefined } = { result: undefined };
    ask((outcome) => {
      operation.result = outcome;
    });
    return operation;
  }

  write(at: NodeName, mutation: Mutation) {
    const operation = this.start<WriteAnswer>((done) => this.node(at).coordinate(writeOf(KEY, mutation, STRICT), done));
    this.settle();
    return operation.result;
  }

  /** The text a read finds, undefined for none, or the failure. */
  read(at: NodeName, from: ReadFrom) {
    const { result } = this.startRead(at, from);
    if (result?.kind === 'none') return undefined;
    return result?.kind === 'found' ? textOf(result.item) : result;
  }

  startRead(at: NodeName, from: ReadFrom) {
    const operation = this.start<ReadOutcome>((done) => this.node(at).coordinate(readOf(KEY, from), done));
    this.settle();
    return operation;
  }

  #post(message: Message, deliver: () => void): void {
    this.sent.push(message);
    if (message.from !== message.to && this.isLost(message)) return;
    const delayMs = this.delayOf(message);
    if (delayMs === 0) this.#deliveries.push(deliver);
    else this.clock.after(delayMs, () => this.#deliveries.push(deliver));
  }
}

export function textOf(item: ItemImage): string {
  return (JSON.parse(Buffer.from(item.json).toString()) as { v: { S: string } }).v.S;
}
