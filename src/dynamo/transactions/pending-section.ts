import type { ItemImage } from '../../api/item.ts';
import { ATTEMPT_BYTES } from '../../api/mutation.ts';
import type { ByteString } from '../../api/primary-key.ts';

/**
 * What a record carries of a transaction that has prepared its item (docs/protocol.md section 17.1). The item itself stays
 * as it was until the transaction is decided: what comes of it is in the ledger alone.
 */
export interface Pending extends TransactionAttempt {
  readonly next: PendingNext;
}

/** Which transaction it is, and where to ask what came of it. */
export interface TransactionAttempt {
  /** The partition key of its item in the ledger. */
  readonly ledger: ByteString;
  /** `ATTEMPT_BYTES` at random, anew for each try of a transaction: under one token there may be several. */
  readonly attempt: ByteString;
}

/** What the item becomes if the transaction is committed. `check`: what it is. */
export type PendingNext =
  | { readonly kind: 'check' }
  | { readonly kind: 'put'; readonly item: ItemImage }
  | { readonly kind: 'delete' };

/** What an item is once the transaction that has prepared it is committed. @param item what it is before */
export function committedItem({ next }: Pending, item: ItemImage | undefined): ItemImage | undefined {
  if (next.kind === 'check') return item;
  return next.kind === 'put' ? next.item : undefined;
}

/*
 * Layout, big-endian (docs/data-layout.md):
 *   u32 bytes that follow | u8 kind of `next` | 16 bytes of the attempt | u16 bytes of the ledger's key | that key
 *   and of a put: u32 item size | JSON of the item, up to the end of the section
 */
const LENGTH_BYTES = 4;
const ATTEMPT_AT = LENGTH_BYTES + 1;
const LEDGER_AT = ATTEMPT_AT + ATTEMPT_BYTES;
const HEAD_BYTES = LEDGER_AT + 2;
const KINDS = ['check', 'put', 'delete'] as const;

export function pendingBytes({ ledger, next }: Pending): number {
  return HEAD_BYTES + ledger.length + (next.kind === 'put' ? 4 + next.item.json.length : 0);
}

export function writePending(bytes: Buffer, offset: number, pending: Pending): void {
  const { ledger, attempt, next } = pending;
  bytes.writeUInt32BE(pendingBytes(pending) - LENGTH_BYTES, offset);
  bytes[offset + LENGTH_BYTES] = KINDS.indexOf(next.kind);
  bytes.write(attempt, offset + ATTEMPT_AT, 'latin1');
  bytes.writeUInt16BE(ledger.length, offset + LEDGER_AT);
  bytes.write(ledger, offset + HEAD_BYTES, 'latin1');
  if (next.kind !== 'put') return;
  const itemAt = offset + HEAD_BYTES + ledger.length;
  bytes.writeUInt32BE(next.item.size, itemAt);
  bytes.set(next.item.json, itemAt + 4);
}

/** The item shares memory with `bytes`. */
export function readPending(bytes: Buffer, offset: number): Pending {
  const kind = KINDS[bytes[offset + LENGTH_BYTES]!]!;
  const attempt = bytes.toString('latin1', offset + ATTEMPT_AT, offset + LEDGER_AT);
  const itemAt = offset + HEAD_BYTES + bytes.readUInt16BE(offset + LEDGER_AT);
  const ledger = bytes.toString('latin1', offset + HEAD_BYTES, itemAt);
  if (kind !== 'put') return { ledger, attempt, next: { kind } };
  const json = bytes.subarray(itemAt + 4, endOfPending(bytes, offset));
  return { ledger, attempt, next: { kind, item: { size: bytes.readUInt32BE(itemAt), json } } };
}

/** Where the section that begins at `offset` ends, by its first bytes. */
export function endOfPending(bytes: Buffer, offset: number): number {
  return offset + LENGTH_BYTES + bytes.readUInt32BE(offset);
}

/** Whether a section of the length that it claims is in these bytes, and what it holds fills it. */
export function isWholePending(bytes: Buffer, offset: number): boolean {
  if (bytes.length < offset + HEAD_BYTES) return false;
  const end = endOfPending(bytes, offset);
  const kind = KINDS[bytes[offset + LENGTH_BYTES]!];
  const itemAt = offset + HEAD_BYTES + bytes.readUInt16BE(offset + LEDGER_AT);
  if (kind === undefined || end > bytes.length) return false;
  return kind === 'put' ? end >= itemAt + 4 : end === itemAt;
}
