//! Assertions of our own and of strangers: what holds, and that nothing near it does.

use super::*;
use crate::batch::{self, Signed};

const MESSAGE: [u8; 32] = [0x2a; 32];

fn passkey() -> SoftPasskey {
    SoftPasskey::new([7; 32]).expect("a scalar")
}

/// A change to an assertion before it is signed.
type Change = fn(&mut Assertion);

fn client_data(text: &str) -> Vec<u8> {
    text.replace("CHALLENGE", &base64url(&MESSAGE)).into_bytes()
}

/// Signs a changed assertion: the signature holds over what it is of, so that only the rule asked about can refuse it.
fn holds_after(change: Change) -> bool {
    let (_, mut assertion) = passkey().sign(&MESSAGE);
    change(&mut assertion);
    let signature = passkey().sign_assertion(&assertion);
    passkey()
        .public()
        .verify_asserted(&MESSAGE, &signature, Some(&assertion))
}

#[test]
fn what_a_browser_may_send_holds() {
    let changes: [(&str, Change); 8] = [
        ("as it is", |_| ()),
        ("no more than must be", |a| {
            a.client_data = client_data(r#"{"type":"webauthn.get","challenge":"CHALLENGE"}"#);
        }),
        ("members of tomorrow", |a| {
            a.client_data = client_data(
                r#"{"type":"webauthn.get","challenge":"CHALLENGE","origin":"https://a","crossOrigin":true,"topOrigin":"https://b","x":[1]}"#,
            );
        }),
        ("another page", |a| a.authenticator_data[..32].fill(9)),
        ("all flags", |a| a.authenticator_data[FLAGS_AT] = 0xff),
        ("a count", |a| a.authenticator_data[33..37].fill(0xff)),
        ("extensions as long as may be", |a| a.authenticator_data.resize(256, 1)),
        ("client data as long as may be", |a| a.client_data.resize(1_024, b' ')),
    ];
    for (what, change) in changes {
        assert!(holds_after(change), "{what}");
    }
}

#[test]
fn what_no_browser_sends_is_refused() {
    let changes: [(&str, Change); 16] = [
        ("made, not used", |a| {
            a.client_data = client_data(r#"{"type":"webauthn.create","challenge":"CHALLENGE","origin":"https://a"}"#);
        }),
        ("a payment", |a| {
            a.client_data = client_data(r#"{"type":"payment.get","challenge":"CHALLENGE","origin":"https://a"}"#);
        }),
        ("another order", |a| {
            a.client_data = client_data(r#"{"challenge":"CHALLENGE","type":"webauthn.get","origin":"https://a"}"#);
        }),
        ("a blank", |a| {
            a.client_data = client_data(r#"{"type":"webauthn.get", "challenge":"CHALLENGE","origin":"https://a"}"#);
        }),
        ("a blank before", |a| a.client_data.insert(0, b' ')),
        ("a challenge that goes on", |a| {
            a.client_data = client_data(r#"{"type":"webauthn.get","challenge":"CHALLENGEA","origin":"https://a"}"#);
        }),
        ("padding", |a| {
            a.client_data = client_data(r#"{"type":"webauthn.get","challenge":"CHALLENGE=","origin":"https://a"}"#);
        }),
        ("another challenge", |a| {
            a.client_data = format!("{},\"origin\":\"https://a\"}}", begin(&[0x2b; 32])).into_bytes();
        }),
        ("a part of the challenge", |a| {
            a.client_data = format!("{},\"origin\":\"https://a\"}}", begin(&MESSAGE[..31])).into_bytes();
        }),
        ("nothing after the challenge", |a| {
            a.client_data = begin(&MESSAGE).into_bytes()
        }),
        ("something else after the challenge", |a| {
            a.client_data = client_data(r#"{"type":"webauthn.get","challenge":"CHALLENGE" }"#);
        }),
        ("nobody present", |a| a.authenticator_data[FLAGS_AT] = 0b100),
        ("nobody verified", |a| a.authenticator_data[FLAGS_AT] = 0b001),
        ("too short", |a| a.authenticator_data.truncate(36)),
        ("extensions too long", |a| a.authenticator_data.resize(257, 1)),
        ("client data too long", |a| a.client_data.resize(1_025, b' ')),
    ];
    for (what, change) in changes {
        assert!(!holds_after(change), "{what}");
    }
}

#[test]
fn a_passkey_and_a_plain_key_of_one_secret_are_two_keys() {
    let (passkey, plain) = (passkey(), SecretKey::p256([7; 32]).expect("a scalar"));
    assert_ne!(passkey.public(), plain.public());
    assert_eq!(passkey.public().parts().1, plain.public().parts().1);
    assert_ne!(passkey.public().device_id(), plain.public().device_id());
    let (signature, assertion) = passkey.sign(&MESSAGE);
    for (key, signature, shown, holds) in [
        (passkey.public(), signature, Some(&assertion), true),
        (passkey.public(), signature, None, false),
        (passkey.public(), low(plain.sign(&MESSAGE)), Some(&assertion), false),
        (passkey.public(), low(plain.sign(&MESSAGE)), None, false),
        (plain.public(), signature, Some(&assertion), false),
        (plain.public(), plain.sign(&MESSAGE), None, true),
        (plain.public(), plain.sign(&MESSAGE), Some(&assertion), false),
    ] {
        let one = Signed {
            key,
            message: &MESSAGE,
            signature,
            assertion: shown,
        };
        assert_eq!(one.holds(), holds, "{key}");
        let ed = SecretKey::ed25519([1; 32]);
        let other = Signed::plain(ed.public(), b"m", ed.sign(b"m"));
        let asserted = Signed {
            assertion: Some(&assertion),
            ..other
        };
        assert_eq!(batch::verify(&[other, one, asserted]), [true, holds, false]);
    }
    assert!(!passkey.public().verify(&assertion.signed_bytes(), &signature));
}

#[test]
fn only_the_low_form_of_a_signature_holds() {
    let (signature, assertion) = passkey().sign(&MESSAGE);
    let mut high = signature;
    negate(&mut high);
    let mut again = high;
    negate(&mut again);
    assert_eq!((again, low(high)), (signature, signature));
    let over = |signature| {
        passkey()
            .public()
            .verify_asserted(&MESSAGE, signature, Some(&assertion))
    };
    assert!(over(&signature) && !over(&high));
    // The high form is refused for being high, and for nothing else.
    let PublicKey::Passkey(key) = passkey().public() else {
        panic!("a passkey")
    };
    assert!(PublicKey::P256(key).verify(&assertion.signed_bytes(), &high));
}

#[test]
fn the_low_half_is_half_of_the_order() {
    let mut carry = 1;
    let twice = S_MAX.iter().rev().map(|byte| {
        carry += 2 * u16::from(*byte);
        let digit = carry as u8;
        carry >>= 8;
        digit
    });
    let mut twice: Vec<u8> = twice.collect();
    twice.reverse();
    assert_eq!(twice, ORDER);
}

#[test]
fn every_flipped_bit_is_refused() {
    let (signature, assertion) = passkey().sign(&MESSAGE);
    let bits = |bytes: &[u8]| bytes.len() * 8;
    let (first, second) = (bits(&assertion.authenticator_data), bits(&assertion.client_data));
    for at in 0..first + second {
        let mut broken = assertion.clone();
        match at.checked_sub(first) {
            None => broken.authenticator_data[at / 8] ^= 1 << (at % 8),
            Some(at) => broken.client_data[at / 8] ^= 1 << (at % 8),
        }
        assert!(
            !passkey().public().verify_asserted(&MESSAGE, &signature, Some(&broken)),
            "bit {at}"
        );
    }
}

#[test]
fn base64url_is_that_of_the_standard() {
    for (bytes, text) in [
        (&b""[..], ""),
        (b"f", "Zg"),
        (b"fo", "Zm8"),
        (b"foo", "Zm9v"),
        (b"foob", "Zm9vYg"),
        (b"fooba", "Zm9vYmE"),
        (b"foobar", "Zm9vYmFy"),
        (&[0xfb, 0xff, 0xbf], "-_-_"),
    ] {
        assert_eq!(base64url(bytes), text);
    }
}

/// Assertions that a browser and a library made, neither of them ours: `golden/passkeys.txt` says how.
#[test]
fn what_strangers_made_holds() {
    let text = include_str!("../../golden/passkeys.txt");
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    assert!(lines.len() >= 4);
    for line in lines {
        let parts: Vec<&str> = line.split_whitespace().collect();
        let [maker, key, authenticator_data, client_data, signature] = parts[..] else {
            panic!("five words: {line}")
        };
        let bytes = |hex: &str| hex::decode(hex).expect("hex");
        let key: PublicKey = key.parse().expect("a passkey");
        let signature = Signature(bytes(signature).try_into().expect("64 bytes"));
        let assertion = Assertion {
            index: 0,
            authenticator_data: bytes(authenticator_data),
            client_data: bytes(client_data),
        };
        let holds = |message: &[u8]| key.verify_asserted(message, &signature, Some(&assertion));
        assert!(holds(&MESSAGE), "{maker}");
        assert!(!holds(&[0x2b; 32]), "{maker}");
    }
}
