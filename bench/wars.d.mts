/** For the tests of `wars.mjs`. */
interface Random {
  next(): number;
}

export interface Legs {
  readonly write: number;
  readonly ack: number;
  readonly read: number;
  readonly answer: number;
}

export interface LatencyModel {
  readonly write: () => number;
  readonly other: () => number;
  readonly stepMs: number;
  readonly published: Readonly<Record<string, number>>;
}

export const REPLICAS: number;
export function latencyModels(random: Random): Readonly<Record<'LNKD-SSD' | 'LNKD-DISK' | 'YMMR', LatencyModel>>;
export function drawLegs(model: Pick<LatencyModel, 'write' | 'other'>): Legs[];
export function freshFromMs(legs: readonly Legs[], readQuorum: number, writeQuorum: number): number;
export function quantile(sorted: ArrayLike<number>, share: number): number;
export function firstLuckyOffset(
  sorted: ArrayLike<number>,
  share: number,
  draws: number,
  stepMs: number,
  random: Random,
): number;
