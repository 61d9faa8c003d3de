//! A verifier with half the bond that shows nobody its file and signs nothing, or something else: validators settle the epoch in the
//! verifiers' stead, the others are paid, and only who signed something else loses its bond.

use super::late::{HONEST, LATE, assert_bonds, assert_left_out, disputable, unmute, withheld};
use super::several::{archive, assert_audited};
use super::*;
use crate::audit::{RecomputeError, Verdict, verdict};
use crate::chain::ChainView;
use crate::peers::What;
use crate::world::several::Several;
use crate::world::{CUSTOMER, FOUNDER, FOUR, HOUR, account, key};
use cairn_ledger::tx::Body;
use cairn_ledger::tx::open_dispute::OpenDispute;
use cairn_types::{EpochResult, Token};

const BONDS: [u64; 4] = [20_000, 20_000, 20_000, 60_000];

fn judge(several: &Several) -> Result<Verdict, RecomputeError> {
    let objects = &several.verifiers[0].objects;
    verdict(objects, several.chain(), &several.world.network, EpochNumber(0), None)
}

/// From now on it says that the epoch came to this.
fn says(several: &Several, result: EpochResult) {
    let attestation = attest::attest(result, several.account(LATE), &key(FOUR[LATE]));
    let exchange = None;
    let said = codec::encode(&vec![Word { attestation, exchange }]);
    let mood = move |_: &AccountId, wanted: &crate::peers::Wanted, _| match wanted.what {
        What::Words => Some(said.clone()),
        _ => None,
    };
    several.set_mood(LATE, Some(Box::new(mood)));
}

#[test]
fn what_half_the_bond_keeps_from_a_quorum_validators_settle_and_the_others_share() {
    let (mut several, later) = withheld(&BONDS, 2, |genesis| {
        disputable(genesis);
        genesis.limits.stall_ms = 2 * HOUR;
    });
    unmute(&several, &HONEST);
    several.advance_all(&HONEST, later);
    assert!(
        archive(&several, 0, 0).manifest().unwrap().is_none(),
        "too few miss it to leave it out"
    );
    assert!(judge(&several).is_err(), "nothing says by what it is judged");

    // Once it is stalled each judges by what there is; that is no quorum, but validators can recompute it.
    let now = later.plus_ms(2 * HOUR);
    several.chain().advance(now);
    several.advance_all(&HONEST, now);
    assert_left_out(&several, &HONEST, &[several.account(LATE)]);
    assert_eq!(several.settled(0), None);
    let found = judge(&several).unwrap();
    let Verdict::Unsettled(right) = &found else {
        panic!("{found:?}")
    };
    let ours = complete(&archive(&several, 0, 0)).unwrap().attestation.result;
    assert_eq!(right.result, ours);
    let open = OpenDispute {
        claimed: right.result.clone(),
        exchange: right.exchange,
    };
    account(CUSTOMER)
        .submit(several.chain(), Body::OpenDispute(open))
        .unwrap();
    account(FOUNDER)
        .submit(several.chain(), Body::VoteDispute(found.vote()))
        .unwrap();
    assert_eq!(several.settled(0), Some(ours.hash()));

    let other = EpochResult {
        findings: Hash([9; 32]),
        ..ours
    };
    says(&several, other);
    several.advance_all(&HONEST, now);
    let settlement = || {
        several
            .chain()
            .settlement(&several.world.network, EpochNumber(0))
            .unwrap()
            .unwrap()
    };
    assert_eq!(settlement().signers, 3, "the others share the verifiers' part");
    assert_bonds(&several, &BONDS);
    let late = several.account(LATE);
    let verifiers = several.chain().verifiers().unwrap();
    assert!(
        verifiers.of(&late).is_none_or(|late| late.bond == Token::ZERO),
        "it signed something else"
    );

    let now = now.plus_ms(5 * HOUR);
    several.chain().advance(now);
    several.advance_all(&HONEST, now);
    let settlement = several
        .chain()
        .settlement(&several.world.network, EpochNumber(0))
        .unwrap()
        .unwrap();
    assert_eq!(settlement.cursor, settlement.leaves);
    assert_audited(&several, &HONEST, 0);
}
