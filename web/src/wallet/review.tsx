/**
 * What a signature does and costs, in plain words, before it is given. Shown is what this page signs; the explorer's reading of it, and
 * what the ledger would say, stand beneath as the explorer's. Where several keys must sign, they do so in turn: here, or on another
 * device by a file.
 */
import { useEffect, useRef, useState } from 'preact/hooks';
import { type Refusal, refusalOf, Refused } from '../api/client';
import { sentence } from '../ui/block';
import { Pairs } from '../ui/table';
import { Id, Tag, Token } from '../ui/values';
import { Icon } from '../ui/icon';
import { toHex } from '../verify/bytes';
import { writeTransaction } from './file';
import { isSameKey, keyShort, keyText } from './keys';
import { saveAs } from './save';
import { byPasskey, bySecret, missing } from './signing';
import { told } from './told';
import { FEE_BOUND, type Signed, transactionId } from './transactions';
import { type Prepared, type Wallet, isSame, nameOf, noteRule, send } from './wallet';

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
  const [signatures, setSignatures] = useState<Signed[]>(prepared.signatures);
  useEffect(() => {
    const element = dialog.current;
    element?.showModal();
    return () => element?.close();
  }, []);
  const { preview, transaction, rule } = prepared;
  const id = transactionId(transaction);
  const same = isSame(prepared);
  const dear = transaction.feeMax > FEE_BOUND;
  const may = same && !dear && preview.accepted;
  const complete = signatures.length >= rule.threshold;
  const left = missing(rule, signatures);
  const here = wallet.passkeys.some(({ key }) => left.some((one) => isSameKey(one, key)));
  const work = (doing: Promise<void>) => {
    setBusy(true);
    setRefusal(undefined);
    doing.catch((error: unknown) => setRefusal(error instanceof Refused ? refusalOf(error) : { code: 'unsigned', message: error instanceof Error && error.name === 'Error' ? error.message : 'the device did not sign', hint: 'Nothing was sent. You may try again.' })).finally(() => setBusy(false));
  };
  const sent = async (all: Signed[]) => onDone(await send(prepared, all));
  const add = async (signing: () => Promise<Signed> | Signed) => {
    // Before anybody can send it: whatever happens to this page, it knows the keys that may come into force.
    if (transaction.body.kind === 'rotate_keys') noteRule(wallet, transaction.body.rule);
    const all = [...signatures, await signing()];
    setSignatures(all);
    if (all.length >= rule.threshold) await sent(all);
  };
  return (
    <dialog ref={dialog} aria-labelledby="review-title" onCancel={onCancel}>
      <h2 id="review-title">{complete ? 'Send this?' : 'Sign this?'}</h2>
      <Pairs items={[...told(transaction, { rule, name: (key) => nameOf(wallet, key) }), ['Number', <Id id={toHex(id)} />]]} />
      <p class="muted">The explorer reads it as: {sentence(preview.sentence)} Fee by now <Token base={preview.fee} exact />, burned.</p>
      {preview.events.length > 0 && (
        <details class="as-table"><summary>What will be announced</summary><ul class="feed">{preview.events.map((event) => <li key={event.index}><span aria-hidden="true">·</span><span>{sentence(event.sentence)}</span></li>)}</ul></details>
      )}
      {!same && <p class="banner bad" role="alert">The explorer read something else than this page made. Nothing can be signed here.</p>}
      {dear && <p class="banner bad" role="alert"><b>The fee is beyond what this page signs for.</b> Nothing here costs that much: whoever made this may be after the account’s token.</p>}
      {same && !preview.accepted && preview.refusal && <p class="banner bad" role="alert"><b>The ledger would refuse it: {sentence(preview.refusal.message)}</b> {sentence(preview.refusal.hint)}</p>}
      {rule.keys.length > 1 && (
        <div class="signers">
          <p><b>{signatures.length} of {rule.threshold} {rule.threshold === 1 ? 'signature' : 'signatures'}</b></p>
          <ul>{rule.keys.map((key, index) => {
            const has = signatures.some((signed) => signed.index === index);
            return <li key={keyText(key)}><Tag state={has ? 'signed' : 'none'} label={has ? 'signed' : 'not yet'} /> {nameOf(wallet, key)} <code class="muted small">{keyShort(key)}</code></li>;
          })}</ul>
        </div>
      )}
      {!complete && left.some(({ kind }) => kind === 'ed25519') && <ByRecovery open={!here} disabled={busy || !may} sign={(written) => work(add(() => bySecret(written, rule, id, signatures)))} />}
      {!complete && rule.threshold > 1 && transaction.body.kind !== 'open_order' && (
        <p class="hint">
          Or <button type="button" class="link" disabled={busy || !may} onClick={() => saveAs(new Blob([writeTransaction({ transaction, rule, signatures })], { type: 'application/json' }), `${transaction.body.kind}.tx`)}>hand it over as a file</button>:
          the wallet of another device adds its signature to it, or <code>cairn tx sign</code> does. Whoever has all of them sends it.
        </p>
      )}
      {refusal && <p class="banner bad" role="alert">{sentence(refusal.message)} {sentence(refusal.hint)}</p>}
      <div class="dialog-actions">
        <button type="button" onClick={onCancel} disabled={busy}>Cancel</button>
        {complete ? <button type="button" class="primary" onClick={() => work(sent(signatures))} disabled={busy || !may}>{busy ? 'Sending…' : 'Send'}</button>
          : <button type="button" class="primary" onClick={() => work(add(() => byPasskey(wallet.passkeys, rule, id, signatures)))} disabled={busy || !may || !here}><Icon name="key" size={16} />{busy ? 'Waiting for your device…' : 'Sign with your passkey'}</button>}
      </div>
    </dialog>
  );
}

/** A recovery key typed in or loaded: it signs once and is forgotten. */
function ByRecovery({ open, disabled, sign }: { open: boolean; disabled: boolean; sign: (written: string) => void }) {
  const [written, setWritten] = useState('');
  const go = (text: string) => {
    setWritten('');
    sign(text);
  };
  return (
    <details class="as-table recovery" open={open}>
      <summary>Sign with the recovery key</summary>
      <div class="form">
        <label>Recovery key<input value={written} onInput={(event) => setWritten(event.currentTarget.value)} autocomplete="off" spellcheck={false} /></label>
        <label>or its file<input type="file" disabled={disabled} onChange={(event) => void event.currentTarget.files?.[0]?.text().then(go)} /></label>
        <div><button type="button" disabled={disabled || written.trim() === ''} onClick={() => go(written)}>Sign with the recovery key</button></div>
        <p class="hint">It signs here, once, and is not kept.</p>
      </div>
    </details>
  );
}
