/** A block of a page: a title, and its content in one of five states. No page shows data any other way. */
import type { ComponentChildren } from 'preact';
import type { Loaded } from '../api/use';
import type { Refusal, Schemas } from '../api/client';
import { Checked } from './values';

export function Loading({ lines = 3 }: { lines?: number }) {
  return (
    <div class="skeleton" role="status">
      <span class="visually-hidden">Loading…</span>
      {Array.from({ length: lines }, (_, i) => <i key={i} />)}
    </div>
  );
}

export function Failure({ refusal, again }: { refusal: Refusal; again?: () => void }) {
  return (
    <div class="state" role="alert">
      <b>{sentence(refusal.message)}</b>
      <p>{sentence(refusal.hint)}</p>
      {again && <button type="button" onClick={again}>Try again</button>}
    </div>
  );
}

export function Empty({ title, children }: { title: string; children?: ComponentChildren }) {
  return <div class="state"><b>{title}</b>{children && <p>{children}</p>}</div>;
}

/** Begins like a sentence and ends like one; an id it begins with stays as it is. */
export function sentence(text: string): string {
  const whole = /^[0-9a-f]{8}…/.test(text) ? text : text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?…]$/.test(whole) ? whole.replace(/…\.$/, '…') : `${whole}.`;
}

interface CardProps {
  title: string;
  children: ComponentChildren;
  class?: string;
  checked?: Schemas['Checked'];
  tools?: ComponentChildren;
  note?: ComponentChildren;
  flush?: boolean;
  stale?: boolean;
}

export function Card({ title, children, tools, note, checked, flush, stale, class: place = '' }: CardProps) {
  return (
    <section class={`card ${place} ${stale ? 'stale' : ''}`} aria-label={title}>
      <header><h2>{title}</h2>{tools}{checked && <Checked by={checked} />}</header>
      {stale && <p class="banner warn" role="status">Not up to date: the explorer does not answer. This is what it said before.</p>}
      <div class={flush ? 'body flush' : 'body'}>{children}</div>
      {note && <p class="note">{note}</p>}
    </section>
  );
}

type BlockProps<T> = Omit<CardProps, 'children' | 'checked' | 'stale'> & {
  from: Loaded<T>;
  /** What to say when there is nothing; undefined when there is something. */
  empty?: (data: T) => ComponentChildren | undefined;
  children: (data: T) => ComponentChildren;
  /** It says nothing yet that anybody could have checked. */
  unsaid?: boolean;
};

export function Block<T>({ from, empty, children, unsaid = false, ...card }: BlockProps<T>) {
  const { data, refusal } = from;
  const checked = (data as { checked?: Schemas['Checked'] } | undefined)?.checked;
  const none = data === undefined ? undefined : empty?.(data);
  let content: ComponentChildren;
  if (data !== undefined) content = none ?? children(data);
  else if (refusal) content = <Failure refusal={refusal} again={from.again} />;
  else content = card.flush ? <div class="state"><Loading /></div> : <Loading />;
  return <Card {...card} checked={none === undefined && !unsaid ? checked : undefined} stale={from.state === 'stale'}>{content}</Card>;
}

/** For a whole page whose subject must load first. */
export function Subject<T>({ from, children }: { from: Loaded<T>; children: (data: T) => ComponentChildren }) {
  if (from.data !== undefined) {
    return (
      <>
        {from.state === 'stale' && <p class="banner warn" role="status">Not up to date: {from.refusal?.message}. The figures below are from before.</p>}
        {children(from.data)}
      </>
    );
  }
  if (from.refusal) return <Failure refusal={from.refusal} again={from.again} />;
  return <Loading lines={3} />;
}
