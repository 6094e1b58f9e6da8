import { expect, test } from 'vitest';
import { FaultyLinks } from '../../src/env/faulty-links.ts';
import { LocalTransport } from '../../src/env/local-transport.ts';
import { SeededRandom } from '../../src/env/random.ts';
import { ManualClock } from '../parts/manual-clock.ts';

/** Two nodes, each behind links of its own, as if each had a process. */
function twoNodes() {
  const clock = new ManualClock();
  const network = new LocalTransport<string, string>();
  const heard: string[] = [];
  const nodeOf = (self: string) => {
    const links = new FaultyLinks<string, string>(clock, new SeededRandom(1));
    const transport = links.transport(network.transport(self));
    network.register(
      self,
      links.receive((from, request, reply) => {
        heard.push(`${from}>${self} ${request}`);
        reply(`${self} heard ${request}`);
      }),
    );
    /** @returns the answers that come, as they come */
    const send = (to: string, text: string) => {
      const answers: string[] = [];
      transport.send(to, text, (answer) => answers.push(answer));
      return answers;
    };
    return { links, send };
  };
  return { a: nodeOf('a'), b: nodeOf('b'), clock, heard };
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

test('a link that is cut loses requests on the way out, and answers on the way back, until it is healed', async () => {
  const { a, b, heard } = twoNodes();
  a.links.setLink('b', { cut: true });
  const lost = a.send('b', 'x');
  const unanswered = b.send('a', 'y');
  await turn();
  expect([lost, unanswered, heard]).toEqual([[], [], ['b>a y']]);
  a.links.healLink('b');
  const answers = [a.send('b', 'x'), b.send('a', 'y')];
  await turn();
  expect(answers).toEqual([['b heard x'], ['a heard y']]);
});

test('a slow link delays, a bad one loses some, and other links are as they were', async () => {
  const { a, clock } = twoNodes();
  a.links.setLink('b', { delayMs: 100 });
  const late = a.send('b', 'x');
  await turn();
  expect(late).toEqual([]);
  clock.advance(100);
  await turn();
  expect(late).toEqual(['b heard x']);
  a.links.setLink('b', { dropRate: 0.5 });
  const sent = Array.from({ length: 100 }, (_, i) => a.send('b', `${i}`));
  const own = a.send('a', 'z');
  await turn();
  const arrived = sent.filter(({ length }) => length === 1).length;
  expect(arrived).toBeGreaterThan(25);
  expect(arrived).toBeLessThan(75);
  expect(own).toEqual(['a heard z']);
  a.links.setLink('b', { delayMs: 100 });
  a.send('b', 'never');
  a.links.stop();
  expect(clock.timers).toBe(0);
});

test('a node that is paused neither sends nor hears, and goes on in the order in which all came', async () => {
  const { a, b, heard, clock } = twoNodes();
  const before = a.send('b', 'before');
  b.links.pause();
  const asked = ['1', '2'].map((text) => a.send('b', text));
  const own = b.send('a', 'own');
  await turn();
  // What it was about to hear waits, too.
  expect([before, asked, own, heard]).toEqual([[], [[], []], [], []]);
  b.links.resume();
  await turn();
  expect(heard).toEqual(['a>b before', 'a>b 1', 'a>b 2', 'b>a own']);
  expect([before, asked, own]).toEqual([['b heard before'], [['b heard 1'], ['b heard 2']], ['a heard own']]);
  b.links.pause();
  a.send('b', 'old');
  await turn();
  clock.advance(10_001);
  a.send('b', 'young');
  await turn();
  b.links.resume();
  await turn();
  expect(heard.slice(4)).toEqual(['a>b young']);
  for (let i = 0; i < 10_500; i++) {
    if (i === 0) b.links.pause();
    a.send('b', 'more');
  }
  await turn();
  b.links.resume();
  await turn();
  expect(heard.filter((each) => each === 'a>b more')).toHaveLength(10_000);
});
