/**
 * An operator of the command line signs in the page where its alerts are posted; an explorer that posts does, each post signed; and ends
 * when the operator says so. The explorer reads the chain anew, so that what happened in the demo's day happens again for it.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type Server, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type APIRequestContext, expect, test } from '@playwright/test';
import { domainHash, toHex, utf8 } from '../../../src/verify/bytes';
import { publicOf, ruleHash } from '../../../src/wallet/keys';
import { ruleOf } from '../../../src/wallet/transactions';
import { front } from '../front';
import { withDevice } from '../passkeys';
import { cairn } from './accounts';

/** The demo's cheats that are refused, one after another: their keys are the demo's own and public. */
const CHEATS = ['elsewhere', 'stuck', 'copied', 'inches', 'double', 'indoor'].map((name) => {
  const secret = domainHash('cairn/demo-key/1', [utf8('operator'), utf8(name)]);
  return { secret, account: ruleHash(ruleOf(1, [publicOf(secret)])) };
});

/** The first that still signs by the key that opened its account. */
async function operator(request: APIRequestContext): Promise<(typeof CHEATS)[number]> {
  for (const one of CHEATS) {
    if ((await (await request.get(`/v1/accounts/${one.account}`)).json()).rule === one.account) return one;
  }
  throw new Error('every operator of this network has other keys by now: begin with a fresh demo');
}

interface Post {
  signature: string;
  body: string;
}

/** Takes whatever is posted. */
async function receiver(): Promise<{ url: string; posts: Post[]; server: Server }> {
  const posts: Post[] = [];
  const server = createServer(async (asked, answer) => {
    let body = '';
    for await (const part of asked) body += String(part);
    posts.push({ signature: String(asked.headers['x-cairn-signature']), body });
    answer.end();
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/alerts`, posts, server };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const { port } = server.address() as AddressInfo;
  await new Promise((closed) => server.close(closed));
  return port;
}

/** How far an explorer has read. */
interface Read {
  epoch: number;
  accepted: number;
  awaited: number;
}

const pick = (overview: { epoch?: { number: number }; reports_accepted: number; awaited: number }): Partial<Read> => ({ epoch: overview.epoch?.number, accepted: overview.reports_accepted, awaited: overview.awaited });

/** An explorer that posts, in a folder of its own; answers when it has read as much as the other one. */
async function explorer(home: string, port: number, like: Read, ...words: string[]): Promise<() => Promise<void>> {
  const child: ChildProcess = spawn(process.env.CAIRN!, ['--home', home, 'explorer', 'run', '--listen', `127.0.0.1:${port}`, '--webhooks', '--near', ...words], { stdio: ['ignore', 'ignore', 'inherit'], env: { ...process.env, RUST_LOG: 'warn' } });
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill);
  const ended = new Promise((done) => child.once('exit', done));
  await expect.poll(async () => {
    const read = await fetch(`http://127.0.0.1:${port}/v1/overview`).then((answer) => answer.json(), () => undefined);
    return read && pick(read);
  }, { timeout: 180_000 }).toEqual(like);
  return async () => {
    process.off('exit', kill);
    child.kill('SIGTERM');
    await ended;
  };
}

test('alerts are posted where the operator’s passkey says, signed, and no more when it ends that', async ({ page, request }) => {
  const { secret: before, account } = await operator(request);
  const like = pick(await (await request.get('/v1/overview')).json()) as Read;
  const home = mkdtempSync(join(tmpdir(), 'cairn-hook-'));
  const port = await freePort();
  const { url, posts, server } = await receiver();
  let end: () => Promise<void> = () => Promise.resolve();
  let pages = { url: `http://localhost:${port}`, end: () => undefined as void };
  try {
    copyFileSync(join(process.env.CAIRN_HOME!, 'settings.json'), join(home, 'settings.json'));
    writeFileSync(join(home, 'account.keys'), `operator ed25519:${toHex(before)}\n`, { mode: 0o600 });
    end = await explorer(home, port, like);
    if (process.env.FRONT) pages = await front(`http://127.0.0.1:${port}`);
    const alerts = (await (await fetch(`http://127.0.0.1:${port}/v1/operators/${account}/alerts`)).json()).items as { id: string }[];
    expect(alerts.length).toBeGreaterThan(0);

    // The account comes out of the command line into the browser.
    await withDevice(page);
    await page.goto(`${pages.url}/wallet`);
    await page.getByRole('button', { name: 'Prepare this browser' }).click();
    const key = await page.locator('.key-line code').innerText();
    cairn(home, 'account', 'rotate', 'operator', '--key', key);
    await page.getByLabel('The account’s id').fill(account);
    await expect(async () => {
      await page.getByRole('button', { name: 'Use this account' }).click();
      await expect(page.getByText('One passkey signs.')).toBeVisible({ timeout: 2_000 });
    }).toPass();

    // Its passkey says where alerts go.
    await page.goto(`${pages.url}/operators/${account}`);
    const form = page.locator('form').filter({ hasText: 'Address, or nothing to end it' });
    await form.getByLabel('Address, or nothing to end it').fill(url);
    await form.getByRole('button', { name: 'Sign with your passkey' }).click();
    await expect(page.getByText('Alerts are posted there from now on.')).toBeVisible();
    const secret = Buffer.from(await form.locator('pre').innerText(), 'hex');
    await end();
    end = await explorer(home, port, like, '--rebuild');
    await expect.poll(() => posts.length).toBe(alerts.length);
    for (const { body, signature } of posts) expect(signature).toBe(createHmac('sha256', secret).update(body).digest('hex'));
    expect(posts.map(({ body }) => (JSON.parse(body) as { id: string }).id).sort()).toEqual(alerts.map(({ id }) => id).sort());

    // And where they go no more.
    await page.reload();
    await form.getByRole('button', { name: 'Sign with your passkey' }).click();
    await expect(page.getByText('Alerts are posted nowhere any more.')).toBeVisible();
    await end();
    end = await explorer(home, port, like, '--rebuild');
    expect(((await (await fetch(`http://127.0.0.1:${port}/v1/operators/${account}/alerts`)).json()).items as unknown[]).length).toBe(alerts.length);
    expect(posts.length).toBe(alerts.length);
  } finally {
    await end();
    pages.end();
    server.close();
    rmSync(home, { recursive: true, force: true });
  }
});
