//! What the pool promises, case by case and under random use.

use super::*;
use cairn_engine::{Tx, TxSource};
use cairn_types::{AccountId, Hash, Token};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

fn limits() -> Limits {
    Limits {
        count_max: 6,
        bytes_max: 200,
        account_count_max: 4,
        replace_percent: 10,
        wait_ms_max: 100,
    }
}

fn account(n: u8) -> AccountId {
    AccountId([n; 32])
}

/// A transaction of ten bytes, different for every account, nonce and fee.
fn candidate(of: u8, nonce: u64, fee: u64) -> Candidate {
    let mut bytes = vec![of, nonce as u8];
    bytes.extend(fee.to_be_bytes());
    let tx = Tx::new(bytes);
    Candidate {
        id: Hash(tx.hash),
        tx,
        account: account(of),
        nonce,
        fee_max: Token(fee),
    }
}

fn id(of: u8, nonce: u64, fee: u64) -> Hash {
    candidate(of, nonce, fee).id
}

fn pool(waiting: &[(u8, u64)]) -> Pool {
    let mut pool = Pool::new(limits());
    for (of, nonce) in waiting {
        assert_eq!(pool.add(candidate(*of, *nonce, 100), Some(0), 0), Ok(vec![]));
    }
    pool
}

/// (account, nonce) of what the pool hands out, in order.
fn peeked(pool: &Pool) -> Vec<(u8, u64)> {
    let all = pool.peek(usize::MAX, usize::MAX, &|_| false);
    all.iter().map(|tx| (tx.bytes[0], u64::from(tx.bytes[1]))).collect()
}

fn gone(of: u8, nonce: u64, why: Why) -> Departure {
    Departure {
        id: id(of, nonce, 100),
        why,
    }
}

fn included(of: u8, nonce: u64, fee: u64) -> Included {
    Included {
        id: id(of, nonce, fee),
        account: account(of),
        nonce,
    }
}

#[test]
fn a_large_one_is_not_overtaken_by_small_ones_that_would_fit() {
    let mut pool = pool(&[(1, 1)]);
    let large = Tx::new(vec![2; 90]);
    let candidate = Candidate {
        id: Hash(large.hash),
        tx: large,
        ..candidate(2, 1, 100)
    };
    assert_eq!(pool.add(candidate, Some(0), 0), Ok(vec![]));
    for of in 3..5 {
        assert_eq!(pool.add(self::candidate(of, 1, 100), Some(0), 0), Ok(vec![]));
    }
    let handed_out = |pool: &Pool| -> Vec<u8> { pool.peek(9, 100, &|_| false).iter().map(|tx| tx.bytes[0]).collect() };
    assert_eq!(handed_out(&pool), [1, 2]);
    pool.finalized(
        1,
        &[Included {
            id: id(1, 1, 100),
            account: account(1),
            nonce: 1,
        }],
    );
    assert_eq!(
        handed_out(&pool),
        [2, 3],
        "it is first, and keeps nobody behind it from what it leaves"
    );
}

#[test]
fn the_first_come_is_the_first_served_and_nonces_keep_their_order() {
    assert_eq!(peeked(&pool(&[(1, 1), (2, 1), (1, 2)])), [(1, 1), (2, 1), (1, 2)]);
    assert_eq!(peeked(&pool(&[(1, 7), (2, 1), (1, 3)])), [(1, 3), (1, 7), (2, 1)]);
    assert_eq!(
        peeked(&pool(&[(2, 1), (1, 9), (1, 5), (1, 7)])),
        [(2, 1), (1, 5), (1, 7), (1, 9)]
    );
}

#[test]
fn peeking_takes_nothing_out_and_heeds_its_bounds() {
    let pool = pool(&[(1, 1), (1, 2), (2, 1)]);
    assert_eq!(pool.peek(2, usize::MAX, &|_| false).len(), 2);
    assert_eq!(pool.peek(9, 29, &|_| false).len(), 2);
    let rest = pool.peek(1, 10, &|hash| *hash == id(1, 1, 100).0);
    assert_eq!(rest.iter().map(|tx| Hash(tx.hash)).collect::<Vec<_>>(), [id(1, 2, 100)]);
    assert_eq!(pool.count(), 3);
}

#[test]
fn what_stands_in_a_block_leaves_with_what_it_made_impossible() {
    let mut pool = pool(&[(1, 1), (1, 2), (1, 3), (2, 1)]);
    let (first, second) = (Why::Final { height: 5, index: 0 }, Why::Final { height: 5, index: 1 });
    let elsewhere = Departure {
        id: id(1, 2, 777),
        why: second,
    };
    assert_eq!(
        pool.finalized(5, &[included(1, 1, 100), included(1, 2, 777)]),
        [gone(1, 1, first), gone(1, 2, Why::Superseded), elsewhere]
    );
    assert_eq!(peeked(&pool), [(1, 3), (2, 1)]);
    assert_eq!(pool.height(), 5);
}

#[test]
fn a_refused_one_leaves_alone() {
    let mut pool = pool(&[(1, 1), (1, 2), (1, 3)]);
    let why = Why::Refused { code: 7, height: 1 };
    assert_eq!(pool.refused(&id(1, 2, 100).0, 7, 1), [gone(1, 2, why)]);
    assert_eq!(pool.refused(&id(1, 2, 100).0, 7, 1), []);
    assert_eq!(peeked(&pool), [(1, 1), (1, 3)]);
    assert_eq!(pool.last_nonce(&account(1)), Some(3));
}

#[test]
fn one_refused_because_it_is_in_a_block_not_told_yet_is_final_and_not_refused() {
    let mut pool = pool(&[(1, 1), (2, 1), (3, 1)]);
    assert_eq!(pool.refused(&id(1, 1, 100).0, 24, 3), []);
    assert_eq!(pool.refused(&id(2, 1, 100).0, 24, 3), []);
    assert_eq!(peeked(&pool), [(3, 1)], "neither is handed out again");
    let why = Why::Final { height: 1, index: 0 };
    assert_eq!(pool.finalized(1, &[included(1, 1, 100)]), [gone(1, 1, why)]);
    let why = Why::Refused { code: 24, height: 3 };
    assert_eq!(pool.finalized(2, &[]), [gone(2, 1, why)]);
    assert_eq!(pool.count(), 1);
}

#[test]
fn one_with_the_same_nonce_needs_a_tenth_more_and_keeps_the_place() {
    let mut pool = pool(&[(1, 1), (1, 2), (2, 1)]);
    let fee_min = Token(110);
    assert_eq!(
        pool.add(candidate(1, 1, 109), Some(0), 0),
        Err(PoolRefusal::Underpriced { fee_min })
    );
    let by = id(1, 1, 110);
    assert_eq!(
        pool.add(candidate(1, 1, 110), Some(0), 0),
        Ok(vec![gone(1, 1, Why::Replaced { by })])
    );
    assert_eq!(peeked(&pool), [(1, 1), (1, 2), (2, 1)]);
    assert_eq!(
        pool.add(candidate(1, 1, 110), Some(0), 0),
        Ok(vec![]),
        "the same again changes nothing"
    );
    assert_eq!(pool.count(), 3);
}

#[test]
fn used_nonces_and_crowds_of_one_account_stay_outside() {
    let mut pool = pool(&[(1, 1), (1, 2), (1, 3), (1, 4)]);
    assert_eq!(
        pool.add(candidate(1, 5, 100), Some(0), 0),
        Err(PoolRefusal::AccountFull)
    );
    let used = PoolRefusal::NonceUsed { nonce: 1, last: 2 };
    assert_eq!(pool.add(candidate(2, 1, 100), Some(2), 0), Err(used));
    assert_eq!(
        pool.add(candidate(3, 0, 100), None, 0),
        Ok(vec![]),
        "an account to be opened has used none"
    );
    let later = pool.add(candidate(1, 5, 100), Some(2), 0);
    assert_eq!(later, Err(PoolRefusal::AccountFull), "what is refused changes nothing");
    assert_eq!(pool.count(), 5);
}

#[test]
fn a_full_pool_takes_no_more_but_still_replaces() {
    let mut pool = pool(&[(1, 1), (2, 1), (3, 1), (4, 1), (5, 1), (6, 1)]);
    assert_eq!(pool.add(candidate(7, 1, 100), Some(0), 0), Err(PoolRefusal::Full));
    assert!(pool.add(candidate(6, 1, 200), Some(0), 0).is_ok());
    pool.finalized(1, &[included(1, 1, 100)]);
    assert_eq!(pool.add(candidate(7, 1, 100), Some(0), 0), Ok(vec![]));
    assert_eq!((pool.count(), pool.bytes()), (6, 60));
}

#[test]
fn bytes_are_bounded_too() {
    let mut pool = pool(&[(1, 1)]);
    let big = |n: u8| Candidate {
        tx: Tx::new(vec![n; n.into()]),
        ..candidate(2, 1, 100)
    };
    assert_eq!(pool.add(big(191), Some(0), 0), Err(PoolRefusal::Full));
    assert_eq!(pool.add(big(190), Some(0), 0), Ok(vec![]));
    assert_eq!(pool.bytes(), 200);
}

#[test]
fn one_that_no_block_takes_leaves_after_a_while() {
    let mut pool = pool(&[(1, 1)]);
    pool.add(candidate(1, 2, 100), Some(0), 60).expect("room");
    assert_eq!(pool.expire(99), []);
    assert_eq!(pool.expire(100), [gone(1, 1, Why::Expired)]);
    assert_eq!(peeked(&pool), [(1, 2)]);
    assert_eq!(pool.expire(160), [gone(1, 2, Why::Expired)]);
    assert_eq!((pool.count(), pool.bytes()), (0, 0));
}

#[test]
fn the_others_are_told_once_of_what_came_in_here_and_again_of_what_waits_for_long() {
    let pool = SharedPool::new(limits());
    let ours = candidate(1, 1, 100);
    for (candidate, origin) in [
        (ours.clone(), Origin::Here),
        (candidate(2, 1, 100), Origin::Elsewhere),
        (ours.clone(), Origin::Here),
    ] {
        assert_eq!(pool.add(candidate, None, 0, origin), Some(Ok(())));
    }
    assert_eq!(pool.outgoing(9, 9), [], "no room for it");
    assert_eq!(pool.outgoing(0, 99), []);
    assert_eq!(pool.outgoing(9, 99), std::slice::from_ref(&ours.tx));
    assert_eq!(pool.outgoing(9, 99), []);
    (1..16).for_each(|height| pool.finalized(height, &[]));
    assert_eq!(pool.outgoing(9, 99), []);
    pool.finalized(16, &[]);
    assert_eq!(pool.outgoing(9, 99), std::slice::from_ref(&ours.tx));
    pool.finalized(32, &[included(1, 1, 100)]);
    assert_eq!(pool.outgoing(9, 99), [], "it is final");
}

#[derive(Clone, Debug)]
enum Step {
    Add { of: u8, ahead: u64, fee: u64 },
    Final { take: usize },
    FinalElsewhere { of: u8, ahead: u64 },
    Refuse { at: usize, ahead: u64 },
    Expire { after_ms: u64 },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (0..4u8, 1..7u64, 0..300u64).prop_map(|(of, ahead, fee)| Step::Add { of, ahead, fee }),
        2 => (0..4usize).prop_map(|take| Step::Final { take }),
        1 => (0..4u8, 1..3u64).prop_map(|(of, ahead)| Step::FinalElsewhere { of, ahead }),
        1 => (0..6usize, 1..4u64).prop_map(|(at, ahead)| Step::Refuse { at, ahead }),
        1 => (0..80u64).prop_map(|after_ms| Step::Expire { after_ms }),
    ];
    prop::collection::vec(step, 1..80)
}

/// What must hold after every step.
fn holds(pool: &Pool, used: &BTreeMap<u8, u64>, inside: &BTreeSet<Hash>, doubtful: &BTreeSet<Hash>) {
    let limits = limits();
    assert_eq!(pool.count(), inside.len(), "one in is one in, and leaves once");
    assert!(inside.iter().all(|id| pool.contains(id)));
    assert!(pool.count() <= limits.count_max && pool.bytes() <= limits.bytes_max);
    assert_eq!(pool.bytes(), inside.len() * 10);
    let all = peeked(pool);
    let doubtful = inside.intersection(doubtful).count();
    assert_eq!(
        all.len(),
        inside.len() - doubtful,
        "all that was not refused is handed out"
    );
    let mut last = used.clone();
    for (of, nonce) in all {
        let last = last.get_mut(&of).expect("one of four");
        assert!(nonce > *last, "nonces of an account rise from the last one used");
        *last = nonce;
    }
}

proptest! {
    #[test]
    fn whatever_happens_limits_and_orders_hold_and_each_leaves_once(steps in steps()) {
        let mut pool = Pool::new(limits());
        let mut used: BTreeMap<u8, u64> = (0..4).map(|of| (of, 0)).collect();
        let (mut inside, mut doubtful) = (BTreeSet::new(), BTreeSet::new());
        let (mut now_ms, mut height) = (0, 0);
        for step in steps {
            let departures = match step {
                Step::Add { of, ahead, fee } => {
                    let candidate = candidate(of, used[&of] + ahead, fee);
                    let id = candidate.id;
                    let added = pool.add(candidate, Some(used[&of]), now_ms);
                    if added.is_ok() && inside.insert(id) {
                        doubtful.remove(&id);
                    }
                    added.unwrap_or_default()
                }
                Step::Final { take } => {
                    height += 1;
                    let block: Vec<Included> = pool
                        .peek(take, usize::MAX, &|_| false)
                        .iter()
                        .map(|tx| Included { id: Hash(tx.hash), account: account(tx.bytes[0]), nonce: tx.bytes[1].into() })
                        .collect();
                    for tx in &block {
                        used.insert(tx.account.0[0], tx.nonce);
                    }
                    pool.finalized(height, &block)
                }
                Step::FinalElsewhere { of, ahead } => {
                    height += 1;
                    let other = Included { id: Hash([height as u8; 32]), account: account(of), nonce: used[&of] + ahead };
                    used.insert(of, other.nonce);
                    let departures = pool.finalized(height, &[other]);
                    departures.into_iter().filter(|gone| gone.id != other.id).collect()
                }
                Step::Refuse { at, ahead } => {
                    let all = pool.peek(usize::MAX, usize::MAX, &|_| false);
                    doubtful.extend(all.get(at).map(|tx| Hash(tx.hash)));
                    all.get(at).map(|tx| pool.refused(&tx.hash, 1, height + ahead)).unwrap_or_default()
                }
                Step::Expire { after_ms } => {
                    now_ms += after_ms;
                    pool.expire(now_ms)
                }
            };
            for departure in departures {
                prop_assert!(inside.remove(&departure.id), "only what was inside leaves: {:?}", departure);
            }
            holds(&pool, &used, &inside, &doubtful);
        }
    }
}
