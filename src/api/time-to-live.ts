import { ApiError } from './errors.ts';
import type { Table } from './table-definition.ts';
import type { TimeToLiveSpecification } from './table-requests.ts';
import { isSeen } from './transition.ts';

/** The API's `TimeToLiveDescription`. */
export interface TimeToLiveDescription {
  readonly TimeToLiveStatus: 'ENABLED' | 'DISABLED' | 'ENABLING' | 'DISABLING';
  readonly AttributeName?: string;
}

export function describeTimeToLive(table: Table, nowMs: number): TimeToLiveDescription {
  const { expiryAttribute, expiryChange } = table;
  if (expiryChange !== undefined && isSeen(expiryChange, nowMs)) {
    const TimeToLiveStatus = expiryAttribute === undefined ? 'DISABLING' : 'ENABLING';
    return { TimeToLiveStatus, AttributeName: expiryChange.attribute };
  }
  if (expiryAttribute === undefined) return { TimeToLiveStatus: 'DISABLED' };
  return { TimeToLiveStatus: 'ENABLED', AttributeName: expiryAttribute };
}

/** Whether items of the table are to be deleted when they have expired. While that is being enabled they are not yet. */
export function isExpiryInForce(table: Table, nowMs: number): boolean {
  return describeTimeToLive(table, nowMs).TimeToLiveStatus === 'ENABLED';
}

/** When a change is made, and how long it is seen to be under way, in ms. */
interface ChangeTime {
  readonly nowMs: number;
  readonly transientMs: number;
}

/**
 * The table after an UpdateTimeToLive.
 * @throws ApiError (ValidationException) if nothing would change; if items expire by another attribute: expiry has to be
 *   disabled first, with the name of that attribute; or while another change is under way
 */
export function withTimeToLive(
  table: Table,
  { Enabled, AttributeName }: TimeToLiveSpecification,
  { nowMs, transientMs }: ChangeTime,
): Table {
  const { expiryAttribute: current, expiryChange, ...rest } = table;
  if (current !== undefined && current !== AttributeName) {
    throw ApiError.validation(`TimeToLive is active on a different AttributeName: current AttributeName is ${current}`);
  }
  if (Enabled === (current !== undefined)) {
    throw ApiError.validation(`TimeToLive is already ${Enabled ? 'enabled' : 'disabled'}`);
  }
  // As recorded by a client that disables it and enables it for another attribute (aws-cdk pull request 13720).
  if (expiryChange !== undefined && isSeen(expiryChange, nowMs)) {
    throw ApiError.validation('Time to live has been modified multiple times within a fixed interval');
  }
  const next = Enabled ? { ...rest, expiryAttribute: AttributeName } : rest;
  if (transientMs === 0) return next;
  return { ...next, expiryChange: { attribute: AttributeName, fromMs: nowMs, untilMs: nowMs + transientMs } };
}
