import type { Reply, Request } from '../../../src/dynamo/messages.ts';
import type { ItemRecord } from '../../../src/dynamo/record.ts';
import type { Receive } from '../../../src/env/transport.ts';
import { BROKEN_RULES, type BrokenRule } from '../broken-rules.ts';

/**
 * Rules whose loss takes more than chance brings together in thousands of histories, so that only a story shows it. The
 * catalogue of the others is in `broken-rules.ts`.
 */
const STORY_RULES: Readonly<Record<string, Pick<BrokenRule, 'rule' | 'defects'>>> = {
  'confirmed-before-flush': {
    rule: 'a tombstone is on disk before its purge is agreed to (counterexample 10)',
    defects: { sabotage: { receive: confirmingUnflushed } },
  },
  'grace-by-date-alone': {
    rule: 'the grace of a tombstone counts from when it came, not only from its date (counterexample 16)',
    defects: { rules: { graceFromOwnLearn: false } },
  },
  'held-outlives-purge': {
    rule: 'what a rule of lag holds back does not come after the purge of a newer tombstone (counterexample 29)',
    defects: { rules: { heldYields: false } },
  },
  'substitutes-vote': {
    rule: 'a node that stands in for a home replica takes no part in choosing (counterexample 12)',
    defects: { sabotage: { receive: votingForOthers }, tampering: () => ({ standIn: 'D' }) },
  },
};

/** The rules that a story may break. */
export const BREAKABLE: Readonly<Record<string, Pick<BrokenRule, 'rule' | 'defects'>>> = {
  ...BROKEN_RULES,
  ...STORY_RULES,
};

/** Agrees to a purge as soon as the tombstone was learned; what the disk has by then is left open. */
function confirmingUnflushed(receive: Receive<Request, Reply>): Receive<Request, Reply> {
  return (from, request, reply) => {
    if (request.kind !== 'confirm-tombstone') return receive(from, request, reply);
    const { key, record } = request;
    receive(from, { kind: 'learn', key, record }, ({ from: self }) => reply({ kind: 'confirmed', from: self }));
  };
}

/** Where it has no vote, a node promises and accepts all the same. */
function votingForOthers(receive: Receive<Request, Reply>): Receive<Request, Reply> {
  const acceptedHere = new Map<string, ItemRecord>();
  return (from, request, reply) => {
    receive(from, request, (answer) => {
      if (answer.kind !== 'wrong-epoch' || answer.config !== undefined) return reply(answer);
      const self = answer.from;
      if (request.kind === 'prepare') reply({ kind: 'promise', from: self, accepted: acceptedHere.get(request.key) });
      if (request.kind !== 'accept') return;
      acceptedHere.set(request.key, request.record);
      reply({ kind: 'accepted', from: self });
    });
  };
}
