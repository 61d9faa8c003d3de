/** A transaction that another device began: loaded from its file, looked at, and signed or sent from here. */
import { Card } from '../ui/block';
import { readTransaction } from '../wallet/file';
import { type Prepared, type Wallet, tryOut } from '../wallet/wallet';

async function load(wallet: Wallet, text: string): Promise<Prepared> {
  const file = readTransaction(text);
  if (file.transaction.chain !== wallet.chain) throw new Error(`this is a transaction of the chain ${file.transaction.chain}`);
  if (file.transaction.account !== wallet.account) throw new Error('this is a transaction of another account');
  return tryOut(file);
}

export function SignFile({ wallet, review }: { wallet: Wallet; review: (preparing: Promise<Prepared>) => void }) {
  return (
    <Card class="third top" title="Sign what others began">
      <div class="form">
        <p>Where several keys sign, another device or <code>cairn tx</code> hands its transaction over as a file.</p>
        <label>File of a transaction<input type="file" onChange={(event) => {
          const { files } = event.currentTarget;
          const file = files?.[0];
          if (file) review(file.text().then((text) => load(wallet, text)));
          event.currentTarget.value = '';
        }} /></label>
        <p class="hint">You see what it does before anything is signed.</p>
      </div>
    </Card>
  );
}
