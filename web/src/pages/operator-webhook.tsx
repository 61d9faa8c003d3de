/** Where an operator has its alerts posted: shown to the wallet of its account only, which signs for it. */
import { useState } from 'preact/hooks';
import { type Refusal, type Schemas, refusalOf, Refused } from '../api/client';
import { useChain } from '../chain';
import { keep, kept } from '../keep';
import { Card, sentence } from '../ui/block';
import { Copy } from '../ui/values';
import { postAlerts, walletOf } from '../wallet/wallet';

const DAY_MS = 86_400_000;

/**
 * The explorer's clock: the chain's where it is played from old data, or else the world's. Later than the last one that was signed here, also
 * where that clock stands still: an explorer takes nothing older than what it has.
 */
function after(account: string, { time, lag_ms }: Schemas['Chain']): string {
  const name = `hook.${account}`;
  const there = Date.parse(time) + lag_ms;
  const now = Math.max(Math.abs(Date.now() - there) > DAY_MS ? there : Date.now(), (kept<number>(name) ?? 0) + 1);
  keep(name, now);
  return new Date(now).toISOString().replace('.000Z', 'Z');
}

export function Webhook({ account }: { account: string }) {
  const chain = useChain();
  const wallet = chain && walletOf(chain.chain);
  const [url, setUrl] = useState('');
  const [secret, setSecret] = useState('');
  const [told, setTold] = useState('');
  const [refusal, setRefusal] = useState<Refusal>();
  if (!chain || wallet?.account !== account) return null;
  const go = (event: Event) => {
    event.preventDefault();
    setRefusal(undefined);
    setSecret('');
    postAlerts(wallet, url.trim(), after(account, chain)).then(
      (made) => {
        setSecret(url.trim() ? made : '');
        setTold(url.trim() ? 'Alerts are posted there from now on.' : 'Alerts are posted nowhere any more.');
      },
      (error: unknown) => setRefusal(error instanceof Refused ? refusalOf(error) : { code: 'unsigned', message: error instanceof Error && error.name === 'Error' ? error.message : 'the device did not sign', hint: 'Nothing has changed.' }),
    );
  };
  return (
    <Card title="Have alerts posted">
      <form class="form" onSubmit={go}>
        <label>Address, or nothing to end it<input type="url" placeholder="https://…" value={url} onInput={(event) => setUrl(event.currentTarget.value)} autocomplete="off" /></label>
        <p class="hint">Your passkey signs that alerts of this account go there. It costs nothing, and stays until you end it: leave the address empty and sign again. An address that takes nothing for a day is forgotten.</p>
        {refusal && <p class="banner bad" role="alert">{sentence(refusal.message)} {sentence(refusal.hint)}</p>}
        {told && <p class="banner good" role="status">{told}</p>}
        {secret && <div><p>Each post is signed with this secret, shown once:</p><pre tabIndex={0}>{secret}</pre><Copy text={secret} label="Copy the secret" /></div>}
        <div><button type="submit" class="primary">Sign with your passkey</button></div>
      </form>
    </Card>
  );
}
