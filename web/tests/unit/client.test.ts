/** The client is what the explorer's API description generates: `npm run client` makes it anew. */
import { existsSync, readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { resolve } from 'node:path';
import openapiTS, { COMMENT_HEADER, astToString } from 'openapi-typescript';
import { expect, test } from 'vitest';

const described = resolve('../crates/explorer/openapi.json');

test.runIf(existsSync(described))('the client is generated from the API as it is', async () => {
  const made = COMMENT_HEADER + astToString(await openapiTS(pathToFileURL(described)));
  expect(readFileSync('src/api/schema.d.ts', 'utf8')).toBe(made);
});
