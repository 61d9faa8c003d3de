/** No file of the page is longer than 300 lines, and every one says first what it is. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const LINES_MAX = 300;
const files = (folder: string): string[] => readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
  const path = join(folder, entry.name);
  return entry.isDirectory() ? files(path) : /\.(tsx?|css)$/.test(entry.name) && entry.name !== 'schema.d.ts' ? [path] : [];
});

test.each([...files('src'), ...files('tests')])('%s is short and says what it is', (path) => {
  const text = readFileSync(path, 'utf8');
  expect(text.split('\n').length).toBeLessThanOrEqual(LINES_MAX + 1);
  expect(text).toMatch(/^\/\*/);
});
