/**
 * Who signs for an account, changed on a real ledger: to a second passkey, after which the first is refused; and to two of three over two
 * devices, which sign one after the other, by a file or with the recovery key, in the page or without any.
 */
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Browser, type Page, expect, test } from '@playwright/test';
import { lie } from '../lie';
import { isFinal, send, sign, withDevice, writeDown } from '../passkeys';
import { cairn, open, someone, tokenOf } from './accounts';

const keptWallet = (page: Page) => page.evaluate(() => Object.entries(localStorage).find(([name]) => name.startsWith('cairn.wallet.'))!);

test('an account moves to a second passkey: that one signs, and the ledger refuses the first', async ({ page, request }) => {
  const first = await withDevice(page);
  await page.goto('/wallet');
  await page.getByRole('button', { name: 'Make a passkey' }).click();
  const account = await open(page, 5);
  const [name, alone] = await keptWallet(page);
  // The second device makes a passkey; the first signs that it may.
  const second = await withDevice(page, 'usb');
  await first.present(false);
  await page.getByRole('button', { name: 'Change who signs' }).click();
  await page.getByRole('button', { name: 'Add a passkey' }).click();
  await expect(page.getByText('Each of these 2 keys signs alone').first()).toBeVisible();
  await page.getByRole('form', { name: 'Change who signs' }).getByRole('button', { name: 'Review' }).click();
  await expect(page.getByRole('dialog')).toContainText('nobody is left out');
  await first.present(true);
  await second.present(false);
  await sign(page);
  await isFinal(page);
  await expect(page.getByText('keys in force proven by this page')).toBeVisible();
  // From now on the second alone.
  await first.present(false);
  await second.present(true);
  await page.getByRole('button', { name: 'Change who signs' }).click();
  await page.getByRole('button', { name: /^Remove Passkey, / }).click();
  await expect(page.getByText('signs no more')).toBeVisible();
  await page.getByRole('form', { name: 'Change who signs' }).getByRole('button', { name: 'Review' }).click();
  await expect(page.getByRole('dialog')).toContainText('Passkey 2 signs alone');
  await sign(page);
  await expect(page.getByRole('button', { name: 'Change who signs' })).toBeVisible();
  await expect(page.getByText('Passkey 2 signs alone.')).toBeVisible();
  const other = await someone(request);
  const before = await tokenOf(request, other);
  await send(page, other, '1');
  await sign(page);
  await isFinal(page);
  expect(await tokenOf(request, other)).toBe(before + 1_000_000n);
  // A browser that knows the first passkey only sees that it is not asked any more.
  const now = (await (await request.get(`/v1/accounts/${account}`)).json()).rule as string;
  await page.evaluate(([name, alone]) => localStorage.setItem(name!, alone!), [name, alone]);
  await page.reload();
  await expect(page.getByText('The keys of this account were changed elsewhere.')).toBeVisible();
  await expect(page.locator('form').filter({ hasText: 'To, an account' }).getByRole('button', { name: 'Review' })).toBeDisabled();
  // Nor does it help to make the page sign: an explorer that lies cannot make the ledger take it.
  expect(now).not.toBe(account);
  await lie(page, request, `/v1/accounts/${account}`, (truth) => ({ ...truth, rule: account }));
  await page.route('**/v1/transactions/preview', async (route) => {
    const preview = await (await route.fetch()).json();
    await route.fulfill({ json: { ...preview, accepted: true, refusal: null } });
  });
  await page.reload();
  await send(page, other, '1');
  await second.present(false);
  await first.present(true);
  await page.getByRole('button', { name: 'Sign with your passkey' }).click();
  await expect(page.getByRole('dialog').getByRole('alert')).toContainText(/rule|keys/i);
  expect(await tokenOf(request, other)).toBe(before + 1_000_000n);
});

/** Another browser, with a device of its own. */
async function elsewhere(browser: Browser, url: string): Promise<Page> {
  const context = await browser.newContext({ baseURL: url, acceptDownloads: true });
  const page = await context.newPage();
  await withDevice(page);
  await page.goto('/wallet');
  return page;
}

/** What a button hands over as a file. */
async function handed(page: Page, button: RegExp): Promise<string> {
  const download = page.waitForEvent('download');
  await page.getByRole('button', { name: button }).click();
  return readFileSync((await (await download).path())!, 'utf8');
}

const asFile = (text: string, name: string) => ({ name, mimeType: 'application/json', buffer: Buffer.from(text) });

/** A transaction's file, signed by the command line in a folder that has nothing but the recovery key. */
function signedOnPaper(recovery: string, text: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'cairn-paper-'));
  try {
    chmodSync(folder, 0o700);
    writeFileSync(join(folder, 'account.keys'), `recovery ed25519:${recovery}\n`, { mode: 0o600 });
    const file = join(folder, 'transfer.tx');
    writeFileSync(file, text);
    cairn(folder, 'tx', 'sign', file, '--key', 'recovery', '--yes');
    return readFileSync(file, 'utf8');
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test('two of three over two devices sign in turn, by a file, in a page or by the command line', async ({ page, browser, baseURL, request }) => {
  await withDevice(page);
  await page.goto('/wallet');
  await page.getByRole('button', { name: 'Make a passkey' }).click();
  const account = await open(page, 5);
  const laptop = await elsewhere(browser, baseURL!);
  await laptop.getByRole('button', { name: 'Prepare this browser' }).click();
  const key = await laptop.locator('.key-line code').innerText();
  // The first device takes the second one's key in, and a recovery key.
  await page.getByRole('button', { name: 'Change who signs' }).click();
  await page.getByLabel('Add the key of another device').fill(key);
  await page.getByRole('button', { name: 'Add', exact: true }).click();
  await page.getByRole('button', { name: 'Make a recovery key' }).click();
  const recovery = (await writeDown(page)).replaceAll(' ', '');
  await page.getByLabel('How many must sign').selectOption('2');
  await expect(page.getByText('Any 2 of these 3 keys sign together; one alone can do nothing.')).toBeVisible();
  await page.getByRole('form', { name: 'Change who signs' }).getByRole('button', { name: 'Review' }).click();
  await sign(page);
  await isFinal(page);
  await expect(page.getByText('2 of 3 keys sign.')).toBeVisible();
  // The second device takes the account up; its id alone does not say by which rule.
  await laptop.getByLabel('The account’s id').fill(account);
  await laptop.getByRole('button', { name: 'Use this account' }).click();
  await expect(laptop.getByRole('alert')).toContainText('does not sign alone');
  await laptop.getByLabel('or its file').setInputFiles(asFile(await handed(page, /account’s file/), 'account.json'));
  await expect(laptop.getByText('2 of 3 keys sign.')).toBeVisible();
  // Begun on the one, completed on the other.
  const other = await someone(request);
  const before = await tokenOf(request, other);
  await send(page, other, '1');
  await page.getByRole('button', { name: 'Sign with your passkey' }).click();
  await expect(page.getByRole('dialog')).toContainText('1 of 2 signatures');
  await expect(page.getByRole('button', { name: 'Sign with your passkey' })).toBeDisabled();
  const begun = await handed(page, /hand it over as a file/);
  await page.keyboard.press('Escape');
  await laptop.getByLabel('File of a transaction').setInputFiles(asFile(begun, 'transfer.tx'));
  await expect(laptop.getByRole('dialog')).toContainText(other);
  await expect(laptop.getByRole('dialog')).toContainText('1 of 2 signatures');
  await sign(laptop);
  await isFinal(laptop);
  expect(await tokenOf(request, other)).toBe(before + 1_000_000n);
  // Begun here, signed with the recovery key on a computer without any page, sent from here.
  await send(page, other, '2');
  await page.getByRole('button', { name: 'Sign with your passkey' }).click();
  await expect(page.getByRole('dialog')).toContainText('1 of 2 signatures');
  const signed = signedOnPaper(recovery, await handed(page, /hand it over as a file/));
  await page.keyboard.press('Escape');
  await page.getByLabel('File of a transaction').setInputFiles(asFile(signed, 'transfer.tx'));
  await expect(page.getByRole('dialog')).toContainText('Send this?');
  await page.getByRole('button', { name: 'Send', exact: true }).click();
  await isFinal(page);
  expect(await tokenOf(request, other)).toBe(before + 3_000_000n);
  await laptop.context().close();
});
