import type { NodeId } from '../dynamo/ring.ts';
import type { RingView } from '../dynamo/ring-view.ts';
import type { Serve } from '../env/peer-channel.ts';
import type { Acquaintances } from './acquaintances.ts';
import { newerConfigs } from './config-watch.ts';
import type { Founder } from './founder.ts';
import { replicaOf } from './locate.ts';
import type { Membership } from './membership.ts';
import { peerNodeId } from './node-name.ts';
import { performWork, WorkRoom } from './node-work.ts';
import type { Peer } from './peer.ts';
import type { PeerLags } from './peer-lags.ts';
import { MOST_TRACE, type PeerAnswer, type PeerRequest, type SharedVersions } from './peer-messages.ts';
import { peerStateOf } from './peer-state.ts';
import type { RulesNews } from './rules-news.ts';
import type { TableNews } from './table-news.ts';

/**
 * So much that others ask for may be under way at once of what takes a node long: each walks through the whole store, or
 * writes the goal. It goes on when its asker has gone.
 */
const WORKS_AT_ONCE = 8;

/** What a process has to answer with; some of it comes later than its first request. */
export interface PeerDeskParts {
  readonly self: NodeId;
  readonly founder: () => Founder | undefined;
  readonly acquaintances: () => Acquaintances | undefined;
  readonly versions: () => SharedVersions;
  readonly view: () => RingView | undefined;
  readonly peer: () => Peer | undefined;
  readonly membership: () => Membership | undefined;
  /** Told of definitions that other routers have changed. */
  readonly news: () => TableNews;
  /** The trace of a request that this process has served, as JSON; undefined: there is none. */
  readonly traceOf: (requestId: string) => string | undefined;
  /** Milliseconds since 1970. */
  readonly nowMs: () => number;
  /** Told of fault rules that others have changed. */
  readonly rules: () => RulesNews;
  readonly lags: () => PeerLags | undefined;
}

/** Answers what other peers ask on the channel of peers. */
export function peerDesk(parts: PeerDeskParts): Serve<PeerRequest, PeerAnswer> {
  const room = new WorkRoom(WORKS_AT_ONCE);
  return (from, request, answer) => {
    try {
      answerRequest(parts, { from, request, room }, answer);
    } catch (error) {
      answer({ kind: 'cannot', reason: error instanceof Error ? error.message : String(error) });
    }
  };
}

function answerRequest(
  { self, founder, acquaintances, versions, view, peer, membership, news, rules, lags, nowMs, traceOf }: PeerDeskParts,
  { from, request, room }: { readonly from: NodeId; readonly request: PeerRequest; readonly room: WorkRoom },
  answer: (answer: PeerAnswer) => void,
): void {
  switch (request.kind) {
    case 'founding':
    case 'bind':
    case 'commit': {
      const known = founder();
      if (known === undefined) return answer(NOT_YET);
      return answer({ kind: 'founding', answer: known.answer(request) });
    }
    case 'addresses': {
      const known = acquaintances();
      known?.hear(request);
      return answer({ kind: 'addresses', entries: known?.known ?? [], versions: versions() });
    }
    case 'configs': {
      const known = view();
      return answer({ kind: 'configs', configs: known === undefined ? [] : newerConfigs(known, request.epochs) });
    }
    case 'replica':
      return answer({ kind: 'replica', replica: replicaOf(request.key, self, peer()?.node) });
    case 'rules': {
      const { version, isNew } = request;
      return void rules()
        .heard(from, version, isNew)
        .then((isInForce) => answer(isInForce ? { kind: 'noted' } : { kind: 'cannot', reason: 'they are not known' }));
    }
    case 'rules-used':
      return answer({ kind: 'rules-used', rules: rules().use });
    case 'rest-lags':
      lags()?.rest(from, request.forMs);
      return answer({ kind: 'noted' });
    case 'table-changed':
      news().heard(request);
      return answer({ kind: 'noted' });
    case 'work': {
      const running = peer();
      if (running === undefined) return answer(NOT_YET);
      const leave = room.enter();
      if (leave === undefined) return answer(OVERLOADED);
      return performWork(running, request.work, (report) => {
        leave();
        answer({ kind: 'done', report });
      });
    }
    case 'state':
      return answer({ kind: 'state', state: peerStateOf(peer(), membership()?.progress, nowMs()) });
    case 'trace': {
      const json = traceOf(request.requestId);
      return answer({ kind: 'trace', json: json !== undefined && json.length <= MOST_TRACE ? json : undefined });
    }
    case 'admit': {
      const { name, diskId } = request;
      // Nobody speaks for another disk.
      if (from !== peerNodeId(name, diskId)) return answer({ kind: 'cannot', reason: 'that is another disk' });
      const known = membership();
      if (known === undefined) return answer(NOT_YET);
      const leave = room.enter();
      if (leave === undefined) return answer(OVERLOADED);
      return void known
        .admit({ name, diskId })
        .then(
          () => answer(NOTED),
          (error: unknown) =>
            answer({ kind: 'cannot', reason: error instanceof Error ? error.message : String(error) }),
        )
        .finally(leave);
    }
    case 'goal':
      membership()?.noteVersion(request.version);
      return answer(NOTED);
  }
}

const NOTED: PeerAnswer = { kind: 'done', report: {} };
const OVERLOADED: PeerAnswer = { kind: 'cannot', reason: 'overloaded' };
const NOT_YET: PeerAnswer = { kind: 'cannot', reason: 'no node runs here now' };
