//! What the liar among the verifiers does, drawn for each epoch: leave reports out, add another's, say nothing, sign an inflated
//! result, or two. With its puppets' keys it speaks in many names. It knows only what a verifier knows.

use super::board::Doctored;
use super::dice::Dice;
use super::scene::{HONEST, Part, Party, Scene, network};
use crate::STEPS_PER_HOUR;
use crate::people::chain_id;
use cairn_ledger::tx::Signed;
use cairn_ledger::tx::anchor_epoch::{AnchorEpoch, NetworkAnchor};
use cairn_ledger::tx::pay::Pay;
use cairn_ledger::tx::settle_epoch::SettleEpoch;
use cairn_ledger::{Body, Transaction};
use cairn_types::{Attestation, EpochNumber, EpochResult, PayoutLeaf, Token, merkle};
use cairn_verifier::archive::{EpochArchive, reports};
use cairn_verifier::attest;
use cairn_verifier::chain::ChainView;
use cairn_verifier::chain::local::LocalChain;
use cairn_verifier::objects::Memory;
use cairn_verifier::peers::Word;
use cairn_verifier::submit::Submitter;

/// What the liar does in an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lie {
    Truth,
    Omits,
    Copies,
    Silent,
    /// Signs a result that gives one operator what another earned.
    Inflates,
    /// Signs that one and the right one.
    Equivocates,
    /// Anchors its file and gives it to nobody.
    Withholds,
    /// Anchors its file and gives it to all, and says nothing of what the epoch comes to.
    Mute,
}

/// When a withheld file is shown after all, and to whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shows {
    Never,
    At { step: u64, to: Audience },
}

/// Who sees a withheld file. Whoever disputes and judges sees it in each case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// Nobody else: no verifier can fetch it.
    Judges,
    Verifier(usize),
    All,
}

impl Lie {
    pub fn kind(self) -> Option<&'static str> {
        match self {
            Self::Truth => None,
            Self::Omits => Some("verifier omits"),
            Self::Copies => Some("verifier copies"),
            Self::Silent => Some("verifier is silent"),
            Self::Inflates => Some("verifier inflates"),
            Self::Equivocates => Some("verifier signs twice"),
            Self::Withholds => Some("verifier withholds its file"),
            Self::Mute => Some("verifier with half the bond stalls"),
        }
    }

    pub fn doctored(self) -> Doctored {
        match self {
            Self::Omits => Doctored::Omits,
            Self::Copies => Doctored::Copies,
            Self::Silent => Doctored::Silent,
            Self::Truth | Self::Inflates | Self::Equivocates | Self::Withholds | Self::Mute => Doctored::No,
        }
    }
}

/// The liar's plan.
#[derive(Clone)]
pub struct Lies {
    by_epoch: Vec<Lie>,
    /// Whether the puppets anchor that they have nothing, so that nobody has to wait for them.
    pub puppets_anchor: bool,
    pub shows: Shows,
    /// It says nothing of an epoch either whose file it withholds.
    stalls: bool,
}

impl Lies {
    pub fn drawn(scene: &Scene) -> Self {
        let mut dice = Dice::of(scene.seed, "lies");
        if scene.stalls {
            return Self::stalling(scene, &mut dice);
        }
        // One that could settle alone loses all of it or nothing: a few fines more, and nobody would have a quorum.
        let captured = scene.is_captured();
        let draw = |epoch| match dice.below(6) {
            0 => Lie::Truth,
            1 if !captured => Lie::Omits,
            2 => Lie::Copies,
            3 => Lie::Equivocates,
            4 if epoch + 1 == scene.hours && !captured => Lie::Silent,
            _ => Lie::Inflates,
        };
        let mut by_epoch: Vec<Lie> = (0..scene.hours).map(draw).collect();
        let puppets_anchor = dice.one_in(2);
        let mut dice = Dice::of(scene.seed, "withholds");
        let epoch = dice.place(by_epoch.len());
        // Verifiers seek a withheld file for as long as anchoring may last: one in a run.
        if !captured && dice.one_in(2) {
            by_epoch[epoch] = Lie::Withholds;
        }
        let shows = match dice.below(4) {
            0 => Shows::Never,
            kind => Shows::At {
                step: (epoch as u64 + 1) * STEPS_PER_HOUR + dice.below(5 * STEPS_PER_HOUR),
                to: match kind {
                    1 => Audience::Judges,
                    2 => Audience::Verifier(dice.place(HONEST)),
                    _ => Audience::All,
                },
            },
        };
        Self {
            by_epoch,
            puppets_anchor,
            shows,
            stalls: false,
        }
    }

    /// From some epoch on the verifier with half the bond says nothing; in one of them it says nothing by withholding its file as well.
    fn stalling(scene: &Scene, dice: &mut Dice) -> Self {
        let from = dice.below(2);
        let mut by_epoch: Vec<Lie> = (0..scene.hours)
            .map(|epoch| if epoch < from { Lie::Truth } else { Lie::Mute })
            .collect();
        if dice.one_in(2) {
            let last = by_epoch.len() - 1;
            by_epoch[last] = Lie::Withholds;
        }
        Self {
            by_epoch,
            puppets_anchor: false,
            shows: Shows::Never,
            stalls: true,
        }
    }

    /// Whether it says nothing of what an epoch comes to.
    pub fn is_mute(&self, epoch: EpochNumber) -> bool {
        let lie = self.in_epoch(epoch);
        matches!(lie, Lie::Silent | Lie::Mute) || (self.stalls && lie == Lie::Withholds)
    }

    /// The epoch of which the liar withholds its file.
    pub fn withheld(&self) -> Option<EpochNumber> {
        let place = self.by_epoch.iter().position(|lie| *lie == Lie::Withholds)?;
        Some(EpochNumber(place as u64))
    }

    pub fn in_epoch(&self, epoch: EpochNumber) -> Lie {
        let place = usize::try_from(epoch.0).unwrap_or(usize::MAX);
        self.by_epoch.get(place).copied().unwrap_or(Lie::Truth)
    }
}

/// A result in which the last operator gets what the first earned, and its leaves.
pub fn inflated(result: &EpochResult, objects: &Memory) -> Option<(EpochResult, Vec<PayoutLeaf>)> {
    let mut leaves = EpochArchive::of(objects, &network(), result.epoch).payouts().ok()?;
    let (first, last) = (leaves.first()?.availability, leaves.len() - 1);
    let more = leaves[last].availability.checked_add(first)?;
    if last == 0 || first == Token::ZERO {
        return None;
    }
    leaves[0].availability = Token::ZERO;
    leaves[last].availability = more;
    let payouts = merkle::root(leaves.iter().map(PayoutLeaf::hash).collect());
    let inflated = EpochResult {
        payouts,
        ..result.clone()
    };
    Some((inflated, leaves))
}

/// The settlement of a result by the liar and all its puppets.
pub fn settlement(scene: &Scene, result: &EpochResult) -> SettleEpoch {
    let liars = scene.parties.iter().filter(|party| party.part != Part::Honest);
    let mut signatures: Vec<_> = liars
        .map(|party| (party.who.account, result.sign(&party.who.keys[0])))
        .collect();
    signatures.sort_unstable_by_key(|(account, _)| *account);
    let attestation = Attestation {
        result: result.clone(),
        signatures,
    };
    SettleEpoch {
        attestation,
        exchange: None,
    }
}

/// Pays the leaves of an inflated result, all at once.
pub fn payment(epoch: EpochNumber, leaves: &[PayoutLeaf]) -> Option<Body> {
    let tree = merkle::Tree::new(leaves.iter().map(PayoutLeaf::hash).collect());
    Some(Body::Pay(Pay {
        network: network(),
        epoch,
        leaves: leaves.to_vec(),
        proof: tree.prove(0, leaves.len() as u64)?,
        choices: None,
    }))
}

/// What a liar tells of an epoch instead of its honest word.
pub fn words(lie: Lie, liar: &Party, honest: Word, objects: &Memory) -> Vec<Word> {
    let inflated = inflated(honest.result(), objects).map(|(result, _)| Word {
        attestation: attest::attest(result, liar.who.account, &liar.who.keys[0]),
        exchange: None,
    });
    match (lie, inflated) {
        (Lie::Silent | Lie::Mute, _) => Vec::new(),
        (Lie::Inflates, Some(inflated)) => vec![inflated],
        (Lie::Equivocates, Some(inflated)) => vec![honest, inflated],
        _ => vec![honest],
    }
}

/// A transaction of an account as the ledger knows it now.
pub fn transaction(chain: &LocalChain, who: &Submitter, body: Body) -> Option<Signed> {
    let account = chain.account(&who.account).ok().flatten()?;
    let transaction = Transaction {
        chain: chain_id(),
        account: who.account,
        nonce: account.nonce + 1,
        fee_max: Token::ZERO,
        sponsor: None,
        body,
    };
    Some(transaction.sign_by(&who.rule, &who.keys))
}

/// That a verifier has no reports of an epoch.
pub fn empty_anchor(epoch: EpochNumber) -> Body {
    let anchors = vec![NetworkAnchor {
        network: network(),
        root: merkle::root(Vec::new()),
        count: 0,
        reports_hash: reports::empty_hash(),
    }];
    Body::AnchorEpoch(AnchorEpoch { epoch, anchors })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_lie_is_told_by_some_seed() {
        let lies = (0..100).flat_map(|seed| Lies::drawn(&Scene::of(seed)).by_epoch);
        let kinds: BTreeSet<_> = lies.filter_map(Lie::kind).collect();
        assert_eq!(kinds.len(), 6);
    }
}
