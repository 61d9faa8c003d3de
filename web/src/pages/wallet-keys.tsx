/**
 * Who signs for the account, and changing it: keys added and removed, and how many must sign. Says beforehand who will be able to sign and
 * who will not, and lets nobody be locked out by an oversight.
 */
import { useState } from 'preact/hooks';
import type { Schemas } from '../api/client';
import { Card, sentence } from '../ui/block';
import { ProvenRecord } from '../ui/proven';
import { Tag } from '../ui/values';
import { KEYS_MAX, isSameKey, keyShort, keyText, leftOut, locksOut, parseKey, ruleFault, ruleHash, ruleWords } from '../wallet/keys';
import { type Passkey, makePasskey } from '../wallet/passkey';
import { saveAs } from '../wallet/save';
import { writeAccount } from '../wallet/file';
import { type Body, type PublicKey, type Rule, ruleOf } from '../wallet/transactions';
import { type Wallet, keepWallet, makeRecovery, nameOf } from '../wallet/wallet';
import { isHex } from '../verify/record';
import { Recovery } from './wallet-recovery';

interface KeysProps {
  wallet: Wallet;
  account: Schemas['Account'];
  /** The wallet with what was made for the change; it stays the same account. */
  changed: (wallet: Wallet) => void;
  submit: (body: Body) => void;
}

export function WhoSigns({ wallet, account, changed, submit }: KeysProps) {
  const [editing, setEditing] = useState(false);
  const rules = [wallet.rule, ...(wallet.next ?? [])];
  const names = Object.fromEntries(rules.flatMap((rule) => rule.keys.map((key) => [keyText(key), nameOf(wallet, key)])));
  const save = () => saveAs(new Blob([writeAccount({ chain: wallet.chain, account: wallet.account, rules, names })], { type: 'application/json' }), `account-${account.number}.json`);
  return (
    <Card class="two-thirds" title="Who signs">
      <div class="form">
        <ul class="keys">{wallet.rule.keys.map((key) => <Line key={keyText(key)} of={key} wallet={wallet} />)}</ul>
        <p>{ruleWords(wallet.rule, (key) => nameOf(wallet, key))}</p>
        <p><ProvenRecord kind="account" id={account.id} height={account.at.height} what="keys in force" same={([, rule]) => isHex(rule, account.rule) && ruleHash(wallet.rule) === account.rule} /></p>
        {editing ? <Editor wallet={wallet} changed={changed} submit={submit} end={() => setEditing(false)} />
          : <div class="buttons"><button type="button" onClick={() => setEditing(true)}>Change who signs</button><button type="button" class="link" onClick={save}>Save the account’s file for another device</button></div>}
      </div>
    </Card>
  );
}

function Line({ of, wallet, remove }: { of: PublicKey; wallet: Wallet; remove?: () => void }) {
  const here = wallet.passkeys.some(({ key }) => isSameKey(key, of));
  const name = nameOf(wallet, of);
  return (
    <li title={keyText(of)}>
      <span><b>{name}</b> {here && <span class="muted small">made in this browser</span>}<br /><code class="muted small">{keyShort(of)}</code></span>
      {remove && <button type="button" onClick={remove} aria-label={`Remove ${name}, ${keyShort(of)}`}>Remove</button>}
    </li>
  );
}

/** What must be typed where nobody here could sign any more. */
const SURE = 'I hold the other keys';

function Editor({ wallet, changed, submit, end }: Omit<KeysProps, 'account'> & { end: () => void }) {
  const [keys, setKeys] = useState<PublicKey[]>(wallet.rule.keys);
  const [threshold, setThreshold] = useState(wallet.rule.threshold);
  const [made, setMade] = useState<Passkey[]>([]);
  const [names, setNames] = useState<Record<string, string>>({});
  /** Recovery keys whose secret was asked back just now. */
  const [confirmed, setConfirmed] = useState<PublicKey[]>([]);
  const [shown, setShown] = useState<{ secret: string; key: PublicKey }>();
  const [text, setText] = useState('');
  const [typed, setTyped] = useState('');
  const [trouble, setTrouble] = useState('');
  const draft: Wallet = { ...wallet, passkeys: [...wallet.passkeys, ...made], names: { ...wallet.names, ...names } };
  const rule: Rule = ruleOf(threshold, keys);
  const fault = ruleFault(rule) ?? (ruleHash(rule) === ruleHash(wallet.rule) ? 'these are its keys already' : undefined);
  const here = [...draft.passkeys.map(({ key }) => key), ...confirmed];
  const out = leftOut(wallet.rule, rule);
  const locked = !fault && locksOut(rule, here);
  const put = (next: PublicKey[]) => {
    setKeys(next);
    setTyped('');
    setThreshold(Math.max(1, Math.min(threshold, next.length)));
  };
  const add = (key: PublicKey, name: string) => {
    setTrouble('');
    if (keys.some((one) => isSameKey(one, key))) return setTrouble('This key is among them already.');
    setNames((all) => ({ ...all, [keyText(key)]: name }));
    put([...keys, key]);
  };
  const addPasskey = () => {
    const name = `Passkey ${draft.passkeys.length + 1}`;
    makePasskey(wallet.chain, name).then((fresh) => { setMade((all) => [...all, fresh]); add(fresh.key, name); }, () => setTrouble('No passkey was made. Your device or browser declined; nothing has changed.'));
  };
  const addOther = () => {
    const key = parseKey(text);
    if (!key) return setTrouble('That is not a public key. The wallet of the other device shows it: it begins with passkey:.');
    setText('');
    add(key, key.kind === 'passkey' ? 'A passkey elsewhere' : 'A key outside the browser');
  };
  const review = (event: Event) => {
    event.preventDefault();
    keepWallet(draft);
    changed(draft);
    submit({ kind: 'rotate_keys', rule });
  };
  if (shown) {
    return <Recovery secret={shown.secret} done={() => { setConfirmed([...confirmed, shown.key]); add(shown.key, 'Recovery key'); setShown(undefined); }} />;
  }
  const full = keys.length >= KEYS_MAX;
  return (
    <form class="form change" onSubmit={review} aria-label="Change who signs">
      <h3>Afterwards</h3>
      <ul class="keys">{rule.keys.map((key) => <Line key={keyText(key)} of={key} wallet={draft} remove={() => put(keys.filter((one) => !isSameKey(one, key)))} />)}</ul>
      <div class="buttons">
        <button type="button" onClick={addPasskey} disabled={full}>Add a passkey</button>
        <button type="button" onClick={() => setShown(makeRecovery())} disabled={full}>Make a recovery key</button>
      </div>
      <div class="add-key">
        <label>Add the key of another device<input value={text} placeholder="passkey:…" onInput={(event) => setText(event.currentTarget.value)} autocomplete="off" spellcheck={false} /></label>
        <button type="button" onClick={addOther} disabled={full || text.trim() === ''}>Add</button>
      </div>
      {keys.length > 1 && <label class="narrow">How many must sign<select value={threshold} onChange={(event) => { setThreshold(Number(event.currentTarget.value)); setTyped(''); }}>{keys.map((_, at) => <option key={at} value={at + 1}>{at + 1} of {keys.length}</option>)}</select></label>}
      {trouble && <p class="banner bad" role="alert">{trouble}</p>}
      {fault ? <p class="hint" role="status">{sentence(fault)}</p> : (
        <div role="status">
          <p><b>{ruleWords(rule, (key) => nameOf(draft, key))}</b></p>
          {out.length > 0 && <p><Tag state="refused" label="signs no more" /> {out.map((key) => `${nameOf(draft, key)} (${keyShort(key)})`).join(', ')}</p>}
        </div>
      )}
      {locked && (
        <div class="banner bad" role="alert">
          <p><b>From here nobody could sign any more.</b> The keys of this browser, with recovery keys you confirmed just now, are too few for this rule. If the others are lost, or one was mistyped, the account and all it holds are lost for good.</p>
          <label>To do it all the same, type “{SURE}”<input value={typed} onInput={(event) => setTyped(event.currentTarget.value)} autocomplete="off" /></label>
        </div>
      )}
      <div class="buttons">
        <button type="submit" class="primary" disabled={fault !== undefined || (locked && typed.trim() !== SURE)}>Review</button>
        <button type="button" onClick={end}>Leave it as it is</button>
      </div>
    </form>
  );
}
