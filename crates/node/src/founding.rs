//! The file with which several validators found a chain: a draft that they fill, sign and go on with, until it is the one genesis
//! file of all of them. Values only; the ceremony itself is the engine's.
//!
//! ```text
//! new ─▶ genesis, seats ─▶ join (each) ─▶ validators ─▶ sign (all together) ─▶ group, signatures
//! ```

mod after;

pub use after::After;

use crate::eras::first_anchor;
use crate::faces::{Face, FaceError, Fields, FromFace, hex, object, with};
use crate::genesis::{FILE_BYTES_MAX, GenesisFileError};
use cairn_engine::ceremony::{Dealt, statement};
use cairn_engine::light::Anchor;
use cairn_engine::{Address, Group, Identity, Validator, limits::VALIDATORS_MAX};
use cairn_ledger::Genesis;
use cairn_ledger::account::Rule;
use cairn_ledger::genesis::{Allocation, GenesisValidator};
use cairn_types::{Hash, MicroUsd, PublicKey, Signature, Token, ValidatorKey, codec, hash};
use serde_json::Value;
use std::io::Write;
use std::path::Path;

/// The file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Founding {
    /// What the ledger begins with, but for what the validators get.
    pub genesis: Genesis,
    /// How many validators there will be.
    pub seats: u16,
    /// Token with which each validator's account begins, taken from the first allocation.
    pub validator_token: Token,
    /// By key.
    pub validators: Vec<Founder>,
    /// What the ceremony came to.
    pub founded: Option<Dealt>,
    /// For a later era: those before.
    pub after: Option<After>,
}

/// A validator that joined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Founder {
    pub key: [u8; 32],
    /// Where the other validators reach it.
    pub address: Address,
    /// Who acts for its account.
    pub account: Rule,
    /// Its own signature of all this.
    pub joined: Signature,
}

/// Why a draft does not go on.
#[derive(Debug, thiserror::Error)]
pub enum FoundingError {
    #[error(transparent)]
    File(#[from] GenesisFileError),
    #[error("a chain has 1 to {VALIDATORS_MAX} validators")]
    Seats,
    #[error("this ledger has room for {0} validators")]
    Room(u16),
    #[error("all {0} validators have joined")]
    Full(u16),
    #[error("{} stands twice", .0)]
    Twice(String),
    #[error("what {} joined with is not signed by it", PublicKey::Ed25519(*.0))]
    NotItsOwn([u8; 32]),
    #[error("the account's rule is not valid")]
    Account,
    #[error("the validators' token are more than the first allocation has")]
    TokenMissing,
    #[error("{missing} of {seats} validators have not joined yet")]
    Unready { missing: u16, seats: u16 },
    #[error("the other file is a draft of another chain")]
    OtherDraft,
    #[error("the file is signed already and stays as it is")]
    Signed,
    #[error("the file is not signed yet")]
    Unsigned,
    #[error("the group key is not one of these validators")]
    Group,
    #[error("the signature of {} does not hold", PublicKey::Ed25519(*.0))]
    Signature([u8; 32]),
    #[error("not all validators have signed")]
    SignaturesMissing,
    #[error("this file founds a chain; no era ends with it")]
    FirstEra,
    #[error("the eras before do not lead here: {0}")]
    Eras(#[from] cairn_engine::light::LightError),
    #[error("the approval of {} does not hold", PublicKey::Ed25519(*.0))]
    Approval([u8; 32]),
    #[error("this era has not begun: the state of the one before was not imported")]
    NotBegun,
    #[error("the state is not the one with which this era begins")]
    OtherState,
}

impl FoundingError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::File(error) => error.hint(),
            Self::Seats => "name another number with --validators",
            Self::Room(_) => "name fewer with --validators, or begin a chain with more --committee-blocks",
            Self::Full(_) => "begin a new draft with more validators: `cairn genesis new --validators N`",
            Self::Twice(_) => "each validator has its own key, address and account",
            Self::NotItsOwn(_) => "ask that validator for the file that its `cairn genesis join` wrote",
            Self::Account => "1 to 7 different keys, and a threshold among them",
            Self::TokenMissing => "give the first account more, or the validators less with --validator-token",
            Self::Unready { .. } => {
                "send the file to those who are missing, and merge theirs: `cairn genesis merge FILE…`"
            }
            Self::OtherDraft => "merge only files that came from one and the same `cairn genesis new`",
            Self::Signed => "a chain that has its key needs no more: `cairn node run`",
            Self::Unsigned => "run `cairn genesis sign` together with the other validators",
            Self::FirstEra => "name the file that `cairn genesis era` began",
            Self::NotBegun => "`cairn state import`, or take the file from a validator that did",
            Self::OtherState => "export the state after the hand-over, and import that one everywhere",
            Self::Eras(_) | Self::Approval(_) | Self::Group | Self::Signature(_) | Self::SignaturesMissing => {
                "the file was changed after the ceremony; take it anew from a validator"
            }
        }
    }
}

impl Founding {
    /// A draft that nobody has joined.
    pub fn new(genesis: Genesis, seats: u16, validator_token: Token) -> Result<Self, FoundingError> {
        let draft = Self {
            genesis,
            seats,
            validator_token,
            validators: Vec::new(),
            founded: None,
            after: None,
        };
        draft.check()?;
        Ok(draft)
    }

    /// Takes a seat in the name of an identity; joining again changes address and account.
    pub fn join(&mut self, identity: &Identity, address: Address, account: Rule) -> Result<(), FoundingError> {
        let key = identity.key();
        let joined = identity.sign(&self.seat(&key, &address, &account));
        let founder = Founder {
            key,
            address,
            account,
            joined,
        };
        let mut next = self.clone();
        next.validators.retain(|validator| validator.key != key);
        next.seat_one(founder)?;
        *self = next;
        Ok(())
    }

    /// Takes the validators of another copy of this draft; answers how many are new.
    pub fn merge(&mut self, other: &Self) -> Result<usize, FoundingError> {
        if self.begin() != other.begin() {
            return Err(FoundingError::OtherDraft);
        }
        let mut next = self.clone();
        if self.founded.is_none() && self.validators.len() <= other.validators.len() && other.founded.is_some() {
            // The other copy is further on.
            next.founded.clone_from(&other.founded);
            next.validators.clone_from(&other.validators);
            next.check()?;
        }
        if let Some(after) = &other.after
            && !after.approvals.is_empty()
        {
            next.add_approvals(&after.approvals)?;
        }
        for founder in &other.validators {
            if !next.validators.contains(founder) {
                next.seat_one(founder.clone())?;
            }
        }
        let new = next.validators.len() - self.validators.len();
        *self = next;
        Ok(new)
    }

    fn seat_one(&mut self, founder: Founder) -> Result<(), FoundingError> {
        if self.founded.is_some() {
            return Err(FoundingError::Signed);
        }
        if self.validators.len() >= usize::from(self.seats) {
            return Err(FoundingError::Full(self.seats));
        }
        self.validators.push(founder);
        self.validators.sort_by_key(|validator| validator.key);
        self.check()
    }

    /// Adds what the ceremony came to.
    pub fn found(&mut self, dealt: Dealt) -> Result<(), FoundingError> {
        let next = Self {
            founded: Some(dealt),
            ..self.clone()
        };
        next.check()?;
        *self = next;
        Ok(())
    }

    /// Refuses what is not signed by those whom it concerns, and what no chain can begin with.
    pub fn check(&self) -> Result<(), FoundingError> {
        if !(1..=VALIDATORS_MAX).contains(&usize::from(self.seats)) {
            return Err(FoundingError::Seats);
        }
        let room = self.genesis.limits.validators_max;
        if self.seats > room {
            return Err(FoundingError::Room(room));
        }
        if self.validators.len() > usize::from(self.seats) {
            return Err(FoundingError::Full(self.seats));
        }
        for (at, founder) in self.validators.iter().enumerate() {
            let before = &self.validators[..at];
            founder.check(&self.seat(&founder.key, &founder.address, &founder.account))?;
            if let Some(twice) = before.iter().find_map(|other| other.shares(founder)) {
                return Err(FoundingError::Twice(twice));
            }
        }
        self.ledger()?;
        if let Some(dealt) = &self.founded {
            self.check_founded(dealt)?;
        }
        self.check_after()
    }

    fn check_founded(&self, dealt: &Dealt) -> Result<(), FoundingError> {
        let draft = self.draft()?;
        let group = Group::read(&dealt.group.sharing, self.validators.len());
        if group.as_ref() != Some(&dealt.group) {
            return Err(FoundingError::Group);
        }
        let signers = dealt.signatures.iter().map(|(key, _)| *key);
        if !signers.eq(self.validators.iter().map(|validator| validator.key)) {
            return Err(FoundingError::SignaturesMissing);
        }
        let statement = statement(&draft.0, &dealt.group);
        let wrong = dealt
            .signatures
            .iter()
            .find(|(key, signature)| !PublicKey::Ed25519(*key).verify(&statement, signature));
        wrong.map_or(Ok(()), |(key, _)| Err(FoundingError::Signature(*key)))
    }

    /// What a validator signs when it joins.
    fn seat(&self, key: &[u8; 32], address: &Address, account: &Rule) -> [u8; 32] {
        let (address, account) = (address.to_string(), codec::encode(account));
        hash::domain("cairn/join/1", &[&self.begin().0, key, address.as_bytes(), &account]).0
    }

    /// Names the draft without its validators.
    fn begin(&self) -> Hash {
        let genesis = self.genesis.digest();
        let (seats, token) = (self.seats.to_be_bytes(), self.validator_token.0.to_be_bytes());
        match &self.after {
            None => hash::domain("cairn/draft-begin/1", &[&genesis.0, &seats, &token]),
            Some(after) => hash::domain("cairn/era-begin/1", &[&genesis.0, &seats, &after.digest()]),
        }
    }

    /// Names what the validators sign: all but the signatures. None while some have not joined.
    pub fn draft(&self) -> Result<Hash, FoundingError> {
        let missing = self
            .seats
            .saturating_sub(u16::try_from(self.validators.len()).unwrap_or(u16::MAX));
        if missing > 0 {
            return Err(FoundingError::Unready {
                missing,
                seats: self.seats,
            });
        }
        let seats = self
            .validators
            .iter()
            .map(|founder| self.seat(&founder.key, &founder.address, &founder.account));
        let seats: Vec<u8> = seats.flatten().collect();
        Ok(hash::domain("cairn/draft/1", &[&self.begin().0, &seats]))
    }

    /// The group key and all signatures.
    pub fn founded(&self) -> Result<&Dealt, FoundingError> {
        self.founded.as_ref().ok_or(FoundingError::Unsigned)
    }

    /// What the ledger begins with: its validators, and in each one's account its token.
    pub fn ledger(&self) -> Result<Genesis, FoundingError> {
        let mut genesis = self.genesis.clone();
        if self.after.is_some() {
            // The ledger is there already.
            genesis.check().map_err(GenesisFileError::from)?;
            return Ok(genesis);
        }
        for founder in &self.validators {
            let first = genesis.allocations.first_mut().ok_or(FoundingError::TokenMissing)?;
            let rest = first.token.0.checked_sub(self.validator_token.0);
            first.token = Token(rest.ok_or(FoundingError::TokenMissing)?);
            let id = founder.account.account_id();
            genesis.validators.push(GenesisValidator {
                account: id,
                key: ValidatorKey(founder.key),
                address: founder.address.to_string(),
            });
            let known = genesis
                .allocations
                .iter_mut()
                .find(|allocation| allocation.rule.account_id() == id);
            match known {
                // What was taken from one allocation fits into another: all of them sum to the premine.
                Some(known) => known.token = Token(known.token.0.saturating_add(self.validator_token.0)),
                None => genesis.allocations.push(Allocation {
                    rule: founder.account.clone(),
                    token: self.validator_token,
                    stable: MicroUsd::ZERO,
                }),
            }
        }
        genesis.check().map_err(GenesisFileError::from)?;
        Ok(genesis)
    }

    /// What a light client trusts that believes this file: the key of the chain's first era, from which those of later ones follow.
    pub fn anchor(&self) -> Result<Anchor, FoundingError> {
        let founded = self.founded()?;
        let first = self.after.as_ref().map_or(founded.group.key, |after| after.first);
        Ok(first_anchor(&self.ledger()?, first))
    }

    /// The validators as the engine wants them.
    pub fn peers(&self) -> Vec<Validator> {
        let peer = |founder: &Founder| Validator {
            key: founder.key,
            address: founder.address.clone(),
        };
        self.validators.iter().map(peer).collect()
    }

    /// The file's text.
    pub fn write(&self) -> String {
        format!("{:#}\n", self.face())
    }

    /// The file of a text, checked.
    pub fn read(text: &str) -> Result<Self, FoundingError> {
        let json = serde_json::from_str(text).map_err(GenesisFileError::from)?;
        let founding = Self::from_face(&json).map_err(GenesisFileError::from)?;
        founding.check()?;
        Ok(founding)
    }

    pub fn read_file(path: &Path) -> Result<Self, FoundingError> {
        if std::fs::metadata(path).map_err(GenesisFileError::from)?.len() > FILE_BYTES_MAX {
            return Err(GenesisFileError::TooLong.into());
        }
        Self::read(&std::fs::read_to_string(path).map_err(GenesisFileError::from)?)
    }

    /// Writes the file, whole or not at all.
    pub fn write_file(&self, path: &Path) -> Result<(), FoundingError> {
        let part = path.with_extension("part");
        let put = || {
            let mut file = std::fs::File::create(&part)?;
            file.write_all(self.write().as_bytes())?;
            file.sync_all()?;
            std::fs::rename(&part, path)
        };
        put().map_err(|error: std::io::Error| GenesisFileError::from(error).into())
    }
}

impl Founder {
    fn check(&self, seat: &[u8; 32]) -> Result<(), FoundingError> {
        if !self.account.is_valid() {
            return Err(FoundingError::Account);
        }
        let own = PublicKey::Ed25519(self.key).verify(seat, &self.joined);
        own.then_some(()).ok_or(FoundingError::NotItsOwn(self.key))
    }

    /// What it has in common with another that must be its own.
    fn shares(&self, other: &Self) -> Option<String> {
        let common = [
            (self.key == other.key, PublicKey::Ed25519(self.key).to_string()),
            (self.address == other.address, self.address.to_string()),
            (self.account == other.account, self.account.account_id().to_string()),
        ];
        common.into_iter().find(|(same, _)| *same).map(|(_, what)| what)
    }
}

impl Face for Founding {
    fn face(&self) -> Value {
        let face = object([
            ("genesis", self.genesis.face()),
            ("seats", self.seats.face()),
            ("validator_token", self.validator_token.face()),
            ("validators", self.validators.face()),
        ]);
        let face = match &self.after {
            None => face,
            Some(after) => with(face, [("after", after.face())]),
        };
        let Some(dealt) = &self.founded else { return face };
        let signature = |(key, signature): &([u8; 32], Signature)| {
            object([
                ("key", PublicKey::Ed25519(*key).face()),
                ("signature", hex(signature.0)),
            ])
        };
        let signatures: Vec<Value> = dealt.signatures.iter().map(signature).collect();
        let founded = [
            ("group_key", hex(dealt.group.key)),
            ("group_sharing", hex(&dealt.group.sharing)),
            ("signatures", signatures.into()),
        ];
        with(face, founded)
    }
}

impl FromFace for Founding {
    fn from_face(value: &Value) -> Result<Self, FaceError> {
        let mut fields = Fields::of(value)?;
        let mut founding = Self {
            genesis: fields.take("genesis")?,
            seats: fields.take("seats")?,
            validator_token: fields.take("validator_token")?,
            validators: fields.take("validators")?,
            founded: None,
            after: match value.get("after") {
                None => None,
                Some(_) => Some(fields.take("after")?),
            },
        };
        if value.get("group_key").is_some() {
            let Bytes(key) = fields.take("group_key")?;
            let Bytes(sharing) = fields.take("group_sharing")?;
            let signatures: Vec<Signed> = fields.take("signatures")?;
            let key = key
                .try_into()
                .map_err(|_| FaceError::Expected("96 bytes in hexadecimal digits").within("group_key"))?;
            founding.founded = Some(Dealt {
                group: Group { key, sharing },
                signatures: signatures.into_iter().map(|signed| (signed.0, signed.1)).collect(),
            });
        }
        fields.end()?;
        Ok(founding)
    }
}

impl Face for Founder {
    fn face(&self) -> Value {
        object([
            ("key", PublicKey::Ed25519(self.key).face()),
            ("address", self.address.to_string().face()),
            ("account", self.account.face()),
            ("joined", hex(self.joined.0)),
        ])
    }
}

impl FromFace for Founder {
    fn from_face(value: &Value) -> Result<Self, FaceError> {
        let mut fields = Fields::of(value)?;
        let address: String = fields.take("address")?;
        let founder = Self {
            key: ed25519(fields.take("key")?)?,
            address: address
                .parse()
                .map_err(|_| FaceError::Expected("HOST:PORT").within("address"))?,
            account: fields.take("account")?,
            joined: signature(fields.take("joined")?)?,
        };
        fields.end()?;
        Ok(founder)
    }
}

struct Signed([u8; 32], Signature);

impl FromFace for Signed {
    fn from_face(value: &Value) -> Result<Self, FaceError> {
        let mut fields = Fields::of(value)?;
        let signed = Self(ed25519(fields.take("key")?)?, signature(fields.take("signature")?)?);
        fields.end()?;
        Ok(signed)
    }
}

struct Bytes(Vec<u8>);

impl FromFace for Bytes {
    fn from_face(value: &Value) -> Result<Self, FaceError> {
        let bytes = value.as_str().and_then(|text| hex::decode(text).ok());
        bytes.map(Self).ok_or(FaceError::Expected("hexadecimal digits"))
    }
}

fn ed25519(key: PublicKey) -> Result<[u8; 32], FaceError> {
    match key {
        PublicKey::Ed25519(key) => Ok(key),
        PublicKey::P256(_) | PublicKey::Passkey(_) => Err(FaceError::Expected("a key, ed25519:HEX").within("key")),
    }
}

fn signature(bytes: Bytes) -> Result<Signature, FaceError> {
    let bytes = bytes
        .0
        .try_into()
        .map_err(|_| FaceError::Expected("64 bytes in hexadecimal digits"));
    bytes.map(Signature)
}

#[cfg(test)]
#[path = "founding/tests.rs"]
mod tests;
