/** Pictures of pages, small enough to be kept: what stands at the top of a page, in few colours. */
import { mkdir, writeFile } from 'node:fs/promises';
import type { Page } from '@playwright/test';
import UPNG from 'upng-js';

const FOLDER = 'tests/screenshots';
const COLOURS = 40;
/** More of a long page tells nothing new. */
const HEIGHTS_MAX: Record<number, number> = { 1440: 1800, 360: 2200 };

export async function take(page: Page, name: string): Promise<void> {
  const { width, height } = page.viewportSize()!;
  const clip = { x: 0, y: 0, width, height: Math.min(height, HEIGHTS_MAX[width] ?? height) };
  const shot = await page.screenshot({ animations: 'disabled', clip });
  const decoded = UPNG.decode(new Uint8Array(shot).buffer);
  await mkdir(FOLDER, { recursive: true });
  await writeFile(`${FOLDER}/${name}.png`, Buffer.from(UPNG.encode(UPNG.toRGBA8(decoded), decoded.width, decoded.height, COLOURS)));
}
