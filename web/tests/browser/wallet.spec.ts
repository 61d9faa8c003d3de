/** A passkey made and used through the browser's virtual authenticator; a query bought and downloaded by clicking. */
import { readFile } from 'node:fs/promises';
import { type Page, expect, test } from '@playwright/test';

async function withAuthenticator(page: Page): Promise<void> {
  const session = await page.context().newCDPSession(page);
  await session.send('WebAuthn.enable');
  await session.send('WebAuthn.addVirtualAuthenticator', {
    options: { protocol: 'ctap2', transport: 'internal', hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true },
  });
}

async function openAccount(page: Page): Promise<void> {
  await page.goto('/wallet');
  await page.getByRole('button', { name: 'Make a passkey' }).click();
  await page.getByRole('button', { name: 'Open the account' }).click();
  await expect(page.getByRole('dialog')).toContainText('Fee');
  await page.getByRole('button', { name: 'Sign with your passkey' }).click();
  await expect(page.getByText('final', { exact: true })).toBeVisible({ timeout: 30_000 });
}

test('an account is opened and token is sent with a passkey', async ({ page, request }) => {
  await withAuthenticator(page);
  await openAccount(page);
  const other = (await (await request.get('/v1/accounts?limit=9')).json()).items.at(-1).id;
  await page.getByLabel('To, an account’s id').fill(other);
  await page.getByLabel('Amount').fill('1.5');
  await page.locator('form').filter({ hasText: 'Amount' }).getByRole('button', { name: 'Review' }).click();
  await expect(page.getByRole('dialog')).toContainText('1.5');
  await page.getByRole('button', { name: 'Sign with your passkey' }).click();
  await expect(page.getByText('final', { exact: true })).toBeVisible({ timeout: 30_000 });
  await page.reload();
  await expect(page.getByText('On the ledger')).toBeVisible();
});

test('what the ledger would refuse is said before anything is signed', async ({ page, request }) => {
  await withAuthenticator(page);
  await openAccount(page);
  const other = (await (await request.get('/v1/accounts?limit=9')).json()).items.at(-1).id;
  await page.getByLabel('To, an account’s id').fill(other);
  await page.getByLabel('Amount').fill('1000000');
  await page.locator('form').filter({ hasText: 'Amount' }).getByRole('button', { name: 'Review' }).click();
  await expect(page.getByRole('dialog').getByRole('alert')).toBeVisible();
  await expect(page.getByRole('button', { name: 'Sign with your passkey' })).toBeDisabled();
  await page.keyboard.press('Escape');
  await expect(page.getByRole('dialog')).toBeHidden();
});

test('a query is priced, bought and downloaded', async ({ page }) => {
  await withAuthenticator(page);
  await openAccount(page);
  await page.goto('/customers');
  await page.getByRole('button', { name: 'See the price' }).click();
  await expect(page.getByText('Price', { exact: true })).toBeVisible();
  const download = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Buy and download' }).click();
  await page.getByRole('button', { name: 'Sign with your passkey' }).click();
  const text = await readFile((await (await download).path())!, 'utf8');
  expect(text.split('\n')[0]).toContain('time');
  await expect(page.getByText('Fetching it again costs nothing.')).toBeVisible();
});
