import type { ApiError } from '../errors.ts';
import type { Path, Projection } from './ast.ts';
import { type ExpressionKind, expressionError } from './lexer.ts';
import type { Placeholders } from './placeholders.ts';
import { describePath, resolvePath } from './resolve-condition.ts';
import type { ProjectionSyntax } from './syntax.ts';

/** Replaces the names in a parsed projection. Its paths must not overlap or conflict. */
export function resolveProjection(
  kind: ExpressionKind,
  syntax: ProjectionSyntax,
  placeholders: Placeholders,
): Projection {
  const paths = syntax.map((path) => resolvePath(kind, path, placeholders));
  checkDisjoint(kind, paths);
  return paths;
}

/**
 * Checks the paths of a projection or an update. Two paths overlap if one leads to the other or through it. They
 * conflict if one has an index where the other has an attribute name. The service prefers to report an overlap.
 */
export function checkDisjoint(kind: ExpressionKind, paths: readonly Path[]): void {
  const root = newNode(undefined);
  let conflict: ApiError | undefined;
  for (const path of paths) {
    const clash = add(root, path);
    if (clash?.kind === 'overlap') throw clashError(kind, clash, path);
    if (clash !== undefined) conflict ??= clashError(kind, clash, path);
  }
  if (conflict !== undefined) throw conflict;
}

interface Node {
  /** The first path that leads to this place or through it. */
  readonly firstPath: Path | undefined;
  ends: boolean;
  readonly names: Map<string, Node>;
  readonly indexes: Map<number, Node>;
}

interface Clash {
  readonly kind: 'overlap' | 'conflict';
  /** The earlier path. */
  readonly path: Path;
}

function add(root: Node, path: Path): Clash | undefined {
  let conflict: Clash | undefined;
  let node = root;
  for (const step of path) {
    if (node.ends) return { kind: 'overlap', path: node.firstPath! };
    const others: Map<unknown, Node> = typeof step === 'number' ? node.names : node.indexes;
    for (const other of others.values()) {
      conflict ??= { kind: 'conflict', path: other.firstPath! };
      break;
    }
    node = typeof step === 'number' ? child(node.indexes, step, path) : child(node.names, step, path);
  }
  if (node.firstPath !== path) return { kind: 'overlap', path: node.firstPath! };
  node.ends = true;
  return conflict;
}

function clashError(kind: ExpressionKind, clash: Clash, path: Path): ApiError {
  return expressionError(
    kind,
    `Two document paths ${clash.kind} with each other; must remove or rewrite one of these paths; ` +
      `path one: ${describePath(clash.path)}, path two: ${describePath(path)}`,
  );
}

function child<Step>(children: Map<Step, Node>, step: Step, path: Path): Node {
  let node = children.get(step);
  if (node === undefined) {
    node = newNode(path);
    children.set(step, node);
  }
  return node;
}

function newNode(firstPath: Path | undefined): Node {
  return { firstPath, ends: false, names: new Map(), indexes: new Map() };
}
