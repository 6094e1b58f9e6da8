import type { Departure } from '../../api/departure.ts';
import type { LookAnswer } from '../coordination-messages.ts';
import { pause, type Task, together } from '../task.ts';
import { MOST_BYTES_TOGETHER, type TogetherRequest, type TransactionReadOutcome } from '../transaction-client.ts';
import { ITEMS_AT_ONCE, look, type TransactionDoor } from './transaction-door.ts';

type Looked = Extract<LookAnswer, { kind: 'looked' }>;

/** Of the pauses between two tries, the first one; each is twice as long as the one before. */
const FIRST_PAUSE_MS = 2;
/** Tries for as long as an operation may take, but not more of them: a reader of busy items had better ask again itself. */
const TRIES = 7;

/**
 * Reads items as they were at one moment (docs/protocol.md section 17.5): reads all of them, and all of them again. If none has
 * changed in between, they were so at every moment between the two. Items that a transaction holds are a conflict, as in the
 * service.
 */
export function* readTogether(door: TransactionDoor, request: TogetherRequest): Task<TransactionReadOutcome> {
  const untilMs = door.clock.elapsedMs() + door.limits.opLifeMs;
  let before: readonly Looked[] | undefined;
  let conflicts: readonly boolean[] = [];
  for (let attempt = 0; ; attempt++) {
    if (isGone(request.departure)) return { kind: 'unavailable', needed: 1, got: 0 };
    const answers: LookAnswer[] | undefined = yield* lookAtAll(door, request);
    if (answers === undefined) return { kind: 'too-large' };
    const failure = answers.find((answer) => answer.kind !== 'looked');
    if (failure !== undefined) return failure as Exclude<LookAnswer, Looked>;
    const looked = answers as Looked[];
    if (before === undefined && !door.rules.readsTogetherTwice) before = looked;
    const earlier = before;
    conflicts = looked.map(
      ({ version, isHeld }, at) => isHeld || (earlier && earlier[at]!.version !== version) === true,
    );
    const isSame = earlier !== undefined && !conflicts.includes(true) && !earlier.some(({ isHeld }) => isHeld);
    if (isSame) return { kind: 'items', items: looked.map(({ item }) => item) };
    if (attempt >= TRIES || door.clock.elapsedMs() >= untilMs) return { kind: 'cancelled', conflicts };
    before = looked;
    if (earlier !== undefined) yield* pause(door.clock, FIRST_PAUSE_MS * 2 ** attempt);
  }
}

/** @returns what was found; undefined once it is known that the items are too large together */
function* lookAtAll(door: TransactionDoor, { items, requestId }: TogetherRequest): Task<LookAnswer[] | undefined> {
  const answers: LookAnswer[] = [];
  let bytes = 0;
  while (answers.length < items.length) {
    const some = items.slice(answers.length, answers.length + ITEMS_AT_ONCE);
    const looks = some.map(({ key, derivation }) => look(door, { key, derivation, requestId }));
    for (const answer of yield* together(door.clock, looks)) {
      answers.push(answer);
      if (answer.kind === 'looked') bytes += answer.item?.size ?? 0;
    }
    if (bytes > MOST_BYTES_TOGETHER) return undefined;
  }
  return answers;
}

function isGone(departure: Departure | undefined): boolean {
  return departure?.isGone === true;
}
