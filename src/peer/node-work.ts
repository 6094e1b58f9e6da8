import type { Peer, PeerWork } from './peer.ts';
import type { NodeWork, WorkReport } from './peer-messages.ts';

/** Has a node do some work that any peer may ask for. @param done called once, with what came of it */
export function performWork(peer: Peer, work: NodeWork, done: (report: WorkReport) => void): void {
  peer.perform(WORKS[work], done);
}

const WORKS: Readonly<Record<NodeWork, PeerWork<WorkReport>>> = {
  repair: {
    ifStopped: {},
    begin: (node, done) => node.repair((report) => done({ ...report })),
  },
  scrub: {
    ifStopped: {},
    begin: (node, done) => node.scrub((report) => done({ ...report })),
  },
  purge: {
    ifStopped: {},
    begin: (node, done) => node.purgeTombstones((report) => done({ ...report })),
  },
  // What it has accepted, and what it owes to indexes; then whether anything keeps its replicas from being alike.
  settle: {
    ifStopped: {},
    begin: (node, done) =>
      node.settleAccepted(() =>
        node.settleOutbox(() => {
          const { hints, owed } = node.status();
          done({ hints, owed, unsettled: node.isUnsettled ? 1 : 0 });
        }),
      ),
  },
};

/** Bounds what runs at once of work that takes long. */
export class WorkRoom {
  readonly #most: number;
  #underWay = 0;

  /** @param most works at once */
  constructor(most: number) {
    this.#most = most;
  }

  /** @returns to be called once, when the work has ended; undefined if there is no room for it */
  enter(): (() => void) | undefined {
    if (this.#underWay >= this.#most) return undefined;
    this.#underWay++;
    return () => {
      this.#underWay--;
    };
  }
}

/** The sums of two reports. */
export function addReports(one: WorkReport, other: WorkReport): WorkReport {
  const sums: Record<string, number> = { ...one };
  for (const [name, value] of Object.entries(other)) sums[name] = (sums[name] ?? 0) + value;
  return sums;
}
