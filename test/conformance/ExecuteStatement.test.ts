import {
  type AttributeValue,
  ConditionalCheckFailedException,
  DuplicateItemException,
  ExecuteStatementCommand,
  type ExecuteStatementCommandInput,
  GetItemCommand,
  PutItemCommand,
  ResourceNotFoundException,
} from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient, ExecuteStatementCommand as ExecuteOnDocuments } from '@aws-sdk/lib-dynamodb';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTable, keysOf } from '../parts/tables.ts';
import { startServer, type TestServer } from './server.ts';

/*
 * The statements of the developer guide ("PartiQL for DynamoDB"), and the service's words as others have recorded them. The
 * sources are in src/api/partiql.
 */

let server: TestServer;

beforeAll(async () => {
  server = await startServer();
  const hash = (AttributeName: string) => ({ AttributeName, KeyType: 'HASH' as const });
  const range = (AttributeName: string) => ({ AttributeName, KeyType: 'RANGE' as const });
  await createTable(server.client, 'Music', keysOf('Artist', 'SongTitle'));
  await createTable(server.client, 'Orders', {
    KeySchema: [hash('OrderID')],
    AttributeDefinitions: [{ AttributeName: 'OrderID', AttributeType: 'N' }],
  });
  await createTable(server.client, 'Readings', {
    KeySchema: [hash('pk'), range('seq')],
    AttributeDefinitions: [
      { AttributeName: 'pk', AttributeType: 'S' },
      { AttributeName: 'seq', AttributeType: 'N' },
      { AttributeName: 'room', AttributeType: 'S' },
      { AttributeName: 'heat', AttributeType: 'N' },
    ],
    GlobalSecondaryIndexes: [
      { IndexName: 'byRoom', KeySchema: [hash('room'), range('seq')], Projection: { ProjectionType: 'ALL' } },
      { IndexName: 'keys', KeySchema: [hash('room')], Projection: { ProjectionType: 'KEYS_ONLY' } },
    ],
    LocalSecondaryIndexes: [
      { IndexName: 'byHeat', KeySchema: [hash('pk'), range('heat')], Projection: { ProjectionType: 'KEYS_ONLY' } },
    ],
  });
  for (let seq = 0; seq < 24; seq++) {
    const Item: Record<string, AttributeValue> = {
      pk: { S: seq % 2 === 0 ? 'even' : 'odd' },
      seq: { N: String(seq) },
      heat: { N: String(100 - seq) },
      info: { M: { tags: { L: [{ S: `t${seq}` }, { M: { deep: { N: String(seq) } } }] } } },
    };
    if (seq < 12) Item.room = { S: seq < 6 ? 'north' : 'south' };
    await server.client.send(new PutItemCommand({ TableName: 'Readings', Item }));
  }
  for (const id of [1, 2, 3]) {
    await run(`INSERT INTO Orders VALUE {'OrderID': ${id}, 'Total': ${id * 10}, 'Address': '7834 24th'}`);
  }
});
afterAll(() => server.stop());

const run = (Statement: string, rest: Partial<ExecuteStatementCommandInput> = {}) =>
  server.client.send(new ExecuteStatementCommand({ Statement, ...rest }));

async function refusal(Statement: string, rest: Partial<ExecuteStatementCommandInput> = {}): Promise<string> {
  try {
    await run(Statement, rest);
  } catch (error) {
    return `${(error as Error).name}: ${(error as Error).message}`;
  }
  throw new Error(`the statement was not refused: ${Statement}`);
}

const numbers = (items: Record<string, AttributeValue>[] | undefined, name = 'seq') =>
  items?.map((item) => Number(item[name]!.N));

describe('SELECT', () => {
  test('an item by its key is the whole item, or the columns that are asked for', async () => {
    expect((await run('SELECT * FROM Orders WHERE OrderID = 1')).Items).toEqual([
      { OrderID: { N: '1' }, Total: { N: '10' }, Address: { S: '7834 24th' } },
    ]);
    expect(
      (await run('select "OrderID", Total from "Orders" where OrderID = ?', { Parameters: [{ N: '1.0' }] })).Items,
    ).toEqual([{ OrderID: { N: '1' }, Total: { N: '10' } }]);
    expect((await run('SELECT * FROM Orders WHERE OrderID = 9')).Items).toEqual([]);
    expect((await run('SELECT * FROM Orders WHERE OrderID = 1 AND Total > 10')).Items).toEqual([]);
    expect(
      (await run('SELECT Total FROM Orders WHERE OrderID = 1 AND begins_with("Address", \'7834\')')).Items,
    ).toEqual([{ Total: { N: '10' } }]);
  });

  test('a column has the last name of its path', async () => {
    const where = "WHERE pk = 'odd' AND seq = 3";
    expect((await run(`SELECT info.tags[0], info.tags[1].deep, info.absent FROM Readings ${where}`)).Items).toEqual([
      { 'tags[0]': { S: 't3' }, deep: { N: '3' } },
    ]);
  });

  test('several orders are read by IN and OR', async () => {
    for (const where of ['OrderID IN [3, 1]', 'OrderID IN (1, 3)', 'OrderID = 1 OR OrderID = 3']) {
      const { Items } = await run(`SELECT OrderID FROM Orders WHERE ${where} ORDER BY OrderID DESC`);
      expect(numbers(Items, 'OrderID')).toEqual([3, 1]);
    }
  });

  test('a partition is read in the order of its sort key, by ranges and filters', async () => {
    const ofOdd = async (rest: string) =>
      numbers((await run(`SELECT seq FROM Readings WHERE pk = 'odd' ${rest}`)).Items);
    expect(await ofOdd('')).toEqual([1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23]);
    expect(await ofOdd('AND seq BETWEEN 5 AND 9')).toEqual([5, 7, 9]);
    expect(await ofOdd('AND seq > 15 AND seq < 21')).toEqual([17, 19]);
    expect(await ofOdd('AND NOT seq > 5')).toEqual([1, 3, 5]);
    expect(await ofOdd('AND seq <> 1 AND 7 >= seq ORDER BY seq DESC')).toEqual([7, 5, 3]);
    expect(await ofOdd('AND seq IN [3, 9] ORDER BY seq')).toEqual([3, 9]);
    expect(await ofOdd('AND seq <= 13 AND room IS MISSING')).toEqual([13]);
    expect(await ofOdd("AND room IS NOT MISSING AND attribute_type(room, 'S') AND size(room) = 5 AND seq < 3")).toEqual(
      [1],
    );
    expect(await ofOdd("AND contains(info.tags, 't5')")).toEqual([5]);
    expect(await ofOdd('AND info.tags[1].deep >= 21')).toEqual([21, 23]);
    expect(await ofOdd('AND attribute_exists(room) = false AND (seq = 13 OR seq = 23)')).toEqual([13, 23]);
  });

  test('without the partition key, everything is read and filtered', async () => {
    const { Items } = await run('SELECT seq FROM Readings WHERE seq >= 22 AND room IS MISSING');
    expect(numbers(Items)!.sort()).toEqual([22, 23]);
    expect((await run('SELECT * FROM Readings')).Items).toHaveLength(24);
  });

  test('an index is read by its keys, or as a whole', async () => {
    expect(
      numbers((await run('SELECT seq FROM "Readings"."byRoom" WHERE room = \'south\' ORDER BY seq DESC')).Items),
    ).toEqual([11, 10, 9, 8, 7, 6]);
    expect(numbers((await run("SELECT seq FROM Readings.byHeat WHERE pk = 'even' AND heat < 82")).Items)).toEqual([
      22, 20,
    ]);
    expect((await run('SELECT * FROM "Readings"."byRoom"')).Items).toHaveLength(12);
    expect((await run('SELECT * FROM "Readings"."keys" WHERE room = \'north\'', { Limit: 1 })).Items).toEqual([
      { room: { S: 'north' }, pk: expect.anything(), seq: expect.anything() },
    ]);
  });

  test('pages follow each other by NextToken', async () => {
    for (const [Statement, wanted] of [
      ["SELECT seq FROM Readings WHERE pk = 'odd'", 12],
      ["SELECT seq FROM Readings WHERE pk IN ['odd', 'even']", 24],
      ['SELECT seq FROM Readings', 24],
      ["SELECT seq FROM Readings.byRoom WHERE room IN ['north', 'south', 'none']", 12],
    ] as const) {
      const seen: number[] = [];
      let NextToken: string | undefined;
      do {
        const page = await run(Statement, { Limit: 5, ...(NextToken && { NextToken }) });
        expect(page.Items!.length).toBeLessThanOrEqual(5);
        seen.push(...numbers(page.Items)!);
        NextToken = page.NextToken;
      } while (NextToken !== undefined);
      expect(new Set(seen).size).toBe(wanted);
      expect(seen).toHaveLength(wanted);
    }
  });

  test('several partitions come ten items at a time', async () => {
    const page = await run("SELECT seq FROM Readings WHERE pk IN ['odd', 'even']");
    expect(page.Items).toHaveLength(10);
    expect(page.NextToken).toBeDefined();
  });

  test('a token belongs to its statement and parameters', async () => {
    const Statement = 'SELECT * FROM Readings WHERE pk = ?';
    const Parameters = [{ S: 'odd' }];
    const { NextToken, LastEvaluatedKey } = await run(Statement, { Parameters, Limit: 1 });
    expect(LastEvaluatedKey).toEqual({ pk: { S: 'odd' }, seq: { N: '1' } });
    const other = 'ValidationException: NextToken does not match request';
    expect(await refusal('SELECT * FROM Orders', { NextToken: NextToken! })).toBe(other);
    expect(await refusal(Statement, { Parameters: [{ S: 'even' }], NextToken: NextToken! })).toBe(other);
    expect(await refusal(Statement, { Parameters, NextToken: 'nonsense' })).toBe(
      'ValidationException: Invalid NextToken',
    );
  });

  test('capacity is that of the operation', async () => {
    const ReturnConsumedCapacity = 'INDEXES';
    expect((await run('SELECT * FROM Orders WHERE OrderID = 1', { ReturnConsumedCapacity })).ConsumedCapacity).toEqual({
      TableName: 'Orders',
      CapacityUnits: 0.5,
      Table: { CapacityUnits: 0.5 },
    });
    const inTwo = await run("SELECT seq FROM Readings.byRoom WHERE room IN ['north', 'south']", {
      ReturnConsumedCapacity,
    });
    expect(inTwo.ConsumedCapacity).toEqual({
      TableName: 'Readings',
      CapacityUnits: 1,
      Table: { CapacityUnits: 0 },
      GlobalSecondaryIndexes: { byRoom: { CapacityUnits: 1 } },
    });
  });

  test.each([
    ['SELECT * FROM Orders ORDER BY OrderID', 'Must have WHERE clause in the statement when using ORDER BY clause.'],
    [
      'SELECT * FROM Orders WHERE Total > 1 ORDER BY OrderID',
      'Must have at least one non-optional hash key condition in WHERE clause when using ORDER BY clause.',
    ],
    [
      'SELECT * FROM Orders WHERE OrderID = 1 ORDER BY Total',
      'Attribute Total in ORDER BY clause must be part of the primary key',
    ],
    [
      "SELECT * FROM Readings WHERE pk IN ['odd', 'even'] ORDER BY seq",
      'Must have hash key in ORDER BY clause when more than one hash key condition specified in WHERE clause.',
    ],
    [
      "SELECT * FROM Readings WHERE pk = 'odd' AND seq > 1 OR pk = 'odd' AND seq = 7",
      'Overlapping conditions with range keys are not supported in where clause',
    ],
    [
      "SELECT * FROM Orders WHERE OrderID = '1'",
      "Key attribute's data type should match its data type in table's schema: Key OrderID",
    ],
    [
      'SELECT * FROM Orders WHERE OrderID = TRUE',
      'Key value must be of type S, N, or B. Key name: OrderID, Key type: BOOL',
    ],
    ['SELECT * FROM Orders.none', 'The table does not have the specified index'],
    [
      'SELECT heat FROM Readings.keys',
      'One or more parameter values were invalid: Global secondary index keys does not project [heat]',
    ],
    [
      "SELECT * FROM Readings.keys WHERE room = 'north' AND heat > 1",
      'One or more parameter values were invalid: Secondary index keys does not project one or more filter attributes: [heat]',
    ],
    [
      'SELECT * FROM Orders WHERE Total < NULL',
      'Incorrect operand type for operator or function; operator or function: <, operand type: NULL',
    ],
    ['SELECT * FROM Orders WHERE Total = ?', "Number of parameters in request and statement don't match."],
    ['SELECT * FROM Orders LIMIT 1', 'Unsupported clause: LIMIT at 1:28:1'],
    ['SELECT COUNT(*) FROM Orders', 'Unexpected path component at 1:8:5'],
    ['SLECT * FROM Orders', "Statement wasn't well formed, can't be processed: Expected data manipulation"],
    ['SELECT * FROM Orders WHERE', "Statement wasn't well formed, can't be processed: Unexpected term"],
    ['SELECT key FROM Orders', "Statement wasn't well formed, can't be processed: Unexpected keyword"],
    ['SELECT * FROM a.b.c', 'A path may contain at most 2 components in the FROM clause'],
  ])('%s is refused', async (statement, message) => {
    expect(await refusal(statement)).toBe(`ValidationException: ${message}`);
  });

  test('a consistent read of a global index is refused, and one of a table that is not there', async () => {
    expect(await refusal('SELECT * FROM Readings.keys', { ConsistentRead: true })).toBe(
      'ValidationException: Strongly consistent read is not supported on Global Secondary Indexes',
    );
    await expect(run('SELECT * FROM Strangers')).rejects.toBeInstanceOf(ResourceNotFoundException);
    expect(await refusal('SELECT * FROM Orders', { Limit: 0 })).toContain(
      'Member must have value greater than or equal to 1',
    );
    expect(await refusal('x'.repeat(8193))).toContain('Member must have length less than or equal to 8192');
  });
});

describe('INSERT, UPDATE and DELETE', () => {
  const Key = { Artist: { S: 'Acme Band' }, SongTitle: { S: 'PartiQL Rocks' } };
  const where = "WHERE Artist='Acme Band' AND SongTitle='PartiQL Rocks'";
  const stored = async () => (await server.client.send(new GetItemCommand({ TableName: 'Music', Key }))).Item;

  test('an item is inserted once', async () => {
    const insert = "INSERT INTO \"Music\" value {'Artist' : 'Acme Band','SongTitle' : 'PartiQL Rocks', 'Awards': ?}";
    expect((await run(insert, { Parameters: [{ NS: ['2', '1'] }] })).Items).toEqual([]);
    expect(await stored()).toEqual({ ...Key, Awards: { NS: ['1', '2'] } });
    await expect(run(insert, { Parameters: [{ N: '1' }] })).rejects.toBeInstanceOf(DuplicateItemException);
    expect(await refusal(insert, { Parameters: [{ N: '1' }] })).toBe(
      'DuplicateItemException: Duplicate primary key exists in table',
    );
    expect(await stored()).toEqual({ ...Key, Awards: { NS: ['1', '2'] } });
  });

  test('literals of all kinds are stored', async () => {
    await run(
      "INSERT INTO Orders VALUE {'OrderID': 50, 's': 'it''s', 'n': -1.50e2, 't': true, 'f': FALSE, 'z': null, " +
        "'l': [1, ['two'], {}], 'm': {'a b': {'c': <<'x', 'y'>>}}, 'ns': <<3, 1>>} -- a comment\n/* another one */;",
    );
    const { Items } = await run('SELECT * FROM Orders WHERE OrderID = 50');
    expect(Items).toEqual([
      {
        OrderID: { N: '50' },
        s: { S: "it's" },
        n: { N: '-150' },
        t: { BOOL: true },
        f: { BOOL: false },
        z: { NULL: true },
        l: { L: [{ N: '1' }, { L: [{ S: 'two' }] }, { M: {} }] },
        m: { M: { 'a b': { M: { c: { SS: ['x', 'y'] } } } } },
        ns: { NS: ['1', '3'] },
      },
    ]);
    await run('DELETE FROM Orders WHERE OrderID = 50');
  });

  test('an item is updated by several clauses, and returned as asked', async () => {
    await run(`UPDATE "Music" SET AwardsWon=1 SET AwardDetail={'Grammys':[2020, 2018]} ${where}`);
    expect(
      await run(
        `UPDATE Music SET AwardDetail.Grammys=list_append(AwardDetail.Grammys, [2016]) ${where} RETURNING ALL NEW *`,
      ),
    ).toMatchObject({
      Items: [{ ...Key, AwardDetail: { M: { Grammys: { L: [{ N: '2020' }, { N: '2018' }, { N: '2016' }] } } } }],
    });
    expect(
      (
        await run(
          `UPDATE Music REMOVE AwardDetail.Grammys[2] SET AwardsWon = AwardsWon + 4 ${where} RETURNING MODIFIED OLD *`,
        )
      ).Items,
    ).toEqual([{ AwardsWon: { N: '1' }, AwardDetail: { M: { Grammys: { L: [{ N: '2016' }] } } } }]);
    const sets = `UPDATE Music SET Awards = set_add(Awards, <<7>>), BandMembers = set_add(BandMembers, ?) ${where}`;
    expect((await run(`${sets} RETURNING MODIFIED NEW *`, { Parameters: [{ SS: ['m1'] }] })).Items).toEqual([
      { Awards: { NS: ['1', '2', '7'] }, BandMembers: { SS: ['m1'] } },
    ]);
    await run(`UPDATE Music SET Awards = set_delete(Awards, <<1, 2>>) REMOVE BandMembers REMOVE AwardDetail ${where}`);
    expect(await stored()).toEqual({ ...Key, AwardsWon: { N: '5' }, Awards: { NS: ['7'] } });
  });

  test('further conditions are conditions on the item', async () => {
    await run(`UPDATE Music SET AwardsWon = 6 ${where} AND AwardsWon = 5`);
    const failing = run(`UPDATE Music SET AwardsWon = 7 ${where} AND AwardsWon = 5`, {
      ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
    });
    await expect(failing).rejects.toBeInstanceOf(ConditionalCheckFailedException);
    await expect(failing).rejects.toMatchObject({
      Item: { AwardsWon: { N: '6' } },
      message: 'The conditional request failed',
    });
    expect(await refusal(`DELETE FROM Music ${where} AND AwardsWon IN [1, 2]`)).toBe(
      'ConditionalCheckFailedException: The conditional request failed',
    );
    expect((await stored())!.AwardsWon).toEqual({ N: '6' });
  });

  test('no item is made by an update, and none is missed by a delete', async () => {
    const other = "WHERE Artist='Acme Band' AND SongTitle='none'";
    expect(await refusal(`UPDATE Music SET a = 1 ${other}`)).toBe(
      'ConditionalCheckFailedException: The conditional request failed',
    );
    expect((await run(`DELETE FROM Music ${other} AND a = 1 RETURNING ALL OLD *`)).Items).toEqual([]);
    expect((await run(`DELETE FROM Music ${where} RETURNING ALL OLD *`)).Items).toEqual([
      { ...Key, AwardsWon: { N: '6' }, Awards: { NS: ['7'] } },
    ]);
    expect(await stored()).toBeUndefined();
  });

  test.each([
    ['DELETE FROM Music', 'Where clause does not contain a mandatory equality on all key attributes'],
    [
      "UPDATE Music SET a = 1 WHERE Artist = 'x' AND SongTitle > 'a'",
      'Where clause does not contain a mandatory equality on all key attributes',
    ],
    [
      "UPDATE Music SET a = 1 WHERE Artist IN ['x'] AND SongTitle = 'a'",
      'Where clause does not contain a mandatory equality on all key attributes',
    ],
    [
      "UPDATE Music.idx SET a = 1 WHERE Artist = 'x' AND SongTitle = 'a'",
      'This operation is not supported on an index',
    ],
    [
      "UPDATE Music SET Artist = 'y' WHERE Artist = 'x' AND SongTitle = 'a'",
      'One or more parameter values were invalid: Cannot update attribute Artist. This attribute is part of the key',
    ],
    [
      "UPDATE Music SET a = 1, a.b = 2 WHERE Artist = 'x' AND SongTitle = 'a'",
      'Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [a], path two: [a, b]',
    ],
    [
      "UPDATE Music SET a = set_add(b, <<1>>) WHERE Artist = 'x' AND SongTitle = 'a'",
      'The first argument to SET_ADD must equal the assignment value at 1:22:7',
    ],
    [
      "UPDATE Music SET a = a + 'x' WHERE Artist = 'x' AND SongTitle = 'a'",
      'Incorrect operand type for operator or function; operator or function: +, operand type: S',
    ],
    [
      "DELETE FROM Music WHERE Artist = 'x' AND SongTitle = 'a' RETURNING ALL NEW *",
      'Invalid returning clause: RETURNING ALL NEW *. Only RETURNING ALL OLD * is allowed in DELETE statements.',
    ],
    [
      "INSERT INTO Music VALUE {'Artist': 'x'}",
      'One or more parameter values were invalid: Missing the key SongTitle in the item',
    ],
    [
      "INSERT INTO Music VALUE {'Artist': 'x', 'SongTitle': 'a', 'l': [?]}",
      'Unsupported data type: Parameter under key root[0] at 1:65:1',
    ],
    ["INSERT INTO Music VALUE {'Artist': 'x', 'SongTitle': 'a', 'l': <<>>}", 'Empty bags are not supported'],
    [
      'INSERT INTO urls (key, clicks) VALUES (?, ?)',
      "Statement wasn't well formed, can't be processed: Unexpected keyword",
    ],
    ['UPDATE Payment-x SET a = 1', "Statement wasn't well formed, can't be processed: Expected data manipulation"],
    ['EXISTS(SELECT * FROM Music)', 'EXISTS is only supported in ExecuteTransaction'],
  ])('%s is refused', async (statement, message) => {
    const Parameters = statement.includes('[?]') ? [{ S: 'x' }] : undefined;
    const both = statement.includes('(?, ?)') ? [{ S: 'x' }, { S: 'y' }] : Parameters;
    expect(await refusal(statement, { Parameters: both })).toBe(`ValidationException: ${message}`);
  });
});

test('the document client sends and receives plain values', async () => {
  const client = DynamoDBDocumentClient.from(server.client);
  const Parameters = [{ deep: [1, 'two', true, null] }, 77];
  await client.send(
    new ExecuteOnDocuments({
      Statement: "INSERT INTO Orders VALUE {'OrderID': 77, 'm': ?}",
      Parameters: [Parameters[0]],
    }),
  );
  const { Items } = await client.send(
    new ExecuteOnDocuments({ Statement: 'SELECT * FROM Orders WHERE m = ? AND OrderID = ?', Parameters }),
  );
  expect(Items).toEqual([{ OrderID: 77, m: Parameters[0] }]);
  await client.send(new ExecuteOnDocuments({ Statement: 'DELETE FROM Orders WHERE OrderID = ?', Parameters: [77] }));
});
