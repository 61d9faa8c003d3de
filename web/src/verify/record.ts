/** Which record of the state is whose, and whether what a page shows of it is what the validators signed. */
import { useEffect, useState } from 'preact/hooks';
import { useGet } from '../api/use';
import { useChain } from '../chain';
import { concat, domainHash, fromHex, toHex, u64, utf8 } from './bytes';
import type { Proven } from './proof';

/** Kinds of records, as `crates/ledger/src/tables.rs` numbers them. */
const TABLES = { account: 10, device: 20, network: 30, roots: 43 } as const;

/** The key of a record: of an epoch's, the network's id and the epoch. */
export function recordKey(kind: keyof typeof TABLES, id: string, epoch?: number): string {
  const name = epoch === undefined ? fromHex(id) : concat(fromHex(id), u64(epoch));
  return toHex(concat(Uint8Array.of(TABLES[kind]), domainHash('key', [name])));
}

export type Verdict =
  | { state: 'checking' | 'unproven' }
  | { state: 'holds'; height: number }
  | { state: 'changed'; height: number }
  | { state: 'broken'; why: string };

/** A part of a record: what it is called, what the page shows, and what the state has. */
export type Part = (record: unknown[]) => boolean;

/** Proves a record once, and again when the page shows another state of it. */
export function useRecord(key: string, height: number, same: Part): Verdict {
  const chain = useChain();
  const answer = useGet('/v1/proofs/{key}', chain ? { params: { path: { key } } } : null, false);
  const text = (answer.data as { proof?: string } | undefined)?.proof;
  const [proven, set] = useState<Proven | Error | undefined>();
  useEffect(() => {
    if (!chain || !text) return;
    let gone = false;
    void import('./proof').then(({ verifyRecord }) => {
      if (gone) return;
      try {
        set(verifyRecord(chain.anchor, key, text));
      } catch (error) {
        set(error instanceof Error ? error : new Error('the proof cannot be read'));
      }
    });
    return () => void (gone = true);
  }, [chain?.anchor.group_key, key, text]);
  const verdict = judge(proven, height, same);
  const isOld = proven !== undefined && !(proven instanceof Error) && verdict.state === 'changed' && verdict.height < height;
  useEffect(() => {
    if (isOld) answer.again();
  }, [isOld, height]);
  return answer.refusal && !proven ? { state: 'unproven' } : verdict;
}

function judge(proven: Proven | Error | undefined, height: number, same: Part): Verdict {
  if (proven === undefined) return { state: 'checking' };
  if (proven instanceof Error) return { state: 'broken', why: proven.message };
  const at = Number(proven.header.height);
  if (Array.isArray(proven.record) && same(proven.record)) return { state: 'holds', height: at };
  return at === height ? { state: 'broken', why: `the state of block ${at} has something else` } : { state: 'changed', height: at };
}

/** Whether bytes of a record are those that a text names. */
export function isHex(value: unknown, hex: string | null | undefined): boolean {
  return value instanceof Uint8Array && typeof hex === 'string' && toHex(value) === hex;
}

/** Whether a number of a record is the one that a text or number says. */
export function isNumber(value: unknown, said: string | number): boolean {
  return typeof value === 'bigint' && value === BigInt(said);
}

/** Whether a text of a record is the one said. */
export function isText(value: unknown, said: string): boolean {
  return typeof value === 'string' && utf8(value).length === utf8(said).length && value === said;
}
