//! Three verifiers that do not trust each other, from reports to one settled result: whole, silent, dead, lying, killed.

use super::*;
use crate::audit::audit;
use crate::chain::ChainView;
use crate::differences::Differs;
use crate::evidence::{self, EvidenceError};
use crate::meters::{self, MeterEntry};
use crate::peers::{Wanted, What, Word};
use crate::world::several::Several;
use crate::world::{THREE, WHOLE, World, account, after, device_key, key, meters_by, sealed};
use crate::{attest, collector::Sealed};
use cairn_ledger::tx::Body;
use cairn_ledger::tx::anchor_epoch::{AnchorEpoch, NetworkAnchor};
use cairn_ledger::tx::slash_receipt::Evidence;
use cairn_ledger::view;
use cairn_types::{Credit, DeviceNumber, EpochResult, Token};
use cairn_verticals::kit::reasons::EQUIVOCATED;

const ALL: [usize; 3] = [0, 1, 2];
/// The third one is not needed.
const SMALL_THIRD: [u64; 3] = [40_000, 40_000, 20_000];

pub(super) fn archive<'a>(several: &'a Several, at: usize, hour: u64) -> EpochArchive<'a> {
    EpochArchive::of(
        &several.verifiers[at].objects,
        &several.world.network,
        EpochNumber(hour),
    )
}

pub(super) fn assert_audited(several: &Several, of: &[usize], hour: u64) {
    for at in of {
        let objects = &several.verifiers[*at].objects;
        let audited = audit(objects, several.chain(), &several.world.network, EpochNumber(hour)).unwrap();
        assert_eq!(audited.difference, None, "{at}");
        assert_eq!(Some(audited.result), several.settled(hour));
    }
}

/// Whose files a verifier's result leaves out.
pub(super) fn without(several: &Several, at: usize, hour: u64) -> Vec<AccountId> {
    let places = complete(&archive(several, at, hour))
        .unwrap()
        .attestation
        .result
        .without;
    let anchoring = several.chain().anchoring(&several.world.network, EpochNumber(hour));
    anchoring.unwrap().verifiers_at(&places)
}

#[test]
fn devices_split_among_three_come_to_one_result_the_one_that_a_verifier_with_all_of_them_comes_to() {
    let mut several = Several::new([30_000; 3], 3);
    let alone = World::new(3);
    let (mut collector, mut epochs) = (alone.collector(), alone.epochs());
    for hour in 0..2 {
        let receipts = several.feed(hour);
        assert!(receipts.iter().all(|receipts| receipts.len() > 1), "{receipts:?}");
        let now = several.end(hour);
        several.advance_all(&ALL, now);
        assert_audited(&several, &ALL, hour);
        alone.feed(&mut collector, hour);
        alone.close(&mut epochs, &mut collector, hour);
        let roots = |chain: &dyn ChainView, network| chain.roots(network, EpochNumber(hour)).unwrap().unwrap();
        let (three, one) = (
            roots(several.chain(), &several.world.network),
            roots(&alone.chain, &alone.network),
        );
        assert_eq!(
            (three.archive, three.findings, three.memory),
            (one.archive, one.findings, one.memory)
        );
        let settlement = several
            .chain()
            .settlement(&several.world.network, EpochNumber(hour))
            .unwrap()
            .unwrap();
        assert_eq!((settlement.signers, settlement.cursor), (3, settlement.leaves));
    }
}

#[test]
fn what_one_of_them_was_told_of_a_sale_all_of_them_count() {
    let mut several = Several::new([30_000; 3], 2);
    several.feed(0);
    let order = several.world.order();
    let entries = vec![MeterEntry {
        device: DeviceNumber(0),
        credits: Credit(300_000),
    }];
    let chain = several.chain().facts().unwrap().chain;
    let told = meters_by(
        several.world.network,
        order,
        entries.clone(),
        &chain,
        &account(crate::world::PROVIDER),
    );
    several.verifiers[1].collector.take_meters(after(0), &told).unwrap();
    several.world.voucher(order, Credit(300_000), meters::root(&entries));
    let now = several.end(0);
    several.advance_all(&ALL, now);
    assert_audited(&several, &ALL, 0);
    let inputs = archive(&several, 2, 0).inputs().unwrap();
    assert_eq!(inputs.meters[0].entries, entries);
    assert!(
        archive(&several, 2, 0)
            .payouts()
            .unwrap()
            .iter()
            .any(|leaf| leaf.customers_paid > Credit(0))
    );
}

#[test]
fn while_an_epoch_cannot_be_settled_the_next_ones_are_anchored_in_their_time() {
    let mut several = Several::new([30_000; 3], 3);
    for hour in 0..3 {
        several.feed(hour);
        let now = several.end(hour);
        several.advance_all(&[0, 1], now);
        let anchoring = several
            .chain()
            .anchoring(&several.world.network, EpochNumber(hour))
            .unwrap();
        assert_eq!(anchoring.anchors.len(), 2, "hour {hour}");
    }
    assert_eq!(several.settled(0), None, "two of three equal bonds are no quorum");
    // The third one comes back, too late for what it promised, not too late to settle.
    let now = several.end(2).plus_ms(crate::world::HOUR / 2);
    several.chain().advance(now);
    several.advance_all(&ALL, now);
    for hour in 0..3 {
        assert_audited(&several, &ALL, hour);
    }
}

#[test]
fn what_is_anchored_while_an_earlier_epoch_waits_is_fetched_before_its_verifier_is_gone() {
    let mut several = Several::new(SMALL_THIRD, 2);
    several.feed(0);
    // Nobody hears what the others say of hour 0, so that it waits.
    for at in ALL {
        let mute = |_: &AccountId, wanted: &Wanted, honest| match wanted.what {
            What::Words => None,
            _ => honest,
        };
        several.set_mood(at, Some(Box::new(mute)));
    }
    let now = several.end(0);
    several.advance_all(&ALL, now);
    several.feed(1);
    let now = several.end(1);
    several.advance_all(&ALL, now);
    assert_eq!(several.settled(0), None);
    several.hang_up(2);
    several.set_mood(0, None);
    several.set_mood(1, None);
    several.advance_all(&[0, 1], now);
    for hour in 0..2 {
        assert_audited(&several, &[0, 1], hour);
        assert!(without(&several, 0, hour).is_empty());
    }
}

#[test]
fn a_verifier_that_is_silent_is_waited_for_until_the_window_ends_and_not_longer() {
    let mut several = Several::new(SMALL_THIRD, 2);
    several.feed(0);
    let now = several.end(0);
    several.advance_all(&[0, 1], now);
    assert_eq!(several.settled(0), None);
    let later = now.plus_ms(crate::world::HOUR / 2);
    several.chain().advance(later);
    several.advance_all(&[0, 1], later);
    assert_audited(&several, &[0, 1], 0);
    // It comes back, too late for its reports, and follows.
    several.advance_all(&[2], later);
    assert_audited(&several, &[2], 0);
    assert_eq!(
        several
            .chain()
            .anchoring(&several.world.network, EpochNumber(0))
            .unwrap()
            .anchors
            .len(),
        2
    );
}

#[test]
fn without_two_thirds_of_the_bond_nothing_is_settled() {
    let mut several = Several::new([30_000; 3], 2);
    several.feed(0);
    let later = several.end(0).plus_ms(crate::world::HOUR / 2);
    several.chain().advance(later);
    several.advance_all(&[0, 1], later);
    assert_eq!(several.settled(0), None, "two of three are not more than two thirds");
    let waits = several.advance(0, later).waits;
    assert_eq!(waits[0].2, Waits::Signatures);
    several.advance_all(&ALL, later);
    assert_audited(&several, &ALL, 0);
}

#[test]
fn a_file_that_one_got_before_its_verifier_died_reaches_all() {
    let mut several = Several::new(SMALL_THIRD, 2);
    several.feed(0);
    let now = several.end(0);
    // All anchor, the third last; the first fetches, then the third is gone.
    for at in [0, 1, 2, 0] {
        several.advance(at, now);
    }
    several.hang_up(2);
    several.advance_all(&[0, 1], now);
    assert_audited(&several, &[0, 1], 0);
}

#[test]
fn a_file_that_comes_late_is_judged_with_the_others() {
    let mut several = Several::new(SMALL_THIRD, 2);
    several.feed(0);
    let now = several.end(0);
    several.hang_up(2);
    several.advance_all(&ALL, now);
    assert_eq!(several.advance(0, now).waits[0].2, Waits::Reports);
    assert_eq!(several.settled(0), None);
    several.set_mood(2, None);
    several.advance_all(&ALL, now);
    assert_audited(&several, &ALL, 0);
    assert!(without(&several, 0, 0).is_empty());
}

#[test]
fn a_file_that_nobody_can_have_is_left_out_and_each_receipt_for_it_is_proven_broken() {
    let mut several = Several::new(SMALL_THIRD, 3);
    let receipts = several.feed(0);
    let now = several.end(0);
    several.hang_up(2);
    several.advance_all(&ALL, now);
    // One that misses it does not do without it, however long.
    let later = now.plus_ms(crate::world::HOUR / 2);
    several.chain().advance(later);
    for _ in 0..3 {
        assert_eq!(several.advance(0, later).waits[0].2, Waits::Reports);
    }
    several.advance_all(&[0, 1], later);
    assert_audited(&several, &[0, 1], 0);
    assert_eq!(without(&several, 0, 0), [several.account(2)]);
    // Whoever withheld it takes up the result in force, and goes on from it; its own file stays.
    several.set_mood(2, None);
    several.advance_all(&ALL, later);
    assert_audited(&several, &[2], 0);
    assert_eq!(without(&several, 2, 0), [several.account(2)]);
    let anchoring = several
        .chain()
        .anchoring(&several.world.network, EpochNumber(0))
        .unwrap();
    let own = anchoring.of(&several.account(2)).unwrap().reports_hash;
    assert!(archive(&several, 2, 0).sealed(&own).unwrap().is_some());
    several.feed(1);
    let now = several.end(1);
    several.advance_all(&ALL, now);
    assert_audited(&several, &ALL, 1);

    let objects = &several.verifiers[0].objects;
    let kept = evidence::broken(&receipts[0][0], several.chain(), objects).unwrap();
    assert_eq!(kept, None);
    let proof = evidence::broken(&receipts[2][0], several.chain(), objects)
        .unwrap()
        .unwrap();
    assert!(matches!(proof.evidence, Evidence::NotJudged(_)));
}

#[test]
fn a_report_with_a_receipt_that_is_left_out_of_the_anchor_is_proven_and_slashed() {
    let mut several = Several::new(SMALL_THIRD, 2);
    let receipts = several.feed(0);
    let now = several.end(0);
    let early = evidence::broken(&receipts[2][0], several.chain(), &several.verifiers[0].objects);
    assert_eq!(early, Err(EvidenceError::TooEarly(EpochNumber(0))));
    several.verifiers[2]
        .collector
        .seal(now, &several.world.network, EpochNumber(0))
        .unwrap();
    let mut rows = several.verifiers[2]
        .collector
        .sealed(&several.world.network, EpochNumber(0))
        .unwrap();
    let omitted = rows.remove(1).id;
    anchor_as_third(&several, &rows);
    several.advance_all(&[0, 1], now);
    for receipt in &receipts[2] {
        let found = evidence::broken(receipt, several.chain(), &several.verifiers[1].objects).unwrap();
        assert_eq!(found.is_some(), receipt.report == omitted);
        if let Some(proof) = found {
            account(crate::world::CUSTOMER)
                .submit(several.chain(), Body::SlashReceipt(proof))
                .unwrap();
        }
    }
}

/// Anchors a file in the third verifier's name and serves it.
fn anchor_as_third(several: &Several, rows: &[Sealed]) {
    let file = archive::reports::write(rows, &[]);
    let anchor = NetworkAnchor {
        network: several.world.network,
        root: attest::archive_root(rows),
        count: rows.len() as u64,
        reports_hash: hash::sha256(&file),
    };
    let body = AnchorEpoch {
        epoch: EpochNumber(0),
        anchors: vec![anchor],
    };
    account(THREE[2])
        .submit(several.chain(), Body::AnchorEpoch(body))
        .unwrap();
    archive(several, 2, 0)
        .put(&archive::sealed_name(&anchor.reports_hash), &file)
        .unwrap();
}

#[test]
fn a_report_nobody_signed_is_left_out_of_an_anchored_file_and_the_others_are_judged() {
    let mut several = Several::new(SMALL_THIRD, 2);
    let given = several.feed(0)[2].len();
    let now = several.end(0);
    several.verifiers[2]
        .collector
        .seal(now, &several.world.network, EpochNumber(0))
        .unwrap();
    let mut rows = several.verifiers[2]
        .collector
        .sealed(&several.world.network, EpochNumber(0))
        .unwrap();
    let last = rows[0].envelope.len() - 1;
    rows[0].envelope[last] ^= 1;
    rows[1].device = DeviceNumber(900);
    let (forged, renamed) = (rows[0].id, rows[1].id);
    anchor_as_third(&several, &rows);
    several.advance_all(&[0, 1], now);
    assert_audited(&several, &[0, 1], 0);
    let judged = archive(&several, 0, 0).need(archive::REPORTS).unwrap();
    let judged = archive::reports::read(judged).unwrap();
    assert!(judged.iter().all(|row| row.id != forged));
    let renamed = judged.iter().find(|row| row.id == renamed).unwrap();
    assert_ne!(renamed.device, DeviceNumber(900), "its number is the ledger's");
    let of_third = judged
        .iter()
        .filter(|row| rows.iter().any(|own| own.id == row.id))
        .count();
    assert_eq!(of_third, given - 1);
}

#[test]
fn a_report_that_two_verifiers_took_is_judged_once() {
    let mut several = Several::new([30_000; 3], 2);
    let sent = several.world.envelopes(0);
    let sent_twice = several.feed(0)[0].len();
    several.send(1, 0, &sent);
    let now = several.end(0);
    several.advance_all(&ALL, now);
    assert_audited(&several, &ALL, 0);
    assert!(sent_twice > 0);
    let findings = archive(&several, 0, 0).findings().unwrap();
    assert!(findings.windows(2).all(|pair| pair[0].report < pair[1].report));
}

#[test]
fn a_device_that_tells_two_verifiers_two_things_under_one_number_earns_nothing_and_is_barred() {
    let mut several = Several::new([30_000; 3], 2);
    let network = several.world.network;
    several.feed(0);
    for (at, minute) in [(0, 1), (1, 2)] {
        let report = sealed(network, 3, TimeMs(after(0).0 - minute * 60_000), 9_999);
        assert_eq!(several.send(at, 0, &[report]).len(), 1);
    }
    let now = several.end(0);
    several.advance_all(&ALL, now);
    assert_audited(&several, &ALL, 0);
    let id = device_key(3).public().device_id();
    let device = several.chain().read(|store| view::device(store, &id)).unwrap().unwrap();
    assert!(device.barred.is_some());
    let findings = archive(&several, 2, 0).findings().unwrap();
    let named = findings.iter().filter(|finding| finding.reason == Some(EQUIVOCATED));
    assert_eq!(named.count(), 2);
}

/// The third verifier's word on hour 0 with more paid than is right.
fn inflated(several: &Several) -> (Word, Vec<Finding>) {
    let own = archive(several, 0, 0);
    let (mut result, mut findings) = (
        own.manifest().unwrap().unwrap().attestation.result,
        own.findings().unwrap(),
    );
    findings[3].units += 1_000_000;
    result.findings = cairn_types::finding::root(&findings);
    result.totals.availability = Token(result.totals.availability.0 + WHOLE);
    (word(result), findings)
}

fn word(result: EpochResult) -> Word {
    Word {
        attestation: attest::attest(result, account(THREE[2]).account, &key(THREE[2])),
        exchange: None,
    }
}

#[test]
fn who_inflates_a_result_is_outvoted_and_named_with_the_first_finding_that_differs() {
    let mut several = Several::new(SMALL_THIRD, 2);
    several.feed(0);
    let now = several.end(0);
    several.set_mood(
        2,
        Some(Box::new(|_, wanted, honest| {
            honest.filter(|_| wanted.what != What::Words)
        })),
    );
    for at in [0, 1, 2, 0, 1] {
        several.advance(at, now);
    }
    assert!(several.settled(0).is_some(), "two of them are a quorum");
    let (word, findings) = inflated(&several);
    let (words, findings) = (codec::encode(&vec![word]), codec::encode(&findings));
    several.set_mood(
        2,
        Some(Box::new(move |_, wanted, honest| match wanted.what {
            What::Words => Some(words.clone()),
            What::Named(archive::FINDINGS) => Some(findings.clone()),
            _ => honest,
        })),
    );
    let named: Vec<_> = (0..3).flat_map(|_| several.advance(0, now).differs).collect();
    assert_eq!(named, [(several.world.network, EpochNumber(0), several.account(2))]);
    let bytes = archive(&several, 0, 0).need(archive::DIFFERENCES).unwrap();
    let differs: Vec<Differs> = codec::decode_canonical(&bytes).unwrap();
    assert_eq!(differs[0].fields, ["findings", "totals"]);
    let first = differs[0].first.as_ref().unwrap();
    assert_eq!((first.row, first.field.as_str()), (3, "units"), "{first:?}");
}

#[test]
fn who_tells_two_verifiers_two_results_loses_its_bond() {
    let mut several = Several::new(SMALL_THIRD, 2);
    several.feed(0);
    let now = several.end(0);
    several.set_mood(
        2,
        Some(Box::new(|_, wanted, honest| {
            honest.filter(|_| wanted.what != What::Words)
        })),
    );
    for at in [0, 1, 2, 0] {
        several.advance(at, now);
    }
    let honest = word(archive(&several, 0, 0).manifest().unwrap().unwrap().attestation.result);
    let second = several.account(1);
    let (honest, lie) = (codec::encode(&vec![honest]), codec::encode(&vec![inflated(&several).0]));
    several.set_mood(
        2,
        Some(Box::new(move |asks, wanted, file| match wanted.what {
            What::Words if *asks == second => Some(lie.clone()),
            What::Words => Some(honest.clone()),
            _ => file,
        })),
    );
    several.advance_all(&[0, 1], now);
    assert!(several.settled(0).is_some());
    let verifiers = several.chain().verifiers().unwrap();
    assert_eq!(
        verifiers.of(&several.account(2)).unwrap().bond,
        Token(0),
        "nothing is at stake any more"
    );
}

#[test]
fn who_is_outvoted_goes_on_with_the_memory_of_the_result_in_force() {
    let mut several = Several::new(SMALL_THIRD, 3);
    several.feed(0);
    let now = several.end(0);
    for at in [0, 1, 2] {
        several.advance(at, now);
    }
    // Its own archive says something else: as if its program judged otherwise.
    let own = archive(&several, 2, 0);
    let mut manifest = own.manifest().unwrap().unwrap();
    manifest.attestation.result.totals.units += 1;
    let (verifier, result) = (account(THREE[2]).account, manifest.attestation.result.clone());
    manifest.attestation = attest::attest(result, verifier, &key(THREE[2]));
    own.put(archive::MANIFEST, &codec::encode(&manifest)).unwrap();
    own.put(archive::MEMORY, &archive::memory_file(b"another")).unwrap();
    several.advance_all(&[0, 1], now);
    several.advance_all(&ALL, now);
    several.feed(1);
    let now = several.end(1);
    several.advance_all(&ALL, now);
    let settlement = several
        .chain()
        .settlement(&several.world.network, EpochNumber(1))
        .unwrap()
        .unwrap();
    assert!(settlement.signers >= 2);
    assert_audited(&several, &ALL, 1);
}

#[test]
fn verifiers_killed_at_any_write_come_to_the_same_result() {
    let undisturbed = hours_with_kills(|_, _| {});
    let killed = hours_with_kills(|several, kills| {
        for one in &several.verifiers {
            one.objects.stop_after(Some(kills % 11));
        }
    });
    assert_eq!(killed, undisturbed);
}

/// Two hours of three verifiers, each of which is opened anew when something of it fails.
fn hours_with_kills(stop: impl Fn(&Several, u32)) -> Vec<[Hash; 3]> {
    let mut several = Several::new([30_000; 3], 2);
    let mut kills = 0;
    for hour in 0..2 {
        several.feed(hour);
        let now = several.end(hour);
        while several.settled(hour).is_none() {
            for at in ALL {
                stop(&several, kills);
                if !several.advance(at, now).failed.is_empty() {
                    kills += 1;
                    several.verifiers.iter().for_each(|one| one.objects.stop_after(None));
                    several.reopen(at);
                }
            }
        }
        several.verifiers.iter().for_each(|one| one.objects.stop_after(None));
        several.advance_all(&ALL, now);
        assert_audited(&several, &ALL, hour);
    }
    // Anchors come in another order, all else is the same.
    let roots = |hour| {
        let roots = several
            .chain()
            .roots(&several.world.network, EpochNumber(hour))
            .unwrap()
            .unwrap();
        [roots.archive, roots.findings, roots.memory]
    };
    (0..2).map(roots).collect()
}
