/**
 * What the overview weighs, and when it shows what it is about. Weight is held to a limit; times are only told (in the file
 * MEASURE names, as a section of docs/performance.md: `cargo xtask bench page`), as they are the machine's.
 */
import { writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { type Browser, expect, test } from '@playwright/test';

/** Everything the first look at the overview brings, packed; two thirds are the outlines of coasts near a city. */
const BYTES_MAX = 1_700_000;
const RUNS = process.env.MEASURE ? 9 : 1;
/** A middling phone on a mobile network. */
const PHONE = { offline: false, latency: 150, downloadThroughput: 200_000, uploadThroughput: 94_000 };
const PHONE_SLOWER = 4;

const METHOD = [
  '## The page',
  '',
  `The overview of the demo, first visit with nothing kept, headless Chromium that draws maps in software; median of ${RUNS}. Two thirds of the bytes`,
  'are the outlines of coasts, which come last, when the map shows a city; words and figures do not wait for them. The explorer is optimised and',
  `has the whole demo beside it. Load average ${loadavg()[0]!.toFixed(1)} before.`,
  '',
  '| reader | first paint, ms | measured, earned, paid told, ms | kB, packed | requests |',
  '|---|---|---|---|---|',
];

interface Look {
  bytes: number;
  requests: number;
  paint: number;
  told: number;
}

/** One first visit: nothing kept from before. */
async function look(browser: Browser, url: string, phone: boolean): Promise<Look> {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
  const page = await context.newPage();
  const session = await context.newCDPSession(page);
  await session.send('Network.enable');
  if (phone) {
    await session.send('Network.emulateNetworkConditions', PHONE);
    await session.send('Emulation.setCPUThrottlingRate', { rate: PHONE_SLOWER });
  }
  let [bytes, requests] = [0, 0];
  session.on('Network.loadingFinished', (of) => { bytes += of.encodedDataLength; requests += 1; });
  await page.goto(url);
  await page.waitForFunction(() => /Measured[\s\S]*Earned[\s\S]*Paid by customers/i.test(document.querySelector('main')?.innerText ?? '') && !document.querySelector('main .skeleton'));
  const told = await page.evaluate(() => performance.now());
  const paint = await page.evaluate(() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0);
  await expect(page.locator('.map .canvas').first()).toHaveAttribute('data-idle', 'true', { timeout: 60_000 });
  await expect(page.getByText(/checked by this page$/)).toBeVisible();
  await context.close();
  return { bytes, requests, paint, told };
}

const median = (values: number[]) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!;

test('the overview stays light', async ({ browser, baseURL }) => {
  test.setTimeout(600_000);
  const rows: string[] = [];
  for (const phone of process.env.MEASURE ? [false, true] : [false]) {
    const looks: Look[] = [];
    for (let run = 0; run < RUNS; run++) looks.push(await look(browser, baseURL!, phone));
    const of = (part: keyof Look) => Math.round(median(looks.map((one) => one[part])));
    rows.push(`| ${phone ? 'a phone: 1.6 Mbit/s, 150 ms away, a processor 4 times slower' : 'on this machine'} | ${of('paint')} | ${of('told')} | ${(of('bytes') / 1000).toFixed(0)} | ${of('requests')} |`);
    expect(of('bytes')).toBeLessThan(BYTES_MAX);
  }
  if (process.env.MEASURE) writeFileSync(process.env.MEASURE, [...METHOD, ...rows, ''].join('\n'));
});
