import type { NodeId } from '../dynamo/ring.ts';
import { readState, writeState } from '../dynamo/state-rows.ts';
import type { Store } from '../env/store.ts';

/** What a node's disk says of itself, so that it is not mistaken for another's. */
export interface DiskIdentity {
  readonly clusterId: string;
  readonly node: NodeId;
  /** 48 random bits, drawn when the disk was empty. */
  readonly diskId: number;
}

const IDENTITY = 'identity';
const START = 'start';

/** @returns undefined if the disk is new. @throws StoreDamagedError if the row cannot be read */
export function readIdentity(store: Store): DiskIdentity | undefined {
  return readState<DiskIdentity>(store, IDENTITY);
}

/** The caller flushes. */
export function writeIdentity(store: Store, identity: DiskIdentity): void {
  writeState(store, IDENTITY, identity);
}

/**
 * The number of the cluster's start in which the disk was last used; 0 if it never was. A lower one than others': an
 * old copy.
 */
export function readLastStart(store: Store): number {
  return readState<number>(store, START) ?? 0;
}

/** The caller flushes. */
export function writeLastStart(store: Store, start: number): void {
  writeState(store, START, start);
}
