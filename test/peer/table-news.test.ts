import { describe, expect, test } from 'vitest';
import type { Outcome } from '../../src/env/peer-channel.ts';
import type { PeerAnswer, PeerRequest } from '../../src/peer/peer-messages.ts';
import { PEER_CHANNEL } from '../../src/peer/peer-messages.ts';
import { TableNews } from '../../src/peer/table-news.ts';
import { ManualClock } from '../parts/manual-clock.ts';

const PLACE = { namespace: 'ns', name: 'Things' };

/** What a router tells peers that answer so; undefined: not at all. */
function newsTo(answers: Record<string, Outcome<PeerAnswer> | undefined>, members: readonly string[] = []) {
  const clock = new ManualClock();
  const asked: { readonly to: string; readonly request: PeerRequest }[] = [];
  const port = {
    ask: (to: string, request: PeerRequest, done: (outcome: Outcome<PeerAnswer>) => void) => {
      asked.push({ to, request });
      const answer = answers[to];
      if (answer !== undefined) clock.after(1, () => done(answer));
      return { cancel: () => {} };
    },
  };
  const parts = { self: 'me', instance: 'x', port, present: () => Object.keys(answers), clock };
  const news = new TableNews({ ...parts, members: () => [...members, 'me'] });
  return { clock, asked, news };
}

const NOTED: Outcome<PeerAnswer> = { kind: 'answered', answer: { kind: 'noted' } };

async function outcomeAfter(clock: ManualClock, told: Promise<boolean>, ms: number) {
  clock.advance(ms);
  return Promise.race([told, new Promise((resolve) => setImmediate(resolve, 'nothing yet'))]);
}

describe('a changed definition', () => {
  test('is told to all peers, and waited for until they have noted it', async () => {
    const { clock, asked, news } = newsTo({ a: NOTED, b: NOTED });
    expect(await outcomeAfter(clock, news.tellChanged(PLACE), 1)).toBe(true);
    expect(asked.map(({ to }) => to)).toEqual(['a', 'b']);
    expect(asked[0]!.request).toEqual({ kind: 'table-changed', ...PLACE, change: 'x 1' });
    expect(clock.timers).toBe(0);
  });

  test('is waited for no longer than 200 ms', async () => {
    const { clock, news } = newsTo({ a: NOTED, b: undefined });
    const told = news.tellChanged(PLACE);
    expect(await outcomeAfter(clock, told, 199)).toBe('nothing yet');
    expect(await outcomeAfter(clock, told, 1)).toBe(false);
  });

  test('is not waited for where it could not be sent', async () => {
    const { clock, news } = newsTo({ a: { kind: 'not-sent', reason: 'down' }, b: NOTED });
    expect(await outcomeAfter(clock, news.tellChanged(PLACE), 1)).toBe(false);
  });

  test('needs nobody if nobody is there', async () => {
    const { clock, news } = newsTo({});
    expect(await outcomeAfter(clock, news.tellChanged(PLACE), 0)).toBe(true);
  });

  test('is not noted by all if a node is not there at all: it may serve clients', async () => {
    const { clock, news } = newsTo({ a: NOTED }, ['a', 'b']);
    expect(await outcomeAfter(clock, news.tellChanged(PLACE), 1)).toBe(false);
  });

  test('of another router is heard, and told on once: fronts know nodes alone', async () => {
    const { clock, asked, news } = newsTo({ a: NOTED, front: NOTED, other: undefined });
    const heard: unknown[] = [];
    news.listen((place) => heard.push(place));
    const change = { ...PLACE, change: 'y 1' };
    const toldOn = news.heard('a', change);
    expect(asked.map(({ to }) => to)).toEqual(['front', 'other']);
    expect(asked[0]!.request).toEqual({ kind: 'table-changed', ...change });
    // The answer waits for those.
    expect(await outcomeAfter(clock, toldOn, 1)).toBe('nothing yet');
    expect(await outcomeAfter(clock, toldOn, 149)).toBe(false);
    expect(await news.heard('front', change)).toBe(true);
    // An older release says not which change it is.
    expect(await news.heard('a', { ...PLACE, change: undefined })).toBe(true);
    expect(asked).toHaveLength(2);
    expect(heard).toEqual([PLACE, PLACE, PLACE]);
  });

  test('is read as it was written, and refused if it is no name', () => {
    const { requests } = PEER_CHANNEL;
    const request: PeerRequest = { kind: 'table-changed', ...PLACE, change: 'x 1' };
    expect(requests.decode(requests.encode(request))).toEqual(request);
    expect(() => requests.decode(Buffer.from('{"kind":"table-changed","namespace":1,"name":"x"}'))).toThrow('text');
    const answers = PEER_CHANNEL.answersTo(request);
    expect(answers.decode(answers.encode({ kind: 'noted' }))).toEqual({ kind: 'noted' });
  });
});
