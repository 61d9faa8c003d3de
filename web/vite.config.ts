/** Builds the page; with `--mode fixture` also serves it with made-up answers of the API, for tests. */
import preact from '@preact/preset-vite';
import { defineConfig } from 'vitest/config';
import { fixture } from './tests/fixtures/server';

/** For work on the page against an explorer that runs. */
const toExplorer: Record<string, string> = process.env.CAIRN_URL ? { '/v1': process.env.CAIRN_URL } : {};

export default defineConfig(({ mode }) => ({
  plugins: [preact({ devToolsEnabled: false, prefreshEnabled: false }), ...(mode === 'fixture' ? [fixture()] : [])],
  worker: { format: 'es' },
  build: {
    target: 'es2022',
    // No inlined files: the page's policy allows none.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 1200,
    // What others wrote comes with their words about it; the foot of every page leads there.
    license: { fileName: 'licenses.txt' },
  },
  server: { proxy: toExplorer },
  preview: { proxy: mode === 'fixture' ? {} : toExplorer },
  // The first use of the curve makes its tables: seconds, where the machine is busy.
  test: { include: ['tests/unit/**/*.test.{ts,tsx}'], testTimeout: 60_000 },
}));
