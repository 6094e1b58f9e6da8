import type { Ballot } from '../dynamo/ballot.ts';
import type { Reply, Request } from '../dynamo/messages.ts';
import type { TraceRecord } from './trace-record.ts';

/** Files a message under the request that it is sent for. @returns what is to get its reply, which is filed too */
export function fileMessage(
  record: TraceRecord,
  to: string,
  request: Request,
  onReply: (reply: Reply) => void,
): (reply: Reply) => void {
  record.noteMessage();
  note(record, to, request);
  const { use } = record;
  return (reply) => {
    if (record.use === use) record.add('answered', reply.from, reply.kind, ballotOf(reply));
    onReply(reply);
  };
}

function note(record: TraceRecord, to: string, request: Request): void {
  switch (request.kind) {
    case 'hint':
      return record.add('hint', request.home, `kept by ${to}`, request.record.ballot);
    case 'prepare':
      record.notePrepare(request.ballot);
      return record.add('asked', to, request.kind, request.ballot);
    case 'accept':
      return record.add('asked', to, request.kind, request.record.ballot);
    case 'mark-settled':
      return record.add('asked', to, request.kind, request.due);
    case 'learn': {
      const { ballot, isEntry, item } = request.record;
      if (isEntry === true) return record.add('asked', to, item === undefined ? 'remove entry' : 'learn entry', ballot);
      // A read sends what others have written, unless it has chosen the record again under a ballot of its own.
      const isRepair = !record.isWrite && !record.hasPrepared(ballot);
      return record.add(isRepair ? 'read-repair' : 'asked', to, request.kind, ballot);
    }
    default:
      return record.add('asked', to, request.kind);
  }
}

/** The client's request that a message is sent for, if it names one. */
export function requestIdOf(request: Request): string | undefined {
  switch (request.kind) {
    case 'prepare':
    case 'accept':
    case 'learn':
    case 'read':
    case 'read-committed':
    case 'read-range':
    case 'hint':
    case 'mark-settled':
      return request.requestId;
    default:
      return undefined;
  }
}

/** The ballot that an answer contains, if any. */
function ballotOf(reply: Reply): Ballot | undefined {
  switch (reply.kind) {
    case 'promise':
    case 'state':
      return (reply.accepted ?? reply.committed)?.ballot;
    case 'rejected':
      return reply.effective;
    default:
      return undefined;
  }
}
