/** Reads a transaction out of its bytes, as far as the wallet can say what it does: what cannot be told is not signed. */
import { toHex } from '../verify/bytes';
import { decode } from '../verify/decode';
import { type Body, KINDS, type PublicKey, type Rule, type Transaction, transactionBytes } from './transactions';

const KIND_OF = new Map(Object.entries(KINDS).map(([kind, number]) => [BigInt(number), kind as PublicKey['kind']]));
const UNTOLD = 'this page cannot say what this transaction does, and signs nothing of that kind';

/** Throws where the bytes are no such transaction, or not in the one form it has. */
export function transactionOf(bytes: Uint8Array): Transaction {
  const [chain, account, nonce, feeMax, sponsor, body] = list(decode(bytes), 6);
  const read: Transaction = {
    chain: text(chain), account: id(account), nonce: number(nonce), feeMax: number(feeMax), body: bodyOf(body),
    ...(sponsor !== null && { sponsor: network(sponsor) }),
  };
  // The ledger reads one form only: bytes that are not what this page would write could mean something else.
  if (toHex(transactionBytes(read)) !== toHex(bytes)) throw new Error('the transaction is not in the form the ledger reads');
  return read;
}

function bodyOf(value: unknown): Body {
  const [kind, parts] = list(value, 2);
  const inner = list(parts, 1)[0];
  switch (kind) {
    case 0n: return { kind: 'open_account' };
    case 1n: return { kind: 'rotate_keys', rule: ruleFrom(list(inner, 1)[0]) };
    case 3n: {
      const [to, amount] = list(inner, 2);
      const [asset, value] = list(amount, 2);
      if (asset !== 0n && asset !== 1n) throw new Error(UNTOLD);
      return { kind: 'transfer', to: id(to), asset: asset === 0n ? 'token' : 'stable', amount: number(list(value, 1)[0]) };
    }
    case 12n: {
      const [from, value] = list(list(inner, 1)[0], 2);
      if (from === 0n) return { kind: 'buy_credits', stable: number(list(value, 1)[0]) };
      const [tokens, creditsMin] = list(value, 2);
      return { kind: 'burn_for_credits', tokens: number(tokens), creditsMin: number(creditsMin) };
    }
    default: throw new Error(UNTOLD);
  }
}

function ruleFrom(value: unknown): Rule {
  const [threshold, keys] = list(value, 2);
  return { threshold: Number(number(threshold)), keys: list(keys).map(keyFrom) };
}

function keyFrom(value: unknown): PublicKey {
  const [kind, bytes] = list(value, 2);
  const name = KIND_OF.get(number(kind));
  if (!name) throw new Error(UNTOLD);
  return { kind: name, hex: hex(list(bytes, 1)[0]) };
}

function network(value: unknown): string {
  const [kind, bytes] = list(value, 2);
  if (kind !== 1n) throw new Error(UNTOLD);
  return id(list(bytes, 1)[0]);
}

function list(value: unknown, length?: number): unknown[] {
  if (!Array.isArray(value) || (length !== undefined && value.length !== length)) throw new Error(UNTOLD);
  return value;
}

function number(value: unknown): bigint {
  if (typeof value !== 'bigint' || value < 0n) throw new Error(UNTOLD);
  return value;
}

function text(value: unknown): string {
  if (typeof value !== 'string') throw new Error(UNTOLD);
  return value;
}

function hex(value: unknown): string {
  if (!(value instanceof Uint8Array)) throw new Error(UNTOLD);
  return toHex(value);
}

function id(value: unknown): string {
  const found = hex(value);
  if (found.length !== 64) throw new Error(UNTOLD);
  return found;
}
