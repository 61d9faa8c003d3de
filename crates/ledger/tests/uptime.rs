//! The chain's uptime, in which windows are measured: a halt does not close what people or verifiers have time for. Tables at the edges,
//! a property over any gaps, and what a halt could cost before: a dispute, a promise, a bond.

mod world;

use cairn_ledger::genesis::{GAP_MS_MIN, GenesisError};
use cairn_ledger::records::Moment;
use cairn_ledger::*;
use cairn_types::*;
use proptest::prelude::*;
use world::*;

const GAP_MS: u64 = 60_000;
const WINDOW_MS: u64 = HOUR_MS;

/// Disputes have an hour, of a gap between blocks a minute counts at most.
fn world() -> World {
    let mut genesis = genesis(&[("vera", 5_000_000)], Default::default());
    genesis.limits.dispute_window_ms = WINDOW_MS;
    genesis.limits.gap_ms_max = GAP_MS;
    genesis.validators.push(genesis_validator("alice", 0));
    World::new(genesis)
}

fn uptime_ms(world: &mut World) -> u64 {
    view::chain(&mut world.store)
        .expect("memory")
        .expect("block 1")
        .uptime_ms
}

/// Blocks with these gaps before them, and the uptime they come to.
fn check(gaps: &[u64], expected: u64) {
    let mut world = world();
    for gap in gaps {
        world.advance(*gap);
    }
    assert_eq!(uptime_ms(&mut world), expected, "{gaps:?}");
}

#[test]
fn of_each_gap_no_more_counts_than_the_bound() {
    check(&[], 0);
    check(&[0], 0);
    check(&[1], 1);
    check(&[GAP_MS - 1], GAP_MS - 1);
    check(&[GAP_MS], GAP_MS);
    check(&[GAP_MS + 1], GAP_MS);
    check(&[100 * HOUR_MS], GAP_MS);
    check(&[0, GAP_MS - 1, GAP_MS, GAP_MS + 1, 0], 3 * GAP_MS - 1);
    check(&[HOUR_MS; 20], 20 * GAP_MS);
    check(&[1 << 52, 1 << 52, 5], 2 * GAP_MS + 5);
}

#[test]
fn a_clock_that_goes_back_stops_it_and_no_time_counts_twice() {
    let mut world = world();
    world.advance(1_000);
    world.block.time = TimeMs(world.block.time.0 - 700);
    world.advance(0);
    assert_eq!(uptime_ms(&mut world), 1_000);
    world.advance(800);
    assert_eq!(uptime_ms(&mut world), 1_100);
}

#[test]
fn the_first_block_counts_nothing_however_late_it_comes() {
    let mut genesis = world().ledger.genesis().clone();
    genesis.start = TimeMs(START.0 - 30 * 24 * HOUR_MS);
    assert_eq!(uptime_ms(&mut World::new(genesis)), 0);
}

#[test]
fn a_bound_below_what_an_idle_chain_needs_is_refused() {
    let mut genesis = world().ledger.genesis().clone();
    genesis.limits.gap_ms_max = GAP_MS_MIN - 1;
    assert_eq!(genesis.check(), Err(GenesisError::OutOfBounds("gap_ms_max")));
    genesis.limits.gap_ms_max = GAP_MS_MIN;
    assert_eq!(genesis.check(), Ok(()));
    for (window_ms, gap_ms) in [
        (0, 60_000),
        (1, GAP_MS_MIN),
        (24_000, GAP_MS_MIN),
        (300_000, 30_000),
        (600_000, 60_000),
        (24 * HOUR_MS, 60_000),
    ] {
        let limits = genesis.limits.with_dispute_window(window_ms);
        assert_eq!((limits.dispute_window_ms, limits.gap_ms_max), (window_ms, gap_ms));
    }
}

/// A world in which an epoch was settled just now, to what is wrong.
fn wrongly_settled() -> World {
    let mut world = world();
    world.line("alice create_network red");
    world.advance(HOUR_MS);
    world.advance(1);
    assert_eq!(world.line("vera anchor_epoch 0 red"), "ok EpochAnchored");
    assert_eq!(
        world.line("vera settle_epoch red 0 bob:5:1_000:0:0:0"),
        "ok EpochSettled"
    );
    // As many blocks as a window must have, at once.
    for _ in 0..world.ledger.genesis().limits.window_blocks {
        world.advance(1);
    }
    world
}

const RELEASE: &str = "dave pay red 0 0 0";
const DISPUTE: &str = "ivan open_dispute red 0 carol:5:1_000:0:0:0";

#[test]
fn a_result_settled_just_before_a_halt_is_disputed_after_it() {
    // As long as the window, far longer, and several in a row.
    for halts in [vec![WINDOW_MS], vec![48 * HOUR_MS], vec![WINDOW_MS; 5]] {
        let mut world = wrongly_settled();
        for halt in &halts {
            world.advance(*halt);
        }
        let refused = |reject: Reject| format!("refused {} {reject:?}", reject.code());
        assert_eq!(world.line(RELEASE), refused(Reject::ReleaseTooEarly), "{halts:?}");
        world.advance(1_000);
        assert_eq!(world.line(RELEASE), refused(Reject::ReleaseTooEarly), "{halts:?}");
        assert_eq!(world.line(DISPUTE), "ok DisputeOpened", "{halts:?}");
        assert_eq!(
            world.line("alice vote_dispute red 0 carol:5:1_000:0:0:0 right=true blame=true"),
            "ok DisputeVoted DisputeDecided VerifierSlashed DisputeBondReturned"
        );
    }
}

#[test]
fn a_window_closes_with_the_very_millisecond_of_uptime() {
    let early = format!("refused {} ReleaseTooEarly", Reject::ReleaseTooEarly.code());
    let late = format!("refused {} DisputeTooLate", Reject::DisputeTooLate.code());
    let mut world = wrongly_settled();
    let settled = uptime_ms(&mut world) - world.ledger.genesis().limits.window_blocks;
    while settled + WINDOW_MS - uptime_ms(&mut world) > GAP_MS {
        world.advance(GAP_MS + 777);
    }
    let left = settled + WINDOW_MS - uptime_ms(&mut world);
    world.advance(left - 1);
    assert_eq!(world.line(RELEASE), early);
    world.advance(1);
    assert_eq!(world.line(DISPUTE), late);
    assert_eq!(world.line(RELEASE), "ok EpochReleased");
}

#[test]
fn verifiers_anchor_after_a_halt_what_was_closed_before_it() {
    let mut genesis = genesis(&[("vera", 5_000_000), ("vito", 3_000_000)], Default::default());
    genesis.limits.gap_ms_max = GAP_MS;
    let mut world = World::new(genesis);
    world.line("alice create_network red");
    world.advance(HOUR_MS);
    for _ in 0..5 {
        world.advance(1);
    }
    assert_eq!(world.line("vera anchor_epoch 0 red"), "ok EpochAnchored");
    world.advance(20 * 60_000);
    world.advance(50 * 60_000);
    assert_eq!(world.line("vito anchor_epoch 0 red"), "ok EpochAnchored");
}

#[test]
fn what_nobody_could_settle_during_a_halt_does_not_expire_after_it() {
    let mut genesis = world().ledger.genesis().clone();
    (genesis.limits.gap_ms_max, genesis.limits.anchor_window_ms) = (HOUR_MS / 3, HOUR_MS);
    let mut world = World::new(genesis);
    world.line("alice create_network red");
    world.advance(HOUR_MS);
    // Far longer than an unsettled epoch may be, then as many blocks as it may last, and an epoch that closes.
    for ms in [20 * HOUR_MS].into_iter().chain([1; 10]).chain([HOUR_MS]) {
        world.advance(ms);
    }
    assert_eq!(world.line("vera anchor_epoch 0 red"), "ok EpochAnchored");
    assert_eq!(world.line("vera settle_epoch red 0"), "ok EpochSettled");
    // But the chain's own time is as long as it was.
    for _ in 0..4 * 3 {
        world.advance(HOUR_MS / 3);
    }
    assert!(world.line("show pool red 1").starts_with("Expired"));
}

#[test]
fn stake_that_leaves_stays_liable_as_long_as_windows_that_do_not_pass() {
    let mut world = wrongly_settled();
    assert_eq!(world.line("vera unbond_verifier 5_000_000"), "ok VerifierUnbonding");
    // So many epochs close after the halt that by the clock it is free.
    for ms in [10 * HOUR_MS, 1, 1, 1] {
        world.advance(ms);
    }
    assert_eq!(
        world.line("show verifier vera"),
        "bond 0 joining 0 unbonding 5000000 held 0"
    );
    assert_eq!(world.line(DISPUTE), "ok DisputeOpened");
    assert_eq!(
        world.line("alice vote_dispute red 0 carol:5:1_000:0:0:0 right=true blame=true"),
        "ok DisputeVoted DisputeDecided VerifierSlashed DisputeBondReturned"
    );
}

#[test]
fn a_halt_is_no_time_that_verifiers_had_to_settle_an_epoch() {
    let mut genesis = world().ledger.genesis().clone();
    genesis.limits.stall_ms = 2 * HOUR_MS;
    let mut world = World::new(genesis);
    world.line("alice create_network red");
    world.advance(HOUR_MS);
    world.advance(1);
    assert_eq!(world.line("vera anchor_epoch 0 red"), "ok EpochAnchored");
    let early = format!("refused {} NotStalled", Reject::NotStalled.code());
    for halt in [48 * HOUR_MS, HOUR_MS, HOUR_MS] {
        world.advance(halt);
        assert_eq!(world.line("ivan open_dispute red 0"), early);
    }
    let closed = GAP_MS;
    while closed + 2 * HOUR_MS - uptime_ms(&mut world) > GAP_MS {
        world.advance(GAP_MS);
    }
    let left = closed + 2 * HOUR_MS - uptime_ms(&mut world);
    world.advance(left - 1);
    assert_eq!(world.line("ivan open_dispute red 0"), early);
    world.advance(1);
    assert_eq!(world.line("ivan open_dispute red 0"), "ok DisputeOpened");
}

#[test]
fn a_stall_leaves_verifiers_their_windows_and_validators_a_quarter_of_the_time() {
    let mut genesis = world().ledger.genesis().clone();
    let fits = |genesis: &Genesis| genesis.check().is_ok();
    // Anchoring takes half an hour, an epoch expires after four.
    for (stall_ms, is_good) in [
        (0, true),
        (1, false),
        (HOUR_MS / 2, false),
        (HOUR_MS / 2 + 1, true),
        (3 * HOUR_MS, true),
        (3 * HOUR_MS + 1, false),
        (u64::MAX, false),
    ] {
        genesis.limits.stall_ms = stall_ms;
        assert_eq!(fits(&genesis), is_good, "{stall_ms}");
    }
    genesis.limits = genesis.limits.with_stall(HOUR_MS);
    assert_eq!(genesis.limits.stall_ms, HOUR_MS / 2 * 3);
    assert!(fits(&genesis));
    genesis.limits.anchor_window_ms = 2 * HOUR_MS - 1;
    genesis.limits = genesis.limits.with_stall(HOUR_MS);
    assert_eq!(genesis.limits.stall_ms, 3 * HOUR_MS);
    // Nobody asks for nothing.
    genesis.limits.stall_ms = 3 * HOUR_MS;
    (genesis.limits.dispute_window_ms, genesis.limits.dispute_bond) = (0, Token(0));
    assert_eq!(genesis.check(), Err(GenesisError::OutOfBounds("dispute_bond")));
}

#[test]
fn what_a_customer_signed_before_a_halt_is_settled_after_it() {
    let refused = |reject: Reject| format!("refused {} {reject:?}", reject.code());
    // Far longer than the order, several halts, and one that begins in its last minutes.
    for (before, halts) in [(0, vec![48 * HOUR_MS]), (30, vec![HOUR_MS; 5]), (58, vec![2 * HOUR_MS])] {
        let mut world = world();
        world.line("alice create_network red");
        world.line("ivan issue_stable carol 100");
        world.line("carol buy_credits stable 100");
        assert_eq!(
            world.line("carol open_order red bob 60 as=o ms=3_600_000"),
            "ok OrderOpened"
        );
        for _ in 0..before {
            world.advance(GAP_MS);
        }
        for halt in &halts {
            world.advance(*halt);
        }
        assert_eq!(
            world.line("dave expire_order o"),
            refused(Reject::OrderNotExpired),
            "{halts:?}"
        );
        assert_eq!(world.line("bob settle_order o 40"), "ok OrderSettled", "{halts:?}");
        // Its time goes on where it was, and ends with the very millisecond.
        for _ in before..59 - halts.len() {
            world.advance(GAP_MS + 1);
        }
        world.advance(GAP_MS - 1);
        assert_eq!(world.line("bob settle_order o 50"), "ok OrderSettled");
        assert_eq!(world.line("dave expire_order o"), refused(Reject::OrderNotExpired));
        world.advance(1);
        assert_eq!(world.line("bob settle_order o 60"), refused(Reject::OrderExpired));
        assert_eq!(world.line("dave expire_order o"), "ok OrderExpired");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// However long the gaps are, a window does not close with fewer blocks than it holds bounds, nor before its time by the clock.
    #[test]
    fn a_window_needs_its_blocks_and_its_time(
        gaps in prop::collection::vec(prop_oneof![0..GAP_MS, Just(GAP_MS), GAP_MS..40 * HOUR_MS], 1..200),
        window_ms in 1u64..3 * HOUR_MS,
    ) {
        let mut genesis = genesis(&[("vera", 5_000_000)], Default::default());
        (genesis.limits.gap_ms_max, genesis.limits.window_blocks) = (GAP_MS, 1);
        let ledger = Ledger::new(genesis).expect("a genesis that holds");
        let limits = ledger.genesis().limits;
        let mut store = MemoryStore::default();
        let mut block = Block { height: 1, time: START, beacon: None };
        ledger.begin_block(&mut store, &block, &mut Vec::new()).expect("memory");
        let now = |store: &mut MemoryStore| view::chain(store).expect("memory").expect("block 1").moment();
        let opened: Moment = now(&mut store);
        let mut counted = 0;
        for (blocks, gap) in (1..).zip(gaps) {
            block = Block { height: block.height + 1, time: block.time.plus_ms(gap), beacon: None };
            ledger.begin_block(&mut store, &block, &mut Vec::new()).expect("memory");
            counted += gap.min(GAP_MS);
            let moment = now(&mut store);
            prop_assert_eq!(limits.left_ms(window_ms, opened, moment), window_ms.saturating_sub(counted));
            if limits.is_over(window_ms, opened, moment) {
                prop_assert!(blocks >= window_ms.div_ceil(GAP_MS));
                prop_assert!(moment.time.since_ms(opened.time) >= window_ms);
            }
        }
    }
}
