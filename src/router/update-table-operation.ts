import { tableNameOf } from '../api/arn.ts';
import { isOlderThanEntries, leftStorageIds, renewed, withChangedStorage } from '../api/index-storage.ts';
import type { RequestContext } from '../api/operations.ts';
import type { ByteString } from '../api/primary-key.ts';
import { withChangedStream } from '../api/stream-storage.ts';
import { describeTable } from '../api/table-description.ts';
import type { UpdateTableRequest } from '../api/table-requests.ts';
import { withSizes } from '../api/table-sizes.ts';
import { inTransition, settledTable } from '../api/transition.ts';
import { checkUpdate } from '../api/update-rules.ts';
import { type Update, updatedTable } from '../api/update-table.ts';
import { INDEX_BUILDS } from './router-limits.ts';
import type { TableCounts } from './table-counts.ts';
import { checkAtRest, type TableParts, tableNotFound } from './table-operations.ts';

/** UpdateTable. An index that it adds is filled in the background. */
export function createUpdateTableOperation(parts: TableParts, counts: TableCounts) {
  const { client, catalog, indexes, keeper, newId, throughput, transientMs } = parts;
  const lastsMs = (context: RequestContext) => context.transientMs ?? transientMs;

  return {
    async updateTable(request: UpdateTableRequest, context: RequestContext, namespace: string) {
      const { nowMs, region } = context;
      checkUpdate(request);
      const name = tableNameOf(request.TableName);
      let update: Update | undefined;
      let left: readonly ByteString[] = [];
      const changed = await catalog.change(namespace, name, (table) => {
        checkAtRest(table, nowMs);
        const settled = settledTable(table);
        const before = isOlderThanEntries(settled) ? renewed(settled, newId) : settled;
        update = updatedTable(before, request, nowMs, region);
        const { shown, phase } = update;
        const next = withChangedStream(withChangedStorage(update.next, before, newId), before, parts);
        left = leftStorageIds(next, before);
        return inTransition(next, { shown, phase, nowMs, transientMs: lastsMs(context) });
      });
      if (changed === undefined || update === undefined) throw tableNotFound(name);
      throughput?.changed(changed);
      for (const storageId of left) await client.forgetTable(storageId);
      indexes.begin(changed);
      if (request.StreamSpecification !== undefined) keeper.begin(changed);
      if (lastsMs(context) === 0) {
        await indexes.settled(changed, INDEX_BUILDS.answerWaitMs);
        await keeper.settled(changed, INDEX_BUILDS.answerWaitMs);
      }
      const described = describeTable(update.shown, nowMs, update.phase);
      return { TableDescription: withSizes(described, changed, await counts.of(changed, nowMs)) };
    },
  };
}
