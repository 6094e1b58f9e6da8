import type { NodeId } from '../dynamo/ring.ts';
import { RingError } from '../dynamo/ring-error.ts';
import type { Port } from '../env/peer-channel.ts';
import type { NodeControl } from '../host/ring-control.ts';
import { checkLinkFault } from '../peer/link-fault.ts';
import type { Membership } from '../peer/membership.ts';
import { nameOf } from '../peer/node-name.ts';
import type { PeerAnswer, PeerRequest } from '../peer/peer-messages.ts';

/**
 * What an administrator may do to single nodes: nodes come and go; what is to go wrong with one on purpose is done by its
 * process, which is asked.
 */
export function nodeControl(membership: Membership, port: Pick<Port<PeerRequest, PeerAnswer>, 'ask'>): NodeControl {
  const refuse = async (): Promise<never> => {
    throw new RingError('nodes of other processes are stopped and started where they run');
  };
  const have = (node: NodeId, request: PeerRequest): Promise<void> =>
    new Promise((resolve, reject) => {
      port.ask(node, request, (outcome) => {
        if (outcome.kind === 'answered' && outcome.answer.kind === 'noted') return resolve();
        const reason = outcome.kind === 'answered' ? 'cannot do that' : 'cannot be asked now';
        reject(new RingError(`${nameOf(node)} ${reason}`));
      });
    });
  return {
    stop: refuse,
    start: refuse,
    wipe: refuse,
    pause: (id) => have(id, { kind: 'pause', isPaused: true }),
    resume: (id) => have(id, { kind: 'pause', isPaused: false }),
    async setLink(from, to, fault) {
      checkLinkFault(fault);
      await have(from, { kind: 'link', to, fault });
    },
    healLink: (from, to) => have(from, { kind: 'link', to, fault: undefined }),
    addNode: async () => {
      throw new RingError('a node is added by starting it: dynaring serve --node-id NAME --join ADDRESS');
    },
    removeNode: (id) => membership.remove(nameOf(id)),
    replaceNode: (id) => membership.replace(nameOf(id)),
    finalize: () => membership.finalize(),
    movePartition: (partition, to) => membership.move(partition, to.map(nameOf)),
    settings: (change) => membership.changeSettings(change),
  };
}
