/** The page on a real network: what it checks itself, what it may not do, and that its addresses can be shared. */
import { expect, test } from '@playwright/test';
import { lie } from '../lie';

const POLICY = ["default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'"];

test('every place answers with the policy, and the browser finds nothing against it', async ({ page, request }) => {
  for (const path of ['/', '/networks', '/ledger/blocks/1', '/wallet', '/nowhere']) {
    const headers = (await request.get(path)).headers();
    const policy = headers['content-security-policy'] ?? '';
    for (const part of POLICY) expect(policy, path).toContain(part);
    expect(policy).not.toContain('unsafe');
    expect(headers['x-content-type-options']).toBe('nosniff');
    expect(headers['access-control-allow-origin']).toBeUndefined();
  }
  await page.addInitScript(() => document.addEventListener('securitypolicyviolation', (event) => console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`)));
  const against: string[] = [];
  page.on('console', (message) => message.text().startsWith('policy') && against.push(message.text()));
  await page.goto('/');
  await expect(page.locator('.map .canvas').first()).toHaveAttribute('data-idle', 'true');
  // What the policy forbids does not happen.
  const ran = await page.evaluate(() => {
    const script = document.createElement('script');
    script.textContent = 'window.ran = true';
    document.head.append(script);
    return 'ran' in window;
  });
  expect(ran).toBe(false);
  expect(against.filter((one) => !one.includes('inline'))).toEqual([]);
});

test('blocks are checked by this page, the newest one and an old one', async ({ page }) => {
  await page.goto('/ledger/blocks/7');
  await expect(page.getByText(/^block [\d,]+ checked by this page$/)).toBeVisible();
  await expect(page.getByText('checked by this page', { exact: true })).toBeVisible();
});

test('records are proven by this page, and it computes their keys itself', async ({ page, request }) => {
  const first = async (list: string) => (await (await request.get(`/v1/${list}?limit=1`)).json()).items[0].id as string;
  const [account, device, network] = [await first('accounts'), await first('devices'), await first('networks')];
  for (const path of [`/ledger/accounts/${account}`, `/devices/${device}`, `/networks/${network}`, `/audit/${network}/3`]) {
    await page.goto(path);
    await expect(page.getByText(/proven by this page, block [\d,]+$/), path).toBeVisible();
  }
  for (const [list, id] of [['accounts', account], ['devices', device], ['networks', network]]) {
    const { proof_key: key } = await (await request.get(`/v1/${list}/${id}`)).json();
    const asked = page.waitForRequest(`**/v1/proofs/${key}`);
    await page.goto(list === 'accounts' ? `/ledger/accounts/${id}` : `/${list}/${id}`);
    await asked;
  }
});

test('a balance that the explorer made up is found out', async ({ page, request }) => {
  const { id } = (await (await request.get('/v1/accounts?limit=3')).json()).items[2];
  await lie(page, request, `/v1/accounts/${id}`, (account) => ({ ...account, token: String(BigInt(account.token) + 1n) }));
  await page.goto(`/ledger/accounts/${id}`);
  await expect(page.getByRole('alert')).toContainText('not proven');
});

test('a place with what was chosen in it can be shared', async ({ page, context, request }) => {
  const device = (await (await request.get('/v1/devices?state=refused&limit=1')).json()).items[0] ?? (await (await request.get('/v1/devices?limit=1')).json()).items[0];
  await page.goto(`/devices/${device.id}`);
  await page.getByRole('link', { name: 'Only refused' }).click();
  await expect(page).toHaveURL(/verdict=refused/);
  await expect(page.getByRole('link', { name: 'Show all' })).toBeVisible();
  const other = await context.newPage();
  await other.goto(page.url());
  await expect(other.getByRole('heading', { level: 1, name: `Device ${device.number}` })).toBeVisible();
  await expect(other.getByRole('link', { name: 'Show all' })).toBeVisible();
});

test('what is not a page is the server’s: the API’s description, licences', async ({ page }) => {
  for (const [name, words] of [['API', '"openapi"'], ['Licences', 'MIT'], ['Fonts', 'SIL Open Font License']] as const) {
    await page.goto('/networks');
    await page.getByRole('contentinfo').getByRole('link', { name }).click();
    await expect(page.locator('body')).toContainText(words);
  }
});

test('what is asked again costs nothing when nothing changed', async ({ request }) => {
  const first = await request.get('/v1/networks');
  const again = await request.get('/v1/networks', { headers: { 'If-None-Match': first.headers()['etag']! } });
  expect(again.status()).toBe(304);
});

test('an epoch is judged again by the explorer, to the same roots', async ({ page, request }) => {
  const network = (await (await request.get('/v1/networks')).json()).items[0].id;
  await page.goto(`/audit/${network}/3`);
  await page.getByRole('button', { name: 'Recompute this epoch' }).click();
  await expect(page.getByText('Equal: all roots')).toBeVisible();
});

test('a device whose words are a script stays text', async ({ page, request }) => {
  const { id } = (await (await request.get('/v1/devices?limit=1')).json()).items[0];
  const words = '<script>alert(1)</script><img src=x onerror=alert(1)>';
  // The ledger takes no such name; an explorer that lies can say anything.
  await lie(page, request, `/v1/devices/${id}`, (device) => ({ ...device, memberships: device.memberships.map((one: object) => ({ ...one, name: words })), advice: [{ code: 'x', sentence: words }] }));
  let ran = false;
  page.on('dialog', (dialog) => { ran = true; void dialog.dismiss(); });
  await page.goto(`/devices/${id}`);
  await expect(page.getByText(words).first()).toBeVisible();
  expect(await page.locator('main img, main script').count()).toBe(0);
  expect(ran).toBe(false);
});
