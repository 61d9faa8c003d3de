/** API keys: made out of an account's credits, shown once, asked what they have left, closed. */
import { useState } from 'preact/hooks';
import { type Refusal, refusalOf, Refused } from '../api/client';
import { useChain } from '../chain';
import { count, parseAmount } from '../format/amounts';
import { Card, sentence } from '../ui/block';
import { Pairs } from '../ui/table';
import { Copy, Credits, Tag, Time } from '../ui/values';
import { type Begun, type KeyState, askKey, beginKey, keyText } from '../wallet/key';
import { type Asked, priceOf, untilFinal } from '../wallet/purchase';
import { Review } from '../wallet/review';
import { type Prepared, prepare, walletOf } from '../wallet/wallet';

const DAYS = [1, 7, 30, 90, 365];
const trouble = (error: unknown): Refusal => (error instanceof Refused ? refusalOf(error) : { code: 'local', message: error instanceof Error ? error.message : 'it did not work', hint: '' });

interface KeysProps {
  asked: Asked;
  apiKey: string | undefined;
  onMade: (key: string) => void;
}

export function Keys({ asked, apiKey, onMade }: KeysProps) {
  const chain = useChain()!;
  const wallet = walletOf(chain.chain);
  const [budget, setBudget] = useState('5');
  const [days, setDays] = useState(30);
  const [begun, setBegun] = useState<{ of: Begun; prepared: Prepared }>();
  const [told, setTold] = useState('');
  const [refusal, setRefusal] = useState<Refusal>();
  const hold = parseAmount(budget, 6);
  const wrong = (error: unknown) => {
    setTold('');
    setRefusal(trouble(error));
  };
  const make = async () => {
    setRefusal(undefined);
    if (!wallet || !hold) return;
    const { provider } = await priceOf(asked);
    const of = beginKey(chain.chain, provider, asked.network, hold, chain.time, days);
    setBegun({ of, prepared: await prepare(wallet, of.body, chain.fees) });
  };
  const signed = (order: string) => {
    const { secret } = begun!.of;
    setBegun(undefined);
    setTold('Waiting for the order to be final…');
    untilFinal(order).then(() => { setTold(''); onMade(keyText(order, secret)); }, wrong);
  };
  return (
    <Card class="third" title="API key">
      <div class="form">
        {apiKey ? (
          <>
            <p class="banner good" role="status">Your key, shown this once. Copy it now: it is not kept here.</p>
            <pre class="key" tabIndex={0}>{apiKey}</pre>
            <div><Copy text={apiKey} label="Copy the key" /></div>
          </>
        ) : wallet ? (
          <>
            <div class="row">
              <label>Budget, $<input inputMode="decimal" value={budget} onInput={(event) => setBudget(event.currentTarget.value)} /></label>
              <label>Ends after<select value={days} onChange={(event) => setDays(Number(event.currentTarget.value))}>{DAYS.map((one) => <option key={one} value={one}>{one === 1 ? 'a day' : `${one} days`}</option>)}</select></label>
            </div>
            <div><button type="button" disabled={!hold || told !== ''} onClick={() => void make().catch(wrong)}>Make a key</button></div>
          </>
        ) : <p class="hint">A key pays out of an account’s credits. You have none in this browser. <a href="/wallet">Make one</a>.</p>}
        <p class="hint">Whoever has a key can spend its budget and nothing else of yours; so could the gateway, which signs for it. What is left returns to you when it ends or you close it.</p>
        {told && <p role="status" class="hint">{told}</p>}
        {refusal && <p class="banner bad" role="alert">{sentence(refusal.message)} {sentence(refusal.hint)}</p>}
        <Left />
      </div>
      {begun && wallet && <Review wallet={wallet} prepared={begun.prepared} onCancel={() => setBegun(undefined)} onDone={signed} />}
    </Card>
  );
}

/** What a key that somebody has still has. */
function Left() {
  const [key, setKey] = useState('');
  const [state, setState] = useState<KeyState>();
  const [refusal, setRefusal] = useState<Refusal>();
  const ask = (method: 'GET' | 'DELETE') => {
    setRefusal(undefined);
    askKey(key.trim(), method).then(setState, (error: unknown) => { setState(undefined); setRefusal(trouble(error)); });
  };
  return (
    <details class="as-table">
      <summary>What a key has left</summary>
      <div class="form">
        <label>Key<input type="password" value={key} onInput={(event) => { setKey(event.currentTarget.value); setState(undefined); }} autocomplete="off" spellcheck={false} /></label>
        <div><button type="button" disabled={key.trim() === ''} onClick={() => ask('GET')}>Ask</button></div>
        {refusal && <p class="banner bad" role="alert">{sentence(refusal.message)} {sentence(refusal.hint)}</p>}
        {state?.state === 'settling' && <p class="hint" role="status">It sells nothing any more; what is left returns by itself in some minutes.</p>}
        {state && (
          <>
            <Pairs items={[
              ['State', <Tag state={state.state} />],
              ['Left', <Credits credits={state.left_credits} />],
              ['Spent', <><Credits credits={state.spent_credits} />{state.queries_paid !== null && ` for ${state.queries_paid === 1 ? 'one answer' : `${count(state.queries_paid)} answers`}`}</>],
              ['Pays until', <Time at={state.sells_until} />],
            ]} />
            {(state.state === 'open' || state.state === 'spent') && <div><button type="button" onClick={() => ask('DELETE')}>Close it</button></div>}
          </>
        )}
      </div>
    </details>
  );
}
