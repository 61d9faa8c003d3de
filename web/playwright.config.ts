/** Pages in a real browser: against made-up answers, and against a real network where CAIRN names the program that runs one. */
import { defineConfig } from '@playwright/test';
import { ARGS } from './tests/browser/chromium';

const port = process.env.FIXTURE_PORT ?? '8670';
const fixture = `http://localhost:${port}`;
const libraries = process.env.CHROMIUM_LIBRARIES;

export default defineConfig({
  testDir: 'tests/browser',
  globalSetup: './tests/browser/chromium.ts',
  timeout: 60_000,
  expect: { timeout: 20_000 },
  workers: 1,
  retries: 0,
  reporter: [['list']],
  use: {
    locale: 'en-GB',
    timezoneId: 'Europe/Amsterdam',
    trace: 'off',
    launchOptions: { executablePath: process.env.CHROMIUM, args: ARGS, env: { ...(process.env as Record<string, string>), ...(libraries ? { LD_LIBRARY_PATH: libraries } : {}) } },
  },
  projects: [{ name: 'fixture', use: { baseURL: fixture } }],
  webServer: { command: `npx vite preview --mode fixture --port ${port} --strictPort --host localhost`, url: `${fixture}/v1/health`, reuseExistingServer: process.env.REUSE === '1', timeout: 60_000, env: { VITE_CONFIG_NATIVE_IGNORE_WARNING: 'true' } },
});
