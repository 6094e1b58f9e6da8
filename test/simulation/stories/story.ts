import type { Consistency, LagRelease } from '../../../src/dynamo/client.ts';
import type { NodeLimits } from '../../../src/dynamo/node-settings.ts';
import type { NodeId } from '../../../src/dynamo/ring.ts';
import type { Violation } from '../checks.ts';
import type { RegisterCall, RegisterValue } from '../linearizability.ts';
import type { Message } from '../simulated-network.ts';

/** A history written by hand: what happens, in order, and what has to come of it. */
export interface Story {
  /** That of its file, without the ending. */
  readonly name: string;
  /** Its first comment. */
  readonly claim: string;
  readonly setting: Setting;
  /** The rule without which the story ends otherwise, and how that has to show. */
  readonly broken: BrokenTwin | undefined;
  readonly steps: readonly Step[];
}

export interface BrokenTwin {
  /** One of `BREAKABLE`. */
  readonly rule: string;
  readonly shows: Violation['kind'];
}

export interface Setting {
  /** Home replicas of the one key there is; N is their number. */
  readonly members: readonly NodeId[];
  /** Nodes of the ring besides. */
  readonly spares: readonly NodeId[];
  readonly consistency: Consistency;
  /** W */
  readonly writeQuorum: number;
  /** R */
  readonly readQuorum: number;
  readonly readRepair: boolean;
  readonly limits: Partial<NodeLimits>;
}

export interface Step {
  /** Where it stands in the file, counted from 1. */
  readonly line: number;
  readonly text: string;
  readonly command: Command;
}

/** What a node is asked and answers, some time later. */
export type Task =
  | RegisterCall
  | { readonly kind: 'eventual-read' }
  /** What the node's own replica has committed, however old. */
  | { readonly kind: 'own-read' }
  /** To lead the partition into its next epoch, with these members. */
  | { readonly kind: 'lead'; readonly members: readonly NodeId[] }
  /** To compare its replica with the others. */
  | { readonly kind: 'repair' }
  | { readonly kind: 'purge' }
  /** To settle what it has accepted. */
  | { readonly kind: 'settle' };

/** Messages of one kind, or of all, on some links. */
export interface Traffic {
  readonly kind: Message['kind'] | 'all';
  readonly from: readonly NodeId[];
  readonly to: readonly NodeId[];
}

export type MessageFate =
  | { readonly kind: 'drop' }
  /** Until released. */
  | { readonly kind: 'hold' }
  | { readonly kind: 'double' }
  | { readonly kind: 'delay'; readonly byMs: number };

export type Command =
  | { readonly kind: 'ask'; readonly node: NodeId; readonly task: Task; readonly expected: string }
  /** The same without waiting. */
  | { readonly kind: 'begin'; readonly name: string; readonly node: NodeId; readonly task: Task }
  | { readonly kind: 'join'; readonly name: string; readonly expected: string }
  | {
      readonly kind: 'rule';
      readonly fate: MessageFate;
      readonly traffic: Traffic;
      /** Only the first such message, on whichever of the links. */
      readonly isOnce: boolean;
    }
  | { readonly kind: 'cut'; readonly directions: readonly Traffic[] }
  /** Ends the rules of exactly this traffic, or all; what they held arrives. */
  | { readonly kind: 'release'; readonly traffic: Traffic | undefined }
  | { readonly kind: 'heal' }
  | { readonly kind: 'wait'; readonly forMs: number }
  /** Until such a message has arrived, or got lost, or is held. */
  | { readonly kind: 'wait-for'; readonly traffic: Traffic }
  | { readonly kind: 'kill' | 'start' | 'wipe' | 'fill-disk' | 'rot'; readonly nodes: readonly NodeId[] }
  | { readonly kind: 'tell'; readonly from: NodeId; readonly to: NodeId }
  | { readonly kind: 'step-clock'; readonly node: NodeId; readonly byMs: number }
  | { readonly kind: 'background' }
  /** The rule of lag of all nodes from now on; what another held is released. */
  | { readonly kind: 'lag'; readonly release: LagRelease | undefined }
  | { readonly kind: 'expect'; readonly claim: Claim };

/** What can be seen of the replicas at any time. */
export type Claim =
  | { readonly kind: 'holds'; readonly nodes: readonly NodeId[]; readonly value: RegisterValue | 'tombstone' }
  | { readonly kind: 'has-accepted'; readonly nodes: readonly NodeId[]; readonly value: RegisterValue | 'tombstone' }
  | { readonly kind: 'hints'; readonly node: NodeId; readonly count: number }
  /** Records that the rule of lag keeps from its replica. */
  | { readonly kind: 'held'; readonly node: NodeId; readonly count: number }
  | { readonly kind: 'epoch'; readonly nodes: readonly NodeId[]; readonly epoch: number | 'none' | 'sealed' }
  /** Merkle roots of those that vote. */
  | { readonly kind: 'roots'; readonly areEqual: boolean };
