/** Keyboard, theme, search, states, and what a page does when the explorer lies, fails or goes away. Against the fixture. */
import { expect, test } from '@playwright/test';

test('the theme is the reader’s, and stays', async ({ page }) => {
  await page.emulateMedia({ colorScheme: 'light' });
  await page.goto('/networks');
  await page.getByRole('button', { name: 'Use the dark theme' }).click();
  await expect(page.locator('html')).toHaveAttribute('data-theme', 'dark');
  await page.reload();
  await expect(page.locator('html')).toHaveAttribute('data-theme', 'dark');
});

test('all can be reached by keyboard, beginning with a way past the menu', async ({ page }) => {
  await page.goto('/networks');
  await expect(page.getByRole('link', { name: 'canal-lora' })).toBeVisible();
  await page.keyboard.press('Tab');
  await expect(page.getByRole('link', { name: 'Skip to the content' })).toBeFocused();
  await page.keyboard.press('Enter');
  await page.keyboard.press('Tab');
  const inside = await page.evaluate(() => document.activeElement?.closest('main') !== null);
  expect(inside).toBe(true);
});

test('at 360 px the menu opens and leads on', async ({ page }) => {
  await page.setViewportSize({ width: 360, height: 700 });
  await page.goto('/networks');
  await page.getByRole('button', { name: 'Pages' }).click();
  await page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name: 'Audit' }).click();
  await expect(page.getByRole('heading', { level: 1, name: 'Audit' })).toBeVisible();
  await expect(page.getByRole('button', { name: 'Pages' })).toHaveAttribute('aria-expanded', 'false');
});

test('a search finds and its address can be shared', async ({ page }) => {
  await page.goto('/');
  await page.getByRole('searchbox').fill('city');
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL(/search\?q=city/);
  await page.getByRole('link', { name: 'city-rain' }).first().click();
  await expect(page.getByRole('heading', { level: 1, name: 'city-rain' })).toBeVisible();
});

test('an epoch is recomputed and every root compared', async ({ page, request }) => {
  const network = (await (await request.get('/v1/networks')).json()).items[0].id;
  await page.goto(`/audit/${network}/500`);
  await page.getByRole('button', { name: 'Recompute this epoch' }).click();
  await expect(page.getByText('Equal: all roots')).toBeVisible({ timeout: 30_000 });
  await expect(page.getByRole('cell', { name: 'equal' })).toHaveCount(6);
});

test('a network whose name is a script stays text', async ({ page }) => {
  let ran = false;
  page.on('dialog', (dialog) => { ran = true; void dialog.dismiss(); });
  await page.goto('/networks');
  await page.getByRole('link', { name: '<script>alert(1)</script>' }).click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('<script>alert(1)</script>');
  expect(ran).toBe(false);
});

test('a block that its validators did not sign is said not to hold', async ({ page }) => {
  await page.route('**/v1/blocks/367', async (route) => {
    const block = await (await route.fetch()).json();
    await route.fulfill({ json: { ...block, transaction_root: '0'.repeat(64) } });
  });
  await page.goto('/ledger/blocks/367');
  await expect(page.getByRole('alert')).toContainText('does not hold');
});

test('another key of the validators than this browser knew is told', async ({ page }) => {
  await page.goto('/networks');
  await expect(page.getByText('checked by this page')).toBeVisible({ timeout: 20_000 });
  await page.route('**/v1/chain', async (route) => {
    const chain = await (await route.fetch()).json();
    await route.fulfill({ json: { ...chain, anchor: { ...chain.anchor, group_key: 'ab'.repeat(96) } } });
  });
  await page.reload();
  await expect(page.getByText('not the one this browser knew')).toBeVisible();
});

test('an explorer that fails is told, asked again, and what was seen stays', async ({ page }) => {
  let broken = true;
  await page.route('**/v1/operators?*', (route) => (broken ? route.fulfill({ status: 503, json: { code: 'starting', message: 'the index is being made', hint: 'try in a minute' } }) : route.continue()));
  await page.goto('/operators');
  await expect(page.getByText('The index is being made.')).toBeVisible();
  broken = false;
  await page.getByRole('button', { name: 'Try again' }).click();
  await expect(page.getByRole('table', { name: 'Operators' })).toBeVisible();
});

test('nothing there yet is said, not shown as zeros', async ({ page }) => {
  const none = { items: [], next_cursor: null, at: { height: 1, time: '2026-06-01T00:00:00Z' }, checked: 'recomputed' };
  await page.route('**/v1/networks?*', (route) => route.fulfill({ json: none }));
  await page.goto('/networks');
  await expect(page.getByText('There is no network yet.')).toBeVisible();
});

test('a slow answer is shown to be awaited', async ({ page }) => {
  let go = () => undefined as void;
  const held = new Promise<void>((free) => { go = free; });
  await page.route('**/v1/networks?*', async (route) => { await held; await route.continue(); });
  await page.goto('/networks');
  await expect(page.locator('.skeleton').first()).toBeVisible();
  go();
  await expect(page.getByRole('link', { name: 'city-rain' })).toBeVisible();
});

test('costs an operator enters give its payback and stay in this browser', async ({ page, request }) => {
  const id = (await (await request.get('/v1/operators?limit=1')).json()).items[0].id;
  await page.goto(`/operators/${id}`);
  await page.getByLabel('Hardware, all devices, in dollars').fill('240000');
  await expect(page.getByText(/\d+ days$/).first()).toBeVisible();
  await page.reload();
  await expect(page.getByLabel('Hardware, all devices, in dollars')).toHaveValue('240000');
});
