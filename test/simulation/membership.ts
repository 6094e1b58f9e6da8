import type { PartitionConfig } from '../../src/dynamo/messages.ts';
import type { MembershipChange } from './scenarios.ts';
import type { SimulatedHost } from './simulated-host.ts';

/** Who is in the ring of one history, and what moves it. */
export interface Membership {
  /** The decided ones, by partition. */
  readonly configs: readonly PartitionConfig[];
  /** Whether nothing is left to be done. */
  readonly isSettled: boolean;
  isNamed(host: SimulatedHost, partition: number): boolean;
  change(kind: MembershipChange): void;
  /** The faults are over: goes on until everything is as it should be. */
  settle(): void;
  /** As long as the history goes on. */
  watch(): void;
  stop(): void;
}
