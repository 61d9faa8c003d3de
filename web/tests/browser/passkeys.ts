/** Devices with passkeys, played by the browser's virtual authenticator, and what tests of the wallet do again and again. */
import { type CDPSession, type Page, expect } from '@playwright/test';

export interface Device {
  session: CDPSession;
  id: string;
  /** Whether somebody is there to unlock it: of several only who is there answers. */
  present: (is: boolean) => Promise<void>;
}

/** One more device at this page; the first is built in, others are plugged in. */
export async function withDevice(page: Page, kind: 'internal' | 'usb' = 'internal'): Promise<Device> {
  const session = await page.context().newCDPSession(page);
  await session.send('WebAuthn.enable');
  const { authenticatorId: id } = await session.send('WebAuthn.addVirtualAuthenticator', {
    options: { protocol: 'ctap2', transport: kind, hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true },
  });
  return { session, id, present: async (enabled) => void (await session.send('WebAuthn.setAutomaticPresenceSimulation', { authenticatorId: id, enabled })) };
}

/** Signs in the dialog that is open, as often as passkeys must; the last signature sends it. */
export async function sign(page: Page, times = 1): Promise<void> {
  const dialog = page.getByRole('dialog');
  await expect(dialog).toContainText('Fee');
  for (let time = 1; time <= times; time++) {
    await page.getByRole('button', { name: 'Sign with your passkey' }).click();
    if (time < times) await expect(dialog).toContainText(`${time} of `);
  }
  await expect(dialog).toBeHidden();
}

export async function isFinal(page: Page): Promise<void> {
  await expect(page.getByText('final', { exact: true })).toBeVisible();
}

export async function send(page: Page, to: string, amount: string): Promise<void> {
  const form = page.locator('form').filter({ hasText: 'To, an account' });
  await form.getByLabel('To, an account’s id').fill(to);
  await form.getByLabel('Amount').fill(amount);
  await form.getByRole('button', { name: 'Review' }).click();
}

/** Reads the recovery key that is shown, and says the groups of it that are asked back; answers it. */
export async function writeDown(page: Page): Promise<string> {
  const shown = await page.locator('pre').innerText();
  const groups = shown.split(' ');
  await page.getByRole('button', { name: 'I have written it down' }).click();
  await expect(page.getByRole('button', { name: 'Go on' })).toBeVisible();
  for (const label of await page.getByText(/^Group \d of 8$/).all()) {
    const place = Number(/\d/.exec(await label.innerText())![0]);
    await label.getByRole('textbox').fill(groups[place - 1]!);
  }
  await page.getByRole('button', { name: 'Go on' }).click();
  return shown;
}
