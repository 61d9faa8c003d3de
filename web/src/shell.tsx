/** The frame around every page: where one is, the epoch clock, who checked what, search, theme. */
import type { ComponentChildren } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { useLocation } from 'preact-iso';
import { useGet } from './api/use';
import { useLive } from './api/live';
import type { Schemas } from './api/client';
import { ChainContext } from './chain';
import { duration } from './format/times';
import { count } from './format/amounts';
import { switchTheme, useTheme } from './theme';
import { Icon, Stones } from './ui/icon';
import { Tag } from './ui/values';
import { anchorSeen, useCheck } from './verify/use';
import { forgetEnded } from './wallet/orders';

const PAGES = [
  ['/', 'Overview'], ['/networks', 'Networks'], ['/operators', 'Operators'], ['/customers', 'Customers'],
  ['/audit', 'Audit'], ['/ledger', 'Ledger'], ['/wallet', 'Wallet'],
] as const;

export function Shell({ children }: { children: ComponentChildren }) {
  const chain = useGet('/v1/chain', {});
  const now = chain.data?.time;
  useEffect(() => void (now && forgetEnded(now)), [now]);
  return (
    <ChainContext.Provider value={chain.data}>
      <a class="skip" href="#main">Skip to the content</a>
      <Bar />
      <Strip chain={chain.data} unreachable={chain.refusal !== undefined} />
      <main id="main" class="frame" tabIndex={-1}>{children}</main>
      <Foot chain={chain.data} />
    </ChainContext.Provider>
  );
}

function Bar() {
  const { path } = useLocation();
  const theme = useTheme();
  const [open, setOpen] = useState(false);
  useEffect(() => setOpen(false), [path]);
  const here = (to: string) => (to === '/' ? path === '/' : path === to || path.startsWith(`${to}/`));
  return (
    <header class="bar">
      <div class="frame">
        <a class="brand" href="/"><Stones />Cairn</a>
        <nav aria-label="Pages" id="pages" class={open ? 'open' : ''}>
          <ul>{PAGES.map(([to, name]) => <li key={to}><a href={to} aria-current={here(to) ? 'page' : undefined}>{name}</a></li>)}</ul>
        </nav>
        <Find />
        <button type="button" class="icon-button" onClick={switchTheme} aria-label={theme === 'dark' ? 'Use the light theme' : 'Use the dark theme'}>
          <Icon name={theme === 'dark' ? 'sun' : 'moon'} />
        </button>
        <button type="button" class="icon-button menu-button" aria-expanded={open} aria-controls="pages" aria-label="Pages" onClick={() => setOpen(!open)}>
          <Icon name="menu" />
        </button>
      </div>
    </header>
  );
}

function Find() {
  const { route, query } = useLocation();
  const [text, setText] = useState('');
  useEffect(() => setText(query.q ?? ''), [query.q]);
  const go = (event: Event) => {
    event.preventDefault();
    if (text.trim()) route(`/search?q=${encodeURIComponent(text.trim())}`);
  };
  return (
    <form class="find" role="search" onSubmit={go}>
      <Icon name="search" size={16} />
      <input type="search" aria-label="Find an id, a name, a block or an epoch" placeholder="Id, name, block, epoch" value={text} onInput={(event) => setText(event.currentTarget.value)} />
    </form>
  );
}

function Strip({ chain, unreachable }: { chain: Schemas['Chain'] | undefined; unreachable: boolean }) {
  const { connected } = useLive();
  if (!chain) {
    return <div class="strip"><div class="frame">{unreachable ? <Tag state="waiting" label="The explorer does not answer" /> : 'Connecting…'}</div></div>;
  }
  const behind = chain.state !== 'following' || !connected || unreachable;
  return (
    <div class="strip">
      <div class="frame">
        <span><b>{chain.chain}</b></span>
        <span>Block <a href={`/ledger/blocks/${chain.height}`}>{count(chain.height)}</a></span>
        {chain.epoch && <Clock clock={chain.epoch} />}
        {behind && <Tag state="waiting" label={trouble(chain, connected, unreachable)} />}
        <span class="trust"><Trust chain={chain} /></span>
      </div>
    </div>
  );
}

function trouble(chain: Schemas['Chain'], connected: boolean, unreachable: boolean): string {
  if (unreachable || !connected) return 'Not live: the explorer does not answer';
  if (chain.state === 'waiting') return chain.trouble ?? 'Waiting for the node';
  return chain.state === 'rebuilding' ? 'Reading the chain again' : 'Catching up with the chain';
}

function Clock({ clock }: { clock: Schemas['Clock'] }) {
  const [since] = useState(() => new Map<string, number>());
  const key = `${clock.number}:${clock.ms_left}`;
  if (!since.has(key)) since.set(key, Date.now());
  const [now, tick] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => tick(Date.now()), 1000);
    return () => clearInterval(timer);
  }, []);
  const left = clock.ms_left - Math.max(0, now - since.get(key)!);
  return <span>Epoch <b>{count(clock.number)}</b>, {left > 0 ? `closes in ${duration(left)}` : 'closes with the next block'}</span>;
}

/** Whether this browser checked the newest block that has a certificate. */
function Trust({ chain }: { chain: Schemas['Chain'] }) {
  const blocks = useGet('/v1/blocks', { params: { query: { limit: 1 } } });
  const height = blocks.data?.items[0]?.height;
  const block = useGet('/v1/blocks/{height}', height === undefined ? null : { params: { path: { height } } }, false);
  const verdict = useCheck(chain.anchor, block.data);
  const seen = anchorSeen(chain.anchor);
  if (seen === 'other') {
    return <span class="checked not" title="Compare the key below with one you have from elsewhere."><Icon name="alert" size={14} />the validators’ key is not the one this browser knew</span>;
  }
  if (verdict.state === 'holds') return <span class="checked by-page" title={`Your browser checked the validators’ signature over block ${verdict.height}, under ${seen === 'first' ? 'the key this explorer named' : 'the key it has known since its first visit'}.`}><Icon name="tick" size={14} />block {count(verdict.height)} checked by this page</span>;
  if (verdict.state === 'broken') return <span class="checked not" title={verdict.why}><Icon name="alert" size={14} />block {height} does not hold: {verdict.why}</span>;
  return <span class="checked">{verdict.state === 'uncertified' ? 'checked by the explorer' : 'checking the newest block…'}</span>;
}

function Foot({ chain }: { chain: Schemas['Chain'] | undefined }) {
  return (
    <footer class="foot">
      <div class="frame">
        {chain && <p>{chain.stable_note.charAt(0).toUpperCase() + chain.stable_note.slice(1)}.{chain.beacon_note ? ` ${chain.beacon_note.charAt(0).toUpperCase()}${chain.beacon_note.slice(1)}.` : ''}</p>}
        {chain && <p>Validators’ key <code title={chain.anchor.group_key}>{chain.anchor.group_key.slice(0, 12)}…{chain.anchor.group_key.slice(-6)}</code>, era {chain.anchor.era}{anchorSeen(chain.anchor) === 'first' && '. New to this browser: compare it with one you have from elsewhere.'}</p>}
        <p class="links"><a href="/v1/openapi.json">API</a> <a href="/licenses.txt">Licences</a> <a href="/fonts.txt">Fonts</a></p>
        <p>Cairn {chain?.version}. Outlines by Natural Earth.</p>
      </div>
    </footer>
  );
}
