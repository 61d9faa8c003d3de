/** Single values: amounts, times, ids, states, and who checked them. */
import { useState } from 'preact/hooks';
import { useToken } from '../chain';
import type { Schemas } from '../api/client';
import { decimal, dollars, places } from '../format/amounts';
import { clock, dateTime, shortDay, utc } from '../format/times';
import { Icon } from './icon';

export function Token({ base, exact = false, unit = true }: { base: string | null | undefined; exact?: boolean; unit?: boolean }) {
  const { symbol, decimals } = useToken();
  if (base === null || base === undefined) return <span class="muted">–</span>;
  const whole = decimal(base, decimals);
  return (
    <span class="amount" title={`${whole} ${symbol}`}>
      {exact ? whole : decimal(base, decimals, places(base, decimals))}
      {unit && <span class="unit">{symbol}</span>}
    </span>
  );
}

export function Usd({ micro }: { micro: string | null | undefined }) {
  if (micro === null || micro === undefined) return <span class="muted">–</span>;
  return <span class="amount" title={`$${decimal(micro, 6)}`}>{dollars(micro)}</span>;
}

/** A credit is a millionth of a dollar of service. */
export function Credits({ credits }: { credits: string | null | undefined }) {
  if (credits === null || credits === undefined) return <span class="muted">–</span>;
  return <span class="amount" title={`${decimal(credits, 0)} credits`}>{dollars(credits)}<span class="unit">credit</span></span>;
}

export function Units({ micro }: { micro: string | null | undefined }) {
  if (micro === null || micro === undefined) return <span class="muted">–</span>;
  return <span class="amount" title={decimal(micro, 6)}>{decimal(micro, 6, places(micro, 6))}</span>;
}

export function Time({ at, form = 'full' }: { at: string | null | undefined; form?: 'full' | 'clock' | 'day' }) {
  if (!at) return <span class="muted">–</span>;
  const text = form === 'full' ? dateTime(at) : form === 'clock' ? clock(at) : shortDay(at);
  return <time dateTime={at} title={utc(at)}>{text}</time>;
}

/** An id: short, linked where it leads somewhere, whole on hover and by the copy button. */
export function Id({ id, href, full = false, copy = false }: { id: string; href?: string; full?: boolean; copy?: boolean }) {
  const text = full || id.length <= 14 ? id : `${id.slice(0, 8)}…${id.slice(-4)}`;
  return (
    <span class={full ? 'id full' : 'id short'} title={id}>
      {href ? <a href={href}>{text}</a> : <span>{text}</span>}
      {copy && <Copy text={id} />}
    </span>
  );
}

export function Copy({ text, label = 'Copy' }: { text: string; label?: string }) {
  const [done, set] = useState(false);
  const copy = () => {
    const settle = () => {
      set(true);
      setTimeout(() => set(false), 1600);
    };
    navigator.clipboard?.writeText(text).then(settle, () => undefined);
  };
  return (
    <button type="button" class="plain" onClick={copy} aria-label={done ? 'Copied' : label} title={done ? 'Copied' : label}>
      <Icon name={done ? 'tick' : 'copy'} size={14} />
    </button>
  );
}

const TONES: Record<string, 'good' | 'bad' | 'warn' | ''> = {
  earning: 'good', accepted: 'good', paid: 'good', released: 'good', here: 'good', equal: 'good', signed: 'good', final: 'good', following: 'good', rejected: '',
  settled: '', closed: '', open: '', new: '', none: '', completed: '',
  refused: 'bad', excluded: 'bad', barred: 'bad', differs: 'bad', failed: 'bad', dropped: 'bad', upheld: 'bad',
  silent: 'warn', moved: 'warn', awaited: 'warn', expired: 'warn', waiting: 'warn', disputed: 'warn', catching_up: 'warn', rebuilding: 'warn',
};

export function Tag({ state, label }: { state: string; label?: string }) {
  return <span class={`tag ${TONES[state] ?? ''}`}>{label ?? state.replaceAll('_', ' ')}</span>;
}

const CHECKED: Record<Schemas['Checked'] | 'page', [string, string, string]> = {
  page: ['by-page', 'checked by this page', 'Your browser checked the validators’ signature (BLS12-381) over this block itself.'],
  certificate: ['', 'checked by the explorer', 'The explorer checked the validators’ signature over the block this is in.'],
  recomputed: ['', 'recomputed by the explorer', 'The explorer ran every transaction through the ledger’s rules itself and compared with what the validators signed.'],
  root: ['', 'checked against the ledger', 'Out of a verifier’s archive; its roots are those the ledger attested.'],
  served: ['not', 'not checked', 'Another service’s word. Nobody checked it for you.'],
};

export function Checked({ by }: { by: Schemas['Checked'] | 'page' }) {
  const [tone, text, title] = CHECKED[by];
  return (
    <span class={`checked ${tone}`} title={title}>
      <Icon name={tone === 'not' ? 'alert' : 'tick'} size={14} />
      {text}
    </span>
  );
}

/** What a figure means, one click away. */
export function Define({ of, text }: { of: string; text: string | undefined }) {
  if (!text) return null;
  return (
    <details class="def">
      <summary aria-label={`What “${of}” means`}><span aria-hidden="true">i</span></summary>
      <p>{text}</p>
    </details>
  );
}

export function definition(list: Schemas['Definition'][], name: string): string | undefined {
  return list.find((entry) => entry.name === name)?.sentence;
}

/** Words with what is typed as it stands, between backticks, set as code. */
export function Words({ text }: { text: string }) {
  return <>{text.split('`').map((part, at) => (at % 2 ? <code key={at}>{part}</code> : part))}</>;
}
