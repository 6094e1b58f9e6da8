import { itemProblem } from './attribute-problem.ts';

/** Types that a cell can be read as. */
export const CELL_TYPES = ['S', 'N', 'B', 'BOOL', 'NULL', 'SS', 'NS', 'BS', 'L', 'M'] as const;
export type CellType = (typeof CELL_TYPES)[number];

type Cell = { readonly kind: 'value'; readonly json: string } | { readonly kind: 'bad'; readonly problem: string };

/**
 * Converts a cell to the JSON of a typed value. Texts, numbers and booleans are written as they are; a set may be a
 * JSON array; any type but `S` may be DynamoDB JSON, as an export writes it (`{"SS":["a"]}`).
 */
export function readCell(text: string, type: CellType): Cell {
  switch (type) {
    case 'S':
      return valueCell({ S: text });
    case 'N':
      return text.startsWith('{') ? typed(text, type) : valueCell({ N: text.trim() });
    case 'B':
      return text.startsWith('{') ? typed(text, type) : valueCell({ B: text });
    case 'BOOL': {
      if (text.startsWith('{')) return typed(text, type);
      const word = text.trim().toLowerCase();
      return word === 'true' || word === 'false' ? valueCell({ BOOL: word === 'true' }) : bad(text, 'true or false');
    }
    case 'SS':
    case 'NS':
    case 'BS':
      return text.startsWith('[') ? typed(`{"${type}":${text}}`, type) : typed(text, type);
    default:
      return typed(text, type);
  }
}

/** Converts a value to a cell: texts, numbers and booleans as they are, all others as DynamoDB JSON. */
export function writeCell(value: Readonly<Record<string, unknown>>): string {
  const { S, N, BOOL } = value;
  if (typeof S === 'string') return S;
  if (typeof N === 'string') return N;
  if (typeof BOOL === 'boolean') return String(BOOL);
  return JSON.stringify(value);
}

/**
 * Quotes a cell if necessary. An empty text is quoted too, because an empty cell without quotes means an absent value.
 */
export function quoteCell(text: string, delimiter: string): string {
  const isPlain = text !== '' && !text.includes(delimiter) && !/["\r\n\uFEFF]|^\s|\s$/.test(text);
  return isPlain ? text : `"${text.replaceAll('"', '""')}"`;
}

function valueCell(value: object): Cell {
  return { kind: 'value', json: JSON.stringify(value) };
}

function typed(text: string, type: CellType): Cell {
  try {
    const value = JSON.parse(text) as object;
    const isTyped = typeof value === 'object' && value !== null && Object.hasOwn(value, type);
    if (isTyped && itemProblem({ value }) === undefined) return { kind: 'value', json: text };
  } catch {
    // Reported below.
  }
  return bad(text, `DynamoDB JSON such as {"${type}":...}`);
}

function bad(text: string, expected: string): Cell {
  const shown = text.length > 40 ? `${text.slice(0, 40)}...` : text;
  return { kind: 'bad', problem: `must be ${expected}, not ${JSON.stringify(shown)}` };
}
