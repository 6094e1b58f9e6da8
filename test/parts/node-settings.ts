import { DEFAULT_NODE_LIMITS, type NodeLimits, type NodeSettings } from '../../src/dynamo/node-settings.ts';
import { SOUND_RULES } from '../../src/dynamo/rules.ts';

type Given = Pick<NodeSettings, 'id' | 'diskId' | 'ring'> &
  Partial<Omit<NodeSettings, 'limits'>> & { readonly limits?: Partial<NodeLimits> };

/**
 * The settings of a node in a test: W = 2, R = 1, sound rules with all checks, reads from the first replica, and no repair
 * that nobody asks for.
 */
export function nodeSettings({ limits, ...given }: Given): NodeSettings {
  return {
    writeQuorum: 2,
    readQuorum: 1,
    readFrom: 'first',
    readRepair: true,
    antiEntropyIntervalMs: 0,
    isBootstrap: true,
    rules: SOUND_RULES,
    checks: 'all',
    ...given,
    limits: { ...DEFAULT_NODE_LIMITS, ...limits },
  };
}
