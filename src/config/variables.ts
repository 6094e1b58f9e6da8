import { hintOf } from './nearest.ts';
import { SETTING_NAMES, variableOf } from './options.ts';
import { PEER_SETTING_NAMES, peerVariableOf } from './peer-options.ts';

type Environment = Readonly<Record<string, string | undefined>>;

const OURS = new Set([...SETTING_NAMES.map(variableOf), ...PEER_SETTING_NAMES.map(peerVariableOf)]);
const LOOKS_LIKE_OURS = /^DYNARING_/i;
/**
 * Variables that describe a service called dynaring to a pod, or to a container with links (Kubernetes, "Discovering
 * services").
 */
const OF_A_SERVICE = /^DYNARING_(SERVICE_(HOST|PORT)|PORT_\d+_(TCP|UDP|SCTP)|NAME$|ENV_)/;
const ADDRESS_OF_A_SERVICE = /^(tcp|udp|sctp):\/\//;

/** The text of a setting's variable; undefined if it is unset, empty, or was set for something else. */
export function textOfVariable(env: Environment, variable: string): string | undefined {
  const text = env[variable];
  return text === undefined || text === '' || ADDRESS_OF_A_SERVICE.test(text) ? undefined : text;
}

/** One line for each variable that looks like one of ours and is not read. */
export function unreadVariables(env: Environment): readonly string[] {
  const unread: string[] = [];
  for (const [variable, text] of Object.entries(env)) {
    if (!LOOKS_LIKE_OURS.test(variable) || OF_A_SERVICE.test(variable)) continue;
    if (!OURS.has(variable)) unread.push(`there is no variable ${shown(variable)}${hintOf(variable, [...OURS])}`);
    else if (ADDRESS_OF_A_SERVICE.test(text ?? '')) {
      unread.push(`${variable} is the address of a service of that name, and is not read`);
    }
  }
  return unread;
}

/** The name on one line, whatever characters it has. */
function shown(name: string): string {
  return JSON.stringify(name).slice(1, -1);
}
