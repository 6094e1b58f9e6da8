import type { RequestContext } from '../api/operations.ts';
import type { Table } from '../api/table-definition.ts';
import type {
  ListTagsOfResourceRequest,
  Tag,
  TagResourceRequest,
  UntagResourceRequest,
} from '../api/table-requests.ts';
import { checkNewTags, checkTagKeys, resourceNotFound, taggedTable, withoutTags, withTags } from '../api/tags.ts';
import { statusAt } from '../api/transition.ts';
import type { TableCatalog } from './table-catalog.ts';

export interface TagOperations {
  tagResource(request: TagResourceRequest, context: RequestContext, namespace: string): Promise<object>;
  untagResource(request: UntagResourceRequest, context: RequestContext, namespace: string): Promise<object>;
  /** All tags of a table on one page: they are few. */
  listTagsOfResource(
    request: ListTagsOfResourceRequest,
    context: RequestContext,
    namespace: string,
  ): Promise<{ readonly Tags: readonly Tag[] }>;
}

/** TagResource, UntagResource and ListTagsOfResource. A change is complete when it is answered. */
export function createTagOperations(catalog: TableCatalog): TagOperations {
  const change = async (arn: string, { nowMs }: RequestContext, namespace: string, to: (table: Table) => Table) => {
    const changed = await catalog.change(namespace, taggedTable(arn), (table) => {
      if (statusAt(table, nowMs) === undefined) throw resourceNotFound(arn);
      return to(table);
    });
    if (changed === undefined) throw resourceNotFound(arn);
    return {};
  };
  return {
    async tagResource({ ResourceArn, Tags }, context, namespace) {
      taggedTable(ResourceArn);
      checkNewTags(Tags);
      return change(ResourceArn, context, namespace, (table) => withTags(table, Tags));
    },

    async untagResource({ ResourceArn, TagKeys }, context, namespace) {
      taggedTable(ResourceArn);
      checkTagKeys(TagKeys);
      return change(ResourceArn, context, namespace, (table) => withoutTags(table, TagKeys));
    },

    async listTagsOfResource({ ResourceArn }, { nowMs }, namespace) {
      const table = await catalog.present(namespace, taggedTable(ResourceArn), { kind: 'client', nowMs });
      if (table === undefined || statusAt(table, nowMs) === undefined) throw resourceNotFound(ResourceArn);
      return { Tags: table.tags };
    },
  };
}
