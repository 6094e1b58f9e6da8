import type { Mutation } from '../api/mutation.ts';
import type { ByteString } from '../api/primary-key.ts';
import type { StoreKey } from '../env/store.ts';
import type {
  DynamoClient,
  Failure,
  ItemKey,
  RangeOutcome,
  RangeRequest,
  ReadOutcome,
  WriteOutcome,
} from './client.ts';
import { collectionPrefix, partitionOf, prefixEnd, storeKeyOf } from './keyspace.ts';
import type { CoordinatingNode } from './node.ts';
import type { NodeId, PreferenceList } from './ring.ts';

/**
 * The client of a ring whose nodes it can reach by themselves: hands each request to the first node of the key's
 * preference list that is there. Sending the writes of a key to one node keeps them from refusing one another; nothing
 * else rests on it.
 */
export class RingClient implements DynamoClient {
  readonly #assignment: readonly PreferenceList[];
  readonly #nodes: ReadonlyMap<NodeId, CoordinatingNode>;

  /**
   * @param assignment the preference list of each partition
   * @param nodes the nodes that can be asked; one that is missing counts as down
   */
  constructor(assignment: readonly PreferenceList[], nodes: ReadonlyMap<NodeId, CoordinatingNode>) {
    this.#assignment = assignment;
    this.#nodes = nodes;
  }

  write(key: ItemKey, mutation: Mutation): Promise<WriteOutcome> {
    const storeKey = storeKeyOf(key, this.#assignment.length);
    return this.#ask(storeKey, (node, done) => node.write(storeKey, key.partitionKey, mutation, done));
  }

  read(key: ItemKey, consistent: boolean): Promise<ReadOutcome> {
    const storeKey = storeKeyOf(key, this.#assignment.length);
    return this.#ask(storeKey, (node, done) => node.read(storeKey, consistent, done));
  }

  range({ table, partitionKey, after, limit, consistent }: RangeRequest): Promise<RangeOutcome> {
    const prefix = collectionPrefix(table, partitionKey, this.#assignment.length);
    const from = after === undefined ? prefix : `${prefix}${after}\x00`;
    return this.#ask(prefix, (node, done) => node.range(from, prefixEnd(prefix), limit, consistent, done));
  }

  async forgetTable(table: ByteString): Promise<void> {
    for (const node of this.#nodes.values()) node.forgetTable(table);
  }

  #ask<Outcome>(
    key: StoreKey,
    ask: (node: CoordinatingNode, done: (outcome: Outcome | Failure) => void) => void,
  ): Promise<Outcome | Failure> {
    for (const id of this.#assignment[partitionOf(key)]!) {
      const node = this.#nodes.get(id);
      if (node !== undefined) return new Promise((resolve) => ask(node, resolve));
    }
    return Promise.resolve({ kind: 'unavailable', needed: 1, got: 0 });
  }
}
