/** Pages in a real browser: against made-up answers, and against a real network where CAIRN names the program that runs one. */
import { type PlaywrightTestConfig, defineConfig } from '@playwright/test';
import { ARGS } from './tests/browser/chromium';

const port = process.env.FIXTURE_PORT ?? '8670';
const fixture = `http://localhost:${port}`;
const network = process.env.CAIRN_URL;
const isReal = Boolean(process.env.CAIRN ?? network);
const libraries = process.env.CHROMIUM_LIBRARIES;

const projects: PlaywrightTestConfig['projects'] = [
  { name: 'fixture', testMatch: /fixture\/.*\.spec\.ts/, use: { baseURL: fixture } },
  ...(isReal ? [{ name: 'network', testMatch: /network\/.*\.spec\.ts/, use: { baseURL: network } }] : []),
];

export default defineConfig({
  testDir: 'tests/browser',
  globalSetup: ['./tests/browser/chromium.ts', './tests/browser/network.ts'],
  timeout: 240_000,
  expect: { timeout: 60_000 },
  workers: 1,
  retries: 0,
  reporter: [['list']],
  use: {
    locale: 'en-GB',
    timezoneId: 'Europe/Amsterdam',
    trace: 'off',
    launchOptions: { executablePath: process.env.CHROMIUM, args: ARGS, env: { ...(process.env as Record<string, string>), ...(libraries ? { LD_LIBRARY_PATH: libraries } : {}) } },
  },
  projects,
  webServer: {
    command: `npx vite preview --mode fixture --port ${port} --strictPort --host localhost`,
    url: `${fixture}/v1/health`,
    reuseExistingServer: process.env.REUSE === '1',
    timeout: 60_000,
    env: { VITE_CONFIG_NATIVE_IGNORE_WARNING: 'true' },
  },
});
