import { ApiError } from './errors.ts';
import type { Table } from './table-definition.ts';
import type { TimeToLiveSpecification } from './table-requests.ts';

/** The API's `TimeToLiveDescription`, without `ENABLING` and `DISABLING`: a change is complete when it is answered. */
export interface TimeToLiveDescription {
  readonly TimeToLiveStatus: 'ENABLED' | 'DISABLED';
  readonly AttributeName?: string;
}

export function describeTimeToLive({ expiryAttribute }: Table): TimeToLiveDescription {
  if (expiryAttribute === undefined) return { TimeToLiveStatus: 'DISABLED' };
  return { TimeToLiveStatus: 'ENABLED', AttributeName: expiryAttribute };
}

/**
 * The table after an UpdateTimeToLive.
 * @throws ApiError (ValidationException) if nothing would change, or if items expire by another attribute: expiry has
 *   to be disabled first, with the name of that attribute
 */
export function withTimeToLive(table: Table, { Enabled, AttributeName }: TimeToLiveSpecification): Table {
  const { expiryAttribute: current, ...rest } = table;
  if (current !== undefined && current !== AttributeName) {
    throw ApiError.validation(`TimeToLive is active on a different AttributeName: current AttributeName is ${current}`);
  }
  if (Enabled === (current !== undefined)) {
    throw ApiError.validation(`TimeToLive is already ${Enabled ? 'enabled' : 'disabled'}`);
  }
  return Enabled ? { ...rest, expiryAttribute: AttributeName } : rest;
}
