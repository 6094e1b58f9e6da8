import { TICKS_PER_MS } from '../../src/dynamo/ballot.ts';
import { SYSTEM_TABLE } from '../../src/dynamo/client.ts';
import { tableRange } from '../../src/dynamo/keyspace.ts';
import { ledgerEntryOf, ledgerOf } from '../../src/dynamo/transactions/ledger.ts';
import type { Membership } from './membership.ts';
import type { SimulatedHost } from './simulated-host.ts';
import { showRecord } from './trace.ts';
import { CLOCK_START_MS } from './virtual-time.ts';
import type { SimulatedKey } from './workload.ts';

/** Whether a home replica holds a tombstone that is older than `ageMs`. */
export function hasTombstone(keys: readonly SimulatedKey[], nowMs: number, ageMs: number): boolean {
  return keys.some(({ homes, storeKey }) =>
    homes.some(({ node }) => {
      const committed = node?.stateOf(storeKey).committed;
      if (committed === undefined || committed.item !== undefined) return false;
      return CLOCK_START_MS + nowMs - committed.ballot.hlc / TICKS_PER_MS > ageMs;
    }),
  );
}

/** What the ledger of a host says of transactions that have not come to their end. */
function openTransactions(host: SimulatedHost, partition: number): string[] {
  const { from, to } = tableRange(partition, SYSTEM_TABLE);
  return host.committedIn(from, to).flatMap(({ record: { partitionKey, item } }) => {
    const entry = ledgerOf(partitionKey) === undefined ? undefined : ledgerEntryOf(item);
    const isOver = entry === undefined || (entry.state === 'COMMITTED' && entry.isSettled);
    return isOver ? [] : [`${host.id} knows of a transaction that is ${entry.state}`];
  });
}

/** The roots of Merkle trees, by node and partition. */
export type Roots = ReadonlyMap<string, Uint8Array>;

/**
 * What is not as it should be in a ring that had time to heal. Tombstones do not count: one may be purged here and not yet
 * there. Unless they have to be gone.
 *
 * @param ring `roots` undefined: not looked at; `hasToBePurged`: there is a tombstone that may stay no longer
 */
export function findWounds({
  hosts,
  keys,
  membership,
  roots,
  hasToBePurged,
}: {
  readonly hosts: readonly SimulatedHost[];
  readonly keys: readonly SimulatedKey[];
  readonly membership: Membership;
  readonly roots: Roots | undefined;
  readonly hasToBePurged: boolean;
}): string[] {
  const wounds: string[] = [];
  if (!membership.isSettled) wounds.push('the moves have not ended');
  for (const host of hosts) {
    if (host.isGone) continue;
    if (host.node === undefined) {
      wounds.push(`${host.id} does not run`);
      continue;
    }
    const { writesUnderWay, hints, held, owed, damage } = host.node.status();
    if (writesUnderWay > 0) wounds.push(`${host.id} has not ended ${writesUnderWay} writes`);
    if (damage.left > 0) wounds.push(`${host.id} has ${damage.left} damaged keys`);
    if (held > 0) wounds.push(`${host.id} holds ${held} records back`);
    if (owed > 0) wounds.push(`${host.id} owes indexes or streams something of ${owed} items`);
    if (hints > 0) wounds.push(`${host.id} keeps ${hints} hints`);
    for (const { partition, epoch } of membership.configs) {
      const present = host.node.votingConfig(partition)?.epoch;
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
    const versions = new Set(states.map(({ committed }) => (committed?.item ? showRecord(committed) : '-')));
    if (versions.size > 1) wounds.push(`${name}: ${states.map(({ committed }) => showRecord(committed)).join(', ')}`);
    if (states.some(({ committed }) => committed?.isPending === true)) wounds.push(`${name} is held by a transaction`);
    if (states.some(({ isDamaged }) => isDamaged)) wounds.push(`${name} is damaged`);
    if (states.some(({ accepted }) => accepted !== undefined)) wounds.push(`${name} is not settled`);
  }
  for (const { partition } of membership.configs) {
    for (const host of hosts) if (!host.isGone) wounds.push(...openTransactions(host, partition));
  }
  if (hasToBePurged) wounds.push('a tombstone was not purged');
  if (roots === undefined) return wounds;
  for (const { partition, members } of membership.configs) {
    const seen = new Set(
      members.map(({ node }) => Buffer.from(roots.get(`${node} ${partition}`) ?? []).toString('hex')),
    );
    if (seen.size > 1) wounds.push(`the roots of partition ${partition} differ`);
  }
  return wounds;
}
