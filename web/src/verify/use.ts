/** The page's own check of a block: loads the curve library when first needed, and keeps what it found. */
import { useEffect, useState } from 'preact/hooks';
import type { Schemas } from '../api/client';
import { keep, kept } from '../keep';

export type Verdict = { state: 'checking' } | { state: 'holds'; height: number; digest: string } | { state: 'broken'; why: string } | { state: 'uncertified' };

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

export async function checkBlock(anchor: Schemas['Anchor'], block: Schemas['Block']): Promise<Verdict> {
  if (!block.certificate) return { state: 'uncertified' };
  const { verifyFinality } = await import('./certificate');
  const { headerDigest } = await import('./header');
  try {
    const header = verifyFinality(anchor, block.headers, block.certificate);
    const digest = headerDigest(block.headers[0]!);
    if (Number(header.height) !== block.height || digest !== block.digest || header.txRoot !== block.transaction_root) {
      return { state: 'broken', why: 'what is shown is not what the signed header says' };
    }
    return { state: 'holds', height: block.height, digest };
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
  }, [anchor?.group_key, block?.digest, block?.certificate]);
  return verdict;
}
