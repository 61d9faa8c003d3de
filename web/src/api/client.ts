/** The generated client of `crates/explorer/openapi.json`, and refusals as values. Talks to this page's own origin only. */
import createClient, { type FetchOptions } from 'openapi-fetch';
import type { PathsWithMethod } from 'openapi-typescript-helpers';
import type { components, paths } from './schema';

export type Schemas = components['schemas'];
export type GetPath = PathsWithMethod<paths, 'get'>;
export type GetOptions<P extends GetPath> = FetchOptions<paths[P]['get']>;
type Json<R> = R extends { content: infer C } ? C[keyof C] : never;
export type Answer<P extends GetPath> = paths[P]['get'] extends { responses: { 200: infer R } } ? Json<R> : never;

/** Why there is no answer: the API's own words, or that it cannot be reached. */
export interface Refusal {
  code: string;
  message: string;
  hint: string;
}

export class Refused extends Error {
  constructor(readonly refusal: Refusal, readonly status: number) {
    super(refusal.message);
  }
}

const UNREACHABLE: Refusal = {
  code: 'unreachable',
  message: 'the explorer does not answer',
  hint: 'It may be starting or stopped. What you saw before stays; the page asks again by itself.',
};

export const client = createClient<paths>({ baseUrl: '/', headers: { Accept: 'application/json' } });

export function refusalOf(error: unknown): Refusal {
  if (error instanceof Refused) return error.refusal;
  return UNREACHABLE;
}

function isRefusal(value: unknown): value is Refusal {
  return typeof value === 'object' && value !== null && 'message' in value && 'code' in value;
}

function refused(error: unknown, status: number): Refused {
  const fallback = status >= 500 ? UNREACHABLE : { code: 'refused', message: `the explorer refused (${status})`, hint: 'Look at the address.' };
  return new Refused(isRefusal(error) ? error : fallback, status);
}

type Ask = (path: string, options: object) => Promise<{ data?: unknown; error?: unknown; response: Response }>;

/** What the explorer reads out of archives, a few for all its readers at a time: this page asks one after the other. */
const ONE_BY_ONE: GetPath = '/v1/devices/{id}/readings';
const BUSY_TRIES = 5;
const BUSY_WAIT_MS = 1_000;
let turn: Promise<unknown> = Promise.resolve();

async function patiently(ask: Ask, path: string, options: { signal?: AbortSignal }): ReturnType<Ask> {
  for (let tries = 1; ; tries++) {
    const answer = await ask(path, options);
    if (answer.response.status !== 429 || tries === BUSY_TRIES) return answer;
    await new Promise((later) => setTimeout(later, BUSY_WAIT_MS));
  }
}

export async function get<P extends GetPath>(path: P, options: GetOptions<P>, signal?: AbortSignal): Promise<Answer<P>> {
  // The generics of the library hold for each call of a page; inside they are one shape.
  const ask = client.GET as unknown as Ask;
  const asked = { ...options, signal };
  const asking = path === ONE_BY_ONE ? turn.then(() => patiently(ask, path, asked)) : patiently(ask, path, asked);
  if (path === ONE_BY_ONE) turn = asking.catch(() => undefined);
  const { data, error, response } = await asking;
  if (!response.ok || data === undefined) throw refused(error, response.status);
  return data as Answer<P>;
}

export async function post<T>(path: string, body: unknown): Promise<T> {
  const response = await fetch(path, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Accept: 'application/json' },
    body: JSON.stringify(body),
  });
  const text = await response.text();
  let value: unknown;
  try {
    value = text ? JSON.parse(text) : undefined;
  } catch {
    value = undefined;
  }
  if (!response.ok) throw refused(value, response.status);
  return value as T;
}
