import { setTimeout as pause } from 'node:timers/promises';
import { NO_BALLOT } from '../../src/dynamo/ballot.ts';
import type { Reply, Request } from '../../src/dynamo/messages.ts';
import { LocalTransport } from '../../src/env/local-transport.ts';
import type { Address } from '../../src/env/peer-channel.ts';
import { ringTransport } from '../../src/env/peer-transport.ts';
import { SeededRandom } from '../../src/env/random.ts';
import { REPLY_CODEC } from '../../src/wire/reply-codec.ts';
import { REQUEST_CODEC } from '../../src/wire/request-codec.ts';
import { RING_CHANNEL } from '../../src/wire/ring-channels.ts';
import { CONNECTION_KINDS, type ConnectionKind } from '../parts/connection-kinds.ts';
import { eventually } from '../parts/eventually.ts';
import { testPeer } from '../parts/test-peers.ts';
import { SimulatedNetwork } from '../simulation/simulated-network.ts';
import { Trace } from '../simulation/trace.ts';
import { VirtualTime } from '../simulation/virtual-time.ts';
import { type NetworkUnderTest, transportSuite } from '../suites/transport.ts';

/** Longer than a message of a test is on its way on this host. That nothing comes cannot be waited for otherwise. */
const QUIET_MS = 50;

function expectDone(isDone: () => boolean): void {
  if (!isDone()) throw new Error('something has not arrived');
}

function local(): NetworkUnderTest {
  const network = new LocalTransport<Request, Reply>({ request: REQUEST_CODEC, reply: REPLY_CODEC });
  return {
    async join(node, receive) {
      network.register(node, receive);
      return { transport: network.transport(node), leave: async () => network.unregister(node) };
    },
    until: (isDone) => eventually(() => expectDone(isDone)),
    settle: () => new Promise(setImmediate),
  };
}

function simulated(): NetworkUnderTest {
  const time = new VirtualTime();
  const network = new SimulatedNetwork({
    time,
    random: new SeededRandom(1),
    faults: {
      loss: 0,
      doubling: 0,
      slowness: 0,
      slowestMs: 0,
      slowLinks: new Set(),
      echoes: undefined,
      cuts: [],
    },
    trace: new Trace(false),
    observer: { sent: () => {}, received: () => NO_BALLOT, answered: () => {}, delivered: () => {} },
    tampering: {},
    sendsBytes: true,
  });
  return {
    async join(node, receive) {
      let isAlive = true;
      network.attach(node, receive);
      return {
        transport: network.transportOf(node, () => isAlive),
        leave: async () => {
          isAlive = false;
          network.detach(node);
        },
      };
    },
    async until(isDone) {
      time.runUntil(time.nowMs + 1_000, isDone);
      expectDone(isDone);
    },
    settle: async () => time.runUntil(time.nowMs + 1_000),
  };
}

function onSockets(kind: ConnectionKind): NetworkUnderTest {
  const addresses: Record<string, readonly Address[]> = {};
  return {
    async join(node, receive) {
      const { transport } = testPeer({ name: node, security: kind.security(node), addresses });
      addresses[node] = [await transport.listen(kind.address())];
      const port = transport.open(RING_CHANNEL, receive);
      return { transport: ringTransport(port), leave: () => transport.stop() };
    },
    until: (isDone) => eventually(() => expectDone(isDone)),
    settle: () => pause(QUIET_MS),
  };
}

transportSuite('the network within a process, with codecs', { open: local, keepsOrder: true });
transportSuite('the network of simulations', { open: simulated, keepsOrder: false });
for (const [name, kind] of Object.entries(CONNECTION_KINDS)) {
  transportSuite(`a network of ${name}`, { open: () => onSockets(kind), keepsOrder: true });
}
