import type { AttributeMap, AttributeValue } from '../api/attribute-value.ts';
import { type ConsumedCapacity, sumOfCapacities } from '../api/consumed-capacity.ts';
import { ApiError } from '../api/errors.ts';
import type { Path } from '../api/expression/ast.ts';
import { evaluateCondition } from '../api/expression/condition.ts';
import { checkKeyPaths } from '../api/expression/key-paths.ts';
import { type ExecuteStatementRequest, RawJson, type RequestContext } from '../api/operations.ts';
import { type Continuation, readToken, writeToken } from '../api/partiql/next-token.ts';
import { columnSelector } from '../api/partiql/select-columns.ts';
import { columnsToRead, indexOf, planSelect, type SelectPlan } from '../api/partiql/select-plan.ts';
import type { Statement } from '../api/partiql/statement.ts';
import type { SelectSyntax } from '../api/partiql/statement-syntax.ts';
import type { Table } from '../api/table-definition.ts';
import type { ItemsOfTable } from './item-operations.ts';
import type { PageResponse } from './page.ts';
import type { QueryOperation } from './query-operation.ts';
import type { ScanOperations } from './scan-operations.ts';

/** What statements are carried out by. */
export interface SelectParts {
  readonly items: ItemsOfTable;
  readonly queryTable: QueryOperation['queryTable'];
  readonly scanTable: ScanOperations['scanTable'];
}

export interface ExecuteStatementResponse {
  Items: readonly (RawJson | AttributeMap)[];
  NextToken?: string;
  LastEvaluatedKey?: AttributeMap;
  ConsumedCapacity?: ConsumedCapacity;
}

export type SelectStatement = Extract<Statement, { kind: 'select' }>;

/** Developer guide, "PartiQL operators": items of one page of an IN. */
const MOST_OF_SEVERAL_RANGES = 10;

/** A SELECT on its table. */
export interface SelectOnTable {
  readonly table: Table;
  readonly request: Omit<ExecuteStatementRequest, 'Parameters'> & { readonly Parameters?: readonly AttributeValue[] };
  readonly context: RequestContext;
}

/** What a SELECT has read. */
interface Read {
  readonly items: readonly (RawJson | AttributeMap)[];
  readonly capacities: readonly (ConsumedCapacity | undefined)[];
  /** Undefined: nothing is left. */
  readonly next?: Continuation | undefined;
}

/**
 * Carries out a SELECT by GetItem, Query or Scan.
 * @throws ApiError
 */
export async function runSelect(
  parts: SelectParts,
  on: SelectOnTable,
  { syntax, condition }: SelectStatement,
): Promise<ExecuteStatementResponse> {
  const { table, request } = on;
  checkIndex(table, syntax, request.ConsistentRead === true);
  const plan = planSelect(table, syntax, condition);
  checkKeyPaths(table, { condition, projection: syntax.columns });
  const { Statement: text, Parameters: parameters = [], NextToken: token } = request;
  const from = token == null ? undefined : readToken(text, parameters, token);
  const read = await readPlan(parts, on, { plan, syntax, from });
  const Items = syntax.columns === undefined ? read.items : selected(syntax.columns, read.items);
  const response: ExecuteStatementResponse = { Items };
  if (read.next !== undefined) {
    response.NextToken = writeToken(text, parameters, read.next);
    if (read.next.startKey !== undefined) response.LastEvaluatedKey = read.next.startKey;
  }
  const consumed = sumOfCapacities(read.capacities.filter((capacity) => capacity !== undefined));
  if (consumed !== undefined) response.ConsumedCapacity = consumed;
  return response;
}

function selected(columns: readonly Path[], items: Read['items']): AttributeMap[] {
  const select = columnSelector(columns);
  return items.map((item) => select(attributesOf(item)));
}

/** The words were recorded by floci (2026-09-02, eu-west-1): they are not those of Query and Scan. */
function checkIndex(table: Table, { source }: SelectSyntax, isStrong: boolean): void {
  if (source.index === undefined) return;
  const { kind } = indexOf(table, source.index);
  if (isStrong && kind === 'global') {
    throw ApiError.validation('Strongly consistent read is not supported on Global Secondary Indexes');
  }
}

interface Reading<Plan> {
  readonly plan: Plan;
  readonly syntax: SelectSyntax;
  readonly from: Continuation | undefined;
}

function readPlan(parts: SelectParts, on: SelectOnTable, reading: Reading<SelectPlan>): Promise<Read> {
  const { plan, syntax, from } = reading;
  const most = plan.kind === 'ranges' ? plan.ranges.length : 1;
  // Only a token that was not answered here can be so.
  if (from !== undefined && (plan.kind === 'item' || from.range < 0 || from.range >= most)) {
    throw ApiError.validation('NextToken does not match request');
  }
  switch (plan.kind) {
    case 'item':
      return readItem(parts, on, { plan, syntax, from });
    case 'ranges':
      return readRanges(parts, on, { plan, syntax, from });
    case 'scan':
      return readScan(parts, on, { plan, syntax, from });
  }
}

type PlanOf<Kind> = Extract<SelectPlan, { kind: Kind }>;

async function readItem(parts: SelectParts, on: SelectOnTable, reading: Reading<PlanOf<'item'>>): Promise<Read> {
  const { key, condition } = reading.plan;
  const { syntax } = reading;
  const projection = condition === undefined ? columnsToRead(syntax.columns) : undefined;
  const request = { ...readOf(on.request, syntax), Key: key };
  const { Item, ConsumedCapacity } = await parts.items.get({ ...on, request }, projection);
  const isWanted = Item !== undefined && (condition === undefined || evaluateCondition(condition, attributesOf(Item)));
  return { items: isWanted ? [Item] : [], capacities: [ConsumedCapacity] };
}

async function readRanges(parts: SelectParts, on: SelectOnTable, reading: Reading<PlanOf<'ranges'>>): Promise<Read> {
  const { plan, syntax, from } = reading;
  const { table, request, context } = on;
  const items: (RawJson | AttributeMap)[] = [];
  const capacities: (ConsumedCapacity | undefined)[] = [];
  const isOne = plan.ranges.length === 1;
  let left = isOne ? request.Limit : Math.min(request.Limit ?? MOST_OF_SEVERAL_RANGES, MOST_OF_SEVERAL_RANGES);
  let startKey = from?.startKey;
  for (let range = from?.range ?? 0; range < plan.ranges.length; range++) {
    const { terms, filter } = plan.ranges[range]!;
    const page: PageResponse = await parts.queryTable(
      { table, request: pageRequest(on, syntax, { left, startKey, isForward: plan.isForward }), context },
      { terms, filter, projection: columnsToRead(syntax.columns), mayFilterKeys: true },
    );
    items.push(...page.Items!);
    capacities.push(page.ConsumedCapacity);
    startKey = page.LastEvaluatedKey;
    if (startKey !== undefined) return { items, capacities, next: { range, startKey } };
    if (isOne) break;
    left! -= page.ScannedCount;
    if (left === 0 && range + 1 < plan.ranges.length) {
      return { items, capacities, next: { range: range + 1, startKey: undefined } };
    }
  }
  return { items, capacities };
}

async function readScan(parts: SelectParts, on: SelectOnTable, reading: Reading<PlanOf<'scan'>>): Promise<Read> {
  const { plan, syntax, from } = reading;
  const { table, request, context } = on;
  const page = await parts.scanTable(
    { table, request: pageRequest(on, syntax, { left: request.Limit, startKey: from?.startKey }), context },
    { filter: plan.condition, projection: columnsToRead(syntax.columns), segment: undefined },
  );
  const { LastEvaluatedKey: startKey } = page;
  const next = startKey && { range: 0, startKey };
  return { items: page.Items!, capacities: [page.ConsumedCapacity], next };
}

interface PagePart {
  readonly left: number | undefined;
  readonly startKey: AttributeMap | undefined;
  readonly isForward?: boolean;
}

function pageRequest({ request }: SelectOnTable, syntax: SelectSyntax, part: PagePart) {
  const { index } = syntax.source;
  return {
    ...readOf(request, syntax),
    ...(index !== undefined && { IndexName: index }),
    ...(part.left !== undefined && { Limit: part.left }),
    ...(part.startKey !== undefined && { ExclusiveStartKey: part.startKey }),
    ...(part.isForward === false && { ScanIndexForward: false }),
  };
}

/** The members that all reads have. */
function readOf({ ConsistentRead, ReturnConsumedCapacity }: SelectOnTable['request'], { source }: SelectSyntax) {
  return {
    TableName: source.table,
    ...(ConsistentRead !== undefined && { ConsistentRead }),
    ...(ReturnConsumedCapacity !== undefined && { ReturnConsumedCapacity }),
  };
}

/** The attributes of an item that was read. */
function attributesOf(item: RawJson | AttributeMap): AttributeMap {
  return item instanceof RawJson ? (JSON.parse(Buffer.from(item.bytes).toString()) as AttributeMap) : item;
}
