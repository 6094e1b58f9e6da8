import { SystemClock } from '../../src/env/clock.ts';
import { silentLog } from '../../src/env/log.ts';
import { createPeerTransport } from '../../src/env/peer-transport.ts';
import { SystemRandom } from '../../src/env/random.ts';
import { TEST_CHANNEL, testGreeting } from '../parts/test-channel.ts';

/*
 * A process of `transport.test.ts`: peer b, which listens on the Unix socket that it is given, and says what it is asked. It
 * answers all but `hold`, and what has become of its connections to `cut?`. Its second argument are limits, in JSON.
 */

const transport = createPeerTransport({
  self: 'b',
  greeting: testGreeting('b'),
  security: { kind: 'open' },
  addressesOf: () => [],
  events: { up: () => {}, down: () => {}, greeted: () => {}, refused: () => {} },
  clock: new SystemClock(),
  random: new SystemRandom(),
  log: silentLog,
  limits: { tickMs: 20, silentTicks: 1_000, silentLooks: 1_000, ...JSON.parse(process.argv[3]!) },
});
transport.open(TEST_CHANNEL, (_from, { text }, answer) => {
  console.log(text);
  if (text === 'cut?') answer({ text: Object.keys(transport.figures().cut).join() });
  else if (text !== 'hold') answer({ text });
});
await transport.listen({ path: process.argv[2]! });
console.log('listening');
