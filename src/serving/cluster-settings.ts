import {
  checkSharedSettings,
  type SharedSettings,
  sharedSettingsIn,
  sharedSettingsText,
} from '../config/shared-settings.ts';
import { ConfigError } from '../config.ts';
import type { Clock, Timer } from '../env/clock.ts';
import type { Log } from '../env/log.ts';
import type { GoalSettings } from '../peer/goal.ts';

/** How long a process that starts waits for the goal, in ms: too few nodes may be there to tell. */
const START_MS = 3_000;

interface ClusterSettingsParts {
  /** What the command line and the environment of this process say. */
  readonly said: Partial<SharedSettings>;
  /** The same with defaults: what a cluster gets that has none. */
  readonly complete: SharedSettings;
  /** What an earlier start has kept. */
  readonly kept: GoalSettings | undefined;
  readonly keep: (settings: GoalSettings) => void;
  /** Reads those of the goal, which gets what it lacks. */
  readonly adopt: (settings: GoalSettings) => Promise<GoalSettings>;
  readonly clock: Clock;
  readonly log: Log;
  /** This process answers by other settings than its cluster, and cannot go on. */
  readonly onFatal: (error: ConfigError) => void;
}

/**
 * The settings of the cluster at one process, which are those of the goal. They are settled once, when it starts; what is
 * changed later holds from its next start.
 */
export class ClusterSettings {
  readonly #parts: ClusterSettingsParts;
  #settled: SharedSettings | undefined;
  #isCertain = false;
  #kept: GoalSettings | undefined;

  constructor(parts: ClusterSettingsParts) {
    this.#parts = parts;
    this.#kept = parts.kept;
  }

  /**
   * Asks the cluster, for some seconds. If it cannot tell, those of the last start hold until it can.
   *
   * @throws ConfigError if this process was started with others
   */
  async settle(): Promise<SharedSettings> {
    const { adopt, complete, said, clock, log } = this.#parts;
    const read = adopt({ ...complete })
      .then((settings) => this.#completed(settings))
      .catch((error: unknown) => {
        log.debug('the settings of the cluster are not known yet', { error });
      });
    let timer: Timer;
    const patience = new Promise<undefined>((resolve) => {
      timer = clock.after(START_MS, () => resolve(undefined));
    });
    const found = await Promise.race([read, patience]);
    clock.cancel(timer);
    const settled = found ?? { ...complete, ...(this.#kept && sharedSettingsIn(this.#kept)) };
    checkSharedSettings(said, settled);
    this.#isCertain = found !== undefined;
    this.#settled = settled;
    this.#keep(settled);
    return settled;
  }

  /** The goal says so now. */
  note(settings: GoalSettings): void {
    if (this.#settled === undefined || Object.keys(settings).length === 0) return;
    const now = this.#completed(settings);
    const differs = !isSame(now, this.#settled);
    this.#keep(now);
    if (differs && !this.#isCertain) {
      const text = JSON.stringify(sharedSettingsText(now));
      this.#parts.onFatal(new ConfigError(`the cluster has other settings than this process: ${text}: start it again`));
    } else if (differs) {
      this.#parts.log.warn('the settings of the cluster have changed: they hold here from the next start', {
        settings: sharedSettingsText(now),
      });
    }
    this.#isCertain = true;
  }

  #completed(settings: GoalSettings): SharedSettings {
    return { ...this.#parts.complete, ...sharedSettingsIn(settings) };
  }

  #keep(settings: SharedSettings): void {
    if (this.#kept !== undefined && isSame(settings, sharedSettingsIn(this.#kept))) return;
    const kept = { ...settings };
    this.#parts.keep(kept);
    this.#kept = kept;
  }
}

function isSame(one: Partial<SharedSettings>, other: Partial<SharedSettings>): boolean {
  return JSON.stringify(sharedSettingsText(one)) === JSON.stringify(sharedSettingsText(other));
}
