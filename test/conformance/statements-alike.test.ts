import {
  type AttributeValue,
  DeleteItemCommand,
  ExecuteStatementCommand,
  type ExecuteStatementCommandInput,
  PutItemCommand,
  QueryCommand,
  type QueryCommandInput,
  type ReturnValue,
  ScanCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTable } from '../parts/tables.ts';
import { startServer, type TestServer } from './server.ts';
import {
  assigned,
  type Change,
  change,
  condition,
  ExpressionWriter,
  type Item,
  item,
  literal,
  NAMES,
  parenthesised,
  partition,
  StatementWriter,
  sortKey,
  type Writer,
  write,
} from './statement-writers.ts';

/*
 * A statement and the operation that it means answer alike: items, pages, capacity, refusals and what is stored afterwards.
 */

/** `DYNARING_ALIKE_RUNS` runs more of each property. */
const RUNS = Number(process.env.DYNARING_ALIKE_RUNS ?? 100);
const SEED = 1214;

let server: TestServer;
/** What is stored in `ByStatement` and `ByOperation` alike. */
const TABLES = ['ByStatement', 'ByOperation'] as const;

beforeAll(async () => {
  server = await startServer();
  const hash = (AttributeName: string) => ({ AttributeName, KeyType: 'HASH' as const });
  const range = (AttributeName: string) => ({ AttributeName, KeyType: 'RANGE' as const });
  for (const name of [...TABLES, 'Fixed']) {
    await createTable(server.client, name, {
      KeySchema: [hash('pk'), range('sk')],
      AttributeDefinitions: [
        { AttributeName: 'pk', AttributeType: 'S' },
        { AttributeName: 'sk', AttributeType: 'N' },
        { AttributeName: 'color', AttributeType: 'S' },
        { AttributeName: 'tier', AttributeType: 'N' },
      ],
      GlobalSecondaryIndexes: [
        { IndexName: 'byColor', KeySchema: [hash('color'), range('tier')], Projection: { ProjectionType: 'ALL' } },
      ],
      LocalSecondaryIndexes: [
        { IndexName: 'byTier', KeySchema: [hash('pk'), range('tier')], Projection: { ProjectionType: 'ALL' } },
      ],
    });
  }
  for (const Item of fc.sample(item, { numRuns: 60, seed: SEED })) {
    await server.client.send(new PutItemCommand({ TableName: 'Fixed', Item }));
  }
});
afterAll(() => server.stop());

const draws = fc.array(fc.boolean(), { minLength: 7, maxLength: 13 });

/** What an operation answers, or how it is refused: without what the words of operations have around a reason. */
async function outcomeOf<T>(run: Promise<T>): Promise<T | { readonly refused: string }> {
  try {
    return await run;
  } catch (error) {
    const { name, message } = error as Error;
    const reason = message.replace('1 validation error detected: ', '').replace(/Invalid \w+Expression: /, '');
    return { refused: `${name}: ${reason}` };
  }
}

const kindOf = (outcome: object) => ('refused' in outcome ? String(outcome.refused).split(':')[0] : outcome);

const run = (Statement: string, writer: StatementWriter, rest: Partial<ExecuteStatementCommandInput> = {}) =>
  server.client.send(
    new ExecuteStatementCommand({
      Statement,
      ...(writer.parameters.length > 0 && { Parameters: writer.parameters }),
      ...rest,
    }),
  );

/** The pages of a SELECT: what is compared of each. */
async function pagesOf(first: (token: string | undefined) => ReturnType<typeof run>) {
  const pages: unknown[] = [];
  let token: string | undefined;
  do {
    const { Items, LastEvaluatedKey, NextToken, ConsumedCapacity } = await first(token);
    expect(NextToken === undefined).toBe(LastEvaluatedKey === undefined);
    pages.push({ Items, LastEvaluatedKey, ConsumedCapacity });
    token = NextToken;
  } while (token !== undefined && pages.length < 100);
  return { pages };
}

async function pagesOfOperation(send: (start: Item | undefined) => Promise<Pick<QueryOutput, keyof QueryOutput>>) {
  const pages: unknown[] = [];
  let start: Item | undefined;
  do {
    const { Items, LastEvaluatedKey, ConsumedCapacity } = await send(start);
    pages.push({ Items, LastEvaluatedKey, ConsumedCapacity });
    start = LastEvaluatedKey;
  } while (start !== undefined && pages.length < 100);
  return { pages };
}
interface QueryOutput {
  Items?: Item[];
  LastEvaluatedKey?: Item;
  ConsumedCapacity?: unknown;
}

/** That properties are about something. */
const kinds = new Map<string, number>();
function count(kind: string): void {
  kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
}

test('a SELECT without the partition key, and a Scan', async () => {
  const columns = fc.option(fc.uniqueArray(fc.constantFrom('pk', 'sk', ...NAMES), { minLength: 1 }), {
    nil: undefined,
  });
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        where: fc.option(condition, { nil: undefined, freq: 6 }),
        columns,
        index: fc.constantFrom(undefined, undefined, 'byColor', 'byTier'),
        Limit: fc.constantFrom(undefined, 4, 7, 30),
        ConsistentRead: fc.boolean(),
        draws,
      }),
      async ({ where, columns: wanted, index, Limit, ConsistentRead: isStrong, draws: drawn }) => {
        const statement = new StatementWriter(drawn);
        const from = index === undefined ? 'Fixed' : `"Fixed"."${index}"`;
        const list = wanted === undefined ? '*' : wanted.map((name) => statement.name(name)).join(', ');
        const text = `SELECT ${list} FROM ${from}${where ? ` WHERE ${write(statement, where)}` : ''}`;
        const expression = new ExpressionWriter();
        const ConsistentRead = isStrong && index !== 'byColor';
        const shared = {
          ConsistentRead,
          ReturnConsumedCapacity: 'INDEXES' as const,
          ...(Limit !== undefined && { Limit }),
        };
        const request = {
          TableName: 'Fixed',
          ...(index !== undefined && { IndexName: index }),
          ...(where && { FilterExpression: write(expression, where) }),
          ...(wanted && { ProjectionExpression: wanted.map((name) => expression.path([name])).join(', ') }),
          ...expression.placeholders,
          ...shared,
        };
        const answer = await outcomeOf(
          pagesOf((NextToken) => run(text, statement, { ...shared, ...(NextToken && { NextToken }) })),
        );
        const meant = await outcomeOf(
          pagesOfOperation((start) =>
            server.client.send(new ScanCommand({ ...request, ...(start && { ExclusiveStartKey: start }) })),
          ),
        );
        expect([text, answer]).toEqual([text, meant]);
        count('refused' in answer ? 'refused' : 'scanned');
      },
    ),
    { numRuns: RUNS, seed: SEED },
  );
  expect(kinds.get('scanned')).toBeGreaterThan(RUNS / 3);
  expect(kinds.get('refused')).toBeGreaterThan(0);
}, 120_000);

const KEYS = {
  table: { hash: 'pk', range: 'sk', index: undefined, values: partition },
  byColor: { hash: 'color', range: 'tier', index: 'byColor', values: fc.constantFrom('red', 'blue', 'green') },
  byTier: { hash: 'pk', range: 'tier', index: 'byTier', values: partition },
} as const;

test('a SELECT with the partition key, and a Query', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...(['table', 'byColor', 'byTier'] as const)).chain((source) =>
        fc.record({
          source: fc.constant(source),
          hashValue: KEYS[source].values.map((S): AttributeValue => ({ S })),
          sort: fc.option(
            fc.oneof(
              fc.record({ operator: fc.constantFrom('=', '<', '<=', '>', '>='), values: fc.tuple(sortKey) }),
              fc.record({ operator: fc.constant('BETWEEN'), values: fc.tuple(sortKey, sortKey) }),
            ),
            { nil: undefined },
          ),
          where: fc.option(condition, { nil: undefined }),
          order: fc.constantFrom(undefined, 'ASC', 'DESC'),
          Limit: fc.constantFrom(undefined, 1, 4),
          isSortFirst: fc.boolean(),
          draws,
        }),
      ),
      async ({ source, hashValue, sort, where, order, Limit, isSortFirst, draws: drawn }) => {
        const { hash, range, index } = KEYS[source];
        const keyText = (writer: Writer) => {
          const parts = [`${writer.path([hash])} = ${writer.value(hashValue)}`];
          if (sort !== undefined) {
            const left = writer.path([range]);
            const values = sort.values.map((N) => writer.value({ N })).join(' AND ');
            parts[isSortFirst ? 'unshift' : 'push'](`${left} ${sort.operator} ${values}`);
          }
          return parts;
        };
        const ordered = (parts: string[], writer: Writer) =>
          // The values of `?` are in the order of the text.
          writer instanceof StatementWriter && isSortFirst && parts.length > 1 ? [parts[1]!, parts[0]!] : parts;
        const statement = new StatementWriter(drawn);
        const parts = ordered(keyText(statement), statement);
        if (where !== undefined) parts.push(parenthesised(statement, where));
        const from = index === undefined ? 'Fixed' : `Fixed.${index}`;
        const by = order === undefined ? '' : ` ORDER BY ${range} ${order}`;
        const text = `SELECT * FROM ${from} WHERE ${parts.join(' AND ')}${by}`;
        const expression = new ExpressionWriter();
        const shared = { ReturnConsumedCapacity: 'TOTAL' as const, ...(Limit !== undefined && { Limit }) };
        const request: QueryCommandInput = {
          TableName: 'Fixed',
          ...(index !== undefined && { IndexName: index }),
          KeyConditionExpression: keyText(expression).join(' AND '),
          ...(where && { FilterExpression: write(expression, where) }),
          ...expression.placeholders,
          ScanIndexForward: order !== 'DESC',
          ...shared,
        };
        const answer = await outcomeOf(
          pagesOf((NextToken) => run(text, statement, { ...shared, ...(NextToken && { NextToken }) })),
        );
        const meant = await outcomeOf(
          pagesOfOperation((start) =>
            server.client.send(new QueryCommand({ ...request, ...(start && { ExclusiveStartKey: start }) })),
          ),
        );
        // Of several faults, either may be told: a Query looks at its filter first.
        if ('refused' in meant && where !== undefined) expect([text, kindOf(answer)]).toEqual([text, kindOf(meant)]);
        else expect([text, answer]).toEqual([text, meant]);
        count('refused' in answer ? 'query refused' : 'queried');
      },
    ),
    { numRuns: RUNS, seed: SEED },
  );
  expect(kinds.get('queried')).toBeGreaterThan(RUNS / 3);
}, 120_000);

const stored = async (TableName: string) =>
  ((await server.client.send(new ScanCommand({ TableName, ConsistentRead: true }))).Items ?? []) as Item[];

test('INSERT and a PutItem of what is not there', async () => {
  await fc.assert(
    fc.asyncProperty(item, draws, async (Item, drawn) => {
      const statement = new StatementWriter(drawn);
      const members = Object.entries(Item).map(([name, each]) => `${literal({ S: name })}: ${statement.value(each)}`);
      const ReturnConsumedCapacity = 'INDEXES';
      const text = `INSERT INTO ByStatement VALUE {${members.join(', ')}}`;
      const answer = await outcomeOf(run(text, statement, { ReturnConsumedCapacity }));
      const meant = await outcomeOf(
        server.client.send(
          new PutItemCommand({
            TableName: 'ByOperation',
            Item,
            ConditionExpression: 'attribute_not_exists(pk)',
            ReturnConsumedCapacity,
          }),
        ),
      );
      const isThere = 'refused' in meant && meant.refused.startsWith('ConditionalCheckFailedException');
      if (isThere) {
        expect(answer).toEqual({ refused: 'DuplicateItemException: Duplicate primary key exists in table' });
      } else if ('refused' in meant) {
        expect([text, answer]).toEqual([text, meant]);
      } else {
        expect('refused' in answer ? [text, answer] : answer.ConsumedCapacity).toEqual({
          ...meant.ConsumedCapacity,
          TableName: 'ByStatement',
        });
      }
      count(isThere ? 'duplicate' : 'inserted');
    }),
    { numRuns: RUNS, seed: SEED },
  );
  expect(await stored('ByStatement')).toEqual(await stored('ByOperation'));
  expect(kinds.get('duplicate')).toBeGreaterThan(5);
  expect(kinds.get('inserted')).toBeGreaterThan(5);
}, 120_000);

const RETURNS: readonly (readonly [string, ReturnValue])[] = [
  ['', 'NONE'],
  [' RETURNING ALL OLD *', 'ALL_OLD'],
  [' RETURNING ALL NEW *', 'ALL_NEW'],
  [' RETURNING MODIFIED OLD *', 'UPDATED_OLD'],
  [' RETURNING MODIFIED NEW *', 'UPDATED_NEW'],
];

/** An item that is often there. */
const named = fc.record({ pk: partition.map((S) => ({ S })), sk: sortKey.map((N) => ({ N })) });

test('UPDATE and an UpdateItem of what is there', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        Key: named,
        changes: fc.array(change, { minLength: 1, maxLength: 3 }),
        where: fc.option(condition, { nil: undefined, freq: 2 }),
        returns: fc.constantFrom(...RETURNS),
        draws,
      }),
      async ({ Key, changes, where, returns: [returning, ReturnValues], draws: drawn }) => {
        const statement = new StatementWriter(drawn);
        const clauses = changes.map(
          (each) => `${each.kind === 'REMOVE' ? 'REMOVE' : 'SET'} ${assigned(statement, each)}`,
        );
        const parts = [`sk = ${statement.value(Key.sk)}`, `"pk" = ${statement.value(Key.pk)}`];
        if (where !== undefined) parts.push(parenthesised(statement, where));
        const text = `UPDATE "ByStatement" ${clauses.join(' ')} WHERE ${parts.join(' AND ')}${returning}`;
        const expression = new ExpressionWriter();
        const sections = (['SET', 'REMOVE', 'ADD', 'DELETE'] as const).flatMap((section) => {
          const kind = (each: Change) => (['ADD', 'DELETE', 'REMOVE'].includes(each.kind) ? each.kind : 'SET');
          const ofThis = changes.filter((each) => kind(each) === section);
          return ofThis.length === 0
            ? []
            : [`${section} ${ofThis.map((each) => assigned(expression, each)).join(', ')}`];
        });
        const isThere = `attribute_exists(${expression.path(['pk'])})`;
        const ReturnConsumedCapacity = 'INDEXES';
        const answer = await outcomeOf(run(text, statement, { ReturnConsumedCapacity }));
        const meant = await outcomeOf(
          server.client.send(
            new UpdateItemCommand({
              TableName: 'ByOperation',
              Key,
              UpdateExpression: sections.join(' '),
              ConditionExpression: where === undefined ? isThere : `${isThere} AND ${parenthesised(expression, where)}`,
              ...expression.placeholders,
              ReturnValues,
              ReturnConsumedCapacity,
            }),
          ),
        );
        if ('refused' in meant) {
          // Of several faults, either may be told: the sections of an expression are in another order.
          expect([text, kindOf(answer)]).toEqual([text, kindOf(meant)]);
          if (changes.length === 1 && where === undefined) expect([text, answer]).toEqual([text, meant]);
          count('update refused');
          return;
        }
        if ('refused' in answer) throw new Error(`${text} is refused: ${answer.refused}`);
        expect([text, answer.Items]).toEqual([text, meant.Attributes === undefined ? [] : [meant.Attributes]]);
        expect(answer.ConsumedCapacity).toEqual({ ...meant.ConsumedCapacity, TableName: 'ByStatement' });
        count('updated');
      },
    ),
    { numRuns: 4 * RUNS, seed: SEED },
  );
  expect(await stored('ByStatement')).toEqual(await stored('ByOperation'));
  expect(kinds.get('updated')).toBeGreaterThan(RUNS / 10);
}, 120_000);

test('DELETE and a DeleteItem', async () => {
  await fc.assert(
    fc.asyncProperty(
      named,
      fc.option(condition, { nil: undefined, freq: 4 }),
      fc.boolean(),
      draws,
      async (Key, where, isOld, drawn) => {
        const statement = new StatementWriter(drawn);
        const parts = [`pk = ${statement.value(Key.pk)}`, `sk = ${statement.value(Key.sk)}`];
        if (where !== undefined) parts.push(parenthesised(statement, where));
        const text = `DELETE FROM ByStatement WHERE ${parts.join(' AND ')}${isOld ? ' RETURNING ALL OLD *' : ''}`;
        const expression = new ExpressionWriter();
        const answer = await outcomeOf(run(text, statement));
        const meant = await outcomeOf(
          server.client.send(
            new DeleteItemCommand({
              TableName: 'ByOperation',
              Key,
              ...(where && {
                ConditionExpression: `attribute_not_exists(${expression.path(['pk'])}) OR ${parenthesised(expression, where)}`,
              }),
              ...expression.placeholders,
              ReturnValues: isOld ? 'ALL_OLD' : 'NONE',
            }),
          ),
        );
        if ('refused' in meant) expect([text, answer]).toEqual([text, meant]);
        else
          expect([text, 'refused' in answer ? answer : answer.Items]).toEqual([
            text,
            meant.Attributes ? [meant.Attributes] : [],
          ]);
        count('refused' in meant ? 'delete refused' : 'deleted');
      },
    ),
    { numRuns: RUNS, seed: SEED },
  );
  expect(await stored('ByStatement')).toEqual(await stored('ByOperation'));
}, 120_000);
