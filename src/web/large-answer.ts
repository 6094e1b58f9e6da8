import type { ServerResponse } from 'node:http';
import type { Progress } from './progress.ts';
import type { Transfer, Transfers } from './transfers.ts';

/**
 * Larger answers reserve room while they wait for their client. The system's socket buffers take smaller ones at once.
 */
export const LARGE_ANSWER_BYTES = 64 * 1024;

/**
 * The unit in which an answer is handed to the socket, and so the precision with which the client's progress is known.
 */
const PIECE_BYTES = 256 * 1024;

/** The body of a large answer that is being sent. */
export class LargeAnswer implements Transfer {
  readonly progress: Progress;
  readonly #answers: Transfers;
  readonly #response: ServerResponse;
  #body: Uint8Array;
  readonly #length: number;
  #at = 0;
  #isGiven = false;

  constructor(answers: Transfers, response: ServerResponse, body: Uint8Array) {
    this.progress = answers.newProgress();
    this.#answers = answers;
    this.#response = response;
    this.#body = body;
    this.#length = body.length;
  }

  /**
   * Reserves room; call it before anything is written. Closing the response releases the room.
   * @returns false if there is none
   */
  takeRoom(): boolean {
    if (!this.#answers.take(this.#answers.chargeOf(this.#length), this)) return false;
    this.#answers.add(this);
    this.#response.on('close', () => this.#giveRoom());
    return true;
  }

  #giveRoom(): void {
    if (this.#isGiven) return;
    this.#isGiven = true;
    this.#answers.remove(this);
    this.#answers.give(this.#answers.chargeOf(this.#length));
  }

  /** Writes the body as fast as the client reads it, and ends the response. */
  write(): void {
    const piece = this.#body.subarray(this.#at, this.#at + PIECE_BYTES);
    this.#at += piece.length;
    if (this.#at === this.#length) return void this.#response.end(piece);
    this.#response.write(piece, (error) => {
      if (error || this.#response.destroyed) return;
      this.#answers.moved(this, piece.length);
      this.write();
    });
  }

  /** Cut because the client does not read it. */
  cut(): void {
    this.#body = new Uint8Array(0);
    this.#giveRoom();
    this.#response.destroy();
  }
}

/**
 * Sends a body of any size and ends the response, whose head is set but not sent.
 * @returns false if there is no room; nothing is sent then
 */
export function endWith(answers: Transfers, response: ServerResponse, body: Uint8Array): boolean {
  if (body.length <= LARGE_ANSWER_BYTES) {
    response.end(body);
    return true;
  }
  const large = new LargeAnswer(answers, response, body);
  if (!large.takeRoom()) return false;
  large.write();
  return true;
}
