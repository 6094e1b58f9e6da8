import type { ByteString } from '../api/primary-key.ts';
import type { FenceAnswer, FenceTables } from './coordination-messages.ts';
import type { PartitionConfig } from './messages.ts';
import type { NodeId } from './ring.ts';
import type { RingView } from './ring-view.ts';

/** What each node has answered that has. */
export type FenceAnswers = ReadonlyMap<NodeId, FenceAnswer>;

interface FenceParts {
  readonly view: RingView;
  /** Asks all nodes, until they have answered, those that can, or until the answers are enough. */
  readonly ask: (request: FenceTables, isEnough: (answers: FenceAnswers) => boolean) => Promise<FenceAnswers>;
  /** Waits before they are asked again. @returns false if that was long enough */
  readonly pause: () => Promise<boolean>;
}

/**
 * Fences tables (docs/protocol.md section 9.6): until of every partition a majority of the members of one epoch has the
 * fences on its disk and was not sealed by then. Whoever asks a quorum of that epoch meets one of them, and the next epoch
 * begins with what they have.
 *
 * @returns whether that was reached
 */
export async function fenceTables({ view, ask, pause }: FenceParts, tables: readonly ByteString[]): Promise<boolean> {
  const isEnough = (answers: FenceAnswers) => view.configs.every((config) => isFencedIn(config, answers));
  for (let goesOn = true; goesOn; goesOn = await pause()) {
    if (isEnough(await ask({ kind: 'fence-tables', tables }, isEnough))) return true;
  }
  return false;
}

function isFencedIn({ partition, epoch, members }: PartitionConfig, answers: FenceAnswers): boolean {
  const have = members.filter(({ node }) => {
    const answer = answers.get(node);
    return (
      answer?.kind === 'fenced' && answer.votes.some((vote) => vote.partition === partition && vote.epoch === epoch)
    );
  });
  return have.length > members.length / 2;
}
