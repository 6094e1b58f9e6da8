import { RingError } from '../dynamo/ring-error.ts';
import type { NodeControl } from '../host/ring-control.ts';
import type { Membership } from '../peer/membership.ts';
import { nameOf } from '../peer/node-name.ts';

/** What an administrator may do to single nodes: nodes come and go; nothing else reaches another process. */
export function nodeControl(membership: Membership): NodeControl {
  const refuse = (): never => {
    throw new RingError('nodes of other processes are stopped and started where they run');
  };
  return {
    stop: async () => refuse(),
    start: async () => refuse(),
    pause: refuse,
    resume: refuse,
    wipe: async () => refuse(),
    setLink: refuse,
    healLink: refuse,
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
