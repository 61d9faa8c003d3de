/** A wallet where there is none: an account that is made, or one that exists and shall be signed for from this browser too. */
import { useState } from 'preact/hooks';
import type { Schemas } from '../api/client';
import { refusalOf, Refused } from '../api/client';
import { keep, kept } from '../keep';
import { Card, Empty, sentence } from '../ui/block';
import { Copy } from '../ui/values';
import { Icon } from '../ui/icon';
import { keyText } from '../wallet/keys';
import { type Passkey, canMake, makePasskey, namedAddress } from '../wallet/passkey';
import { type Made, type Wallet, keepWallet, makeWallet, takeUp } from '../wallet/wallet';
import { Recovery } from './wallet-recovery';

interface BeginProps {
  chain: Schemas['Chain'];
  made: (wallet: Wallet) => void;
}

const DECLINED = 'No passkey was made. Your device or browser declined; nothing has changed.';

export function Begin({ chain, made }: BeginProps) {
  const [form, setForm] = useState<'single' | 'two-of-three'>('single');
  const [fresh, setFresh] = useState<Made>();
  const [trouble, setTrouble] = useState('');
  const make = () => {
    setTrouble('');
    makeWallet(chain.chain, form).then((result) => {
      keepWallet(result.wallet);
      if (result.recoverySecret) setFresh(result);
      else made(result.wallet);
    }, () => setTrouble(DECLINED));
  };
  const confirmed = ({ wallet: { unconfirmed: _, ...wallet } }: Made) => {
    keepWallet(wallet);
    made(wallet);
  };
  const named = namedAddress(window.location);
  if (fresh?.recoverySecret) return <Recovery secret={fresh.recoverySecret} done={() => confirmed(fresh)} />;
  return (
    <div class="grid">
      <Card class="two-thirds" title="Make an account">
        {named ? <Empty title="Passkeys belong to a name, not to a number.">Open this page as <a href={named}>{named}</a>.</Empty> : !canMake() ? <Empty title="This browser cannot make passkeys here.">They need https, or an address on this computer.</Empty> : (
          <div class="form">
            <fieldset class="choices">
              <legend class="visually-hidden">Who signs</legend>
              <label class="choice"><input type="radio" name="form" checked={form === 'single'} onChange={() => setForm('single')} /><span><b>One passkey</b><span class="hint">Signs alone. If your passkeys are in a synced keychain, they survive a lost phone. Others can be added later.</span></span></label>
              <label class="choice"><input type="radio" name="form" checked={form === 'two-of-three'} onChange={() => setForm('two-of-three')} /><span><b>Two of three</b><span class="hint">Two passkeys, as of a phone and a security key, and a recovery key you keep on paper. Any two sign.</span></span></label>
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
      {!named && canMake() && <TakeUp chain={chain} made={made} />}
    </div>
  );
}

/** Another device, or a key of the command line, signs for the account by now; this browser's passkey shall as well. */
function TakeUp({ chain, made }: BeginProps) {
  const name = `joining.${chain.chain}`;
  const [passkey, setPasskey] = useState(() => kept<Passkey>(name));
  const [said, setSaid] = useState('');
  const [trouble, setTrouble] = useState('');
  const make = () => makePasskey(chain.chain, 'Passkey of this browser').then((fresh) => { keep(name, fresh); setPasskey(fresh); setTrouble(''); }, () => setTrouble(DECLINED));
  const take = (text: string) => {
    setTrouble('');
    if (!passkey) return;
    takeUp(chain.chain, [passkey], text).then((wallet) => {
      keepWallet(wallet);
      keep(name, undefined);
      made(wallet);
    }, (error: unknown) => setTrouble(error instanceof Refused ? `${refusalOf(error).message}. ${sentence(refusalOf(error).hint)}` : error instanceof Error ? error.message : 'the account could not be taken up'));
  };
  return (
    <Card title="Use an account you have already">
      {!passkey ? (
        <div class="form">
          <p>First this browser gets a passkey of its own; then it is added where the account is signed for by now: in the wallet of your other device, or with <code>cairn account rotate</code>.</p>
          <div><button type="button" onClick={make}><Icon name="key" size={16} />Prepare this browser</button></div>
        </div>
      ) : (
        <form class="form" onSubmit={(event) => { event.preventDefault(); take(said); }}>
          <p>This browser’s key. Add it where the account is signed for: wallet, “Who signs”, “Add the key of another device”.</p>
          <p class="key-line"><code>{keyText(passkey.key)}</code><Copy text={keyText(passkey.key)} label="Copy this browser’s key" /></p>
          <p>Once the ledger has taken that, say which account it is. Where several keys sign, load the account’s file, as the other device saves it.</p>
          <div class="row">
            <label>The account’s id<input value={said} onInput={(event) => setSaid(event.currentTarget.value)} autocomplete="off" spellcheck={false} /></label>
            <label>or its file<input type="file" onChange={(event) => void event.currentTarget.files?.[0]?.text().then(take)} /></label>
          </div>
          <div><button type="submit" class="primary" disabled={said.trim() === ''}>Use this account</button></div>
        </form>
      )}
      {trouble && <p class="banner bad" role="alert">{sentence(trouble)}</p>}
    </Card>
  );
}
