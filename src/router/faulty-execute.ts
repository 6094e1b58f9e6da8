import { tableArn } from '../api/arn.ts';
import { transactionCanceled } from '../api/cancellation.ts';
import { ConnectionDropped } from '../api/connection-dropped.ts';
import { drawRoundTripMs } from '../api/delay-model.ts';
import { ApiError } from '../api/errors.ts';
import { canConflict, faultError, faultErrorFits } from '../api/fault-error.ts';
import type { FaultEffect, FaultScope, FaultTime } from '../api/fault-rule.ts';
import { actionsOf, namedTables, OPERATION_TRAITS } from '../api/operation-traits.ts';
import type { Execute, OperationName, RequestContext } from '../api/operations.ts';
import { MAX_LATENCY_MS } from '../api/read-fault-rule.ts';
import type { RulesOfRequests } from './fault-rules.ts';
import { actionMatcher, type FaultRequest } from './fault-scope.ts';
import type { Firing } from './rule-in-force.ts';

export interface FaultParts {
  readonly rules: RulesOfRequests;
  /** Resolves after `delayMs`; to false if the request must not be carried out any more. */
  readonly wait: (delayMs: number) => Promise<boolean>;
  readonly namespaceOf: (context: RequestContext) => string | undefined;
  /** Is told of each firing, for traces. */
  readonly onFired: (requestId: string, ruleId: string, effect: FaultEffect) => void;
}

/**
 * Tier 2 with fault rules before and after it. While there are no rules, a request pays for one check.
 *
 * The order for each request: all latency rules; then the first error or dropped connection of a rule with `before`;
 * then the operation itself, in which an eventually consistent read may go to a replica that lags; then, if it
 * succeeded, the first error or dropped connection of a rule with `after`.
 */
export function withFaults(execute: Execute, parts: FaultParts): Execute {
  const { rules } = parts;
  return (operation, request, context) =>
    rules.isEmpty
      ? execute(operation, request, context)
      : executeWithFaults(execute, parts, { operation, request, namespace: parts.namespaceOf(context) }, context);
}

async function executeWithFaults(
  execute: Execute,
  parts: FaultParts,
  seen: FaultRequest,
  context: RequestContext,
): Promise<object> {
  const preparing = parts.rules.prepare(seen);
  if (preparing !== undefined) await preparing;
  await delay(parts, seen, context);
  await failIfFired('before', parts, seen, context);
  const response = await readOrWrite(execute, parts, seen, context);
  await failIfFired('after', parts, seen, context);
  return response;
}

async function delay(parts: FaultParts, seen: FaultRequest, context: RequestContext): Promise<void> {
  const firings = await parts.rules.fireEach(seen, ({ kind }) => kind === 'latency');
  if (firings.length === 0) return;
  let delayMs = 0;
  for (const firing of firings) {
    delayMs += latencyMs(firing, seen.operation);
    tell(parts, firing, context);
  }
  // The draws of a model have no upper bound.
  if (!(await parts.wait(Math.min(delayMs, MAX_LATENCY_MS)))) throw ApiError.serviceUnavailable();
}

/** With a model: the time of a round trip to one replica. */
function latencyMs({ effect, draw }: Firing, operation: OperationName): number {
  if (effect.kind !== 'latency') return 0;
  if ('ms' in effect) return effect.ms;
  return drawRoundTripMs(effect.model, OPERATION_TRAITS[operation].access ?? 'read', draw);
}

async function readOrWrite(
  execute: Execute,
  parts: FaultParts,
  seen: FaultRequest,
  context: RequestContext,
): Promise<object> {
  const { operation, request } = seen;
  const isOfStream = operation === 'GetRecords';
  const isLate = (effect: FaultEffect) => effect.kind === 'staleness' && (effect.stream === true) === isOfStream;
  const isEventual = isOfStream || OPERATION_TRAITS[operation].readsEventually?.(request) === true;
  const firing = isEventual ? await parts.rules.fireFirst(seen, isLate) : undefined;
  const given = isOfStream ? { ...context, recordsAgain: () => recordsAgain(parts, seen, context) } : context;
  if (firing === undefined) return execute(operation, request, given);
  tell(parts, firing, context);
  try {
    return await execute(operation, request, isOfStream ? given : { ...given, eventualReadsFrom: 'laggard' });
  } finally {
    firing.end();
  }
}

/** How many of the records that a read of a stream has found a rule wants to be answered once more. */
async function recordsAgain(parts: FaultParts, seen: FaultRequest, context: RequestContext): Promise<number> {
  const firing = await parts.rules.fireFirst(seen, ({ kind }) => kind === 'redelivery');
  if (firing === undefined) return 0;
  tell(parts, firing, context);
  firing.end();
  const { effect } = firing;
  return effect.kind === 'redelivery' ? (effect.records ?? Number.POSITIVE_INFINITY) : 0;
}

/** @throws ApiError or ConnectionDropped if a rule fires */
async function failIfFired(
  when: FaultTime,
  parts: FaultParts,
  seen: FaultRequest,
  context: RequestContext,
): Promise<void> {
  const { operation, request } = seen;
  const firing = await parts.rules.fireFirst(
    seen,
    (effect) =>
      (effect.kind === 'drop-connection' && effect.when === when) ||
      (effect.kind === 'conflict' && when === 'before' && canConflict(operation)) ||
      (effect.kind === 'error' && effect.when === when && faultErrorFits(effect.error, operation)),
  );
  if (firing === undefined) return;
  tell(parts, firing, context);
  if (firing.effect.kind === 'conflict') throw conflictOf(firing.effect, seen);
  if (firing.effect.kind !== 'error') throw new ConnectionDropped();
  throw faultError(firing.effect.error, operation, arnOf(namedTables(operation, request), context));
}

/** @param rule the effect of a rule is the rule itself, with its scope */
function conflictOf(rule: FaultEffect & FaultScope, { operation, request }: FaultRequest): ApiError {
  const conflict = ApiError.transactionConflict();
  if (!OPERATION_TRAITS[operation].hasActions) return conflict;
  const isHeld = actionMatcher(rule);
  return transactionCanceled(actionsOf(request).map((action) => (isHeld(action) ? conflict : undefined)));
}

function tell(parts: FaultParts, { id, effect }: Firing, { requestId }: RequestContext): void {
  parts.onFired(requestId, id, effect);
}

/** The error has to name one table: in a batch, it is the first. */
function arnOf([table = '']: readonly string[], { region }: RequestContext): string {
  return table.startsWith('arn:') ? table : tableArn(region, table);
}
