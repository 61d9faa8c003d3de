/**
 * Passkeys on a real ledger: an account opened at a network's cost, a transfer, credits, and a query bought and downloaded, all by
 * clicking; two of three keys with a recovery key. The demo's founder gives newcomers their first token.
 */
import { execFileSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { type APIRequestContext, type CDPSession, type Page, expect, test } from '@playwright/test';

/** In WebAuthn's own words; answers how to take its passkeys away. */
async function withAuthenticator(page: Page): Promise<{ session: CDPSession; id: string }> {
  const session = await page.context().newCDPSession(page);
  await session.send('WebAuthn.enable');
  const { authenticatorId } = await session.send('WebAuthn.addVirtualAuthenticator', {
    options: { protocol: 'ctap2', transport: 'internal', hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true },
  });
  return { session, id: authenticatorId };
}

/** What the demo prints for newcomers. */
function giveToken(account: string, tokens: number): void {
  execFileSync(process.env.CAIRN!, ['--home', process.env.CAIRN_HOME!, 'account', 'transfer', account, '--token', String(tokens), '--key', 'founder'], { stdio: 'pipe' });
}

async function sign(page: Page): Promise<void> {
  await expect(page.getByRole('dialog')).toContainText('Fee');
  await page.getByRole('button', { name: 'Sign with your passkey' }).click();
  await expect(page.getByRole('dialog')).toBeHidden();
}

async function isFinal(page: Page): Promise<void> {
  await expect(page.getByText('final', { exact: true })).toBeVisible();
}

/** Opens the account of the wallet at hand; gives it token; answers its id. */
async function open(page: Page, tokens: number): Promise<string> {
  await page.getByRole('button', { name: 'Open the account' }).click();
  await expect(page.getByRole('dialog')).toContainText('Fee paid by');
  await sign(page);
  await isFinal(page);
  const link = await page.getByRole('link', { name: 'On the ledger' }).getAttribute('href');
  const account = link!.split('/').pop()!;
  giveToken(account, tokens);
  await page.reload();
  await expect(page.getByRole('heading', { name: /^Account \d+$/ })).toBeVisible();
  return account;
}

async function send(page: Page, to: string, amount: string): Promise<void> {
  const form = page.locator('form').filter({ hasText: 'To, an account' });
  await form.getByLabel('To, an account’s id').fill(to);
  await form.getByLabel('Amount').fill(amount);
  await form.getByRole('button', { name: 'Review' }).click();
}

const tokenOf = async (request: APIRequestContext, id: string) => BigInt((await (await request.get(`/v1/accounts/${id}`)).json()).token);
const someone = async (request: APIRequestContext) => (await (await request.get('/v1/accounts?limit=9')).json()).items.at(-1).id as string;

test('a passkey opens an account and makes a real transfer', async ({ page, request }) => {
  await withAuthenticator(page);
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
  await withAuthenticator(page);
  await page.goto('/wallet');
  await page.getByRole('button', { name: 'Make a passkey' }).click();
  await open(page, 1);
  await send(page, await someone(request), '1000000');
  await expect(page.getByRole('dialog').getByRole('alert')).toContainText('would refuse');
  await expect(page.getByRole('button', { name: 'Sign with your passkey' })).toBeDisabled();
});

test('credits are bought, and a query is priced, bought and downloaded', async ({ page }) => {
  await withAuthenticator(page);
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
  const { session, id } = await withAuthenticator(page);
  await page.goto('/wallet');
  await page.getByLabel('Two of three').check();
  await page.getByRole('button', { name: 'Make a passkey' }).click();
  const recovery = await page.locator('pre').innerText();
  await page.getByLabel('I have it in a safe place.').check();
  await page.getByRole('button', { name: 'Go on' }).click();
  await open(page, 5);
  const other = await someone(request);
  await send(page, other, '1');
  await sign(page);
  await isFinal(page);
  // The second device is lost: what is left is one passkey and the paper.
  const { credentials } = await session.send('WebAuthn.getCredentials', { authenticatorId: id });
  await session.send('WebAuthn.removeCredential', { authenticatorId: id, credentialId: credentials[1]!.credentialId });
  const before = await tokenOf(request, other);
  await send(page, other, '2');
  await page.getByText('One of your passkeys is lost').click();
  await page.getByLabel('Recovery key').fill(recovery);
  await sign(page);
  await isFinal(page);
  expect(await tokenOf(request, other)).toBe(before + 2_000_000n);
});
