import type { CoordinationReply } from '../../src/dynamo/coordinating-node.ts';
import type { CoordinationRequest } from '../../src/dynamo/coordination-messages.ts';
import type { Asked, Outcome, PeerId, Serve } from '../../src/env/peer-channel.ts';
import { answerCodec, COORDINATION_REQUEST_CODEC } from '../../src/wire/coordination-codec.ts';

interface UnderWay {
  readonly to: PeerId;
  readonly request: CoordinationRequest;
  /** Ends it for its asker; only the first call counts. */
  readonly end: (outcome: Outcome<CoordinationReply> | undefined) => void;
  /** Tells the peer that serves it that its asker is gone. */
  gone: () => void;
}

/** The channel of coordination between processes, in memory: what goes over it goes through the codecs, later. */
export class MemoryChannel {
  readonly #later: (deliver: () => void) => void;
  readonly #doors = new Map<PeerId, Serve<CoordinationRequest, CoordinationReply>>();
  readonly #underWay = new Set<UnderWay>();
  /** Every request that was asked for, in order. */
  readonly asked: { readonly to: PeerId; readonly request: CoordinationRequest }[] = [];
  /** Which answers get lost, with their connection. */
  isAnswerLost: (to: PeerId, request: CoordinationRequest) => boolean = () => false;

  /** Peers to which nothing can be sent although they are up, as when the queue to them is full. */
  readonly unsendable = new Set<PeerId>();

  /** @param later has something called when messages are delivered */
  constructor(later: (deliver: () => void) => void) {
    this.#later = later;
  }

  /** A process serves the channel from now on. */
  open(peer: PeerId, serve: Serve<CoordinationRequest, CoordinationReply>): void {
    this.#doors.set(peer, serve);
  }

  /** A process is killed: what it has not answered is lost, and nothing reaches it. */
  kill(peer: PeerId): void {
    this.#doors.delete(peer);
    for (const one of this.#underWay) if (one.to === peer) one.end({ kind: 'lost', reason: 'connection' });
  }

  isUp(peer: PeerId): boolean {
    return this.#doors.has(peer);
  }

  ask(to: PeerId, request: CoordinationRequest, done: (outcome: Outcome<CoordinationReply>) => void): Asked {
    this.asked.push({ to, request });
    let isOver = false;
    const one: UnderWay = {
      to,
      request,
      end: (outcome) => {
        if (isOver) return;
        isOver = true;
        this.#underWay.delete(one);
        if (outcome !== undefined) this.#later(() => done(outcome));
      },
      gone: () => {},
    };
    this.#underWay.add(one);
    const sent = COORDINATION_REQUEST_CODEC.encode(request);
    this.#later(() => this.#serve(one, COORDINATION_REQUEST_CODEC.decode(sent)));
    return {
      cancel: () => {
        one.end(undefined);
        this.#later(() => one.gone());
      },
    };
  }

  #serve(one: UnderWay, request: CoordinationRequest): void {
    const serve = this.#doors.get(one.to);
    if (serve === undefined) return one.end({ kind: 'not-sent', reason: 'down' });
    if (this.unsendable.has(one.to)) return one.end({ kind: 'not-sent', reason: 'queue-full' });
    const codec = answerCodec(request.kind);
    const answer = (reply: CoordinationReply) => {
      one.gone = () => {};
      const bytes = codec.encode(reply);
      if (this.isAnswerLost(one.to, request)) return one.end({ kind: 'lost', reason: 'connection' });
      one.end({ kind: 'answered', answer: codec.decode(bytes) });
    };
    serve('asker', request, answer, (run) => {
      one.gone = run;
    });
  }
}
