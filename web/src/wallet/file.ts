/**
 * Files that wallets hand each other: a transaction with the signatures it has by now (`cairn tx` reads and writes the same), and an
 * account with its rule. What a transaction does is always read from its bytes; a signature that does not hold is refused. No secrets.
 */
import { fromHex, toHex } from '../verify/bytes';
import { transactionOf } from './decoded';
import { keyText, parseKey, parseRule, ruleText } from './keys';
import { holds } from './signing';
import { type Rule, type Signed, type Transaction, transactionBytes, transactionId } from './transactions';

const TRANSACTION = 'cairn/transaction/1';
const ACCOUNT = 'cairn/account/1';
/** Two digits a byte of 64 KiB, and room for keys and signatures: as `cairn tx` bounds it. */
const CHARS_MAX = 176 * 1024;
const NAME_CHARS_MAX = 40;

export interface TxFile {
  transaction: Transaction;
  rule: Rule;
  /** Every one holds. */
  signatures: Signed[];
}

interface Assertion {
  authenticator_data: string;
  client_data: string;
}

function face(text: string): Record<string, unknown> {
  if (text.length > CHARS_MAX) throw new Error('the file is too long');
  try {
    const read: unknown = JSON.parse(text);
    if (typeof read === 'object' && read !== null && !Array.isArray(read)) return read as Record<string, unknown>;
  } catch {
    // Said below.
  }
  throw new Error('this is no file of a wallet');
}

function bytes(value: unknown): Uint8Array {
  if (typeof value !== 'string') throw new Error('the file lacks something');
  return fromHex(value);
}

/** Everything in it is a stranger's. */
export function readTransaction(text: string): TxFile {
  const read = face(text);
  if (read.form !== TRANSACTION) throw new Error('this is no file of a transaction');
  const transaction = transactionOf(bytes(read.transaction));
  const rule = parseRule(read.rule);
  const id = transactionId(transaction);
  const assertions = (read.assertions ?? {}) as Record<string, Assertion>;
  const signatures = Object.entries((read.signatures ?? {}) as Record<string, unknown>).map(([name, signature]): Signed => {
    const key = parseKey(name);
    const given = assertions[name];
    const index = rule.keys.findIndex((one) => key !== undefined && keyText(one) === keyText(key));
    const assertion = given && { authenticatorData: bytes(given.authenticator_data), clientData: bytes(given.client_data) };
    const signed: Signed = { index, signature: bytes(signature), ...(assertion && { assertion }) };
    if (index < 0 || !holds(rule.keys[index]!, id, signed)) throw new Error(`the signature of ${name.slice(0, 24)}… does not hold: ask for another copy, and sign nothing`);
    return signed;
  });
  return { transaction, rule, signatures };
}

export function writeTransaction({ transaction, rule, signatures }: TxFile): string {
  const by = <T>(one: (signed: Signed) => T | undefined) => Object.fromEntries(signatures.flatMap((signed) => {
    const value = one(signed);
    return value === undefined ? [] : [[keyText(rule.keys[signed.index]!), value]];
  }));
  const assertions = by(({ assertion }) => assertion && { authenticator_data: toHex(assertion.authenticatorData), client_data: toHex(assertion.clientData) });
  const said = {
    form: TRANSACTION, transaction: toHex(transactionBytes(transaction)), rule: ruleText(rule), signatures: by(({ signature }) => toHex(signature)),
    ...(Object.keys(assertions).length > 0 && { assertions }),
  };
  return `${JSON.stringify(said, null, 2)}\n`;
}

/** An account as one of its devices tells another of it. */
export interface AccountFile {
  chain: string;
  account: string;
  /** One of them is in force: the ledger knows which. */
  rules: Rule[];
  /** What keys are called, by their text. */
  names: Record<string, string>;
}

export function writeAccount({ chain, account, rules, names }: AccountFile): string {
  return `${JSON.stringify({ form: ACCOUNT, chain, account, rules: rules.map(ruleText), names }, null, 2)}\n`;
}

/** Of a file of an account, or of a transaction, which names both too. */
export function readAccount(text: string): AccountFile {
  const read = face(text);
  if (read.form === TRANSACTION) {
    const { transaction, rule } = readTransaction(text);
    const { body } = transaction;
    return { chain: transaction.chain, account: transaction.account, rules: [rule, ...(body.kind === 'rotate_keys' ? [body.rule] : [])], names: {} };
  }
  if (read.form !== ACCOUNT || !/^[0-9a-f]{64}$/.test(String(read.account))) throw new Error('this is no file of an account');
  const rules = Array.isArray(read.rules) ? read.rules.slice(0, 8).map(parseRule) : [];
  const names = Object.entries((read.names ?? {}) as Record<string, unknown>).flatMap(([key, name]) => (parseKey(key) && typeof name === 'string' ? [[key, name.slice(0, NAME_CHARS_MAX)]] : []));
  return { chain: String(read.chain), account: String(read.account), rules, names: Object.fromEntries(names) };
}
