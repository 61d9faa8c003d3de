/**
 * Passkeys on a real ledger: an account opened at a network's cost, a transfer, credits, and a query bought and downloaded, all by
 * clicking; two of three keys with a recovery key. The demo's founder gives newcomers their first token.
 */
import { readFile } from 'node:fs/promises';
import { expect, test } from '@playwright/test';
import { isFinal, send, sign, withDevice, writeDown } from '../passkeys';
import { open, someone, tokenOf } from './accounts';

test('a passkey opens an account and makes a real transfer', async ({ page, request }) => {
  await withDevice(page);
  await page.goto('/wallet');
  await page.getByRole('button', { name: 'Make a passkey' }).click();
  const account = await open(page, 5);
  const other = await someone(request);
  const before = await tokenOf(request, other);
  await send(page, other, '1.5');
  await expect(page.getByRole('dialog')).toContainText('1.5');
  await sign(page);
  await isFinal(page);
  expect(await tokenOf(request, other)).toBe(before + 1_500_000n);
  await page.goto(`/ledger/accounts/${account}`);
  await expect(page.getByText('balances proven by this page')).toBeVisible();
  await expect(page.getByRole('table').getByText('1.5').first()).toBeVisible();
});

test('what the ledger would refuse is said before anything is signed', async ({ page, request }) => {
  await withDevice(page);
  await page.goto('/wallet');
  await page.getByRole('button', { name: 'Make a passkey' }).click();
  await open(page, 1);
  await send(page, await someone(request), '1000000');
  await expect(page.getByRole('dialog').getByRole('alert')).toContainText('would refuse');
  await expect(page.getByRole('button', { name: 'Sign with your passkey' })).toBeDisabled();
});

test('credits are bought, and a query is priced, bought and downloaded', async ({ page }) => {
  await withDevice(page);
  await page.goto('/wallet');
  await page.getByRole('button', { name: 'Make a passkey' }).click();
  await open(page, 20);
  const form = page.locator('form').filter({ hasText: 'Pay' });
  await form.getByLabel('Pay').fill('10');
  await form.getByLabel('With').selectOption('token');
  await form.getByRole('button', { name: 'Review' }).click();
  await sign(page);
  await isFinal(page);
  await page.goto('/customers');
  await page.getByText('Pick cells from a list').click();
  await page.locator('.cell-list input').first().check();
  await page.getByRole('button', { name: 'See the price' }).click();
  await expect(page.getByText('Price', { exact: true })).toBeVisible();
  const download = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Buy and download' }).click();
  await sign(page);
  const lines = (await readFile((await (await download).path())!, 'utf8')).trim().split('\n');
  expect(lines[0]).toContain('time');
  expect(lines.length).toBeGreaterThan(1);
  await expect(page.getByText('Fetching it again costs nothing.')).toBeVisible();
  await expect(page.getByText('The key of this order stays in this browser until the order ends')).toBeVisible();
});

test('two of three sign: two passkeys, or one and the recovery key', async ({ page, request }) => {
  const { session, id } = await withDevice(page);
  await page.goto('/wallet');
  await page.getByLabel('Two of three').check();
  await page.getByRole('button', { name: 'Make a passkey' }).click();
  const recovery = await writeDown(page);
  await open(page, 5, 2);
  const other = await someone(request);
  await send(page, other, '1');
  await sign(page, 2);
  await isFinal(page);
  // The second device is lost: what is left is one passkey and the paper.
  const { credentials } = await session.send('WebAuthn.getCredentials', { authenticatorId: id });
  await session.send('WebAuthn.removeCredential', { authenticatorId: id, credentialId: credentials[1]!.credentialId });
  const before = await tokenOf(request, other);
  await send(page, other, '2');
  await page.getByText('Sign with the recovery key').first().click();
  await page.getByRole('textbox', { name: 'Recovery key' }).fill(recovery);
  await page.getByRole('button', { name: 'Sign with the recovery key' }).click();
  await expect(page.getByRole('dialog')).toContainText('1 of 2 signatures');
  await expect(page.getByRole('dialog').getByText('It signs here, once, and is not kept.')).toBeHidden();
  await sign(page);
  await isFinal(page);
  expect(await tokenOf(request, other)).toBe(before + 2_000_000n);
});
