import type { Condition } from '../api/expression/ast.ts';
import { buildingOf } from '../api/index-storage.ts';
import type { ItemImage } from '../api/item.ts';
import type { EncodedKey } from '../api/primary-key.ts';
import type { Table } from '../api/table-definition.ts';
import { type DynamoClient, type ItemKey, type ScanStart, SYSTEM_TABLE, type WriteOptions } from '../dynamo/client.ts';
import { clusterError } from './cluster-errors.ts';
import { INDEX_BUILDS } from './router-limits.ts';

const STRICT: WriteOptions = { consistency: 'strict', wantsOld: false };
/** The one attribute of the item that keeps it: JSON text. */
const PROGRESS = 'progress';

interface Kept {
  /** The indexes that are built: what was done for others is worth nothing for them. */
  readonly indexes: readonly string[];
  /** By partition: where it goes on, or that it is done; undefined: nothing is done. */
  readonly places: readonly (Place | undefined)[];
  readonly items: number;
}

/** Behind this item, which need not exist. */
type Place = EncodedKey | 'done';

/** How far the indexes of a table are built, kept as an item of the system table. */
export class BuildProgress {
  readonly #client: DynamoClient;
  readonly #key: ItemKey;
  readonly #indexes: readonly string[];
  readonly #places: (Place | undefined)[];
  #items: number;
  #isBegun: boolean;
  #unsaved = 0;
  #saving: Promise<void> | undefined;

  /** @throws ApiError if the cluster fails */
  static async load(client: DynamoClient, table: Table): Promise<BuildProgress> {
    const key = keyOf(table);
    const outcome = await client.read({ key, from: 'latest', consistency: 'strict' });
    if (outcome.kind !== 'found' && outcome.kind !== 'none') throw clusterError(outcome);
    const indexes = buildingOf(table).map(({ name, storageId }) => `${name} ${storageId ?? ''}`);
    const kept = outcome.kind === 'found' ? parse(outcome.item) : undefined;
    const isOfThese = kept !== undefined && indexes.every((index) => kept.indexes.includes(index));
    return new BuildProgress(client, key, indexes, isOfThese ? kept : undefined);
  }

  private constructor(client: DynamoClient, key: ItemKey, indexes: readonly string[], kept: Kept | undefined) {
    this.#client = client;
    this.#key = key;
    this.#indexes = kept?.indexes ?? indexes;
    this.#places = [...(kept?.places ?? [])];
    this.#items = kept?.items ?? 0;
    this.#isBegun = kept !== undefined;
  }

  /** Whether it was ever saved: then nobody writes any more without knowing of the indexes. */
  get isBegun(): boolean {
    return this.#isBegun;
  }

  get partitionsDone(): number {
    return this.#places.filter((place) => place === 'done').length;
  }

  get items(): number {
    return this.#items;
  }

  isDone(partition: number): boolean {
    return this.#places[partition] === 'done';
  }

  /** Where a partition that is not done goes on. */
  startIn(partition: number): ScanStart {
    const place = this.#places[partition];
    return place === undefined || place === 'done' ? { kind: 'partition', partition } : { kind: 'after', ...place };
  }

  /**
   * Something was done in a partition. Saved now and then.
   * @param after where it goes on; undefined: it is done
   */
  async note(partition: number, items: number, after: EncodedKey | undefined): Promise<void> {
    this.#places[partition] = after ?? 'done';
    this.#items += items;
    if (items === 0 || ++this.#unsaved < INDEX_BUILDS.pagesPerSave) return;
    this.#unsaved = 0;
    // Saves of several partitions take turns; the last one has it all.
    this.#saving = (this.#saving ?? Promise.resolve()).then(() => this.save());
    await this.#saving;
  }

  /** @throws ApiError if the cluster fails */
  async save(): Promise<void> {
    const kept: Kept = { indexes: this.#indexes, places: this.#places, items: this.#items };
    // What has been removed with its table does not come back.
    const condition: Condition | undefined = this.#isBegun ? { kind: 'exists', path: [PROGRESS] } : undefined;
    const mutation = { kind: 'put', item: image(kept), ...(condition === undefined ? {} : { condition }) } as const;
    const outcome = await this.#client.write(this.#key, mutation, STRICT);
    if (outcome.kind === 'condition-failed') throw new Error('the table whose index is built is gone');
    if (outcome.kind !== 'applied') throw clusterError(outcome);
    this.#isBegun = true;
  }

  /** What stays after a failure is some KB that nobody reads. */
  async remove(): Promise<void> {
    await this.#client.write(this.#key, { kind: 'delete' }, STRICT);
  }
}

/** Removes what is kept of a table that is deleted while its indexes are built. */
export async function forgetProgress(client: DynamoClient, table: Table): Promise<void> {
  if (buildingOf(table).length > 0) await client.write(keyOf(table), { kind: 'delete' }, STRICT);
}

function keyOf({ storageId }: Pick<Table, 'storageId'>): ItemKey {
  return { table: SYSTEM_TABLE, partitionKey: `${PROGRESS}:${storageId}`, sortKey: '' };
}

function image(kept: Kept): ItemImage {
  const text = JSON.stringify(kept);
  return {
    size: PROGRESS.length + Buffer.byteLength(text),
    json: Buffer.from(JSON.stringify({ [PROGRESS]: { S: text } })),
  };
}

function parse({ json }: ItemImage): Kept {
  const item = JSON.parse(Buffer.from(json).toString()) as { readonly [PROGRESS]: { readonly S: string } };
  const kept = JSON.parse(item[PROGRESS].S) as Omit<Kept, 'places'> & { readonly places: readonly (Place | null)[] };
  return { ...kept, places: kept.places.map((place) => place ?? undefined) };
}
