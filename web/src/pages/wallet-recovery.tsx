/** A recovery key: shown once, asked back before anything rests on it, and how it is used. Its secret is kept nowhere. */
import { useState } from 'preact/hooks';
import { Card, sentence } from '../ui/block';
import { Copy } from '../ui/values';
import { isSameKey, secretOf } from '../wallet/keys';
import { saveAs } from '../wallet/save';
import type { PublicKey } from '../wallet/transactions';

const GROUP = 8;
const groupsOf = (secret: string) => secret.match(new RegExp(`.{1,${GROUP}}`, 'g')) ?? [];

/** Two different places of those there are, by lot. */
function twoOf(count: number): [number, number] {
  const [a = 0, b = 0] = crypto.getRandomValues(new Uint8Array(2));
  const first = a % count;
  const second = (first + 1 + (b % (count - 1))) % count;
  return first < second ? [first, second] : [second, first];
}

export function Recovery({ secret, done }: { secret: string; done: () => void }) {
  const groups = groupsOf(secret);
  const [asked, setAsked] = useState<[number, number]>();
  const [answers, setAnswers] = useState(['', '']);
  const [wrong, setWrong] = useState(false);
  const go = (event: Event) => {
    event.preventDefault();
    if (asked!.every((place, at) => answers[at]!.replace(/\s/g, '').toLowerCase() === groups[place])) return done();
    setWrong(true);
    setAsked(undefined);
    setAnswers(['', '']);
  };
  if (asked) {
    return (
      <Card title="Do you have it?">
        <form class="form" onSubmit={go}>
          <p>Two groups of eight out of the recovery key, as you wrote it down:</p>
          <div class="row">{asked.map((place, at) => (
            <label key={place}>Group {place + 1} of {groups.length}<input value={answers[at]} onInput={(event) => setAnswers(answers.map((one, of) => (of === at ? event.currentTarget.value : one)))} autocomplete="off" spellcheck={false} /></label>
          ))}</div>
          <div class="buttons"><button type="submit" class="primary">Go on</button><button type="button" onClick={() => setAsked(undefined)}>Show it again</button></div>
        </form>
      </Card>
    );
  }
  return (
    <Card title="Your recovery key, shown once">
      <div class="form">
        {wrong && <p class="banner bad" role="alert">That is not what was shown. Look at it again.</p>}
        <p>Write it down or print it, and keep it away from your devices. If a passkey is lost, this key signs in its place. Nobody can show it to you again.</p>
        <pre class="secret" tabIndex={0}>{groups.join(' ')}</pre>
        <div class="buttons"><Copy text={secret} label="Copy the recovery key" /><button type="button" class="link" onClick={() => saveAs(new Blob([`recovery ed25519:${secret}\n`], { type: 'text/plain' }), 'account.keys')}>Save it as a file</button></div>
        <p class="hint">How it is used: in this wallet at a signature, under “Sign with the recovery key”, typed in or from its file. Or without any page: that file as <code>account.keys</code> in a folder that only you can read, and <code>cairn --home FOLDER tx sign FILE --key recovery</code>.</p>
        <div><button type="button" class="primary" onClick={() => { setWrong(false); setAsked(twoOf(groups.length)); }}>I have written it down</button></div>
      </div>
    </Card>
  );
}

/** The page was left while the key was shown: whoever has it says it whole, everybody else begins again. */
export function Unconfirmed({ of, confirmed, again }: { of: PublicKey; confirmed: () => void; again: () => void }) {
  const [written, setWritten] = useState('');
  const [trouble, setTrouble] = useState('');
  const go = (event: Event) => {
    event.preventDefault();
    if (secretOf(written, (key) => isSameKey(key, of))) confirmed();
    else setTrouble('this is not the recovery key that was shown');
  };
  return (
    <Card title="The recovery key is not confirmed">
      <form class="form" onSubmit={go}>
        <p>The page was left before you said that you have it. If you wrote it down, type it in whole. If not, begin again: this account is not on the ledger, nothing is lost.</p>
        <label>Recovery key<input value={written} onInput={(event) => setWritten(event.currentTarget.value)} autocomplete="off" spellcheck={false} /></label>
        {trouble && <p class="banner bad" role="alert">{sentence(trouble)}</p>}
        <div class="buttons"><button type="submit" class="primary">I have it</button><button type="button" onClick={again}>Begin again</button></div>
      </form>
    </Card>
  );
}
