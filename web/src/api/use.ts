/** Asks the API for a page's block and keeps its four states: loading, error, ready, stale. */
import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { type Answer, type GetOptions, type GetPath, type Refusal, get, refusalOf } from './client';
import { useLive } from './live';

export interface Loaded<T> {
  state: 'loading' | 'error' | 'ready' | 'stale';
  data?: T;
  refusal?: Refusal;
  again: () => void;
}

/** Answers of before, so that going back shows something at once. */
const KEPT_MAX = 80;
const keptAnswers = new Map<string, unknown>();

function remember(key: string, value: unknown): void {
  keptAnswers.delete(key);
  keptAnswers.set(key, value);
  const oldest = keptAnswers.keys().next();
  if (keptAnswers.size > KEPT_MAX && !oldest.done) keptAnswers.delete(oldest.value);
}

/** `null` for options: do not ask yet. */
export function useGet<P extends GetPath>(path: P, options: GetOptions<P> | null, live = true): Loaded<Answer<P>> {
  const key = options === null ? '' : JSON.stringify([path, (options as { params?: unknown }).params]);
  const [, draw] = useState(0);
  const answer = useRef<{ key: string; data?: Answer<P>; refusal?: Refusal }>({ key: '' });
  if (answer.current.key !== key) answer.current = { key, data: keptAnswers.get(key) as Answer<P> | undefined };
  const asked = useRef(options);
  asked.current = options;
  const [round, setRound] = useState(0);
  const { tick } = useLive();

  useEffect(() => {
    if (asked.current === null) return;
    const abort = new AbortController();
    get(path, asked.current, abort.signal).then(
      (data) => {
        remember(key, data);
        if (!abort.signal.aborted) answer.current = { key, data };
      },
      (error: unknown) => {
        if (!abort.signal.aborted) answer.current = { ...answer.current, refusal: refusalOf(error) };
      },
    ).finally(() => {
      if (!abort.signal.aborted) draw((n) => n + 1);
    });
    return () => abort.abort();
  }, [key, round, live ? tick : 0]);

  const again = useCallback(() => setRound((n) => n + 1), []);
  const { data, refusal } = answer.current;
  if (data === undefined) return { state: refusal ? 'error' : 'loading', refusal, again };
  return { state: refusal ? 'stale' : 'ready', data, refusal, again };
}
