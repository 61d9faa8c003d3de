/**
 * What a signature does and costs, in plain words, before it is given. Shown is what this page signs; the explorer's reading of it, and
 * what the ledger would say, stand beneath as the explorer's.
 */
import { useEffect, useRef, useState } from 'preact/hooks';
import { type Refusal, refusalOf, Refused } from '../api/client';
import { sentence } from '../ui/block';
import { Pairs } from '../ui/table';
import { Id, Token } from '../ui/values';
import { Icon } from '../ui/icon';
import { toHex } from '../verify/bytes';
import { told } from './told';
import { FEE_BOUND, transactionId } from './transactions';
import { type Prepared, type Wallet, isSame, signAndSend } from './wallet';

interface ReviewProps {
  wallet: Wallet;
  prepared: Prepared;
  onDone: (id: string) => void;
  onCancel: () => void;
}

export function Review({ wallet, prepared, onDone, onCancel }: ReviewProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [busy, setBusy] = useState(false);
  const [refusal, setRefusal] = useState<Refusal>();
  const [recovery, setRecovery] = useState('');
  useEffect(() => {
    const element = dialog.current;
    element?.showModal();
    return () => element?.close();
  }, []);
  const { preview, transaction } = prepared;
  const same = isSame(prepared);
  const dear = transaction.feeMax > FEE_BOUND;
  const go = () => {
    setBusy(true);
    setRefusal(undefined);
    signAndSend(wallet, prepared, recovery || undefined).then(onDone, (error: unknown) => {
      setBusy(false);
      setRefusal(error instanceof Refused ? refusalOf(error) : { code: 'unsigned', message: error instanceof Error && error.name === 'Error' ? error.message : 'the device did not sign', hint: 'Nothing was signed. You may try again.' });
    });
  };
  return (
    <dialog ref={dialog} aria-labelledby="review-title" onCancel={onCancel}>
      <h2 id="review-title">Sign this?</h2>
      <Pairs items={[...told(transaction), ['Number', <Id id={toHex(transactionId(transaction))} />]]} />
      <p class="muted">The explorer reads it as: {sentence(preview.sentence)} Fee by now <Token base={preview.fee} exact />, burned.</p>
      {preview.events.length > 0 && (
        <details class="as-table"><summary>What will be announced</summary><ul class="feed">{preview.events.map((event) => <li key={event.index}><span aria-hidden="true">·</span><span>{sentence(event.sentence)}</span></li>)}</ul></details>
      )}
      {!same && <p class="banner bad" role="alert">The explorer read something else than this page made. Nothing can be signed here.</p>}
      {dear && <p class="banner bad" role="alert"><b>The fee is beyond what this page signs for.</b> Nothing here costs that much: whoever made this may be after the account’s token.</p>}
      {same && !preview.accepted && preview.refusal && <p class="banner bad" role="alert"><b>The ledger would refuse it: {sentence(preview.refusal.message)}</b> {sentence(preview.refusal.hint)}</p>}
      {wallet.recovery && (
        <details class="as-table">
          <summary>One of your passkeys is lost</summary>
          <label>Recovery key<input value={recovery} onInput={(event) => setRecovery(event.currentTarget.value)} autocomplete="off" spellcheck={false} /></label>
        </details>
      )}
      {refusal && <p class="banner bad" role="alert">{sentence(refusal.message)} {sentence(refusal.hint)}</p>}
      <div class="dialog-actions">
        <button type="button" onClick={onCancel} disabled={busy}>Cancel</button>
        <button type="button" class="primary" onClick={go} disabled={busy || !same || dear || !preview.accepted}><Icon name="key" size={16} />{busy ? 'Waiting for your device…' : 'Sign with your passkey'}</button>
      </div>
    </dialog>
  );
}
