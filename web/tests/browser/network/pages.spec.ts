/**
 * Each page in a real browser: never wider than its screen, without findings of axe-core, without an error in the console, and
 * without a request to anybody else; in both themes, at both widths. With PICTURES, pictures of all four as well.
 */
import AxeBuilder from '@axe-core/playwright';
import { type Page, expect, test } from '@playwright/test';
import { HELPERS, SHOTS, settled } from '../pages';
import { take } from '../pictures';

const WIDTHS = [1440, 360];
const THEMES = ['light', 'dark'] as const;
const HEIGHT_MAX = 6000;
const only = process.env.ONLY?.split(',');

/** Whether these are looked at by axe; the other two differ from them in nothing that it looks at. */
const axed = (width: number, theme: string) => (theme === 'light') === (width === 1440);

/** What a page must not do, as it does it. */
function strangeness(page: Page, own: string): string[] {
  const strange: string[] = [];
  page.on('console', (message) => message.type() === 'error' && strange.push(message.text()));
  page.on('pageerror', (error) => strange.push(error.message));
  page.on('request', (asked) => {
    if (!asked.url().startsWith(own) && !/^(data|blob):/.test(asked.url())) strange.push(`asks ${asked.url()}`);
  });
  return strange;
}

async function findings(page: Page): Promise<string[]> {
  const { violations } = await new AxeBuilder({ page }).withTags(['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa']).analyze();
  const places = (nodes: (typeof violations)[number]['nodes']) => nodes.slice(0, 3).map((node) => `${node.target.join(' ')} ${node.failureSummary?.split('\n')[1] ?? ''}`);
  return violations.map((one) => `${one.id} (${one.impact}): ${places(one.nodes).join(' | ')}`);
}

for (const shot of SHOTS.filter((one) => !only || only.includes(one.name))) {
  test(shot.name, async ({ page, request, baseURL }) => {
    const strange = strangeness(page, baseURL!);
    await page.emulateMedia({ colorScheme: 'light', reducedMotion: 'reduce' });
    await page.addInitScript(HELPERS);
    await page.goto(await shot.path(async (path) => (await request.get(path)).json()));
    for (const theme of THEMES) {
      for (const width of WIDTHS.filter((one) => process.env.PICTURES || axed(one, theme))) {
        await page.emulateMedia({ colorScheme: theme, reducedMotion: 'reduce' });
        await page.setViewportSize({ width, height: 900 });
        await settled(page);
        // The whole page in sight, so that what is far down is drawn too.
        const height = await page.evaluate(() => document.documentElement.scrollHeight);
        await page.setViewportSize({ width, height: Math.min(height, HEIGHT_MAX) });
        await settled(page);
        if (process.env.PICTURES) await take(page, `${shot.name}-${width}-${theme}`);
        const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
        expect.soft(wide, `no sideways scrolling at ${width}`).toBeLessThanOrEqual(0);
        if (axed(width, theme)) expect.soft(await findings(page), `axe at ${width} in ${theme}`).toEqual([]);
      }
    }
    expect(strange).toEqual([]);
  });
}
