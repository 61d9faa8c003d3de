//! An era of four validators ends with the resolution of three of them, and with it everything: nothing is executed after its last
//! block.

use super::{
    Sim, SimHost, approve,
    toy::{Counters, GENESIS, Pool, account_key, count_in, count_up},
};
use crate::{
    Approval, Header, Resolution,
    light::{Anchor, HandOver, LightError, Successor, follow, verify_finality},
};
use cairn_types::SecretKey;
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

fn successor() -> Successor {
    Successor {
        chain: "cairn-sim".into(),
        era: 1,
        group_key: [9; 96],
        draft: [8; 32],
    }
}

/// Runs four validators, of whom so many approve of the successor; returns what the last of them saw in the end.
fn run(approving: usize) -> (Anchor, Header, Option<HandOver>, Vec<u64>) {
    let pools: Vec<Arc<Pool>> = (0..4).map(|_| Pool::new(Some(0))).collect();
    let host = |pool: &Arc<Pool>| SimHost {
        machine: Arc::new(Counters),
        source: pool.clone(),
        observer: pool.clone(),
        clock: None,
        records: None,
    };
    let hosts = pools.iter().map(host).collect();
    let seen = Arc::new(Mutex::new(None));
    let slot = seen.clone();
    Sim::seeded(31).run(
        hosts,
        Box::new(move |network| {
            Box::pin(async move {
                let resolution = Resolution::new(&successor(), network.approve(approving, &successor()));
                assert_eq!(network.handles[1].hand_over(&resolution), approving > 2);
                network.sleep(Duration::from_secs(20)).await;
                let before = network.handles[3].latest().header.height;
                for pool in &pools {
                    pool.submit(count_up(3, 1));
                }
                network.sleep(Duration::from_secs(40)).await;
                let chain = &network.handles[3];
                let last = chain.latest().header;
                let mut counts = vec![last.height - before];
                for chain in &network.handles {
                    let records = chain.read(vec![account_key(3)]).await.unwrap();
                    counts.push(records.values[0].as_ref().map_or(0, count_in));
                }
                let mut hand_over = None;
                for height in 1..=last.height {
                    let finality = chain.finality(height).await.unwrap();
                    let header = verify_finality(chain.anchor(), &finality).unwrap();
                    if header.next == successor().digest() {
                        assert!(hand_over.is_none(), "an era ends once");
                        hand_over = Some(HandOver {
                            finality,
                            successor: successor(),
                        });
                    }
                    let block = chain.block(height).await.unwrap();
                    let over = hand_over.is_some() && header.next != successor().digest();
                    assert!(!over || (block.begin.is_empty() && block.txs.is_empty()));
                }
                *slot.lock().unwrap() = Some((chain.anchor().clone(), last, hand_over, counts));
            })
        }),
    );
    let seen = seen.lock().unwrap().take();
    seen.unwrap()
}

#[test]
fn an_era_ends_with_three_of_four_and_nothing_happens_after_it() {
    let (anchor, last, hand_over, counts) = run(3);
    assert!(last.is_over());
    assert_eq!(counts, [0, 0, 0, 0, 0], "no block and no transaction after the end");
    let hand_over = hand_over.unwrap();
    let next = follow(&anchor, std::slice::from_ref(&hand_over)).unwrap();
    assert_eq!((next.era, next.group_key, next.genesis), (1, [9; 96], GENESIS));
    assert_eq!(
        follow(&next, std::slice::from_ref(&hand_over)),
        Ok(next.clone()),
        "passed over"
    );

    let forge = |change: fn(&mut HandOver)| {
        let mut forged = hand_over.clone();
        change(&mut forged);
        follow(&anchor, &[forged])
    };
    assert_eq!(
        forge(|it| it.successor.group_key[0] ^= 1),
        Err(LightError::OtherSuccessor)
    );
    assert_eq!(forge(|it| it.successor.draft[0] ^= 1), Err(LightError::OtherSuccessor));
    assert_eq!(forge(|it| it.successor.era = 2), Err(LightError::OtherSuccessor));
    assert!(forge(|it| it.finality.headers[0].0[300] ^= 1).is_err());
    assert!(forge(|it| it.finality.certificate[60] ^= 1).is_err());
    let two = [hand_over.clone(), hand_over];
    assert_eq!(
        follow(&anchor, &two),
        Err(LightError::OtherChain),
        "one end has one successor"
    );
}

#[test]
fn two_of_four_cannot_end_an_era() {
    let (_, last, hand_over, counts) = run(2);
    assert!(!last.is_over() && hand_over.is_none());
    assert!(counts[0] > 0, "the chain goes on");
    assert_eq!(counts[1..], [1; 4]);
}

#[test]
fn a_resolution_needs_different_validators_of_this_era_and_their_own_signatures() {
    let secrets: Vec<SecretKey> = (1..6).map(|seed| SecretKey::ed25519([seed; 32])).collect();
    let all: Vec<Approval> = secrets.iter().map(|secret| approve(secret, &successor())).collect();
    let validators: Vec<[u8; 32]> = all[..4].iter().map(|approval| approval.validator).collect();
    let approvals = |who: &[usize]| -> Vec<Approval> { who.iter().map(|at| all[*at]).collect() };
    let holds = |resolution: &Resolution| resolution.holds("cairn-sim", &validators);
    for (who, enough) in [
        (&[0, 1, 2][..], true),
        (&[3, 1, 2, 0], true),
        (&[0, 1], false),
        (&[0, 1, 1], false),
        (&[0, 1, 4], false),
        (&[0, 1, 2, 4], false),
    ] {
        let resolution = Resolution::new(&successor(), approvals(who));
        assert_eq!(holds(&resolution), enough, "{who:?}");
        assert_eq!(Resolution::read(&resolution.encode()), Some(resolution));
    }
    let good = Resolution::new(&successor(), approvals(&[0, 1, 2]));
    assert!(!good.holds("cairn-other", &validators));
    let change = |change: fn(&mut Resolution)| {
        let mut other = good.clone();
        change(&mut other);
        holds(&other)
    };
    assert!(!change(|it| it.era += 1));
    assert!(!change(|it| it.successor[0] ^= 1));
    assert!(!change(|it| it.successor = crate::OVER));
    assert!(!change(|it| it.approvals[1].signature.0[0] ^= 1));
    assert!(!change(|it| it.approvals[0].validator = it.approvals[1].validator));
}
