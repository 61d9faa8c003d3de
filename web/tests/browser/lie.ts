/** An explorer that lies, for tests: one of its answers is another. */
import type { APIRequestContext, Page } from '@playwright/test';

/**
 * From now on this path answers what becomes of the truth. That is asked for once, beforehand: an answer on its way while a page is
 * left would be lost with the page.
 */
export async function lie(page: Page, request: APIRequestContext, path: string, change: (truth: any) => object): Promise<void> {
  const truth = await (await request.get(path)).json();
  await page.route(`**${path}`, (route) => route.fulfill({ json: change(truth) }).catch(() => undefined));
}
