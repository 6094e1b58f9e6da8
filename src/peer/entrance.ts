import type { ByteString } from '../api/primary-key.ts';
import type { CoordinatingNode } from '../dynamo/coordinating-node.ts';
import type { StorageNode } from '../dynamo/node.ts';
import { leaveIfDamaged, unlessDamaged } from '../env/store-damage.ts';

/**
 * What clients of the ring ask of a node. A node whose store is damaged does not answer, and throws nothing: its clients
 * then retry at another node.
 */
export class Entrance implements CoordinatingNode {
  readonly #node: StorageNode;

  constructor(node: StorageNode) {
    this.#node = node;
  }

  write(...[key, partitionKey, mutation, options, done, carried]: Parameters<CoordinatingNode['write']>): void {
    try {
      this.#node.write(key, partitionKey, mutation, options, done, carried);
    } catch (error) {
      leaveIfDamaged(error);
    }
  }

  read(...[key, isConsistent, consistency, done, isLagging]: Parameters<CoordinatingNode['read']>): void {
    try {
      this.#node.read(key, isConsistent, consistency, done, isLagging);
    } catch (error) {
      leaveIfDamaged(error);
    }
  }

  range(...[from, to, limit, isConsistent, consistency, done, isLagging]: Parameters<CoordinatingNode['range']>): void {
    try {
      this.#node.range(from, to, limit, isConsistent, consistency, done, isLagging);
    } catch (error) {
      leaveIfDamaged(error);
    }
  }

  tablesIn(partition: number): ReturnType<CoordinatingNode['tablesIn']> {
    try {
      return this.#node.tablesIn(partition);
    } catch (error) {
      leaveIfDamaged(error);
      return [];
    }
  }

  forgetTable(table: ByteString): void {
    unlessDamaged(() => this.#node.forgetTable(table));
  }
}
