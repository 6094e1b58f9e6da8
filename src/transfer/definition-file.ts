import { readFile } from 'node:fs/promises';
import { definitionOf, type TableDefinition, type TableDescription } from './copied-definition.ts';
import { isFolder } from './data-file.ts';
import { reasonOf, TransferError } from './failure.ts';
import { exportsIn } from './s3-export.ts';

/**
 * Reads a table's definition from a file with a CreateTable request or with the answer of DescribeTable, or from the
 * folder of an export.
 * @param table the table to read; undefined if there is only one
 * @throws TransferError
 */
export async function readDefinitionFile(path: string, table: string | undefined): Promise<TableDefinition> {
  if (await isFolder(path)) return readDefinitionFile(await definitionIn(path, table), table);
  let document: Partial<TableDefinition> & { Table?: TableDescription };
  try {
    document = JSON.parse((await readFile(path, 'utf8')).replace(/^\uFEFF/, ''));
  } catch (error) {
    const problem = error instanceof SyntaxError ? `it is no JSON: ${error.message}` : reasonOf(error);
    throw new TransferError(`${path}: ${problem}`);
  }
  const definition = document?.Table === undefined ? document : definitionOf(document.Table, []);
  if (!Array.isArray(definition?.KeySchema) || !Array.isArray(definition.AttributeDefinitions)) {
    throw new TransferError(`${path}: it is no CreateTable request: it has no KeySchema and AttributeDefinitions`);
  }
  const name = table ?? definition.TableName;
  if (typeof name !== 'string') throw new TransferError(`${path}: it has no TableName`);
  return { ...definition, TableName: name };
}

async function definitionIn(folder: string, table: string | undefined): Promise<string> {
  const exports = (await exportsIn(folder)).filter(({ definition }) => definition !== undefined);
  const [only, ...more] = exports.length === 1 ? exports : exports.filter((each) => each.table === table);
  if (only !== undefined && more.length === 0) return only.definition!;
  throw new TransferError(
    `${folder}: there is not exactly one definition${table === undefined ? '' : ` of table ${table}`}`,
  );
}
