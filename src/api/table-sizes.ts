import type { SecondaryIndex, Table } from './table-definition.ts';

/** How many items or entries there are, and their bytes by the service's rules. */
export interface StoredSize {
  readonly items: number;
  readonly bytes: number;
}

/** How much is stored of a table. */
export interface TableSizes {
  readonly table: StoredSize;
  readonly ofIndex: (index: SecondaryIndex) => StoredSize | undefined;
}

interface DescribedIndex {
  readonly IndexName: string;
  readonly IndexSizeBytes: number;
  readonly ItemCount: number;
}

interface DescribedTable {
  readonly TableSizeBytes?: number;
  readonly ItemCount?: number;
  readonly LocalSecondaryIndexes?: readonly DescribedIndex[] | undefined;
  readonly GlobalSecondaryIndexes?: readonly DescribedIndex[] | undefined;
}

/** The description of a table with how much is stored. */
export function withSizes<D extends DescribedTable>(described: D, { indexes }: Table, sizes: TableSizes): D {
  const sized = <I extends DescribedIndex>(list: readonly I[] | undefined) =>
    list?.map((each) => {
      const index = indexes.find(({ name }) => name === each.IndexName);
      const size = index && sizes.ofIndex(index);
      return size === undefined ? each : { ...each, IndexSizeBytes: size.bytes, ItemCount: size.items };
    });
  return {
    ...described,
    TableSizeBytes: sizes.table.bytes,
    ItemCount: sizes.table.items,
    LocalSecondaryIndexes: sized(described.LocalSecondaryIndexes),
    GlobalSecondaryIndexes: sized(described.GlobalSecondaryIndexes),
  };
}
