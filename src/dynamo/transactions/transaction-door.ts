import type { Derivation } from '../../api/derivation.ts';
import { ATTEMPT_BYTES, type Mutation, type TransactionMutation } from '../../api/mutation.ts';
import type { ByteString } from '../../api/primary-key.ts';
import type { Clock } from '../../env/clock.ts';
import { type Random, randomBelow } from '../../env/random.ts';
import type { ItemKey, WriteOutcome } from '../client.ts';
import type { LookAnswer } from '../coordination-messages.ts';
import type { NodeLimits } from '../node-settings.ts';
import type { Rules } from '../rules.ts';
import { type Task, wait } from '../task.ts';

/** What who leads a transaction needs of the ring: each call is one operation on one register, which some node coordinates. */
export interface TransactionDoor {
  readonly clock: Clock;
  readonly random: Random;
  readonly limits: NodeLimits;
  readonly rules: Rules;
  /** Q */
  readonly partitions: number;
  /** @param done called once, perhaps within the call */
  write(request: ItemWrite, done: (outcome: WriteOutcome) => void): void;
  /** @param done as for `write` */
  look(request: ItemLook, done: (answer: LookAnswer) => void): void;
}

export interface ItemLook {
  readonly key: ItemKey;
  /** As in `WriteOptions`. */
  readonly derivation?: Derivation | undefined;
  /** As in `WriteOptions`. */
  readonly requestId?: string | undefined;
}

export interface ItemWrite extends ItemLook {
  readonly mutation: Mutation | TransactionMutation;
}

export function write(door: TransactionDoor, request: ItemWrite): Task<WriteOutcome> {
  return wait<WriteOutcome>(door.clock, (resume) => door.write(request, resume));
}

export function look(door: TransactionDoor, request: ItemLook): Task<LookAnswer> {
  return wait<LookAnswer>(door.clock, (resume) => door.look(request, resume));
}

/** As many random bytes as an attempt has: nothing else has them. */
export function drawBytes({ random }: Pick<TransactionDoor, 'random'>): ByteString {
  return Buffer.from(Array.from({ length: ATTEMPT_BYTES }, () => randomBelow(random, 256))).toString('latin1');
}

/** Items of one transaction that are asked for at a time: what is known to be too large together is not asked for whole. */
export const ITEMS_AT_ONCE = 16;
