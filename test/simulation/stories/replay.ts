import { readStory, storyNames } from './library.ts';
import { runStory, showResult } from './runner.ts';

/**
 * Tells one story, and again with its rule broken if it names one.
 * @returns 0 if it came out as it says, and the broken rule was noticed
 */
export function replayStory(name: string, wantsTrace: boolean, say: (...lines: string[]) => void): number {
  if (!storyNames().includes(name)) throw new RangeError(`unknown story ${name}; there are ${storyNames().join(', ')}`);
  const story = readStory(name);
  const result = runStory(story);
  const isFine = result.surprises.length + result.violations.length === 0;
  say(`${name}: ${isFine ? 'comes out as it says' : 'COMES OUT OTHERWISE'}, trace hash ${result.hash}`);
  if (wantsTrace || !isFine) say(showResult(story, result));
  if (story.broken === undefined) return isFine ? 0 : 1;
  const { rule, shows } = story.broken;
  const broken = runStory(story, true);
  const isNoticed = broken.violations.some(({ kind }) => kind === shows);
  say('', `${name} without ${rule}: ${isNoticed ? 'noticed' : 'NOT noticed'}, trace hash ${broken.hash}`);
  if (wantsTrace || !isNoticed) say(showResult(story, broken));
  return isFine && isNoticed ? 0 : 1;
}

/** One line for each story: what it claims, and the rule that it breaks. */
export function listStories(): string[] {
  return storyNames().map((name) => {
    const { claim, broken } = readStory(name);
    const [sentence] = claim.split('. ');
    return `  ${name.padEnd(36)} ${sentence}${broken === undefined ? '' : ` (${broken.rule})`}`;
  });
}
