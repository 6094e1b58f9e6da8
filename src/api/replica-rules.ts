import { ApiError } from './errors.ts';
import type { Table } from './table-definition.ts';
import type { ReplicaSettings, ReplicaUpdate, UpdateTableRequest } from './table-requests.ts';
import { checkTableClass } from './table-settings-rules.ts';

const STRONG_REGIONS = 3;

/**
 * Checks replica updates by themselves, without their table.
 * @throws ValidationException
 */
export function checkReplicaUpdates(request: UpdateTableRequest): void {
  const { ReplicaUpdates: updates = [], MultiRegionConsistency: consistency } = request;
  const kinds = new Set<string>();
  const regions = new Set<string>();
  for (const update of updates) {
    const actions = [update.Create, update.Update, update.Delete, update.Disassociate].filter((it) => it != null);
    if (actions.length === 0) {
      throw ApiError.validation('There are no actions specified in the Replica Update Action of the request.');
    }
    for (const kind of ['Create', 'Update', 'Delete', 'Disassociate'] as const) if (update[kind]) kinds.add(kind);
    if (kinds.size > 1) {
      throw ApiError.validation('Update table operation with more than one type of replica actions not allowed.');
    }
    checkTableClass(update.Create?.TableClassOverride);
    checkTableClass(update.Update?.TableClassOverride);
    const region = actions[0]!.RegionName;
    if (regions.has(region)) throw ApiError.validation('Cannot target multiple regions with the same action');
    regions.add(region);
  }
  if (updates.length > 1 && !kinds.has('Update') && consistency !== 'STRONG') {
    throw ApiError.validation('Update table operation with more than one create or delete replica actions not allowed');
  }
  if (consistency != null && kinds.size > 0 && !kinds.has('Create')) {
    throw ApiError.validation(
      'Only Replica Create actions are supported when MultiRegionConsistency parameter is provided.',
    );
  }
  if (request.GlobalTableWitnessUpdates?.some(({ Create }) => Create) && consistency !== 'STRONG') {
    throw ApiError.validation(
      'MultiRegionConsistency must be set as STRONG when GlobalTableWitnessUpdates parameter is present.',
    );
  }
}

/**
 * The table after its replica updates. One store serves all regions here, so a replica exists as soon as it is named,
 * and only its description is kept.
 * @throws ValidationException
 */
export function withReplicas(table: Table, request: UpdateTableRequest, region: string): Table {
  const { ReplicaUpdates: updates = [], GlobalTableWitnessUpdates: witnesses = [] } = request;
  const leaving = updates.find(({ Disassociate }) => Disassociate)?.Disassociate;
  if (leaving) return disassociated(table, leaving.RegionName, region);
  const replicas = updates.reduce((list, update) => withReplica(table, list, update, region), table.replicas);
  const witness = witnesses[0]?.Create?.RegionName;
  if (request.MultiRegionConsistency === 'STRONG') {
    // A strongly consistent global table spans three regions, of which one may be a witness (developer guide).
    const regions = 1 + replicas.length + (witness === undefined ? 0 : 1);
    if (regions !== STRONG_REGIONS) throw ApiError.validation('Unsupported replica count');
  }
  return {
    ...table,
    replicas,
    multiRegionConsistency:
      replicas.length === 0 ? undefined : (request.MultiRegionConsistency ?? table.multiRegionConsistency),
    witnessRegion: witnesses[0]?.Delete ? undefined : (witness ?? table.witnessRegion),
  };
}

/** The table as a table of one region, without the others. The service's texts for these refusals are not recorded. */
function disassociated(table: Table, leaving: string, localRegion: string): Table {
  if (leaving !== localRegion) {
    throw ApiError.validation(`Only the replica of the local region, ${localRegion}, can be disassociated`);
  }
  if (table.replicas.length === 0) throw ApiError.validation('Only a replica of a global table can be disassociated');
  if (table.disassociationProtection ?? true) {
    throw ApiError.validation('Replica cannot be disassociated as it is currently protected against disassociation');
  }
  return {
    ...table,
    replicas: [],
    multiRegionConsistency: undefined,
    witnessRegion: undefined,
    disassociationProtection: undefined,
  };
}

function withReplica(
  table: Table,
  replicas: readonly ReplicaSettings[],
  update: ReplicaUpdate,
  localRegion: string,
): readonly ReplicaSettings[] {
  const { Create: create, Update: change, Delete: remove } = update;
  const region = (create ?? change ?? remove)!.RegionName;
  const others = replicas.filter(({ RegionName }) => RegionName !== region);
  const known = others.length < replicas.length;
  if (region === localRegion && !change) {
    throw ApiError.validation(
      'Cannot add or delete the local region through ReplicaUpdates. ' +
        'Use CreateTable, DeleteTable, or UpdateTable as required.',
    );
  }
  if (create) {
    if (known) {
      throw ApiError.validation(
        `Failed to create a the new replica of table with name: ‘${table.name}’ because one or more replicas ` +
          'already existed as tables.',
      );
    }
    if (table.billing.mode === 'PROVISIONED') {
      throw ApiError.validation('Table write capacity should either be Pay-Per-Request or AutoScaled.');
    }
    return [...replicas, create];
  }
  if (!known) {
    throw ApiError.validation(
      'Update global table operation failed because one or more replicas were not part of the global table. ' +
        `Please retry the request without these replicas: [${region}].`,
    );
  }
  if (remove) return others;
  return replicas.map((replica) => (replica.RegionName === region ? { ...replica, ...change } : replica));
}

/** The error for a mode that only a table with replicas can have. */
export function overridesWithoutReplica(): ApiError {
  return ApiError.validation(
    "Value 'ENABLED_WITH_OVERRIDES' at 'GlobalTableSettingsReplicationMode' failed to satisfy constraint: " +
      'Only ENABLED and DISABLED settings replication are supported for a Regional Table.',
  );
}
