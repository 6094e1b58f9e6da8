import type { Derivation } from '../../../src/api/derivation.ts';
import { derivationImage, derivationKey } from '../../../src/api/derivation.ts';
import { fromImage, type ItemImage, toImage } from '../../../src/api/item.ts';
import type { Mutation } from '../../../src/api/mutation.ts';
import type { SecondaryIndex } from '../../../src/api/table-definition.ts';
import { SYSTEM_TABLE } from '../../../src/dynamo/client.ts';
import { storeKeyOf, tableRange } from '../../../src/dynamo/keyspace.ts';
import { decodeRecord } from '../../../src/dynamo/record.ts';
import type { WriteAnswer } from '../../../src/dynamo/registers/handed-back.ts';
import { writeOf } from '../coordination-requests.ts';
import { type NodeName, ThreeNodes } from '../three-nodes.ts';

export const TABLE = '\0\0\0\0\0\0\0\x01';
export const BY_COLOUR: SecondaryIndex & { readonly storageId: string } = {
  name: 'by-colour',
  kind: 'global',
  storageId: '\0\0\0\0\0\0\x01\x01',
  key: { partition: [{ name: 'colour', type: 'S' }], sort: [] },
  projection: { ProjectionType: 'ALL' },
};
export const BY_SIZE: SecondaryIndex & { readonly storageId: string } = {
  name: 'by-size',
  kind: 'global',
  storageId: '\0\0\0\0\0\0\x01\x02',
  key: { partition: [{ name: 'size', type: 'S' }], sort: [] },
  projection: { ProjectionType: 'KEYS_ONLY' },
};

export function derivationOfTable(version: number, ...indexes: readonly SecondaryIndex[]): Derivation {
  return { table: TABLE, version, key: { partition: { name: 'p', type: 'S' } }, indexes };
}

export function itemOf(name: string, attributes: Readonly<Record<string, string>>): ItemImage {
  const values = Object.entries(attributes).map(([attribute, text]) => [attribute, { S: text }]);
  return toImage({ p: { S: name }, ...Object.fromEntries(values) });
}

export function keyOfItem(name: string): string {
  return storeKeyOf({ table: TABLE, partitionKey: name, sortKey: '' }, 1);
}

export const putOf = (name: string, attributes: Readonly<Record<string, string>>): Mutation => ({
  kind: 'put',
  item: itemOf(name, attributes),
});
export const DELETE: Mutation = { kind: 'delete' };

/** Three nodes that share one partition, and a table with indexes on them. */
export class IndexedRing extends ThreeNodes {
  derivation: Derivation = derivationOfTable(1, BY_COLOUR);

  /** Starts a write; nothing happens before `settle`. */
  begin(at: NodeName, name: string, mutation: Mutation) {
    return this.beginBy(at, name, mutation, this.derivation);
  }

  /** @param derivation undefined: as a client whose table has no index yet */
  beginBy(at: NodeName, name: string, mutation: Mutation, derivation: Derivation | undefined) {
    const request = writeOf(keyOfItem(name), mutation, { partitionKey: name, derivation });
    return this.start<WriteAnswer>((done) => this.node(at).coordinate(request, done));
  }

  /** Writes and runs for a while: as long as an answer may wait for entries, and what is left is sent. */
  put(at: NodeName, name: string, attributes: Readonly<Record<string, string>>, forMs = 1_000) {
    const operation = this.begin(at, name, putOf(name, attributes));
    this.settle(forMs);
    return operation.result;
  }

  delete(at: NodeName, name: string) {
    const operation = this.begin(at, name, DELETE);
    this.settle(1_000);
    return operation.result;
  }

  /** Makes a derivation the present one of the table, where nodes look for it. */
  register(derivation: Derivation): void {
    const place = { table: SYSTEM_TABLE, partitionKey: derivationKey(TABLE), sortKey: '' };
    const mutation: Mutation = { kind: 'put', item: derivationImage(derivation) };
    const request = writeOf(storeKeyOf(place, 1), mutation, { partitionKey: place.partitionKey });
    this.start<WriteAnswer>((done) => this.node('A').coordinate(request, done));
    this.settle(1_000);
  }

  /** What a node has committed of an index: each entry as the key of its item and the value that it is indexed by. */
  entries(at: NodeName, index: typeof BY_COLOUR = BY_COLOUR): string[] {
    const [attribute] = index.key.partition;
    const rows = this.stores[at].range('items', { ...tableRange(0, index.storageId), limit: 1_000 });
    const shown = rows.flatMap(({ value }) => {
      const image = decodeRecord(value).item;
      if (image === undefined) return [];
      const item = fromImage(image) as Record<string, { S: string }>;
      return [`${item.p!.S}=${item[attribute!.name]!.S}`];
    });
    return shown.sort();
  }

  /** The rows of the outbox of each node. */
  get owed(): number[] {
    return (['A', 'B', 'C'] as const).map((name) => this.node(name).status().owed);
  }
}
