/**
 * API keys on a real ledger and gateway: made by clicking; then the page's own examples are run as they stand, with and without a key,
 * in every language that this machine has; what is spent, and what returns when the key is closed.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { type Page, expect, test } from '@playwright/test';
import { isFinal, sign, withDevice } from '../passkeys';
import { open } from './accounts';

const run = promisify(execFile);

/** How a language's programs are run here; none where it is not installed. Whatever runs this test runs JavaScript. */
const RUNNERS: Record<string, (program: string) => Promise<{ stdout: string }>> = {
  curl: (program) => run('sh', ['-c', program]),
  Python: (program) => run(process.env.CAIRN_PYTHON ?? 'python3', ['-c', program]),
  JavaScript: (program) => run(process.execPath, ['--input-type=module', '-e', program]),
};

async function has(language: string): Promise<boolean> {
  const [program, argument] = language === 'curl' ? ['curl', '--version'] : language === 'Python' ? [process.env.CAIRN_PYTHON ?? 'python3', '--version'] : [process.execPath, '--version'];
  return run(program!, [argument!]).then(() => true, () => false);
}

/** What each language's example answers. */
async function answers(page: Page): Promise<string[]> {
  const found: string[] = [];
  for (const [language, runner] of Object.entries(RUNNERS)) {
    if (!(await has(language))) continue;
    await page.getByRole('button', { name: language, exact: true }).click();
    found.push((await runner(await page.locator('pre.example').innerText())).stdout);
  }
  expect(found.length).toBeGreaterThan(0);
  return found;
}

test('a price is told without an account, to people and to programs', async ({ page }) => {
  await page.goto('/customers');
  await page.getByRole('button', { name: 'See the price' }).click();
  await expect(page.getByText('Price', { exact: true })).toBeVisible();
  for (const answer of await answers(page)) expect(Number(JSON.parse(answer).price_credits)).toBeGreaterThan(0);
});

test('a key downloads from every language, pays once, and what is left returns', async ({ page, request }) => {
  await withDevice(page);
  await page.goto('/wallet');
  await page.getByRole('button', { name: 'Make a passkey' }).click();
  const account = await open(page, 100);
  const form = page.locator('form').filter({ hasText: 'Pay' });
  await form.getByLabel('Pay').fill('90');
  await form.getByLabel('With').selectOption('token');
  await form.getByRole('button', { name: 'Review' }).click();
  await sign(page);
  await isFinal(page);
  const credits = async () => BigInt((await (await request.get(`/v1/accounts/${account}`)).json()).credits as string);
  const before = await credits();

  await page.goto('/customers');
  await page.getByText('Pick cells from a list').click();
  await page.locator('.cell-list input').first().check();
  await page.getByLabel('Budget, $').fill('3');
  await page.getByRole('button', { name: 'Make a key' }).click();
  await expect(page.getByRole('dialog')).toContainText('a key that programs pay with');
  await sign(page);
  const key = await page.locator('pre.key').innerText();
  expect(await credits()).toBe(before - 3_000_000n);

  for (const answer of await answers(page)) expect(answer.split('\n')[0]).toContain('time');
  await page.getByText('What a key has left').click();
  await page.getByLabel('Key', { exact: true }).fill(key);
  await page.getByRole('button', { name: 'Ask' }).click();
  // The same question in three languages is one answer that was paid.
  await expect(page.getByText('for one answer')).toBeVisible();
  await page.getByRole('button', { name: 'Close it' }).click();
  await expect.poll(credits, { timeout: 120_000 }).toBeGreaterThan(before - 3_000_000n);
  expect(await credits()).toBeLessThan(before);
});
