//! A transaction as a file that several owners sign in turn, on computers that need no network: the transaction's bytes, the rule
//! it is signed by, and the signatures so far. What it would do is always read from the bytes; a signature that does not hold is
//! refused when the file is read. Never holds a secret.

use crate::accounts::RuleText;
use crate::error::{Done, Failure, Kind, OrFail};
use crate::home::write_whole;
use cairn_ledger::account::Rule;
use cairn_ledger::tx::TX_BYTES_MAX;
use cairn_ledger::{Signed, Transaction};
use cairn_types::codec::{decode_canonical, encode};
use cairn_types::passkey::Assertion;
use cairn_types::{PublicKey, SecretKey, Signature};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// What such a file says it is.
const FORM: &str = "cairn/transaction/1";
/// Two digits a byte, and room for keys and signatures.
const FILE_BYTES_MAX: u64 = 2 * TX_BYTES_MAX as u64 + 48 * 1024;

/// A transaction and who has signed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TxFile {
    pub transaction: Transaction,
    pub rule: Rule,
    /// By keys of the rule, passkeys with what they signed; every one of them holds.
    pub signatures: BTreeMap<PublicKey, (Signature, Option<Assertion>)>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Face {
    form: String,
    /// Deterministic CBOR in hexadecimal digits.
    transaction: String,
    rule: RuleText,
    signatures: BTreeMap<String, String>,
    /// Of passkeys, by the key: what each signed.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    assertions: BTreeMap<String, AssertionFace>,
}

/// In hexadecimal digits, as the browser gave them.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AssertionFace {
    authenticator_data: String,
    client_data: String,
}

impl TxFile {
    pub fn new(transaction: Transaction, rule: Rule) -> Self {
        Self {
            transaction,
            rule,
            signatures: BTreeMap::new(),
        }
    }

    pub fn read(path: &Path) -> Result<Self, Failure> {
        let meta = std::fs::metadata(path).or_fail(Kind::Files, path.display());
        let meta =
            meta.map_err(|failure| failure.hint("write one with --export FILE at the command that should be signed"))?;
        if meta.len() > FILE_BYTES_MAX {
            return Err(Failure::new(
                Kind::Files,
                format!("{} is too long for a transaction", path.display()),
            ));
        }
        let text = std::fs::read_to_string(path).or_fail(Kind::Files, path.display())?;
        Self::parse(&text).map_err(|fact| {
            Failure::new(Kind::Usage, format!("{}: {fact}", path.display()))
                .hint("ask whoever sent it for another copy, and sign nothing")
        })
    }

    /// Everything in it is a stranger's.
    fn parse(text: &str) -> Result<Self, String> {
        let face: Face = serde_json::from_str(text).map_err(|error| format!("no file of a transaction: {error}"))?;
        if face.form != FORM {
            return Err(format!("its form is not {FORM}"));
        }
        let bytes = hex::decode(&face.transaction).map_err(|error| format!("the transaction: {error}"))?;
        if bytes.len() > TX_BYTES_MAX {
            return Err("the transaction is too long".to_owned());
        }
        let transaction: Transaction = decode_canonical(&bytes).map_err(|error| format!("the transaction: {error}"))?;
        let mut file = Self::new(transaction, face.rule.rule().map_err(|failure| failure.message)?);
        if let Some(key) = face.assertions.keys().find(|key| !face.signatures.contains_key(*key)) {
            return Err(format!("what {key} signed is here, and no signature of it"));
        }
        for (key, signature) in &face.signatures {
            let assertion = face.assertions.get(key).map(AssertionFace::read).transpose()?;
            let key: PublicKey = key.parse().map_err(|error| format!("{key}: {error}"))?;
            let mut bytes = [0; 64];
            hex::decode_to_slice(signature, &mut bytes).map_err(|error| format!("the signature of {key}: {error}"))?;
            if !file.take(key, Signature(bytes), assertion) {
                return Err(format!("the signature of {key} does not hold"));
            }
        }
        Ok(file)
    }

    pub fn write(&self, path: &Path) -> Done {
        let face = Face {
            form: FORM.to_owned(),
            transaction: hex::encode(encode(&self.transaction)),
            rule: RuleText::from(&self.rule),
            signatures: self
                .signatures
                .iter()
                .map(|(key, (signature, _))| (key.to_string(), hex::encode(signature.0)))
                .collect(),
            assertions: self
                .signatures
                .iter()
                .filter_map(|(key, (_, assertion))| Some((key.to_string(), AssertionFace::of(assertion.as_ref()?))))
                .collect(),
        };
        let text = serde_json::to_string_pretty(&face).or_fail(Kind::Internal, "the transaction")?;
        write_whole(path, format!("{text}\n").as_bytes())
    }

    /// Takes a signature that holds, by a key of the rule.
    fn take(&mut self, key: PublicKey, signature: Signature, assertion: Option<Assertion>) -> bool {
        let message = self.transaction.id().0;
        let holds = self.rule.keys.contains(&key) && key.verify_asserted(&message, &signature, assertion.as_ref());
        if holds {
            self.signatures.insert(key, (signature, assertion));
        }
        holds
    }

    /// Signs; whether the rule names the key.
    pub fn sign(&mut self, secret: &SecretKey) -> bool {
        self.take(secret.public(), secret.sign(&self.transaction.id().0), None)
    }

    /// Takes over the signatures of another copy; whether it is one.
    pub fn gather(&mut self, copy: &Self) -> bool {
        let same = self.transaction == copy.transaction && self.rule == copy.rule;
        if same {
            self.signatures.extend(copy.signatures.clone());
        }
        same
    }

    /// The keys that have not signed.
    pub fn missing(&self) -> impl Iterator<Item = &PublicKey> {
        self.rule.keys.iter().filter(|key| !self.signatures.contains_key(key))
    }

    pub fn is_complete(&self) -> bool {
        self.signatures.len() >= usize::from(self.rule.threshold)
    }

    /// The transaction as it is submitted: with exactly as many signatures as the rule asks for.
    pub fn signed(&self) -> Signed {
        Signed {
            transaction: self.transaction.clone(),
            witness: self.rule.witness_by(|key| self.signatures.get(key).cloned()),
            sponsor: None,
        }
    }
}

impl AssertionFace {
    fn of(assertion: &Assertion) -> Self {
        Self {
            authenticator_data: hex::encode(&assertion.authenticator_data),
            client_data: hex::encode(&assertion.client_data),
        }
    }

    /// Its place in the rule is given to it when the transaction is put together.
    fn read(&self) -> Result<Assertion, String> {
        let bytes = |hex: &str| hex::decode(hex).map_err(|error| format!("what a passkey signed: {error}"));
        Ok(Assertion {
            index: 0,
            authenticator_data: bytes(&self.authenticator_data)?,
            client_data: bytes(&self.client_data)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cairn_ledger::tx::transfer::Transfer;
    use cairn_ledger::tx::{Asset, Body};
    use cairn_types::passkey::SoftPasskey;
    use cairn_types::{AccountId, Token};

    fn secrets() -> [SecretKey; 3] {
        [1, 2, 3].map(|seed| SecretKey::ed25519([seed; 32]))
    }

    fn unsigned() -> TxFile {
        let rule = Rule::any_of(2, secrets().iter().map(SecretKey::public).collect());
        let transaction = Transaction {
            chain: "test".parse().unwrap(),
            account: rule.account_id(),
            nonce: 7,
            fee_max: Token(10),
            sponsor: None,
            body: Body::Transfer(Transfer {
                to: AccountId([9; 32]),
                amount: Asset::Token(Token(5)),
            }),
        };
        TxFile::new(transaction, rule)
    }

    #[test]
    fn owners_sign_in_turn_and_the_ledger_takes_what_they_signed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gift.tx");
        unsigned().write(&path).unwrap();
        for (at, secret) in secrets().iter().enumerate() {
            let mut file = TxFile::read(&path).unwrap();
            assert_eq!((file.signatures.len(), file.is_complete()), (at, at >= 2));
            assert_eq!(file.missing().count(), 3 - at);
            assert!(file.sign(secret) && file.sign(secret));
            file.write(&path).unwrap();
        }
        let signed = TxFile::read(&path).unwrap().signed();
        assert_eq!(signed.witness.signatures.len(), 2);
        assert_eq!(cairn_ledger::check(&[&signed.bytes()]), [Ok(signed)]);
    }

    #[test]
    fn copies_signed_apart_come_together() {
        let (mut one, mut two) = (unsigned(), unsigned());
        one.sign(&secrets()[0]);
        two.sign(&secrets()[2]);
        assert!(!one.is_complete() && one.gather(&two) && one.is_complete());
        let mut other = unsigned();
        other.transaction.nonce += 1;
        assert!(!one.gather(&other));
        assert!(
            !one.sign(&SecretKey::ed25519([8; 32])),
            "a key that the rule does not name"
        );
    }

    #[test]
    fn a_passkey_signs_beside_a_key_for_recovery() {
        let passkey = SoftPasskey::new([9; 32]).unwrap();
        let recovery = SecretKey::ed25519([1; 32]);
        let mut file = unsigned();
        file.rule = Rule::any_of(2, vec![passkey.public(), recovery.public(), secrets()[1].public()]);
        file.transaction.account = file.rule.account_id();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rotate.tx");
        assert!(file.sign(&recovery));
        file.write(&path).unwrap();
        // What a page adds to the file.
        let (signature, assertion) = passkey.sign(&file.transaction.id().0);
        let mut face: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        let key = passkey.public().to_string();
        face["signatures"][&key] = hex::encode(signature.0).into();
        assert!(
            TxFile::parse(&face.to_string()).is_err(),
            "a signature without what was signed"
        );
        let mut other = face.clone();
        face["assertions"][&key] = serde_json::to_value(AssertionFace::of(&assertion)).unwrap();
        let read = TxFile::parse(&face.to_string()).unwrap();
        assert!(read.is_complete());
        read.write(&path).unwrap();
        assert_eq!(TxFile::read(&path).unwrap(), read);
        assert_eq!(cairn_ledger::check(&[&read.signed().bytes()]), [Ok(read.signed())]);

        face["signatures"].as_object_mut().unwrap().remove(&key);
        assert!(
            TxFile::parse(&face.to_string()).is_err(),
            "what was signed without a signature"
        );
        let by_recovery = recovery.public().to_string();
        other["signatures"].as_object_mut().unwrap().remove(&key);
        other["assertions"][&by_recovery] = serde_json::to_value(AssertionFace::of(&assertion)).unwrap();
        assert!(
            TxFile::parse(&other.to_string()).is_err(),
            "of a key that is no passkey"
        );
    }

    #[test]
    fn a_file_that_was_tampered_with_is_refused() {
        let mut file = unsigned();
        file.sign(&secrets()[0]);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gift.tx");
        file.write(&path).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(TxFile::parse(&text), Ok(file.clone()));
        let bytes = hex::encode(encode(&file.transaction));
        let mut richer = file.transaction.clone();
        richer.fee_max = Token(11);
        let key = secrets()[0].public().to_string();
        for (from, to) in [
            (bytes.as_str(), hex::encode(encode(&richer))),
            (bytes.as_str(), format!("{bytes}00")),
            (bytes.as_str(), "zz".to_owned()),
            ("\"threshold\": 2", "\"threshold\": 4".to_owned()),
            (FORM, "cairn/transaction/2".to_owned()),
            ("\"signatures\"", "\"autographs\"".to_owned()),
            (key.as_str(), SecretKey::ed25519([8; 32]).public().to_string()),
        ] {
            assert!(TxFile::parse(&text.replace(from, &to)).is_err(), "{from} → {to}");
        }
        for end in 0..text.len().saturating_sub(2) {
            assert!(TxFile::parse(&text[..end]).is_err());
        }
    }
}
