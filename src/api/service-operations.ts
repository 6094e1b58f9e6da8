import { OPERATIONS } from './operations.ts';

/** All operations of the service: the 62 of DynamoDB (`DynamoDB_20120810`), and those of DynamoDB Streams. */
const DYNAMODB = `
  BatchExecuteStatement BatchGetItem BatchWriteItem CancelBulkOperation CreateBackup CreateGlobalTable CreateTable
  DeleteBackup DeleteItem DeleteResourcePolicy DeleteTable DescribeBackup DescribeBulkOperation
  DescribeContinuousBackups DescribeContributorInsights DescribeEndpoints DescribeExport DescribeGlobalTable
  DescribeGlobalTableSettings DescribeImport DescribeKinesisStreamingDestination DescribeLimits DescribeTable
  DescribeTableReplicaAutoScaling DescribeTimeToLive DisableKinesisStreamingDestination
  EnableKinesisStreamingDestination ExecuteStatement ExecuteTransaction ExportTableToPointInTime GetItem
  GetResourcePolicy ImportTable ListBackups ListBulkOperations ListContributorInsights ListExports ListGlobalTables
  ListImports ListTables ListTagsOfResource PutItem PutResourcePolicy Query RestoreTableFromBackup
  RestoreTableToPointInTime Scan SearchVectors StartBulkPutItems TagResource TransactGetItems TransactWriteItems
  UntagResource UpdateContinuousBackups UpdateContributorInsights UpdateGlobalTable UpdateGlobalTableSettings
  UpdateItem UpdateKinesisStreamingDestination UpdateTable UpdateTableReplicaAutoScaling UpdateTimeToLive`;
const STREAMS = 'DescribeStream GetRecords GetShardIterator ListStreams';

const served: ReadonlySet<string> = new Set(OPERATIONS);

/** The operations of the service that are not served here: their names by X-Amz-Target. */
export const NOT_SERVED: ReadonlyMap<unknown, string> = new Map(
  [
    ...targets('DynamoDB_20120810', DYNAMODB),
    // https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Operations_Amazon_DynamoDB_Streams.html
    ...targets('DynamoDBStreams_20120810', STREAMS),
  ].filter(([, name]) => !served.has(name)),
);

function targets(service: string, names: string): [target: string, name: string][] {
  return names
    .trim()
    .split(/\s+/)
    .map((name) => [`${service}.${name}`, name]);
}
