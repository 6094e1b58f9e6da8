import { describe, expect, test } from 'vitest';
import type { Table } from '../../src/api/table-definition.ts';
import { clusterError } from '../../src/router/cluster-errors.ts';

const INDEX = '\0\0\0\0\0\0\x01\x01';

function tableOf(mode: Table['billing']['mode']): Table {
  const arn = 'arn:aws:dynamodb:us-east-1:000000000000:table/fruit';
  const indexes = [{ name: 'by-colour', kind: 'global', storageId: INDEX }];
  return { arn, billing: { mode }, indexes } as unknown as Table;
}

describe('an index that cannot keep up with an item', () => {
  const reason = {
    reason: 'IndexWriteKeyRangeThroughputExceeded',
    resource: `${tableOf('PROVISIONED').arn}/index/by-colour`,
  };

  test('throttles its writes, by the name that the mode of the table has for it', () => {
    const behind = { kind: 'index-behind', index: INDEX } as const;
    expect(clusterError(behind, tableOf('PAY_PER_REQUEST'))).toMatchObject({
      name: 'ThrottlingException',
      status: 400,
      body: { throttlingReasons: [reason] },
    });
    expect(clusterError(behind, tableOf('PROVISIONED'))).toMatchObject({
      name: 'ProvisionedThroughputExceededException',
      status: 400,
      body: { ThrottlingReasons: [reason] },
    });
  });

  test('or a stream, which throttles as a hot key of the table', () => {
    const table = { ...tableOf('PAY_PER_REQUEST'), stream: { startedAtMs: 0, storageId: '\0\0\0\0\0\0\x01\x02' } };
    expect(clusterError({ kind: 'index-behind', index: table.stream.storageId }, table)).toMatchObject({
      name: 'ThrottlingException',
      body: { throttlingReasons: [{ reason: 'TableWriteKeyRangeThroughputExceeded', resource: table.arn }] },
    });
  });

  test('that the table has lost meanwhile makes the write fail as one that did not happen', () => {
    const gone = { kind: 'index-behind', index: '\0\0\0\0\0\0\x01\x09' } as const;
    expect(clusterError(gone, tableOf('PROVISIONED'))).toMatchObject({ status: 503 });
  });
});
