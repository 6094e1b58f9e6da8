import { isNoAnswer } from './coordinating-node.ts';
import type { AnswerTo, CoordinationRequest } from './coordination-messages.ts';
import type { NodesAtHand } from './nodes-at-hand.ts';
import type { NodeId } from './ring.ts';

/** How long the answers of several nodes are waited for. */
export interface Patience<R extends CoordinationRequest> {
  readonly withinMs: number;
  /** Whether no further answer is needed. */
  readonly isEnough?: (answers: ReadonlyMap<NodeId, AnswerTo<R>>) => boolean;
}

interface AskParts {
  readonly nodes: NodesAtHand;
  /** Calls `run` after a while. @returns a function that takes it back */
  readonly after: (ms: number, run: () => void) => () => void;
}

/**
 * Asks several nodes the same.
 *
 * @returns the answers of those that answer in time; one that cannot be asked, or is lost, is not waited for
 */
export function askAll<R extends CoordinationRequest>(
  { nodes, after }: AskParts,
  ids: readonly NodeId[],
  request: R,
  { withinMs, isEnough }: Patience<R>,
): Promise<ReadonlyMap<NodeId, AnswerTo<R>>> {
  const answers = new Map<NodeId, AnswerTo<R>>();
  return new Promise((resolve) => {
    const end = after(withinMs, () => resolve(answers));
    let owed = ids.length;
    const endIfComplete = () => {
      if (owed > 0 && isEnough?.(answers) !== true) return;
      end();
      resolve(answers);
    };
    for (const id of ids) {
      const node = nodes.get(id);
      if (node === undefined) owed--;
      node?.coordinate(request, (answer) => {
        owed--;
        if (!isNoAnswer(answer)) answers.set(id, answer);
        endIfComplete();
      });
    }
    endIfComplete();
  });
}
