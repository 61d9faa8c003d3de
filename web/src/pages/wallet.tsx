/** The reader's own account: made with a passkey, used with the device's screen lock. No seed phrase, and no secret in the page. */
import { useEffect, useState } from 'preact/hooks';
import { useGet } from '../api/use';
import { type Refusal, type Schemas, refusalOf, Refused } from '../api/client';
import { useChain } from '../chain';
import { useTitle } from '../title';
import { Card, Empty, Loading, sentence } from '../ui/block';
import { Stat, Stats } from '../ui/table';
import { Copy, Credits, Id, Token, Usd } from '../ui/values';
import { Icon } from '../ui/icon';
import { canMake, namedAddress } from '../wallet/passkey';
import { Review } from '../wallet/review';
import { type Made, type Prepared, type Wallet as Own, findSponsor, forgetWallet, keepWallet, makeWallet, prepare, walletOf } from '../wallet/wallet';
import { BuyCredits, Send, Sent } from './wallet-forms';

export function Wallet() {
  useTitle('Wallet');
  const chain = useChain();
  const [wallet, setWallet] = useState<Own>();
  useEffect(() => setWallet(chain && walletOf(chain.chain)), [chain?.chain]);
  return (
    <>
      <div class="head"><div><h1>Wallet</h1><p class="lead">An account of your own, opened and used with a passkey: your fingerprint, face or screen lock. Before each signature you see what it does and costs.</p></div></div>
      {!chain ? <Loading /> : wallet ? <Mine wallet={wallet} chain={chain} forget={() => { forgetWallet(chain.chain); setWallet(undefined); }} /> : <Begin chain={chain} made={setWallet} />}
    </>
  );
}

function Begin({ chain, made }: { chain: Schemas['Chain']; made: (wallet: Own) => void }) {
  const [form, setForm] = useState<'single' | 'two-of-three'>('single');
  const [fresh, setFresh] = useState<Made>();
  const [trouble, setTrouble] = useState('');
  const make = () => {
    setTrouble('');
    makeWallet(chain.chain, form).then((result) => {
      keepWallet(result.wallet);
      if (result.recoverySecret) setFresh(result);
      else made(result.wallet);
    }, () => setTrouble('No passkey was made. Your device or browser declined; nothing has changed.'));
  };
  const named = namedAddress(window.location);
  if (fresh?.recoverySecret) return <Recovery secret={fresh.recoverySecret} done={() => made(fresh.wallet)} />;
  return (
    <div class="grid">
      <Card class="two-thirds" title="Make an account">
        {named ? <Empty title="Passkeys belong to a name, not to a number.">Open this page as <a href={named}>{named}</a>.</Empty> : !canMake() ? <Empty title="This browser cannot make passkeys here.">They need https, or an address on this computer.</Empty> : (
          <div class="form">
            <fieldset class="choices">
              <legend class="visually-hidden">Who signs</legend>
              <label class="choice"><input type="radio" name="form" checked={form === 'single'} onChange={() => setForm('single')} /><span><b>One passkey</b><span class="hint">Signs alone. If your passkeys are in a synced keychain, they survive a lost phone.</span></span></label>
              <label class="choice"><input type="radio" name="form" checked={form === 'two-of-three'} onChange={() => setForm('two-of-three')} /><span><b>Two of three</b><span class="hint">Two passkeys, as of a phone and a laptop, and a recovery key you keep on paper. Any two sign.</span></span></label>
            </fieldset>
            <div><button type="button" class="primary" onClick={make}><Icon name="key" size={16} />Make a passkey</button></div>
            {trouble && <p class="banner bad" role="alert">{trouble}</p>}
          </div>
        )}
      </Card>
      <Card class="third" title="What is kept where">
        <ul class="feed">
          <li><span aria-hidden="true">·</span><span>The secret stays in your device’s secure hardware. The page never sees it.</span></li>
          <li><span aria-hidden="true">·</span><span>This browser keeps the public key and the account’s id.</span></li>
          <li><span aria-hidden="true">·</span><span>The ledger keeps the hash of your rule: who may sign.</span></li>
        </ul>
      </Card>
    </div>
  );
}

function Recovery({ secret, done }: { secret: string; done: () => void }) {
  const [kept, setKept] = useState(false);
  return (
    <Card title="Your recovery key, shown once">
      <div class="form">
        <p>Write it down or print it, and keep it away from your devices. If one passkey is lost, the other one and this key sign together. Nobody can show it to you again.</p>
        <pre tabIndex={0}>{secret.match(/.{1,8}/g)?.join(' ')}</pre>
        <div><Copy text={secret} label="Copy the recovery key" /></div>
        <label class="check-line"><input type="checkbox" checked={kept} onChange={() => setKept(!kept)} /> I have it in a safe place.</label>
        <div><button type="button" class="primary" disabled={!kept} onClick={done}>Go on</button></div>
      </div>
    </Card>
  );
}

function Mine({ wallet, chain, forget }: { wallet: Own; chain: Schemas['Chain']; forget: () => void }) {
  const account = useGet('/v1/accounts/{id}', { params: { path: { id: wallet.account } } });
  const [prepared, setPrepared] = useState<Prepared>();
  const [sent, setSent] = useState<string>();
  const [refusal, setRefusal] = useState<Refusal>();
  const absent = account.data === undefined && account.refusal !== undefined && account.refusal.code !== 'unreachable';
  const review = (preparing: Promise<Prepared>) => {
    setRefusal(undefined);
    setSent(undefined);
    preparing.then(setPrepared, (error: unknown) => setRefusal(error instanceof Refused ? refusalOf(error) : { code: 'local', message: error instanceof Error ? error.message : 'it could not be prepared', hint: 'Nothing was signed.' }));
  };
  const open = async () => {
    const sponsor = await findSponsor(chain.fees.open_account);
    if (!sponsor && chain.fees.open_account !== '0') throw new Error('no network pays for opening accounts now');
    return prepare(wallet, { kind: 'open_account' }, chain.fees, sponsor);
  };
  return (
    <>
      {account.data && (
        <Stats>
          <Stat label="Token"><Token base={account.data.token} exact /></Stat>
          <Stat label="Stablecoin"><Usd micro={account.data.stable} /></Stat>
          <Stat label="Credits"><Credits credits={account.data.credits} /></Stat>
        </Stats>
      )}
      {refusal && <p class="banner bad" role="alert"><b>{sentence(refusal.message)}</b> {sentence(refusal.hint)}</p>}
      {sent && <Sent id={sent} />}
      <div class="grid">
        <Card class="third" title={account.data ? `Account ${account.data.number}` : 'Your account'}>
          <div class="form">
            <p><Id id={wallet.account} full copy /></p>
            <p class="hint">{wallet.rule.threshold === 1 ? 'One passkey signs.' : `${wallet.rule.threshold} of ${wallet.rule.keys.length} keys sign.`} Give this id to whoever pays you.</p>
            {account.data ? <p><a href={`/ledger/accounts/${wallet.account}`}>On the ledger</a></p> : absent ? (
              <>
                <p>It is not on the ledger yet. Opening it is one transaction; a network pays the fee.</p>
                <div><button type="button" class="primary" onClick={() => review(open())}>Open the account</button></div>
              </>
            ) : <Loading lines={2} />}
            <div><button type="button" class="plain" onClick={forget}>Forget it in this browser</button></div>
          </div>
        </Card>
        <Send ready={account.data !== undefined} submit={(body) => review(prepare(wallet, body, chain.fees))} />
        <BuyCredits ready={account.data !== undefined} price={chain.price} submit={(body) => review(prepare(wallet, body, chain.fees))} />
      </div>
      {prepared && <Review wallet={wallet} prepared={prepared} onCancel={() => setPrepared(undefined)} onDone={(id) => { setPrepared(undefined); setSent(id); account.again(); }} />}
    </>
  );
}
