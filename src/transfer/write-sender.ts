import type { Refusal } from './answer.ts';
import type { Connection } from './endpoint-connection.ts';
import { TransferError } from './failure.ts';
import type { FoundTable } from './tables.ts';
import { LIMITS } from './transfer-limits.ts';
import type { Write } from './write.ts';
import { deleteOf, putOf } from './write-of.ts';

/** The outcome of one of several writes that were sent together. */
export type WriteResult =
  | { readonly kind: 'written' }
  | Refusal
  /** The outcome is unknown after all attempts. */
  | { readonly kind: 'given-up'; readonly problem: string };

/** Refusals that concern the item; all others concern the table or the user. */
const OF_THE_ITEM = ['ValidationException', 'SerializationException', 'ItemCollectionSizeLimitExceededException'];

const WRITTEN: WriteResult = { kind: 'written' };

export function isOfTheItem({ name }: Refusal): boolean {
  return OF_THE_ITEM.includes(name);
}

/** Writes into one table of an endpoint: by BatchWriteItem, or one by one if the endpoint does not have it. */
export class WriteSender {
  readonly #target: Connection;
  readonly #table: FoundTable;
  #batchSize: number;

  /** @param batchSize the most writes in one request. 1: BatchWriteItem is not used */
  constructor(target: Connection, table: FoundTable, batchSize: number) {
    this.#target = target;
    this.#table = table;
    this.#batchSize = batchSize;
  }

  /** How many writes are worth sending together. */
  get batchSize(): number {
    return this.#batchSize;
  }

  /**
   * Sends writes of different items. If the batch is refused, sends each by itself to find the refused write.
   * @returns the outcome of each, in order, up to the first that ends the import
   * @throws Interrupted if the connection is closed or may not retry
   */
  async send(writes: readonly Write[]): Promise<readonly WriteResult[]> {
    if (writes.length === 1 || this.#batchSize === 1) return this.#oneByOne(writes);
    let left = writes;
    for (let attempt = 1; ; attempt++) {
      const result = await this.#attempt(left);
      if (result.kind === 'given-up') return this.#endingAt(left[0]!, result, writes);
      if (result.kind === 'refused') return this.#afterRefusal(result, left, writes);
      if (result.left.length === 0) return writes.map(() => WRITTEN);
      // If some writes were accepted, that is progress, and the attempts start again.
      if (result.left.length < left.length) attempt = 1;
      left = result.left;
      if (attempt >= LIMITS.maxAttempts) {
        const problem = `${this.#target.endpoint.url.origin} left items unprocessed ${attempt} times`;
        return this.#endingAt(left[0]!, { kind: 'given-up', problem }, writes);
      }
      await this.#target.pauseBeforeRetry(attempt);
    }
  }

  async #attempt(writes: readonly Write[]) {
    const requests = writes.map(({ operation, json }) =>
      operation === 'PutItem' ? `{"PutRequest":{"Item":${json}}}` : `{"DeleteRequest":{"Key":${json}}}`,
    );
    const body = `{"RequestItems":{${JSON.stringify(this.#table.name)}:[${requests.join(',')}]}}`;
    try {
      const result = await this.#target.send('BatchWriteItem', body);
      return result.kind === 'refused'
        ? result
        : { kind: 'taken' as const, left: this.#unprocessed(result.body, writes) };
    } catch (error) {
      return givenUp(error);
    }
  }

  /** The unprocessed writes of an answer, as they were sent; all of them if that cannot be determined. */
  #unprocessed(body: string, writes: readonly Write[]): readonly Write[] {
    const left = unprocessedIn(body, this.#table.name);
    if (left.length === 0) return [];
    const keys = new Set(left.map((each) => this.#keyOf(each)));
    const found = writes.filter(({ key }) => keys.has(key));
    return found.length === left.length ? found : writes;
  }

  #keyOf({ PutRequest, DeleteRequest }: UnprocessedRequest): string | undefined {
    const write =
      PutRequest === undefined
        ? deleteOf(this.#table, DeleteRequest?.Key, '')
        : putOf(this.#table, PutRequest.Item, '');
    return write.kind === 'write' ? write.key : undefined;
  }

  /** A batch is refused as a whole, so each write is sent by itself to find the reason. */
  async #afterRefusal(refusal: Refusal, left: readonly Write[], writes: readonly Write[]) {
    const results = await this.#oneByOne(left);
    // The endpoint does not have BatchWriteItem, or this user may not use it: all writes are accepted one by one.
    if (!isOfTheItem(refusal) && results.every(({ kind }) => kind === 'written')) this.#batchSize = 1;
    const byWrite = new Map(left.map((write, at) => [write, results[at]]));
    const all = writes.map((write) => (byWrite.has(write) ? byWrite.get(write) : WRITTEN));
    const end = all.indexOf(undefined);
    return (end < 0 ? all : all.slice(0, end)) as readonly WriteResult[];
  }

  async #oneByOne(writes: readonly Write[]): Promise<readonly WriteResult[]> {
    const results: WriteResult[] = [];
    for (const { operation, json } of writes) {
      const part = operation === 'PutItem' ? 'Item' : 'Key';
      const body = `{"TableName":${JSON.stringify(this.#table.name)},"${part}":${json}}`;
      const result = await this.#target.send(operation, body).catch(givenUp);
      results.push(result.kind === 'answered' ? WRITTEN : result);
      if (result.kind === 'given-up' || (result.kind === 'refused' && !isOfTheItem(result))) break;
    }
    return results;
  }

  /** All writes before this one were accepted. */
  #endingAt(write: Write, result: WriteResult, writes: readonly Write[]): readonly WriteResult[] {
    return [...writes.slice(0, writes.indexOf(write)).map(() => WRITTEN), result];
  }
}

function givenUp(error: unknown): { readonly kind: 'given-up'; readonly problem: string } {
  if (error instanceof TransferError) return { kind: 'given-up', problem: error.message };
  throw error;
}

interface UnprocessedRequest {
  readonly PutRequest?: { readonly Item: object };
  readonly DeleteRequest?: { readonly Key: object };
}

function unprocessedIn(body: string, table: string): readonly UnprocessedRequest[] {
  // Most answers have none, and need not be parsed.
  if (!body.includes('Request"')) return [];
  const { UnprocessedItems } = JSON.parse(body) as {
    readonly UnprocessedItems?: Readonly<Record<string, readonly UnprocessedRequest[]>>;
  };
  return UnprocessedItems?.[table] ?? [];
}
