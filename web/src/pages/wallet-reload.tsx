/** The account's keys are others than this browser knows: its file says which, and whether this browser is still among them. */
import { useState } from 'preact/hooks';
import { refusalOf, Refused } from '../api/client';
import { sentence } from '../ui/block';
import { type Wallet, keepWallet, takeUp } from '../wallet/wallet';

export function Reload({ wallet, taken }: { wallet: Wallet; taken: (wallet: Wallet) => void }) {
  const [trouble, setTrouble] = useState('');
  const load = (text: string) => takeUp(wallet.chain, wallet.passkeys, text).then((now) => {
    if (now.account !== wallet.account) return setTrouble('this is the file of another account');
    keepWallet(now);
    taken(now);
  }, (error: unknown) => setTrouble(error instanceof Refused ? refusalOf(error).message : error instanceof Error ? error.message : 'the file could not be read'));
  return (
    <div class="banner warn" role="status">
      <p><b>The keys of this account were changed elsewhere.</b> This browser does not know who signs now, and signs nothing. Load the account’s file, as the device that made the change saves it.</p>
      <label>The account’s file<input type="file" onChange={(event) => void event.currentTarget.files?.[0]?.text().then(load)} /></label>
      {trouble && <p role="alert">{sentence(trouble)}</p>}
    </div>
  );
}
