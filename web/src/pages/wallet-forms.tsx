/** What a wallet can do: send, and buy credits. The forms only ask; nothing is signed before its review. */
import { useEffect, useState } from 'preact/hooks';
import { useGet } from '../api/use';
import type { Schemas } from '../api/client';
import { useToken } from '../chain';
import { parseAmount } from '../format/amounts';
import { Card, sentence } from '../ui/block';
import { Tag, Usd } from '../ui/values';
import type { Body } from '../wallet/transactions';

interface FormProps {
  ready: boolean;
  submit: (body: Body) => void;
}

export function Send({ ready, submit }: FormProps) {
  const { decimals, symbol } = useToken();
  const [to, setTo] = useState('');
  const [asset, setAsset] = useState<'token' | 'stable'>('token');
  const [text, setText] = useState('');
  const [trouble, setTrouble] = useState('');
  const go = (event: Event) => {
    event.preventDefault();
    const amount = parseAmount(text, asset === 'token' ? decimals : 6);
    if (!/^[0-9a-f]{64}$/.test(to.trim())) return setTrouble('An account’s id has 64 hexadecimal digits.');
    if (!amount) return setTrouble(`An amount above zero with at most ${asset === 'token' ? decimals : 6} places, as 12.5.`);
    setTrouble('');
    submit({ kind: 'transfer', to: to.trim(), asset, amount });
  };
  return (
    <Card class="third" title="Send">
      <form class="form" onSubmit={go}>
        <label>To, an account’s id<input value={to} onInput={(event) => setTo(event.currentTarget.value)} autocomplete="off" spellcheck={false} /></label>
        <div class="row">
          <label>Amount<input inputMode="decimal" value={text} onInput={(event) => setText(event.currentTarget.value)} /></label>
          <label>Of<select value={asset} onChange={(event) => setAsset(event.currentTarget.value as 'token' | 'stable')}><option value="token">{symbol}</option><option value="stable">stablecoin, $</option></select></label>
        </div>
        {trouble && <p class="banner bad" role="alert">{trouble}</p>}
        <div><button type="submit" class="primary" disabled={!ready}>Review</button></div>
      </form>
    </Card>
  );
}

/** Less is given for burned token than its price says: it may move until the block. */
const SLACK_PERCENT = 2n;

export function BuyCredits({ ready, submit, price }: FormProps & { price: Schemas['Price'] }) {
  const { decimals, symbol } = useToken();
  const [from, setFrom] = useState<'stable' | 'token'>('stable');
  const [text, setText] = useState('');
  const [trouble, setTrouble] = useState('');
  const amount = parseAmount(text, from === 'token' ? decimals : 6);
  const low = price.low && !price.halted ? BigInt(price.low) : undefined;
  const credits = amount && (from === 'stable' ? amount : low && (amount * low) / 10n ** BigInt(decimals + 2));
  const go = (event: Event) => {
    event.preventDefault();
    if (!amount || !credits) return setTrouble('An amount above zero, as 25.');
    setTrouble('');
    submit(from === 'stable' ? { kind: 'buy_credits', stable: amount } : { kind: 'burn_for_credits', tokens: amount, creditsMin: (credits * (100n - SLACK_PERCENT)) / 100n });
  };
  return (
    <Card class="third" title="Buy credits">
      <form class="form" onSubmit={go}>
        <div class="row">
          <label>Pay<input inputMode="decimal" value={text} onInput={(event) => setText(event.currentTarget.value)} /></label>
          <label>With<select value={from} onChange={(event) => setFrom(event.currentTarget.value as 'stable' | 'token')}><option value="stable">stablecoin, $</option><option value="token">{symbol}, burned</option></select></label>
        </div>
        <p class="hint" aria-live="polite">{credits ? <>Buys <Usd micro={String(credits)} /> of service. {from === 'stable' ? 'What you do not use can be given back.' : 'Burned token does not come back.'}</> : 'One dollar buys one dollar of service, at fixed prices.'}</p>
        {trouble && <p class="banner bad" role="alert">{trouble}</p>}
        <div><button type="submit" class="primary" disabled={!ready}>Review</button></div>
      </form>
    </Card>
  );
}

/** What became of a transaction that was sent: asked until it is final. */
export function Sent({ id }: { id: string }) {
  const found = useGet('/v1/transactions/{id}', { params: { path: { id } } }, false);
  const state = found.data?.state ?? 'waiting';
  useEffect(() => {
    if (state !== 'waiting') return;
    const timer = setInterval(found.again, 1500);
    return () => clearInterval(timer);
  }, [state]);
  const words = state === 'final' ? (found.data?.sentence ?? 'Done.') : state === 'dropped' ? (found.data?.refusal?.message ?? 'It was refused.') : 'Sent. It waits for a block.';
  return <p class={`banner ${state === 'final' ? 'good' : state === 'dropped' ? 'bad' : 'warn'}`} role="status"><Tag state={state} /> {sentence(words)} <a href={`/ledger/transactions/${id}`}>See it</a></p>;
}
