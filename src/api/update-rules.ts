import { ApiError } from './errors.ts';
import { invalidParameter } from './invalid-parameter.ts';
import { checkReplicaUpdates } from './replica-rules.ts';
import type { GlobalSecondaryIndexUpdate, UpdateTableRequest, VectorIndexUpdate } from './table-requests.ts';
import { checkChangedStream, checkEncryption, checkTableClass } from './table-settings-rules.ts';
import { checkUnits, throughputOnDemand } from './throughput-rules.ts';

/**
 * Checks an UpdateTable request by itself. The service answers these errors even if there is no such table.
 *
 * The service makes one logical change per request. It is recorded which changes go together, which text names the
 * conflict, and that encryption is named before table class, protection and warm throughput (aws-controllers-k8s,
 * findings on DynamoDB of October 2026). The order of the other checks is not recorded.
 * @throws ValidationException
 */
export function checkUpdate(request: UpdateTableRequest): void {
  checkSomethingChanges(request);
  checkChangesGoTogether(request);
  checkThroughputParameters(request);
  if (request.StreamSpecification) checkChangedStream(request.StreamSpecification);
  if (request.SSESpecification) checkEncryption(request.SSESpecification);
  checkTableClass(request.TableClass);
  if (request.GlobalSecondaryIndexUpdates) checkIndexUpdates(request.GlobalSecondaryIndexUpdates);
  if (request.VectorIndexUpdates) checkVectorUpdates(request.VectorIndexUpdates);
  checkReplicaUpdates(request);
}

/**
 * The members that change something, with the service's names for them, and its names for members that are not public.
 */
const CHANGES = [
  ['ProvisionedThroughput', 'ProvisionedThroughput'],
  ['BillingMode', 'BillingMode'],
  ['StreamSpecification', 'UpdateStreamEnabled'],
  ['GlobalSecondaryIndexUpdates', 'GlobalSecondaryIndexUpdates'],
  ['SSESpecification', 'SSESpecification'],
  ['ReplicaUpdates', 'ReplicaUpdates'],
  [undefined, 'MultiAccountReplicaReady'],
  [undefined, 'ReplicaTransitRoleArn'],
  ['MultiRegionConsistency', 'MultiRegionConsistency'],
  ['DeletionProtectionEnabled', 'DeletionProtectionEnabled'],
  ['OnDemandThroughput', 'OnDemandThroughput'],
  ['WarmThroughput', 'WarmThroughput'],
  ['TableClass', 'TableClass'],
  ['VectorIndexUpdates', undefined],
  ['GlobalTableWitnessUpdates', undefined],
  ['GlobalTableSettingsReplicationMode', undefined],
  ['DisassociationProtectionEnabled', undefined],
] as const;

function checkSomethingChanges(request: UpdateTableRequest): void {
  const present = CHANGES.filter(([member]) => member !== undefined && !isAbsent(request[member]));
  if (present.some(([member]) => member !== 'MultiRegionConsistency')) return;
  const missing = CHANGES.filter((change) => !present.includes(change)).flatMap(([, name]) => name ?? []);
  const last = missing.pop();
  throw ApiError.validation(`At least one of ${missing.join(', ')} or ${last} is required`);
}

/** An empty list counts as absent here. It is refused as empty if another member changes something. */
function isAbsent(member: unknown): boolean {
  return member == null || (Array.isArray(member) && member.length === 0);
}

function checkChangesGoTogether(request: UpdateTableRequest): void {
  const present = CHANGES.flatMap(([member]) => (member !== undefined && !isAbsent(request[member]) ? member : []));
  const has = (member: (typeof present)[number]) => present.includes(member);
  const addsOrRemovesIndex = [
    ...(request.GlobalSecondaryIndexUpdates ?? []),
    ...(request.VectorIndexUpdates ?? []),
  ].some((update) => update.Create || update.Delete);
  const alone = (member: (typeof present)[number], name: string): void => {
    if (has(member) && present.length > 1) throw invalidParameter(`${name} must be the only operation in the request`);
  };
  alone('SSESpecification', 'Server-Side Encryption modification');
  alone('TableClass', 'TableClass modification');
  alone('DeletionProtectionEnabled', 'DeletionProtection modification');
  alone('DisassociationProtectionEnabled', 'DisassociationProtection modification');
  checkReplicasAlone(present);
  if (has('WarmThroughput') && request.GlobalSecondaryIndexUpdates?.some(({ Create }) => Create)) {
    throw invalidParameter('Create global secondary index cannot be specified when updating WarmThroughput');
  }
  // Recorded: this text precedes that of WarmThroughput, for stream and ceilings as for warm throughput and ceilings.
  if (
    has('OnDemandThroughput') &&
    present.some((member) => member !== 'OnDemandThroughput' && member !== 'BillingMode')
  ) {
    throw invalidParameter('OnDemandThroughput can only be combined with BillingMode in an UpdateTable request');
  }
  alone('WarmThroughput', 'WarmThroughput');
  const changesIops = has('ProvisionedThroughput') || request.BillingMode === 'PROVISIONED';
  if (has('StreamSpecification') && changesIops) {
    throw invalidParameter('You cannot modify stream status while updating table IOPS');
  }
  if (addsOrRemovesIndex && has('ProvisionedThroughput')) {
    throw invalidParameter('You cannot create or delete index while updating table IOPS');
  }
  if (addsOrRemovesIndex && has('StreamSpecification')) {
    throw invalidParameter('You cannot create or delete index while changing stream status');
  }
}

function checkReplicasAlone(present: readonly string[]): void {
  const others = present.filter(
    (member) => !['ReplicaUpdates', 'GlobalTableWitnessUpdates', 'MultiRegionConsistency'].includes(member),
  );
  if (others.length === 0) return;
  if (present.includes('GlobalTableWitnessUpdates')) {
    throw invalidParameter('Requests that modify replicas or witnesses must not also modify other fields');
  }
  if (present.includes('ReplicaUpdates')) {
    throw invalidParameter('Replica modification must be the only operation in the request');
  }
}

function checkThroughputParameters(request: UpdateTableRequest): void {
  const { BillingMode: mode, ProvisionedThroughput: provisioned } = request;
  checkUnits(provisioned);
  if (mode === 'PROVISIONED' && !provisioned) {
    throw invalidParameter('ProvisionedThroughput must be specified when BillingMode is PROVISIONED');
  }
  if (mode === 'PAY_PER_REQUEST' && provisioned) throw throughputOnDemand();
  if (request.WarmThroughput && isEmpty(request.WarmThroughput)) {
    throw invalidParameter(
      'WarmThroughput must have at least one of ReadUnitsPerSecond or WriteUnitsPerSecond specified',
    );
  }
}

function checkIndexUpdates(updates: readonly GlobalSecondaryIndexUpdate[]): void {
  if (updates.length === 0) throw invalidParameter('List of GlobalSecondaryIndexUpdates is empty');
  const named = new Set<string>();
  for (const { Update: update, Create: create, Delete: remove } of updates) {
    const actions = [update, create, remove].filter((action) => action != null);
    if (actions.length === 0) {
      throw invalidParameter(
        'One of GlobalSecondaryIndexUpdate.Update, GlobalSecondaryIndexUpdate.Create, ' +
          'GlobalSecondaryIndexUpdate.Delete must not be null',
      );
    }
    if (actions.length > 1) {
      throw invalidParameter('Only one global secondary index action is allowed per GlobalSecondaryIndexUpdate object');
    }
    const name = actions[0]!.IndexName;
    if (named.has(name)) {
      throw invalidParameter(
        `Only one global secondary index update per index is allowed simultaneously. Index: ${name}`,
      );
    }
    named.add(name);
    if (update?.WarmThroughput && isEmpty(update.WarmThroughput)) {
      throw invalidParameter(
        `WarmThroughput must have at least one of ReadUnitsPerSecond or WriteUnitsPerSecond specified for index: ${name}`,
      );
    }
  }
}

function checkVectorUpdates(updates: readonly VectorIndexUpdate[]): void {
  if (updates.length === 0) throw invalidParameter('List of VectorIndexUpdates is empty');
  for (const { Create: create, Delete: remove } of updates) {
    if (!create && !remove) {
      throw invalidParameter('One of VectorIndexUpdate.Create, VectorIndexUpdate.Delete must not be null');
    }
    if (create && remove) {
      throw invalidParameter('Only one vector index action is allowed per VectorIndexUpdate object');
    }
  }
}

function isEmpty(structure: object): boolean {
  return Object.keys(structure).length === 0;
}
