import type { Consistency, ReadOutcome } from '../../../src/dynamo/client.ts';
import type { WriteAnswer } from '../../../src/dynamo/registers/handed-back.ts';
import { readOf, writeOf } from '../../dynamo/coordination-requests.ts';
import { registerValueOf } from '../item-value.ts';
import type { RegisterCall } from '../linearizability.ts';
import type { SimulatedHost } from '../simulated-host.ts';
import { answerOfRead, answerOfWrite, type BlindWriter, mutationOf, tellBlindly } from '../workload.ts';
import type { Task } from './story.ts';
import { PARTITION_KEY, type StoryWorld } from './world.ts';

type Write = Exclude<RegisterCall, { kind: 'read' }>;
type Answered = (answer: string) => void;

/** Asks a node for something and tells the answer in the words of stories. What judges have to know is noted. */
export function ask(
  world: StoryWorld,
  consistency: Consistency,
  host: SimulatedHost,
  task: Task,
  answered: Answered,
): void {
  const node = host.node!;
  switch (task.kind) {
    case 'put':
    case 'delete':
      if (consistency === 'strict') return writeStrictly(world, host, task, answered);
      return writeAsDynamo(world, host, task, answered);
    case 'read':
    case 'eventual-read':
    case 'own-read':
      return read(world, consistency, host, task.kind, answered);
    case 'lead': {
      const members = task.members.map((id) => world.host(id).member);
      return host.changeEpoch(world.membership.register!, 0, members, (outcome) =>
        answered(outcome.kind === 'failed' ? `failed, ${outcome.reason}` : outcome.kind),
      );
    }
    case 'repair':
      return node.repair(() => answered('done'));
    case 'purge':
      return node.purgeTombstones(({ purged, waiting }) => answered(`${purged} purged, ${waiting} waiting`));
    case 'settle':
      return node.settleAccepted(() => answered('done'));
  }
}

function writeStrictly({ history, key }: StoryWorld, { remote }: SimulatedHost, call: Write, answered: Answered): void {
  const operation = history.call(key, call);
  const request = writeOf(key, mutationOf(call), { partitionKey: PARTITION_KEY, wantsOld: true });
  remote!.coordinate(request, (outcome) => {
    history.answer(operation, answerOfWrite(outcome));
    answered(showWrite(outcome, true));
  });
}

/**
 * A write with a condition need not be possible while nodes are down. It is atomic against others of its kind only.
 */
function writeAsDynamo({ told, key }: StoryWorld, host: SimulatedHost, call: Write, answered: Answered): void {
  const write: BlindWriter = (mutation, done) => {
    const request = writeOf(key, mutation, { partitionKey: PARTITION_KEY, consistency: 'dynamo' });
    host.remote!.coordinate(request, (outcome) => done(outcome, host));
  };
  tellBlindly(told, key, host, call, write, (outcome) => answered(showWrite(outcome, false)));
}

/** Which record each command of a story reads. */
const FROM = { read: 'latest', 'eventual-read': 'committed', 'own-read': 'laggard' } as const;

function read(
  { history, chosen, told, key }: StoryWorld,
  consistency: Consistency,
  { remote }: SimulatedHost,
  kind: 'read' | 'eventual-read' | 'own-read',
  answered: Answered,
): void {
  const from = FROM[kind];
  const isOperation = consistency === 'strict' && from === 'latest';
  const operation = isOperation ? history.call(key, { kind: 'read' }) : undefined;
  const calledAt = history.now();
  const done = (outcome: ReadOutcome) => {
    const answer = answerOfRead(outcome);
    if (operation !== undefined) history.answer(operation, answer);
    else if (answer.kind === 'read' && consistency === 'strict' && from !== 'latest') {
      const { value } = answer;
      const wasChosen = value === null || chosen.has(key, value);
      history.eventualReads.push({ key, calledAt, value, wasChosen, from });
    } else if (answer.kind === 'read') told.read(key, answer.value);
    answered(showRead(outcome));
  };
  remote!.coordinate(readOf(key, from, consistency), done);
}

function showWrite(outcome: WriteAnswer, wantsOld: boolean): string {
  switch (outcome.kind) {
    case 'applied':
      return wantsOld ? `applied, was ${registerValueOf(outcome.old) ?? 'nothing'}` : 'applied';
    case 'condition-failed':
      return `condition failed, is ${registerValueOf(outcome.current) ?? 'nothing'}`;
    case 'storage-failed':
      return 'storage failed';
    case 'handed-back':
      return 'handed back';
    case 'refused':
    case 'collection-full':
    case 'conflict':
    case 'unavailable':
    case 'overloaded':
    case 'index-behind':
    case 'table-gone':
    case 'unknown':
      return outcome.kind;
  }
}

function showRead(outcome: ReadOutcome): string {
  if (outcome.kind === 'found') return registerValueOf(outcome.item)!;
  if (outcome.kind === 'none') return 'nothing';
  return outcome.kind === 'storage-failed' ? 'storage failed' : outcome.kind;
}
