//! The validators whom the machine names, written into the state with the first block of each epoch, so that all nodes read the same
//! when they announce them with its last.
//!
//! ```text
//! head[epoch mod 4]: epoch 8 │ count 2          line[epoch mod 4][i]: key 32 │ length 2 │ address
//! ```

use super::Directory;
use crate::{
    Address, KEY_BYTES, Key, Missing, StateMachine, VALUE_BYTES, Value, View,
    engine_types::PublicKey,
    handle::{Answer, Question, Records},
    limits::{READ_KEYS_MAX, VALIDATORS_MAX},
};
use cairn_types::hash;
use commonware_codec::{Copying, DecodeExt as _};
use commonware_consensus::types::Epoch;
use commonware_glue::dkg::ParticipantsProvider;
use commonware_utils::ordered::Set;
use std::{future::pending, num::NonZeroU64};
use tokio::sync::{mpsc, oneshot, watch};

/// Epochs whose rolls are kept: of the one in which a reader is, and of the one before.
const ROLLS: u64 = 4;
/// Bytes of an address that has room in a line.
const ADDRESS_BYTES_MAX: usize = VALUE_BYTES - 32 - 2;

fn key(epoch: u64, line: Option<u64>) -> Key {
    let line = line.map_or(0, |line| line + 1);
    let hash = hash::domain("cairn/roll/1", &[&(epoch % ROLLS).to_be_bytes(), &line.to_be_bytes()]);
    let mut key = [crate::records::OWN_TABLE; KEY_BYTES];
    key[1..].copy_from_slice(&hash.0);
    key
}

/// The epoch whose roll is written with the block that is so many above the era's beginning, if it is the first of one.
pub(crate) fn due(within: u64, epoch_blocks: NonZeroU64) -> Option<u64> {
    (within == 1 || within.is_multiple_of(epoch_blocks.get())).then_some(within / epoch_blocks)
}

/// Writes the validators whom the machine names now; none when it names none, and the era's first go on.
pub(crate) fn write(machine: &dyn StateMachine, epoch: u64, view: &mut dyn View) -> Result<(), Missing> {
    let mut named = machine.validators(view)?;
    named.sort_by_key(|validator| validator.key);
    named.dedup_by(|one, other| one.key == other.key);
    named.retain(|validator| PublicKey::decode(Copying(&validator.key)).is_ok());
    named.truncate(VALIDATORS_MAX);
    for (line, validator) in (0..).zip(&named) {
        let text = validator.address.to_string();
        // A name too long to be written down is left to whoever knows it otherwise.
        let text = if text.len() > ADDRESS_BYTES_MAX { "" } else { &text };
        let mut value = [0; VALUE_BYTES];
        value[..32].copy_from_slice(&validator.key);
        value[32..34].copy_from_slice(&u16::try_from(text.len()).expect("shorter than a value").to_be_bytes());
        value[34..34 + text.len()].copy_from_slice(text.as_bytes());
        view.put(key(epoch, Some(line)), value);
    }
    let mut head = [0; VALUE_BYTES];
    head[..8].copy_from_slice(&epoch.to_be_bytes());
    head[8..10].copy_from_slice(&u16::try_from(named.len()).expect("bounded above").to_be_bytes());
    view.put(key(epoch, None), head);
    Ok(())
}

fn read_line(value: &Value) -> Option<(PublicKey, Option<Address>)> {
    let (own, rest) = value.split_first_chunk::<32>()?;
    let (len, rest) = rest.split_first_chunk::<2>()?;
    let text = rest.get(..usize::from(u16::from_be_bytes(*len)))?;
    let address = std::str::from_utf8(text).ok()?.parse().ok();
    Some((PublicKey::decode(Copying(own)).ok()?, address))
}

/// One validator of a roll.
type Line = (PublicKey, Option<Address>);

/// Asks this node's own state.
#[derive(Clone)]
pub(crate) struct Asked {
    pub(crate) questions: mpsc::Sender<Question>,
    pub(crate) moved: watch::Receiver<crate::Latest>,
}

/// Who takes part in later epochs.
#[derive(Clone)]
pub(crate) struct Roll {
    pub(crate) asked: Asked,
    pub(crate) founding: Set<PublicKey>,
}

impl Asked {
    /// The roll of an epoch, as soon as its first block is executed here.
    async fn roll(&mut self, epoch: u64) -> Vec<Line> {
        loop {
            self.moved.borrow_and_update();
            if let Some(lines) = self.try_roll(epoch).await {
                return lines;
            }
            if self.moved.changed().await.is_err() {
                return pending().await;
            }
        }
    }

    async fn try_roll(&self, epoch: u64) -> Option<Vec<Line>> {
        let keys: Vec<Key> = [key(epoch, None)]
            .into_iter()
            .chain((0..VALIDATORS_MAX as u64).map(|line| key(epoch, Some(line))))
            .collect();
        const { assert!(VALIDATORS_MAX < READ_KEYS_MAX) };
        let Records { values, .. } = self.read(keys).await?;
        let (head, lines) = values.split_first()?;
        let head = head.as_ref()?;
        let written = u64::from_be_bytes(*head.first_chunk()?);
        let count = usize::from(u16::from_be_bytes(*head[8..].first_chunk()?));
        let lines = lines.get(..count).filter(|_| written == epoch)?;
        lines.iter().map(|line| read_line(line.as_ref()?)).collect()
    }

    async fn read(&self, keys: Vec<Key>) -> Option<Records> {
        loop {
            let (answer, answered): (Answer<Records>, _) = oneshot::channel();
            self.questions.send(Question::Read(keys.clone(), answer)).await.ok()?;
            // The state may move on while it is read; whoever answers takes its time before it says so.
            if let Ok(records) = answered.await.ok()? {
                return Some(records);
            }
        }
    }
}

impl ParticipantsProvider for Roll {
    type PublicKey = PublicKey;
    type Directory = Directory;

    async fn participants(&mut self, epoch: Epoch) -> Set<PublicKey> {
        let lines = self.asked.roll(epoch.get().saturating_sub(2)).await;
        match lines.is_empty() {
            true => self.founding.clone(),
            false => Set::from_iter_dedup(lines.into_iter().map(|(key, _)| key)),
        }
    }

    async fn directory(&mut self, epoch: Epoch, peers: Set<PublicKey>) -> Directory {
        let newest = self.asked.roll(epoch.get().saturating_sub(1)).await;
        let address = |(key, address): Line| Some((key, address?.peer()));
        let known = newest.into_iter().filter_map(address);
        Directory::new(known.filter(|(key, _)| peers.position(key).is_some()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Applied, BlockContext, Validator};
    use std::collections::BTreeMap;

    struct Named(Vec<Validator>);

    impl StateMachine for Named {
        fn genesis_digest(&self) -> [u8; 32] {
            [0; 32]
        }

        fn begin(&self, _: &BlockContext, _: &mut dyn View) -> Result<Vec<u8>, Missing> {
            Ok(Vec::new())
        }

        fn check(&self, _: &[&[u8]]) -> Vec<Result<(), u32>> {
            Vec::new()
        }

        fn reads(&self, _: &[u8]) -> Vec<Key> {
            Vec::new()
        }

        fn validators(&self, _: &mut dyn View) -> Result<Vec<Validator>, Missing> {
            Ok(self.0.clone())
        }

        fn apply(&self, _: &BlockContext, _: &[u8], _: &mut dyn View) -> Result<Applied, Missing> {
            Ok(Applied::Refused(1))
        }
    }

    #[derive(Default)]
    struct Records(BTreeMap<Key, Value>);

    impl View for Records {
        fn get(&mut self, key: &Key) -> Result<Option<Value>, Missing> {
            Ok(self.0.get(key).copied())
        }

        fn put(&mut self, key: Key, value: Value) {
            self.0.insert(key, value);
        }

        fn delete(&mut self, key: &Key) {
            self.0.remove(key);
        }
    }

    fn validator(seed: u64, address: &str) -> Validator {
        use commonware_cryptography::Signer as _;
        let key = commonware_cryptography::ed25519::PrivateKey::from_seed(seed).public_key();
        Validator {
            key: crate::block::key_bytes(&key),
            address: address.parse().unwrap(),
        }
    }

    #[test]
    fn a_roll_names_each_validator_once_with_its_address_if_there_is_room() {
        let long = format!("{}.example.org:1", ["a".repeat(58).as_str(); 4].join("."));
        let named = vec![
            validator(1, "one.example.org:9000"),
            validator(2, &long),
            validator(1, "two.example.org:9000"),
        ];
        let mut records = Records::default();
        write(&Named(named), 9, &mut records).unwrap();
        assert!(records.0.keys().all(|key| key[0] == crate::records::OWN_TABLE));
        let head = records.0[&key(9, None)];
        assert_eq!((&head[..8], &head[8..10]), (&9u64.to_be_bytes()[..], &[0, 2][..]));
        let lines: Vec<Line> = (0..2)
            .map(|line| read_line(&records.0[&key(9, Some(line))]).unwrap())
            .collect();
        let mut addresses: Vec<Option<String>> = lines
            .into_iter()
            .map(|(_, address)| Some(address?.to_string()))
            .collect();
        addresses.sort();
        assert_eq!(addresses, [None, Some("one.example.org:9000".to_owned())]);
        assert_ne!(key(9, None), key(10, None), "a later epoch's roll stands elsewhere");
        assert_eq!(
            key(9, Some(1)),
            key(9 + ROLLS, Some(1)),
            "and old ones are written over"
        );
    }
}
