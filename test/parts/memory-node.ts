import type { Reply, Request } from '../../src/dynamo/messages.ts';
import { StorageNode } from '../../src/dynamo/node.ts';
import type { NodeId } from '../../src/dynamo/ring.ts';
import { silentLog } from '../../src/env/log.ts';
import type { MemoryStore } from '../../src/env/memory-store.ts';
import { SeededRandom } from '../../src/env/random.ts';
import type { ManualClock } from './manual-clock.ts';
import { nodeSettings } from './node-settings.ts';

/** A request, or the answer to one, on its way. */
export interface Sent<Id extends NodeId = NodeId> {
  readonly from: Id;
  readonly to: Id;
  readonly kind: Request['kind'] | Reply['kind'];
  /** The request that this is, or answers. */
  readonly request: Request;
  readonly isReply: boolean;
}

/** The nodes of a test, and what becomes of their messages: `post` delivers each when it likes, or never. */
export interface Wiring<Id extends NodeId> {
  readonly clock: ManualClock;
  /** The process that runs under this name. */
  node(id: Id): StorageNode | undefined;
  post(sent: Sent<Id>, deliver: () => void): void;
}

/** Opens a node on a memory store. An answer reaches only the process that has asked. */
export function openNode<Id extends NodeId>(
  wiring: Wiring<Id>,
  settings: Parameters<typeof nodeSettings>[0] & { readonly id: Id },
  { store, seed }: { readonly store: MemoryStore; readonly seed: number },
  done: (node: StorageNode | undefined) => void,
): void {
  const from = settings.id;
  const send = (receiver: NodeId, request: Request, onReply: (reply: Reply) => void) => {
    const to = receiver as Id;
    const asking = wiring.node(from);
    wiring.post({ from, to, kind: request.kind, request, isReply: false }, () => {
      wiring.node(to)?.receive(from, request, (reply) => {
        wiring.post({ from: to, to: from, kind: reply.kind, request, isReply: true }, () => {
          if (wiring.node(from) === asking) onReply(reply);
        });
      });
    });
  };
  const env = { clock: wiring.clock, random: new SeededRandom(seed), log: silentLog, store };
  StorageNode.open(nodeSettings(settings), env, { send }, done);
}
