import { describe, expect, it } from 'vitest';
import { readStory, storyNames } from './stories/library.ts';
import { runStory, showResult } from './stories/runner.ts';

describe('the story', () => {
  for (const name of storyNames()) {
    const story = readStory(name);

    it(`${name} comes out as it says, and the same each time`, () => {
      const result = runStory(story);
      expect(result.surprises.length + result.violations.length, showResult(story, result)).toBe(0);
      expect(runStory(story).hash).toBe(result.hash);
    });

    if (story.broken === undefined) continue;
    const { rule, shows } = story.broken;
    it(`${name} shows that ${rule} is broken`, () => {
      const result = runStory(story, true);
      const kinds = result.violations.map(({ kind }) => kind);
      expect(kinds, showResult(story, result)).toContain(shows);
      expect(runStory(story, true).hash).toBe(result.hash);
    });
  }
});
