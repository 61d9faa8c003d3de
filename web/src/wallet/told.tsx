/** What a transaction does, read from what is signed itself. Nothing here is anybody's word for it. */
import type { ComponentChildren } from 'preact';
import { decimal } from '../format/amounts';
import { Credits, Id, Time, Token } from '../ui/values';
import { type Body, FEE_BOUND, FEE_USUAL, type Transaction } from './transactions';

type Row = [string, ComponentChildren];

const stable = (micro: bigint) => `${decimal(micro, 6)} dollars in stablecoin`;

function done(body: Body): Row[] {
  switch (body.kind) {
    case 'open_account': return [['What', 'opens this account']];
    case 'transfer': return [
      ['Sends', body.asset === 'token' ? <Token base={String(body.amount)} exact /> : stable(body.amount)],
      ['To', <Id id={body.to} full />],
    ];
    case 'buy_credits': return [['Pays', stable(body.stable)], ['For', 'credits, a dollar of service for a dollar']];
    case 'burn_for_credits': return [['Burns', <Token base={String(body.tokens)} exact />], ['For at least', <Credits credits={String(body.creditsMin)} />]];
    case 'open_order': return [
      ['Sets aside', <Credits credits={String(body.hold)} />],
      ['For data of', <Id id={body.network} full />],
      ['Sold by', <Id id={body.provider} full />],
      ['At the latest until', <Time at={new Date(Number(body.expires)).toISOString()} />],
    ];
  }
}

/** What is usual is said plainly; what is not stands out. */
function fee(most: bigint): ComponentChildren {
  const amount = <Token base={String(most)} exact />;
  if (most <= FEE_USUAL) return amount;
  return <strong class="unusual">{amount}: {most > FEE_BOUND ? 'more than this page signs for' : <>far more than the <Token base={String(FEE_USUAL)} exact /> that no fee here is usually above</>}</strong>;
}

export function told({ chain, account, sponsor, feeMax, body }: Transaction): Row[] {
  const payer: Row[] = sponsor === undefined ? [] : [['Fee paid by', <>network <Id id={sponsor} full /></>]];
  return [...done(body), ['By account', <Id id={account} full />], ['On', chain], ['Fee at most', fee(feeMax)], ...payer];
}
