/** Above the service's limit, and below what would overflow the stack. */
const MAX_DEPTH = 40;

/**
 * Why parsed JSON is not an item in DynamoDB's JSON: checks the types of its parts, and names the path of the wrong
 * one. All further rules for values are checked by `normaliseMap`, in the service's words.
 */
export function itemProblem(value: unknown): string | undefined {
  if (!isObject(value)) return `an item must be an object, not ${nameOf(value)}`;
  return mapProblem(value, '', MAX_DEPTH);
}

function mapProblem(map: object, path: string, depth: number): string | undefined {
  for (const [name, value] of Object.entries(map)) {
    const problem = valueProblem(value, path === '' ? name : `${path}.${name}`, depth - 1);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function valueProblem(value: unknown, path: string, depth: number): string | undefined {
  if (depth === 0) return `attribute ${path} is nested too deeply`;
  if (!isObject(value)) return `attribute ${path} must be a typed value such as {"S":"text"}, not ${nameOf(value)}`;
  const members = Object.entries(value);
  if (members.length !== 1) return `attribute ${path} must have exactly one type, not ${members.length}`;
  const [type, content] = members[0]!;
  switch (type) {
    case 'S':
    case 'N':
      return isString(content) ? undefined : unexpected(type, 'a string');
    case 'B':
      if (!isString(content)) return unexpected(type, 'base64 text');
      if (isBase64(content)) return undefined;
      return `attribute ${path} of type B must be base64 text, which this string is not`;
    case 'BOOL':
    case 'NULL':
      return typeof content === 'boolean' ? undefined : unexpected(type, 'true or false');
    case 'SS':
    case 'NS':
      return isArrayOf(content, isString) ? undefined : unexpected(type, 'an array of strings');
    case 'BS':
      return isArrayOf(content, isBase64) ? undefined : unexpected(type, 'an array of base64 texts');
    case 'L':
      if (!Array.isArray(content)) return unexpected(type, 'an array');
      return firstProblem(content, (member, index) => valueProblem(member, `${path}[${index}]`, depth - 1));
    case 'M':
      return isObject(content) ? mapProblem(content, path, depth) : unexpected(type, 'an object');
    default:
      return `attribute ${path} has the type ${JSON.stringify(type)}, which DynamoDB does not have`;
  }

  function unexpected(type: string, what: string): string {
    return `attribute ${path} of type ${type} must be ${what}, not ${nameOf(content)}`;
  }
}

function firstProblem<Member>(
  members: readonly Member[],
  problemOf: (member: Member, index: number) => string | undefined,
): string | undefined {
  for (const [index, member] of members.entries()) {
    const problem = problemOf(member, index);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isArrayOf(value: unknown, accepts: (member: unknown) => boolean): boolean {
  return Array.isArray(value) && value.every(accepts);
}

function isString(value: unknown): value is string {
  return typeof value === 'string';
}

function isBase64(value: unknown): boolean {
  return isString(value) && Buffer.from(value, 'base64').toString('base64') === value;
}

function nameOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}
