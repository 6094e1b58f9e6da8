import { ApiError } from './errors.ts';
import { invalidParameter } from './invalid-parameter.ts';
import type { Throughput } from './table-definition.ts';
import type {
  BillingMode,
  IndexThroughput,
  OnDemandThroughput,
  ProvisionedThroughput,
  WarmThroughput,
} from './table-requests.ts';

/** The throughput of a new on-demand table or index (developer guide, "Initial throughput for on-demand"). */
const INITIAL_ON_DEMAND: Required<WarmThroughput> = { ReadUnitsPerSecond: 12_000, WriteUnitsPerSecond: 4_000 };

const ON_DEMAND_GUIDE =
  'https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/on-demand-capacity-mode.html#on-demand-capacity-mode-initial';

/** More provisioned units than any account can have. */
const MOST_UNITS = 1_000_000_000_000;

/** The table or, by its name, the global index whose throughput it is. */
export type Place = { readonly kind: 'table' } | { readonly kind: 'index'; readonly name: string };

/** @throws ValidationException for units beyond any quota */
export function checkUnits(provisioned: ProvisionedThroughput | undefined): void {
  if (provisioned === undefined) return;
  for (const member of ['ReadCapacityUnits', 'WriteCapacityUnits'] as const) {
    if (provisioned[member] > MOST_UNITS) {
      throw ApiError.validation(`Given value ${provisioned[member]} for ${member} is out of bounds`);
    }
  }
}

/**
 * The throughput of a new table, or of a new index. The caller has checked that `provisioned` fits the billing mode,
 * because the error texts differ between callers.
 * @throws ValidationException
 */
export function newThroughput(place: Place, mode: BillingMode, requested: IndexThroughput): Throughput {
  const { ProvisionedThroughput: provisioned, OnDemandThroughput: onDemand, WarmThroughput: warm } = requested;
  checkUnits(provisioned);
  if (onDemand) {
    if (mode === 'PROVISIONED') refuseOnDemand(onDemand, (member) => createRefusal(place, member));
    checkOnDemand(place, onDemand, 1);
  }
  const base = warmBase(mode, provisioned);
  if (warm) checkWarm(place, warm, base, mode);
  return {
    readUnits: provisioned?.ReadCapacityUnits ?? 0,
    writeUnits: provisioned?.WriteCapacityUnits ?? 0,
    onDemand: onDemand && mergeOnDemand(undefined, onDemand),
    warm: atLeast(base, warm),
  };
}

/** The warm throughput that the billing mode alone gives. */
function warmBase(mode: BillingMode, provisioned: ProvisionedThroughput | undefined): Required<WarmThroughput> {
  if (mode === 'PAY_PER_REQUEST' || provisioned === undefined) return INITIAL_ON_DEMAND;
  return {
    ReadUnitsPerSecond: provisioned.ReadCapacityUnits,
    WriteUnitsPerSecond: provisioned.WriteCapacityUnits,
  };
}

function checkWarm(place: Place, warm: WarmThroughput, base: Required<WarmThroughput>, mode: BillingMode): void {
  const where = place.kind === 'table' ? 'table' : `index ${place.name}`;
  for (const member of ['ReadUnitsPerSecond', 'WriteUnitsPerSecond'] as const) {
    if ((warm[member] ?? base[member]) >= base[member]) continue;
    const limit =
      mode === 'PAY_PER_REQUEST'
        ? `initial throughput for OnDemand. See: ${ON_DEMAND_GUIDE}`
        : `${member === 'ReadUnitsPerSecond' ? 'ReadCapacityUnits' : 'WriteCapacityUnits'} of ProvisionedThroughput`;
    throw invalidParameter(`Requested ${member} for WarmThroughput for ${where} is lower than ${limit}`);
  }
}

/** The throughput of a table or index as it is before a change. */
export interface PresentThroughput {
  readonly place: Place;
  readonly current: Throughput;
  readonly mode: BillingMode;
}

/**
 * The throughput after an UpdateTable that names this table or index.
 * @throws ValidationException if a value is out of range, or would lower the warm throughput
 */
export function changedThroughput(
  { place, current, mode }: PresentThroughput,
  requested: IndexThroughput,
  nowMs: number,
): Throughput {
  const { ProvisionedThroughput: provisioned, OnDemandThroughput: onDemand, WarmThroughput: warm } = requested;
  checkUnits(provisioned);
  let next = current;
  if (provisioned) next = provision(next, provisioned, nowMs);
  if (onDemand) {
    if (mode === 'PROVISIONED') refuseOnDemand(onDemand, (member) => updateRefusal(place, member));
    checkOnDemand(place, onDemand, -1);
    next = { ...next, onDemand: mergeOnDemand(current.onDemand, onDemand) };
  }
  if (warm) {
    checkNotLower(place, warm, current.warm);
    next = { ...next, warm: atLeast(next.warm, warm) };
  }
  return next;
}

function provision(current: Throughput, provisioned: ProvisionedThroughput, nowMs: number): Throughput {
  const { ReadCapacityUnits: readUnits, WriteCapacityUnits: writeUnits } = provisioned;
  const wasOnDemand = current.readUnits === 0;
  const more = !wasOnDemand && (readUnits > current.readUnits || writeUnits > current.writeUnits);
  const less = readUnits < current.readUnits || writeUnits < current.writeUnits;
  return {
    ...current,
    readUnits,
    writeUnits,
    warm: atLeast(current.warm, warmBase('PROVISIONED', provisioned)),
    ...(more ? { increasedAtMs: nowMs } : {}),
    ...(less ? { decreasedAtMs: nowMs, decreases: decreasesOn(nowMs, current) + 1 } : {}),
  };
}

const DAY_MS = 86_400_000;

/** The decreases made so far on the UTC day of `nowMs`. */
export function decreasesOn(nowMs: number, { decreasedAtMs, decreases = 0 }: Throughput): number {
  return decreasedAtMs !== undefined && Math.floor(decreasedAtMs / DAY_MS) === Math.floor(nowMs / DAY_MS)
    ? decreases
    : 0;
}

/**
 * The throughput as the answer to UpdateTable shows it: the provisioned units before the change, but already the time
 * of the change, and -1 for a ceiling that is removed (recorded 2026-09-20 to 2026-10-09, eu-west-2 and us-east-1).
 * @param requested what the request says of the table or index; undefined if it does not name it
 */
export function shownThroughput(
  before: Throughput,
  next: Throughput,
  requested: IndexThroughput | undefined,
  nowMs: number,
): Throughput {
  const removed = ON_DEMAND_MEMBERS.filter((member) => requested?.OnDemandThroughput?.[member] === -1);
  const onDemand = { ...next.onDemand, ...Object.fromEntries(removed.map((member) => [member, -1])) };
  return {
    ...before,
    ...(next.increasedAtMs === undefined ? {} : { increasedAtMs: next.increasedAtMs }),
    ...(next.decreasedAtMs === undefined
      ? {}
      : { decreasedAtMs: next.decreasedAtMs, decreases: decreasesOn(nowMs, before) }),
    onDemand: Object.keys(onDemand).length === 0 ? undefined : onDemand,
  };
}

/** Whether so much is provisioned already. The service refuses such a change. */
export function isUnchanged(current: Throughput, provisioned: ProvisionedThroughput): boolean {
  return current.readUnits === provisioned.ReadCapacityUnits && current.writeUnits === provisioned.WriteCapacityUnits;
}

/** @param subject and `where`: how the service names the table or index in the two parts of the text */
export function willNotChange(subject: string, where: string, requested: ProvisionedThroughput): ApiError {
  const { ReadCapacityUnits: read, WriteCapacityUnits: write } = requested;
  return ApiError.validation(
    `The provisioned throughput for ${subject} will not change. The requested value equals the current value. ` +
      `Current ReadCapacityUnits provisioned for ${where}: ${read}. Requested ReadCapacityUnits: ${read}. ` +
      `Current WriteCapacityUnits provisioned for ${where}: ${write}. Requested WriteCapacityUnits: ${write}. ` +
      'Refer to the Amazon DynamoDB Developer Guide for current limits and how to request higher limits.',
  );
}

export function throughputOnDemand(): ApiError {
  return invalidParameter(
    'Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST',
  );
}

/** The throughput after a change of the billing mode. The change drops the ceilings of on-demand mode. */
export function switchedThroughput(current: Throughput, mode: BillingMode): Throughput {
  const { onDemand: _, ...rest } = current;
  return mode === 'PROVISIONED'
    ? rest
    : { ...rest, readUnits: 0, writeUnits: 0, warm: atLeast(current.warm, INITIAL_ON_DEMAND) };
}

function atLeast(base: Required<WarmThroughput>, other: WarmThroughput | undefined): Required<WarmThroughput> {
  return {
    ReadUnitsPerSecond: Math.max(base.ReadUnitsPerSecond, other?.ReadUnitsPerSecond ?? 0),
    WriteUnitsPerSecond: Math.max(base.WriteUnitsPerSecond, other?.WriteUnitsPerSecond ?? 0),
  };
}

function checkNotLower(place: Place, warm: WarmThroughput, current: Required<WarmThroughput>): void {
  const where = place.kind === 'table' ? 'table' : `index ${place.name}`;
  for (const member of ['ReadUnitsPerSecond', 'WriteUnitsPerSecond'] as const) {
    if ((warm[member] ?? current[member]) < current[member]) {
      throw invalidParameter(
        `Requested ${member} for WarmThroughput for ${where} is lower than current WarmThroughput, ` +
          'decreasing WarmThroughput is not supported',
      );
    }
  }
}

type OnDemandMember = keyof OnDemandThroughput;

const ON_DEMAND_MEMBERS = ['MaxReadRequestUnits', 'MaxWriteRequestUnits'] as const;

function refuseOnDemand(onDemand: OnDemandThroughput, refusal: (member: OnDemandMember) => string): void {
  const member = ON_DEMAND_MEMBERS.find((candidate) => onDemand[candidate] != null);
  if (member !== undefined) throw invalidParameter(refusal(member));
}

/** The service has different words for this on creation and on update. */
function createRefusal(place: Place, member: OnDemandMember): string {
  const where = place.kind === 'table' ? '' : ` for index: ${place.name}`;
  return `${member} for OnDemandThroughput${where} cannot be specified when table BillingMode is PROVISIONED.`;
}

function updateRefusal(place: Place, member: OnDemandMember): string {
  const where = place.kind === 'table' ? '' : ` for index : ${place.name}`;
  return `${member} for OnDemandThroughput${where} cannot be specified when the table BillingMode is PROVISIONED`;
}

/** @param lowest 1, or -1 where that value removes a ceiling. 0 is never valid. */
function checkOnDemand(place: Place, onDemand: OnDemandThroughput, lowest: 1 | -1): void {
  const where = place.kind === 'table' ? 'table' : `index : ${place.name}`;
  for (const member of ON_DEMAND_MEMBERS) {
    const value = onDemand[member];
    if (value != null && (value < lowest || value === 0)) {
      throw invalidParameter(`Requested ${member} for OnDemandThroughput for ${where} is outside of valid range`);
    }
  }
}

/** Merges member by member; -1 removes a ceiling. @returns undefined if no ceiling is left */
function mergeOnDemand(
  current: OnDemandThroughput | undefined,
  requested: OnDemandThroughput,
): OnDemandThroughput | undefined {
  const merged: OnDemandThroughput = {};
  for (const member of ON_DEMAND_MEMBERS) {
    const value = requested[member] ?? current?.[member];
    if (value !== undefined && value !== -1) merged[member] = value;
  }
  return Object.keys(merged).length === 0 ? undefined : merged;
}
