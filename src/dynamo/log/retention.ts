import { strict as assert } from 'node:assert';
import type { ItemImage } from '../../api/item.ts';
import type { Failure } from '../client.ts';
import { readStrongly } from '../registers/register-read.ts';
import { writeRegister } from '../registers/register-write.ts';
import type { Task } from '../task.ts';
import type { LogAccess } from './log-access.ts';
import { retentionKey } from './log-keys.ts';

/*
 * Up to when a log may have been trimmed, in ticks of `Ballot.hlc`: cells of an earlier ballot may be gone. It is written before
 * the first of them goes, and read by appenders, which must not append again what was in them (docs/protocol.md section 18.4).
 */

const BEFORE = 'before';

/** @returns 0: nothing was ever trimmed */
export function* readRetention({
  coordinator,
  prefix,
  requestId,
}: LogAccess): Task<{ readonly kind: 'retention'; readonly hlc: number } | Failure> {
  const operation = { requestId, key: retentionKey(prefix), deadlineMs: coordinator.deadline() };
  const outcome = yield* readStrongly(coordinator, operation);
  if (outcome.kind !== 'read') return outcome;
  return { kind: 'retention', hlc: hlcIn(outcome.record?.item) };
}

/** Moves it on, never back. @returns undefined if it may not have been done */
export function* raiseRetention(
  { coordinator, prefix, requestId }: LogAccess,
  hlc: number,
): Task<'raised' | undefined> {
  assert(Number.isSafeInteger(hlc));
  const next = imageOf(hlc);
  const outcome = yield* writeRegister(coordinator, {
    requestId,
    key: retentionKey(prefix),
    deadlineMs: coordinator.deadline(),
    partitionKey: '',
    change: (current) =>
      hlcIn(current) >= hlc ? { kind: 'condition-failed', current } : { kind: 'applied', next, old: current },
    mode: 'strict',
    carried: undefined,
  });
  return outcome.kind === 'applied' || outcome.kind === 'condition-failed' ? 'raised' : undefined;
}

function imageOf(hlc: number): ItemImage {
  const json = Buffer.from(JSON.stringify({ [BEFORE]: { N: String(hlc) } }));
  return { size: json.length, json };
}

function hlcIn(image: ItemImage | undefined): number {
  if (image === undefined) return 0;
  const item = JSON.parse(Buffer.from(image.json).toString()) as { readonly [BEFORE]: { readonly N: string } };
  return Number(item[BEFORE].N);
}
