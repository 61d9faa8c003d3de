/** Accounts on a real network, for tests: opened by clicking, and given their first token by the demo's founder. */
import { execFileSync } from 'node:child_process';
import { type APIRequestContext, type Page, expect } from '@playwright/test';
import { isFinal, sign } from '../passkeys';

/** The program of commands, in a folder of keys. */
export function cairn(home: string, ...words: string[]): string {
  return execFileSync(process.env.CAIRN!, ['--home', home, ...words], { stdio: 'pipe', encoding: 'utf8' });
}

/** What the demo prints for newcomers. */
export function giveToken(account: string, tokens: number): void {
  cairn(process.env.CAIRN_HOME!, 'account', 'transfer', account, '--token', String(tokens), '--key', 'founder');
}

/** Opens the account of the wallet at hand; gives it token; answers its id. */
export async function open(page: Page, tokens: number, signatures = 1): Promise<string> {
  await page.getByRole('button', { name: 'Open the account' }).click();
  await expect(page.getByRole('dialog')).toContainText('Fee paid by');
  await sign(page, signatures);
  await isFinal(page);
  const link = await page.getByRole('link', { name: 'On the ledger' }).getAttribute('href');
  const account = link!.split('/').pop()!;
  giveToken(account, tokens);
  await page.reload();
  await expect(page.getByRole('heading', { name: /^Account \d+$/ })).toBeVisible();
  return account;
}

export const tokenOf = async (request: APIRequestContext, id: string) => BigInt((await (await request.get(`/v1/accounts/${id}`)).json()).token);
export const someone = async (request: APIRequestContext) => (await (await request.get('/v1/accounts?limit=9')).json()).items.at(-1).id as string;
