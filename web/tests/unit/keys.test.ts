/** Keys and rules: what is one, what it means in words, and when nobody could sign any more. */
import { describe, expect, test } from 'vitest';
import { keyText, leftOut, locksOut, parseKey, parseRule, publicOf, ruleFault, ruleText, ruleWords, secretOf } from '../../src/wallet/keys';
import { fromHex } from '../../src/verify/bytes';
import { type PublicKey, ruleOf } from '../../src/wallet/transactions';

const phone = parseKey('passkey:032ab141cd74b80481efb8009721ed6f93a7c1876e78c235d10a8d4533997de509')!;
const laptop = parseKey('passkey:037e7835464235c9517d8f2c2afbe958e6de89cafb9c28c15b8edbab170636b5b8')!;
const paper = publicOf(fromHex('07'.repeat(32)));
const names = new Map([[phone, 'Phone'], [laptop, 'Laptop'], [paper, 'Paper']]);
const name = (key: PublicKey) => [...names].find(([one]) => keyText(one) === keyText(key))![1];

describe('keys', () => {
  test('are read as they are written', () => {
    expect(keyText(parseKey(` ${keyText(phone).toUpperCase()}\n`)!)).toBe(keyText(phone));
    expect(parseKey(keyText(paper))).toEqual(paper);
  });
  test.each(['', 'passkey:', `passkey:${'0'.repeat(66)}`, `passkey:02${'f'.repeat(64)}`, `ed25519:${phone.hex}`, `p256:${paper.hex}`, 'rsa:00', `ed25519:${'f'.repeat(62)}7f`, paper.hex])('“%s” is none', (text) => expect(parseKey(text)).toBeUndefined());
});

describe('rules', () => {
  test.each<[number, PublicKey[], string | undefined]>([
    [1, [phone], undefined], [2, [phone, laptop, paper], undefined], [3, [phone, laptop, paper], undefined],
    [1, [], 'one key at least'], [0, [phone], 'as many'], [2, [phone], 'as many'], [1.5, [phone, laptop], 'as many'], [1, [phone, phone], 'twice'],
    [1, Array.from({ length: 8 }, (_, i) => ({ ...paper, hex: `${i}`.repeat(64) })), '7 keys at most'],
  ])('%d of %j', (threshold, keys, fault) => {
    const found = ruleFault({ threshold, keys });
    if (fault) expect(found).toContain(fault);
    else expect(found).toBeUndefined();
  });

  test('are read from files, and refused where they are none', () => {
    const rule = ruleOf(2, [phone, laptop, paper]);
    expect(parseRule(JSON.parse(JSON.stringify(ruleText(rule))))).toEqual(rule);
    for (const bad of [undefined, {}, { threshold: 1, keys: 'x' }, { threshold: 4, keys: ruleText(rule).keys }, { threshold: 1, keys: [1] }, { threshold: '1', keys: ruleText(rule).keys }]) expect(() => parseRule(bad)).toThrow();
  });

  test.each<[number, PublicKey[], string]>([
    [1, [phone], 'Phone signs alone. If it is lost, so is the account.'],
    [1, [phone, laptop], 'Each of these 2 keys signs alone'],
    [2, [phone, laptop], 'All 2 keys must sign together. If one is lost, nobody can sign any more.'],
    [2, [phone, laptop, paper], 'Any 2 of these 3 keys sign together; one alone can do nothing. One of them may be lost.'],
  ])('%d of these in words', (threshold, keys, words) => expect(ruleWords(ruleOf(threshold, keys), name)).toContain(words));

  test('whoever is left out is found', () => {
    expect(leftOut(ruleOf(1, [phone, paper]), ruleOf(1, [phone, laptop]))).toEqual([paper]);
  });

  test('nobody here could sign: too few of the keys are here', () => {
    expect(locksOut(ruleOf(1, [laptop]), [phone])).toBe(true);
    expect(locksOut(ruleOf(2, [phone, laptop]), [phone, paper])).toBe(true);
    expect(locksOut(ruleOf(2, [phone, laptop, paper]), [phone, paper])).toBe(false);
    expect(locksOut(ruleOf(1, [phone, laptop]), [phone])).toBe(false);
    // The same point as another kind of key is another key.
    expect(locksOut(ruleOf(1, [{ ...phone, kind: 'p256' }]), [phone])).toBe(true);
  });
});

describe('a recovery key’s secret', () => {
  const is = (key: PublicKey) => key.hex === paper.hex;
  const hex = '07'.repeat(32);
  test.each([hex, hex.match(/.{8}/g)!.join(' '), ` ${hex}\n`, `recovery ed25519:${hex}\n`, `other ed25519:${'08'.repeat(32)}\nrecovery ed25519:${hex}`])('is read from %j', (text) => expect(secretOf(text, is)).toEqual(fromHex(hex)));
  test.each(['', '07', '08'.repeat(32), `recovery p256:${hex}`, `recovery ed25519:${hex}00`])('is not in %j', (text) => expect(secretOf(text, is)).toBeUndefined());
});
