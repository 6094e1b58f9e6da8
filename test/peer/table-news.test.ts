import { describe, expect, test } from 'vitest';
import type { Outcome } from '../../src/env/peer-channel.ts';
import type { PeerAnswer, PeerRequest } from '../../src/peer/peer-messages.ts';
import { PEER_CHANNEL } from '../../src/peer/peer-messages.ts';
import { TableNews } from '../../src/peer/table-news.ts';
import { ManualClock } from '../parts/manual-clock.ts';

const PLACE = { namespace: 'ns', name: 'Things' };

/** What a router tells peers that answer so; undefined: not at all. */
function newsTo(answers: Record<string, Outcome<PeerAnswer> | undefined>) {
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
  const news = new TableNews({ port, present: () => Object.keys(answers), clock });
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
    expect(asked[0]!.request).toEqual({ kind: 'table-changed', ...PLACE });
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

  test('of another router is heard', () => {
    const { news } = newsTo({});
    const heard: unknown[] = [];
    news.listen((place) => heard.push(place));
    news.heard(PLACE);
    expect(heard).toEqual([PLACE]);
  });

  test('is read as it was written, and refused if it is no name', () => {
    const { requests } = PEER_CHANNEL;
    const request: PeerRequest = { kind: 'table-changed', ...PLACE };
    expect(requests.decode(requests.encode(request))).toEqual(request);
    expect(() => requests.decode(Buffer.from('{"kind":"table-changed","namespace":1,"name":"x"}'))).toThrow('text');
    const answers = PEER_CHANNEL.answersTo(request);
    expect(answers.decode(answers.encode({ kind: 'noted' }))).toEqual({ kind: 'noted' });
  });
});
