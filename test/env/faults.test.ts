import { beforeEach, describe, expect, test } from 'vitest';
import { FaultyNetwork } from '../../src/env/faulty-network.ts';
import { LocalTransport } from '../../src/env/local-transport.ts';
import { SeededRandom } from '../../src/env/random.ts';

let timers: { readonly atMs: number; readonly run: () => void }[];
let network: FaultyNetwork<string, string>;
let heard: string[];

const clock = {
  now: () => 0,
  elapsedMs: () => 0,
  after: (delayMs: number, run: () => void) => {
    timers.push({ atMs: delayMs, run });
    return {};
  },
  cancel: () => {},
};
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** Sends from a to b; the answers that came by now. */
async function send(from: string, to: string, text: string): Promise<string[]> {
  const answers: string[] = [];
  transports[from]!.send(to, text, (reply) => answers.push(reply));
  await turn();
  return answers;
}

let transports: Record<string, ReturnType<FaultyNetwork<string, string>['transport']>>;

beforeEach(() => {
  timers = [];
  heard = [];
  transports = {};
  network = new FaultyNetwork(new LocalTransport<string, string>(), clock, new SeededRandom(1));
  for (const node of ['a', 'b', 'c']) {
    transports[node] = network.transport(node);
    network.register(node, (from, request, reply) => {
      heard.push(`${from}>${node} ${request}`);
      reply(`${node} heard ${request}`);
    });
  }
});

describe('a network with faults', () => {
  test('carries everything as long as there are none', async () => {
    expect(await send('a', 'b', 'x')).toEqual(['b heard x']);
  });

  test('loses what is sent over a cut link, and only that', async () => {
    network.setLink('a', 'b', { cut: true });
    expect(await send('a', 'b', 'x')).toEqual([]);
    expect(await send('a', 'c', 'y')).toEqual(['c heard y']);
    expect(heard).toEqual(['a>c y']);
    network.healLink('a', 'b');
    expect(await send('a', 'b', 'z')).toEqual(['b heard z']);
  });

  test('loses the answer where only the way back is cut', async () => {
    network.setLink('a', 'b', { cut: true });
    expect(await send('b', 'a', 'x')).toEqual([]);
    expect(heard).toEqual(['b>a x']);
  });

  test('delays each way by itself', async () => {
    network.setLink('a', 'b', { delayMs: 20 });
    network.setLink('b', 'a', { delayMs: 30 });
    const answers = await send('a', 'b', 'x');
    expect(timers.map(({ atMs }) => atMs)).toEqual([20]);
    timers[0]!.run();
    await turn();
    expect(heard).toEqual(['a>b x']);
    expect(timers.map(({ atMs }) => atMs)).toEqual([20, 30]);
    expect(answers).toEqual([]);
    timers[1]!.run();
    expect(answers).toEqual(['b heard x']);
  });

  test('loses about the share of messages it is told to', async () => {
    network.setLink('a', 'b', { dropRate: 0.3 });
    for (let i = 0; i < 1_000; i++) await send('a', 'b', 'x');
    expect(heard.length).toBeGreaterThan(640);
    expect(heard.length).toBeLessThan(760);
  });

  test('holds what goes to a paused node or comes from it, and delivers it in order when it goes on', async () => {
    network.pause('b');
    const answers = [await send('a', 'b', '1'), await send('b', 'a', '2'), await send('b', 'b', '3')];
    expect(heard).toEqual([]);
    network.resume('b');
    await turn();
    expect(heard).toEqual(['a>b 1', 'b>a 2', 'b>b 3']);
    expect(answers.flat()).toEqual(['b heard 1', 'a heard 2', 'b heard 3']);
  });

  test('forgets what it holds for a node that stops', async () => {
    network.pause('b');
    await send('a', 'b', 'x');
    network.unregister('b');
    network.resume('b');
    await turn();
    expect(heard).toEqual([]);
  });

  test.each([
    ['was slow', () => network.setLink('b', 'a', { delayMs: 30 }), () => timers[0]!.run()],
    ['was held', () => network.pause('b'), () => network.resume('b')],
  ])('brings no answer that %s to a node that has stopped meanwhile, nor to its successor', async (_, delay, end) => {
    const answers: string[] = [];
    let answer: ((reply: string) => void) | undefined;
    network.register('b', (_from, _request, reply) => {
      answer = reply;
    });
    // As long as nothing is wrong anywhere, nothing is looked at.
    network.setLink('c', 'a', { cut: true });
    transports.a!.send('b', 'x', (reply) => answers.push(reply));
    await turn();
    delay();
    answer!('late');
    network.unregister('a');
    network.transport('a');
    end();
    await turn();
    expect(answers).toEqual([]);
  });
});
