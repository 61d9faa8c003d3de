/** The pages of the tests, and what must be on them before they are looked at. */
import type { Page } from '@playwright/test';

export interface Shot {
  name: string;
  /** Found through the API, so that it works against any chain. */
  path: (api: Api) => Promise<string>;
}

export type Api = (path: string) => Promise<any>; // eslint-disable-line -- answers of any path

const fixed = (path: string) => () => Promise.resolve(path);

async function device(api: Api, state: string): Promise<string> {
  const list = await api(`/v1/devices?state=${state}&limit=1`);
  const any = list.items[0] ?? (await api('/v1/devices?limit=1')).items[0];
  return `/devices/${any.id}`;
}

export const SHOTS: Shot[] = [
  { name: 'overview', path: fixed('/') },
  { name: 'networks', path: fixed('/networks') },
  { name: 'network', path: async (api) => `/networks/${(await api('/v1/networks?limit=1')).items[0].id}` },
  { name: 'device', path: (api) => device(api, 'earning') },
  { name: 'device-refused', path: (api) => device(api, 'refused') },
  { name: 'ledger', path: fixed('/ledger') },
  { name: 'ledger-accounts', path: fixed('/ledger?view=accounts') },
  { name: 'ledger-validators', path: fixed('/ledger?view=validators') },
  { name: 'block', path: async (api) => `/ledger/blocks/${(await api('/v1/blocks?limit=1')).items[0].height}` },
  { name: 'transaction', path: async (api) => `/ledger/transactions/${(await api('/v1/transactions?limit=1')).items[0].id}` },
  { name: 'account', path: async (api) => `/ledger/accounts/${(await api('/v1/accounts?limit=4')).items.at(-1).id}` },
  { name: 'search', path: fixed('/search?q=city') },
  { name: 'audit', path: fixed('/audit') },
  { name: 'epoch', path: async (api) => {
    const network = (await api('/v1/networks?limit=1')).items[0].id;
    const epochs = (await api(`/v1/networks/${network}/epochs?limit=50`)).items;
    return `/audit/${network}/${(epochs.find((row: any) => row.disputed) ?? epochs.find((row: any) => row.state === 'paid') ?? epochs[0]).epoch}`;
  } },
  { name: 'operators', path: fixed('/operators') },
  { name: 'operator', path: async (api) => `/operators/${(await api('/v1/operators?limit=1')).items[0].id}` },
  { name: 'customers', path: fixed('/customers') },
  { name: 'customer', path: async (api) => {
    const list = (await api('/v1/customers?limit=1')).items;
    return list.length ? `/customers/${list[0].id}` : '/customers';
  } },
  { name: 'wallet', path: fixed('/wallet') },
  { name: 'not-found', path: fixed('/nowhere') },
];

/** What comes one after the other has shorter gaps. */
const QUIET_MS = 400;

/** Everything asked for has come, the map stands still, and fonts are there. */
export async function settled(page: Page): Promise<void> {
  await page.waitForFunction((QUIET_MS) => window.asked === 0 && performance.now() - window.quiet > QUIET_MS && document.fonts.status === 'loaded' && document.querySelectorAll('.skeleton').length === 0 && !/Connecting…|checking the newest block|Checking the validators|proving /.test(document.body.innerText), QUIET_MS);
  await page.waitForFunction(() => [...document.querySelectorAll('.map .canvas')].every((map) => !isNear(map) || (map as HTMLElement).dataset.idle === 'true' || map.parentElement?.querySelector('.state')));
}

declare global {
  function isNear(element: Element): boolean;
  interface Window {
    /** Answers on their way. */
    asked: number;
    /** Since when none is. */
    quiet: number;
  }
}

/** Counts what is asked, from the page's first line on. */
export const HELPERS = `
  window.isNear = (element) => { const box = element.getBoundingClientRect(); return box.top < innerHeight + 200; };
  window.asked = 0;
  const ask = window.fetch;
  window.quiet = 0;
  window.fetch = (...of) => { window.asked += 1; return ask(...of).finally(() => { window.asked -= 1; window.quiet = performance.now(); }); };`;
