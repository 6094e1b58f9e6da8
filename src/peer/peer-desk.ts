import type { NodeId } from '../dynamo/ring.ts';
import type { RingView } from '../dynamo/ring-view.ts';
import type { Serve } from '../env/peer-channel.ts';
import type { Acquaintances } from './acquaintances.ts';
import { newerConfigs } from './config-watch.ts';
import type { Founder } from './founder.ts';
import { replicaOf } from './locate.ts';
import type { Membership } from './membership.ts';
import type { NodeFaults } from './node-faults.ts';
import { peerNodeId } from './node-name.ts';
import { performWork, WorkRoom } from './node-work.ts';
import type { Peer } from './peer.ts';
import { MOST_TRACE, type PeerAnswer, type PeerRequest, type SharedVersions } from './peer-messages.ts';
import { peerStateOf } from './peer-state.ts';
import type { RulesNews } from './rules-news.ts';
import type { TableNews } from './table-news.ts';
import type { UsersOfTables } from './users-of-tables.ts';

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
  /** The trace of a request, as JSON; undefined: there is none. @param isForOther also one that another process has served */
  readonly traceOf: (requestId: string, isForOther: boolean) => Promise<string | undefined>;
  /** Milliseconds since 1970. */
  readonly nowMs: () => number;
  /** Told of fault rules that others have changed. */
  readonly rules: () => RulesNews;
  /** What may be done to the node of this process. */
  readonly faults: () => NodeFaults | undefined;
  /** Told of tables that other routers use. */
  readonly users: () => UsersOfTables;
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
  {
    self,
    founder,
    acquaintances,
    versions,
    view,
    peer,
    membership,
    news,
    rules,
    faults,
    users,
    nowMs,
    traceOf,
  }: PeerDeskParts,
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
    case 'rules':
    case 'rules-used':
    case 'tables-used':
    case 'table-changed':
      return answerNews({ rules, users, news }, { from, request }, answer);
    case 'link':
    case 'pause':
    case 'rest-lags':
      return answer(noteFault(faults(), { from, request }) ? { kind: 'noted' } : NOT_YET);
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
    case 'trace':
      return answerTrace(traceOf(request.requestId, request.isForOther), answer);
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

function answerTrace(found: Promise<string | undefined>, answer: (answer: PeerAnswer) => void): void {
  found.then(
    (json) => answer({ kind: 'trace', json: json !== undefined && json.length <= MOST_TRACE ? json : undefined }),
    (error: unknown) => answer({ kind: 'cannot', reason: error instanceof Error ? error.message : String(error) }),
  );
}

type News = Extract<PeerRequest, { kind: 'rules' | 'rules-used' | 'tables-used' | 'table-changed' }>;

/** What routers tell each other. */
function answerNews(
  { rules, users, news }: Pick<PeerDeskParts, 'rules' | 'users' | 'news'>,
  { from, request }: { readonly from: NodeId; readonly request: News },
  answer: (answer: PeerAnswer) => void,
): void {
  const answerNoted = (isNoted: boolean) => answer(isNoted ? { kind: 'noted' } : NOT_ALL);
  switch (request.kind) {
    case 'rules':
      return void rules().heard(from, request.version, request.isNew).then(answerNoted);
    case 'rules-used':
      return void rules()
        .useFor(from)
        .then((used) => answer({ kind: 'rules-used', rules: used }));
    case 'tables-used':
      users().hear(request.uses);
      return answerNoted(true);
    case 'table-changed':
      return void news().heard(from, request).then(answerNoted);
  }
}

type Fault = Extract<PeerRequest, { kind: 'link' | 'pause' | 'rest-lags' }>;

/** What is to go wrong here on purpose, or not for a while. @returns whether that is possible here */
function noteFault(
  faults: NodeFaults | undefined,
  { from, request }: { readonly from: NodeId; readonly request: Fault },
): boolean {
  switch (request.kind) {
    case 'link':
      return faults?.setLink(request.to, request.fault) === true;
    case 'pause':
      return faults?.setPaused(request.isPaused) === true;
    case 'rest-lags':
      faults?.lags.rest(from, request.forMs);
      return true;
  }
}

const NOT_ALL: PeerAnswer = { kind: 'cannot', reason: 'not all have noted it' };
const NOTED: PeerAnswer = { kind: 'done', report: {} };
const OVERLOADED: PeerAnswer = { kind: 'cannot', reason: 'overloaded' };
const NOT_YET: PeerAnswer = { kind: 'cannot', reason: 'no node runs here now' };
