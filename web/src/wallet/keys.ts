/** Keys and rules as people name and compare them, and in words what a rule lets sign. Decides only: asks nobody, keeps nothing. */
import { ed25519 } from '@noble/curves/ed25519.js';
import { p256 } from '@noble/curves/nist.js';
import { fromHex, toHex } from '../verify/bytes';
import { type PublicKey, type Rule, accountId, ruleOf } from './transactions';

export const KEYS_MAX = 7;

export const keyText = ({ kind, hex }: PublicKey): string => `${kind}:${hex}`;
export const isSameKey = (a: PublicKey, b: PublicKey): boolean => a.kind === b.kind && a.hex === b.hex;
/** Short enough for a line, long enough to compare. */
export const keyShort = ({ kind, hex }: PublicKey): string => `${kind}:${hex.slice(0, 8)}…${hex.slice(-4)}`;

/** A key as it is written; undefined where it is none that could ever sign. */
export function parseKey(text: string): PublicKey | undefined {
  const [, kind, hex] = /^(ed25519|p256|passkey):([0-9a-f]+)$/.exec(text.trim().toLowerCase()) ?? [];
  if (!kind || !hex || hex.length !== (kind === 'ed25519' ? 64 : 66)) return undefined;
  try {
    if (kind === 'ed25519') ed25519.Point.fromHex(hex);
    else p256.Point.fromHex(hex);
    return { kind: kind as PublicKey['kind'], hex };
  } catch {
    return undefined;
  }
}

/** The hash by which the ledger knows a rule. */
export const ruleHash = accountId;

export interface RuleText {
  threshold: number;
  keys: string[];
}

export const ruleText = ({ threshold, keys }: Rule): RuleText => ({ threshold, keys: keys.map(keyText) });

/** A rule as a file says it; throws where it is none. */
export function parseRule(said: unknown): Rule {
  const { threshold, keys } = (said ?? {}) as Partial<RuleText>;
  const read = Array.isArray(keys) && keys.length <= KEYS_MAX ? keys.map((key) => parseKey(String(key))) : [];
  if (typeof threshold !== 'number' || read.some((key) => key === undefined)) throw new Error('a key of the rule cannot be read');
  const rule = ruleOf(threshold, read as PublicKey[]);
  const fault = ruleFault(rule);
  if (fault) throw new Error(fault);
  return rule;
}

/** Why the ledger would not take a rule. */
export function ruleFault({ threshold, keys }: Rule): string | undefined {
  if (keys.length === 0) return 'a rule has one key at least';
  if (keys.length > KEYS_MAX) return `a rule has ${KEYS_MAX} keys at most`;
  if (new Set(keys.map(keyText)).size !== keys.length) return 'a key is named twice';
  if (!Number.isInteger(threshold) || threshold < 1 || threshold > keys.length) return 'as many must sign as there are keys, or fewer';
  return undefined;
}

/** What a rule means for whoever has its keys. */
export function ruleWords({ threshold, keys }: Rule, name: (key: PublicKey) => string): string {
  const all = keys.length;
  if (all === 1) return `${name(keys[0]!)} signs alone. If it is lost, so is the account.`;
  if (threshold === 1) return `Each of these ${all} keys signs alone: whoever has one of them has the account.`;
  if (threshold === all) return `All ${all} keys must sign together. If one is lost, nobody can sign any more.`;
  const [less, spare] = [threshold - 1, all - threshold];
  return `Any ${threshold} of these ${all} keys sign together; ${less === 1 ? 'one alone can' : `${less} can`} do nothing. ${spare === 1 ? 'One' : String(spare)} of them may be lost.`;
}

/** Keys that could sign by one rule and cannot by the other. */
export function leftOut(before: Rule, after: Rule): PublicKey[] {
  return before.keys.filter((key) => !after.keys.some((other) => isSameKey(key, other)));
}

/** Whether those who are here could not sign by this rule: then only keys that nobody here has seen at work could. */
export function locksOut({ threshold, keys }: Rule, here: PublicKey[]): boolean {
  return keys.filter((key) => here.some((other) => isSameKey(key, other))).length < threshold;
}

/**
 * A recovery key's secret as it was written down or stands in a file of keys (`NAME ed25519:HEX`); undefined where it is none.
 * Of a file with several, the one of the key asked for.
 */
export function secretOf(written: string, isWanted: (key: PublicKey) => boolean): Uint8Array | undefined {
  const bare = written.replace(/\s/g, '').toLowerCase();
  const lines = /^[0-9a-f]{64}$/.test(bare) ? [bare] : written.split('\n').flatMap((line) => /\bed25519:([0-9a-f]{64})\s*$/i.exec(line)?.[1] ?? []);
  return lines.map(fromHex).find((secret) => isWanted(publicOf(secret)));
}

export function publicOf(secret: Uint8Array): PublicKey {
  return { kind: 'ed25519', hex: toHex(ed25519.getPublicKey(secret)) };
}
