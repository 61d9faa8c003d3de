/** The reader's own account: made with a passkey, used with the device's screen lock. No seed phrase, and no secret in the page. */
import { useEffect, useState } from 'preact/hooks';
import { useGet } from '../api/use';
import { type Refusal, type Schemas, refusalOf, Refused } from '../api/client';
import { useChain } from '../chain';
import { useTitle } from '../title';
import { Card, Loading, sentence } from '../ui/block';
import { Stat, Stats } from '../ui/table';
import { Credits, Id, Token, Usd } from '../ui/values';
import { ruleHash } from '../wallet/keys';
import { Review } from '../wallet/review';
import { type Prepared, type Wallet as Own, findSponsor, forgetWallet, keepWallet, prepare, settled, walletOf } from '../wallet/wallet';
import { Begin } from './wallet-begin';
import { SignFile } from './wallet-file';
import { BuyCredits, Send, Sent } from './wallet-forms';
import { WhoSigns } from './wallet-keys';
import { Unconfirmed } from './wallet-recovery';
import { Reload } from './wallet-reload';

export function Wallet() {
  useTitle('Wallet');
  const chain = useChain();
  const [wallet, setWallet] = useState<Own>();
  useEffect(() => setWallet(chain && walletOf(chain.chain)), [chain?.chain]);
  const forget = () => {
    if (chain) forgetWallet(chain.chain);
    setWallet(undefined);
  };
  const confirmed = () => {
    const { unconfirmed: _, ...sure } = wallet!;
    keepWallet(sure);
    setWallet(sure);
  };
  return (
    <>
      <div class="head"><div><h1>Wallet</h1><p class="lead">An account of your own, opened and used with a passkey: your fingerprint, face or screen lock. Before each signature you see what it does and costs.</p></div></div>
      {!chain ? <Loading /> : !wallet ? <Begin chain={chain} made={setWallet} />
        : wallet.unconfirmed ? <Unconfirmed of={wallet.unconfirmed} confirmed={confirmed} again={forget} /> : <Mine wallet={wallet} chain={chain} change={setWallet} forget={forget} />}
    </>
  );
}

function Mine({ wallet, chain, change, forget }: { wallet: Own; chain: Schemas['Chain']; change: (wallet: Own) => void; forget: () => void }) {
  const account = useGet('/v1/accounts/{id}', { params: { path: { id: wallet.account } } });
  const [prepared, setPrepared] = useState<Prepared>();
  const [sent, setSent] = useState<string>();
  const [refusal, setRefusal] = useState<Refusal>();
  const inForce = account.data?.rule;
  const known = inForce === undefined || settled(wallet, inForce) !== undefined;
  useEffect(() => {
    const now = inForce === undefined ? undefined : settled(wallet, inForce);
    if (!now || ruleHash(now.rule) === ruleHash(wallet.rule)) return;
    keepWallet(now);
    change(now);
  }, [inForce, wallet]);
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
  const ready = account.data !== undefined && known;
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
      {!known && <Reload wallet={wallet} taken={change} />}
      <div class="grid">
        <Card class="third" title={account.data ? `Account ${account.data.number}` : 'Your account'}>
          <div class="form">
            <p><Id id={wallet.account} full copy /></p>
            <p class="hint">{wallet.rule.keys.length === 1 ? 'One passkey signs.' : `${wallet.rule.threshold} of ${wallet.rule.keys.length} keys sign.`} Give this id to whoever pays you.</p>
            {account.data ? <p><a href={`/ledger/accounts/${wallet.account}`}>On the ledger</a></p> : absent ? (
              <>
                <p>It is not on the ledger yet. Opening it is one transaction; a network pays the fee.</p>
                <div><button type="button" class="primary" onClick={() => review(open())}>Open the account</button></div>
              </>
            ) : <Loading lines={2} />}
            <div><button type="button" class="plain" onClick={forget}>Forget it in this browser</button></div>
          </div>
        </Card>
        <Send ready={ready} submit={(body) => review(prepare(wallet, body, chain.fees))} />
        <BuyCredits ready={ready} price={chain.price} submit={(body) => review(prepare(wallet, body, chain.fees))} />
        {account.data && known && <WhoSigns key={inForce} wallet={wallet} account={account.data} changed={change} submit={(body) => review(prepare(wallet, body, chain.fees))} />}
        {ready && <SignFile wallet={wallet} review={review} />}
      </div>
      {prepared && <Review wallet={wallet} prepared={prepared} onCancel={() => setPrepared(undefined)} onDone={(id) => { setPrepared(undefined); setSent(id); account.again(); }} />}
    </>
  );
}
