/** What a transaction does, read from what is signed itself. Nothing here is anybody's word for it. */
import type { ComponentChildren } from 'preact';
import { decimal } from '../format/amounts';
import { Credits, Id, Time, Token } from '../ui/values';
import { keyShort, keyText, leftOut, ruleWords } from './keys';
import { type Body, FEE_BOUND, FEE_USUAL, type PublicKey, type Rule, type Transaction } from './transactions';

type Row = [string, ComponentChildren];

/** By which rule it is signed, and what its keys are called here. */
export interface By {
  rule: Rule;
  name: (key: PublicKey) => string;
}

const stable = (micro: bigint) => `${decimal(micro, 6)} dollars in stablecoin`;

function done(body: Body, by: By | undefined): Row[] {
  switch (body.kind) {
    case 'open_account': return [['What', 'opens this account']];
    case 'rotate_keys': return rotation(body.rule, by);
    case 'transfer': return [
      ['Sends', body.asset === 'token' ? <Token base={String(body.amount)} exact /> : stable(body.amount)],
      ['To', <Id id={body.to} full />],
    ];
    case 'buy_credits': return [['Pays', stable(body.stable)], ['For', 'credits, a dollar of service for a dollar']];
    case 'burn_for_credits': return [['Burns', <Token base={String(body.tokens)} exact />], ['For at least', <Credits credits={String(body.creditsMin)} />]];
    case 'open_order': return [
      ['Sets aside', <Credits credits={String(body.hold)} />],
      ...(body.shape === 'key' ? [['For', 'a key that programs pay with, up to all of it'] as Row] : []),
      ['For data of', <Id id={body.network} full />],
      ['Sold by', <Id id={body.provider} full />],
      ['At the latest until', <Time at={new Date(Number(body.expires)).toISOString()} />],
    ];
  }
}

/** Who can sign afterwards, and who no more. */
function rotation(after: Rule, by: By | undefined): Row[] {
  const name = by?.name ?? keyShort;
  const out = by ? leftOut(by.rule, after) : [];
  return [
    ['What', 'changes who signs for this account; its id, its money and its devices stay'],
    ['Will sign', <Keys keys={after.keys} name={name} />],
    ['That means', ruleWords(after, name)],
    ...(by ? [['Signs no more', out.length ? <Keys keys={out} name={name} /> : 'nobody is left out'] as Row] : []),
  ];
}

export function Keys({ keys, name }: { keys: PublicKey[]; name: (key: PublicKey) => string }) {
  return <ul class="keys">{keys.map((key) => <li key={keyText(key)} title={keyText(key)}>{name(key)} <code class="muted small">{keyShort(key)}</code></li>)}</ul>;
}

/** What is usual is said plainly; what is not stands out. */
function fee(most: bigint): ComponentChildren {
  const amount = <Token base={String(most)} exact />;
  if (most <= FEE_USUAL) return amount;
  return <strong class="unusual">{amount}: {most > FEE_BOUND ? 'more than this page signs for' : <>far more than the <Token base={String(FEE_USUAL)} exact /> that no fee here is usually above</>}</strong>;
}

export function told({ chain, account, sponsor, feeMax, body }: Transaction, by?: By): Row[] {
  const payer: Row[] = sponsor === undefined ? [] : [['Fee paid by', <>network <Id id={sponsor} full /></>]];
  return [...done(body, by), ['By account', <Id id={account} full />], ['On', chain], ['Fee at most', fee(feeMax)], ...payer];
}
