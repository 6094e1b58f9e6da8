import type { StoreKey } from '../../env/store.ts';
import type { RegisterRequest, Reply } from '../messages.ts';
import type { NodeId } from '../ring.ts';
import type { ReplicaRows } from './replica-rows.ts';

type PageRequest = Extract<RegisterRequest, { kind: 'read-range' | 'read-local-range' }>;

interface PageReply {
  readonly reply: Reply;
  /** The keys of which it reports accepted records: the disk has to have those before. */
  readonly reported: readonly StoreKey[];
}

/** What a replica answers to a read of a range. @param self the node that it is on */
export function pageReply(rows: ReplicaRows, self: NodeId, request: PageRequest): PageReply {
  const what = request.epoch === undefined ? 'committed' : 'all';
  if (request.kind === 'read-range') {
    const { entries, more, acceptedKeys } = rows.range(request, what);
    return { reply: { kind: 'range', from: self, entries, more }, reported: acceptedKeys };
  }
  const page = rows.local.page(request, what);
  if (page === undefined) return { reply: { kind: 'damaged', from: self }, reported: [] };
  if (page === 'crowded') {
    return { reply: { kind: 'failed', from: self, reason: 'too many items are not settled' }, reported: [] };
  }
  return { reply: { kind: 'local-range', from: self, ...page }, reported: [] };
}
