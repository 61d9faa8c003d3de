/** What happens, as it happens: one stream of server-sent events for the whole page. Pages ask again when a block came. */
import { useEffect, useState } from 'preact/hooks';

export interface Live {
  connected: boolean;
  /** Rises when there is something new; not more often than every few seconds. */
  tick: number;
}

const KINDS = ['block', 'epoch', 'report_counts', 'alert', 'payout', 'trouble', 'reset', 'message'];
const TICK_MS_MIN = 4000;
let state: Live = { connected: true, tick: 0 };
let source: EventSource | undefined;
let due: ReturnType<typeof setTimeout> | undefined;
let last = 0;
const listeners = new Set<(live: Live) => void>();

function tell(next: Live): void {
  state = next;
  listeners.forEach((listener) => listener(state));
}

function happened(): void {
  if (!state.connected) tell({ ...state, connected: true });
  if (due) return;
  due = setTimeout(() => {
    due = undefined;
    last = Date.now();
    if (document.visibilityState === 'visible') tell({ ...state, tick: state.tick + 1 });
  }, Math.max(0, TICK_MS_MIN - (Date.now() - last)));
}

function open(): void {
  if (source || typeof EventSource === 'undefined') return;
  source = new EventSource('/v1/live');
  source.onopen = () => tell({ ...state, connected: true });
  // The browser tries again by itself, with Last-Event-ID.
  source.onerror = () => tell({ ...state, connected: false });
  for (const kind of KINDS) source.addEventListener(kind, happened);
}

export function useLive(): Live {
  const [live, set] = useState(state);
  useEffect(() => {
    open();
    listeners.add(set);
    return () => void listeners.delete(set);
  }, []);
  return live;
}
