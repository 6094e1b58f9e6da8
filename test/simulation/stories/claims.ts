import type { ItemRecord } from '../../../src/dynamo/record.ts';
import { askMerkleRoot } from '../../merkle-root.ts';
import { registerValueOf } from '../item-value.ts';
import type { SimulatedHost } from '../simulated-host.ts';
import type { Claim } from './story.ts';
import type { StoryWorld } from './world.ts';

/** How long the building of Merkle trees may take. */
const ROOTS_WITHIN_MS = 20;

/** A claim and what is seen, both as text that is alike where the claim is true. */
interface Seen {
  readonly expected: string;
  readonly got: string;
}

/** Looks whether a claim is true, without any message. */
export function lookAt(world: StoryWorld, claim: Claim): Seen[] {
  switch (claim.kind) {
    case 'holds':
    case 'has-accepted':
      return claim.nodes.map((id) => {
        const { node } = world.host(id);
        const state = node?.stateOf(world.key);
        const record = claim.kind === 'holds' ? state?.committed : state?.accepted;
        return { expected: `${id}: ${claim.value ?? 'nothing'}`, got: `${id}: ${node ? showHeld(record) : 'down'}` };
      });
    case 'hints': {
      const hints = world.host(claim.node).node?.status().hints;
      return [{ expected: `${claim.count} hints`, got: `${hints ?? 'no node, so no'} hints` }];
    }
    case 'held': {
      const held = world.host(claim.node).node?.status().held;
      return [{ expected: `${claim.count} held`, got: `${held ?? 'no node, so none'} held` }];
    }
    case 'epoch':
      return claim.nodes.map((id) => {
        const expected = typeof claim.epoch === 'number' ? `epoch ${claim.epoch}` : claim.epoch;
        return { expected: `${id}: ${expected}`, got: `${id}: ${epochOf(world.host(id), claim.epoch === 'sealed')}` };
      });
    case 'roots':
      return [{ expected: `equal: ${claim.areEqual}`, got: `equal: ${areRootsEqual(world)}` }];
  }
}

function showHeld(record: ItemRecord | undefined): string {
  return record === undefined ? 'nothing' : (registerValueOf(record.item) ?? 'tombstone');
}

function epochOf({ node }: SimulatedHost, isSealAsked: boolean): string {
  if (node === undefined) return 'down';
  const config = node.votingConfig(0);
  if (config === undefined) return 'none';
  return isSealAsked && node.isSealed(0) ? 'sealed' : `epoch ${config.epoch}`;
}

function areRootsEqual({ homes, time }: StoryWorld): boolean {
  const roots: string[] = [];
  for (const { node } of homes) {
    if (node) askMerkleRoot(node, 0, (root) => roots.push(Buffer.from(root).toString('hex')));
  }
  time.runUntil(time.nowMs + ROOTS_WITHIN_MS);
  return roots.length === homes.length && new Set(roots).size === 1;
}
