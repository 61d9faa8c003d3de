//! What makes a founding file that of a later era: the eras before, the old validators' approvals, and at last how it began. The
//! ledger's genesis stays that of the chain.

use super::{Founding, FoundingError};
use crate::eras::{Eras, first_anchor};
use crate::faces::{Face, FaceError, Fields, FromFace, hex, object, with};
use cairn_engine::light::{Anchor, GROUP_KEY_BYTES, HandOver, Successor, follow};
use cairn_engine::{Approval, EraStart, Identity, Resolution};
use cairn_ledger::Genesis;
use cairn_types::{Hash, PublicKey, Token, codec, hash};
use serde_json::Value;

/// The eras before a founding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct After {
    /// The group key of the first era.
    pub first: [u8; GROUP_KEY_BYTES],
    /// From the first era to the one that ends.
    pub hand_overs: Vec<HandOver>,
    /// Of validators of the era that ends, by key.
    pub approvals: Vec<Approval>,
    /// How the new era began, once the state was imported.
    pub began: Option<(HandOver, Hash)>,
}

impl After {
    /// The era that is founded.
    pub fn era(&self) -> u32 {
        u32::try_from(self.hand_overs.len()).map_or(u32::MAX, |before| before.saturating_add(1))
    }

    /// Names what all copies of a draft have in common.
    pub(super) fn digest(&self) -> [u8; 32] {
        let hand_overs = codec::encode(&self.hand_overs);
        hash::domain("cairn/after/1", &[&self.first, &hand_overs]).0
    }

    /// The anchor of the era that ends.
    fn anchor(&self, genesis: &Genesis) -> Result<Anchor, FoundingError> {
        Ok(follow(&first_anchor(genesis, self.first), &self.hand_overs)?)
    }
}

impl Founding {
    /// A draft for the era after these, which nobody has joined.
    pub fn after(
        genesis: Genesis,
        seats: u16,
        first: [u8; GROUP_KEY_BYTES],
        hand_overs: Vec<HandOver>,
    ) -> Result<Self, FoundingError> {
        let draft = Self {
            genesis,
            seats,
            validator_token: Token::ZERO,
            validators: Vec::new(),
            founded: None,
            after: Some(After {
                first,
                hand_overs,
                approvals: Vec::new(),
                began: None,
            }),
        };
        draft.check()?;
        Ok(draft)
    }

    fn later(&self) -> Result<&After, FoundingError> {
        self.after.as_ref().ok_or(FoundingError::FirstEra)
    }

    /// Whom the era that ends is to name.
    pub fn successor(&self) -> Result<Successor, FoundingError> {
        Ok(Successor {
            chain: self.genesis.chain.as_str().to_owned(),
            era: self.later()?.era(),
            group_key: self.founded()?.group.key,
            draft: self.draft()?.0,
        })
    }

    /// The anchor of the era that ends.
    pub fn anchor_before(&self) -> Result<Anchor, FoundingError> {
        self.later()?.anchor(&self.genesis)
    }

    /// Adds the approval of a validator of the era that ends; whether it is one, that era's chain decides.
    pub fn approve(&mut self, identity: &Identity) -> Result<(), FoundingError> {
        let approval = Approval::of(identity, &self.successor()?);
        self.add_approvals(&[approval])
    }

    pub(super) fn add_approvals(&mut self, approvals: &[Approval]) -> Result<(), FoundingError> {
        let mut next = self.clone();
        let after = next.after.as_mut().ok_or(FoundingError::FirstEra)?;
        for approval in approvals {
            after.approvals.retain(|other| other.validator != approval.validator);
            after.approvals.push(*approval);
        }
        after.approvals.sort_by_key(|approval| approval.validator);
        next.check()?;
        *self = next;
        Ok(())
    }

    /// What ends the era before.
    pub fn resolution(&self) -> Result<Resolution, FoundingError> {
        Ok(Resolution::new(&self.successor()?, self.later()?.approvals.clone()))
    }

    /// Notes how the era begins: with the hand-over, and the root over the records of the state after it.
    pub fn begin_era(&mut self, hand_over: HandOver, records: Hash) -> Result<EraStart, FoundingError> {
        let mut next = self.clone();
        let after = next.after.as_mut().ok_or(FoundingError::FirstEra)?;
        if after
            .began
            .as_ref()
            .is_some_and(|began| *began != (hand_over.clone(), records))
        {
            return Err(FoundingError::OtherState);
        }
        after.began = Some((hand_over, records));
        next.check()?;
        let start = next.eras()?.ok_or(FoundingError::FirstEra)?.start(&next.genesis);
        *self = next;
        start.map_err(|_| FoundingError::OtherState)
    }

    /// What a node of this era must know of those before; `None` for the first era.
    pub fn eras(&self) -> Result<Option<Eras>, FoundingError> {
        let Some(after) = &self.after else { return Ok(None) };
        let (hand_over, records) = after.began.clone().ok_or(FoundingError::NotBegun)?;
        let mut hand_overs = after.hand_overs.clone();
        hand_overs.push(hand_over);
        Ok(Some(Eras {
            first: after.first,
            hand_overs,
            records,
        }))
    }

    pub(super) fn check_after(&self) -> Result<(), FoundingError> {
        let Some(after) = &self.after else { return Ok(()) };
        let anchor = after.anchor(&self.genesis)?;
        if after.approvals.is_empty() && after.began.is_none() {
            return Ok(());
        }
        let successor = self.successor()?;
        if let Some(wrong) = after.approvals.iter().find(|approval| !approval.holds(&successor)) {
            return Err(FoundingError::Approval(wrong.validator));
        }
        match &after.began {
            Some((hand_over, _)) if hand_over.successor != successor => Err(FoundingError::OtherState),
            Some((hand_over, _)) => Ok(hand_over.verify(&anchor).map(drop)?),
            None => Ok(()),
        }
    }
}

impl Face for After {
    fn face(&self) -> Value {
        let approval = |approval: &Approval| {
            object([
                ("key", PublicKey::Ed25519(approval.validator).face()),
                ("signature", hex(approval.signature.0)),
            ])
        };
        let approvals: Vec<Value> = self.approvals.iter().map(approval).collect();
        let face = object([
            ("first_group_key", hex(self.first)),
            ("hand_overs", crate::eras::hand_overs_face(&self.hand_overs)),
            ("approvals", approvals.into()),
        ]);
        match &self.began {
            None => face,
            Some((hand_over, records)) => with(
                face,
                [
                    ("hand_over", hex(codec::encode(hand_over))),
                    ("records", records.face()),
                ],
            ),
        }
    }
}

impl FromFace for After {
    fn from_face(value: &Value) -> Result<Self, FaceError> {
        let mut fields = Fields::of(value)?;
        let first: String = fields.take("first_group_key")?;
        let texts: Vec<String> = fields.take("hand_overs")?;
        let approvals: Vec<super::Signed> = fields.take("approvals")?;
        let mut after = Self {
            first: crate::eras::group_key(&first).map_err(|error| error.within("first_group_key"))?,
            hand_overs: crate::eras::hand_overs(&texts).map_err(|error| error.within("hand_overs"))?,
            approvals: approvals
                .into_iter()
                .map(|super::Signed(validator, signature)| Approval { validator, signature })
                .collect(),
            began: None,
        };
        if value.get("hand_over").is_some() {
            let text: String = fields.take("hand_over")?;
            let hand_over = crate::eras::hand_over(&text).map_err(|error| error.within("hand_over"))?;
            after.began = Some((hand_over, fields.take("records")?));
        }
        fields.end()?;
        Ok(after)
    }
}
