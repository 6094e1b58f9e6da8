import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseStory } from './parser.ts';
import type { Story } from './story.ts';

const FOLDER = fileURLToPath(new URL('.', import.meta.url));
const ENDING = '.story';

/** The names of all stories, in order. */
export function storyNames(): string[] {
  return readdirSync(FOLDER)
    .filter((file) => file.endsWith(ENDING))
    .map((file) => file.slice(0, -ENDING.length))
    .sort();
}

export function readStory(name: string): Story {
  return parseStory(name, readFileSync(`${FOLDER}${name}${ENDING}`, 'utf8'));
}
