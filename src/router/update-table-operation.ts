import { tableNameOf } from '../api/arn.ts';
import { leftStorageIds, withChangedStorage } from '../api/index-storage.ts';
import type { RequestContext } from '../api/operations.ts';
import type { ByteString } from '../api/primary-key.ts';
import { describeTable } from '../api/table-description.ts';
import type { UpdateTableRequest } from '../api/table-requests.ts';
import { inTransition, settledTable } from '../api/transition.ts';
import { checkUpdate } from '../api/update-rules.ts';
import { type Update, updatedTable } from '../api/update-table.ts';
import { checkAtRest, type TableParts, tableNotFound } from './table-operations.ts';

/** UpdateTable. */
export function createUpdateTableOperation({ catalog, newId, throughput, transientMs }: TableParts) {
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
        const before = settledTable(table);
        update = updatedTable(before, request, nowMs, region);
        const { shown, phase } = update;
        const next = withChangedStorage(update.next, before, newId);
        left = leftStorageIds(next, before);
        return inTransition(next, { shown, phase, nowMs, transientMs: lastsMs(context) });
      });
      if (changed === undefined || update === undefined) throw tableNotFound(name);
      throughput?.changed(changed);
      await catalog.forget(left);
      return { TableDescription: describeTable(update.shown, nowMs, update.phase) };
    },
  };
}
