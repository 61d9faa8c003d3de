/** The page's own check of a block: its certificate, and that all shown of its header is what was signed. Loads the curve library when first needed. */
import { useEffect, useState } from 'preact/hooks';
import type { Schemas } from '../api/client';
import { keep, kept } from '../keep';
import type { Header } from './header';

export type Verdict = { state: 'checking' } | { state: 'holds'; height: number; digest: string; header: Header } | { state: 'broken'; why: string } | { state: 'uncertified' };

/** What this visit found out about each key. */
const answers = new Map<string, 'first' | 'same' | 'other'>();

/** The key this browser saw first for a chain. Another one later is told, not believed; the first one is the explorer's word, and told as such. */
export function anchorSeen(anchor: Schemas['Anchor']): 'first' | 'same' | 'other' {
  const name = `anchor.${anchor.chain}.${anchor.era}`;
  const value = `${anchor.genesis}:${anchor.group_key}`;
  const before = answers.get(name + value);
  if (before) return before;
  const seen = kept<string>(name);
  if (seen === undefined) keep(name, value);
  const answer = seen === undefined ? 'first' : seen === value ? 'same' : 'other';
  answers.set(name + value, answer);
  return answer;
}

/** The first of a header's fields that the explorer says otherwise; none where all are as signed. */
export function wrongField(header: Header, digest: string, block: Schemas['Block']): string | undefined {
  const fields: [string, unknown, unknown][] = [
    ['height', header.height, BigInt(block.height)],
    ['digest', digest, block.digest],
    ['time', Number(header.timeMs), Date.parse(block.time)],
    ['parent', header.parent, block.parent],
    ['state root', header.stateRoot, block.state_root],
    ['transaction root', header.txRoot, block.transaction_root],
    ['receipt root', header.receiptRoot, block.receipt_root],
    ['proposer', header.leader, block.leader],
    ['view', header.view, BigInt(block.view)],
    ['committee', header.epoch, BigInt(block.epoch)],
    ['era', header.era, block.era],
    ['beacon', header.beacon, block.beacon ?? null],
    ['number of transactions', header.txs, block.transactions],
  ];
  return fields.find(([, signed, shown]) => signed !== shown)?.[0];
}

export async function checkBlock(anchor: Schemas['Anchor'], block: Schemas['Block']): Promise<Verdict> {
  if (!block.certificate) return { state: 'uncertified' };
  const { verifyFinality } = await import('./certificate');
  const { headerDigest } = await import('./header');
  try {
    const header = verifyFinality(anchor, block.headers, block.certificate);
    const digest = headerDigest(block.headers[0]!);
    const wrong = wrongField(header, digest, block);
    return wrong ? { state: 'broken', why: `the explorer shows another ${wrong} than the validators signed` } : { state: 'holds', height: block.height, digest, header };
  } catch (error) {
    return { state: 'broken', why: error instanceof Error ? error.message : 'the certificate cannot be read' };
  }
}

export function useCheck(anchor: Schemas['Anchor'] | undefined, block: Schemas['Block'] | undefined): Verdict {
  const [verdict, set] = useState<Verdict>({ state: 'checking' });
  useEffect(() => {
    if (!anchor || !block) return;
    let gone = false;
    checkBlock(anchor, block).then((found) => !gone && set(found));
    return () => void (gone = true);
  }, [anchor?.group_key, block]);
  return verdict;
}
