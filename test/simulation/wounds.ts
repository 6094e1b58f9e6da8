import { registerValueOf } from './item-value.ts';
import type { SimulatedHost } from './simulated-host.ts';
import type { SimulatedMembership } from './simulated-membership.ts';
import { showRecord } from './trace.ts';
import type { SimulatedKey } from './workload.ts';

/** Whether a home replica holds a tombstone: it may count in one tree and be too old or purged in another. */
export function hasTombstone(keys: readonly SimulatedKey[]): boolean {
  return keys.some(({ homes, storeKey }) =>
    homes.some(({ node }) => {
      const committed = node?.stateOf(storeKey).committed;
      return committed !== undefined && committed.item === undefined;
    }),
  );
}

/**
 * What is not as it should be in a ring that had time to heal. Tombstones do not count: one may be purged here and not yet
 * there.
 *
 * @param roots undefined if there were tombstones when they were asked for
 */
export function findWounds(
  hosts: readonly SimulatedHost[],
  keys: readonly SimulatedKey[],
  membership: SimulatedMembership,
  roots: ReadonlyMap<string, Uint8Array> | undefined,
): string[] {
  const wounds: string[] = [];
  if (!membership.isSettled) wounds.push('the moves have not ended');
  for (const host of hosts) {
    if (host.node === undefined) {
      wounds.push(`${host.id} does not run`);
      continue;
    }
    const { hints } = host.node.status();
    if (hints > 0) wounds.push(`${host.id} keeps ${hints} hints`);
    for (const { partition, epoch } of membership.configs) {
      const present = host.node.configOf(partition)?.epoch;
      if (membership.isNamed(host, partition)) {
        if (present !== epoch) wounds.push(`${host.id} is in epoch ${present} of partition ${partition}, not ${epoch}`);
        if (host.node.isSealed(partition)) wounds.push(`${host.id} is sealed in partition ${partition}`);
      } else {
        if (present !== undefined) wounds.push(`${host.id} votes in partition ${partition}, which it has left`);
        if (host.node.holdsAnyOf(partition)) wounds.push(`${host.id} holds records of partition ${partition}`);
      }
    }
  }
  for (const { name, homes, storeKey } of keys) {
    if (new Set(homes).size < homes.length) wounds.push(`${name} has a home twice`);
    const states = homes.map(({ node }) => node?.stateOf(storeKey) ?? {});
    const values = new Set(states.map(({ committed }) => registerValueOf(committed?.item)));
    if (values.size > 1) wounds.push(`${name}: ${states.map(({ committed }) => showRecord(committed)).join(', ')}`);
    if (states.some(({ accepted }) => accepted !== undefined)) wounds.push(`${name} is not settled`);
  }
  if (roots === undefined) return wounds;
  for (const { partition, members } of membership.configs) {
    const seen = new Set(
      members.map(({ node }) => Buffer.from(roots.get(`${node} ${partition}`) ?? []).toString('hex')),
    );
    if (seen.size > 1) wounds.push(`the roots of partition ${partition} differ`);
  }
  return wounds;
}
