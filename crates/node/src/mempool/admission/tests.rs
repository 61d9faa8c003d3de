//! The way in beside a node that runs, with a memory of final transactions of its own that lags behind the state.

use super::*;
use crate::genesis::{Solo, solo};
use crate::index::Index;
use crate::{NodeConfig, start};
use cairn_engine::Observer;
use cairn_ledger::Transaction;
use cairn_ledger::account::Rule;
use cairn_ledger::tx::Asset;
use cairn_ledger::tx::transfer::Transfer;
use cairn_types::{AccountId, MicroUsd, SecretKey, TimeMs};

fn key(seed: u8) -> SecretKey {
    SecretKey::ed25519([seed; 32])
}

fn account(seed: u8) -> AccountId {
    Rule::single(key(seed).public()).account_id()
}

fn genesis() -> Genesis {
    solo(&Solo {
        chain: "cairn-admission".parse().unwrap(),
        start: TimeMs(1_700_000_000_000),
        epoch_ms: 3_600_000,
        founder: key(1).public(),
        verifier: key(2).public(),
        issuer: key(3).public(),
        others: vec![(key(4).public(), Token(1_000_000), MicroUsd(0))],
    })
    .unwrap()
}

fn ledger() -> Arc<Ledger> {
    Arc::new(Ledger::new(genesis()).unwrap())
}

fn transfer(nonce: u64, amount: u64) -> Signed {
    let transaction = Transaction {
        chain: "cairn-admission".parse().unwrap(),
        account: account(1),
        nonce,
        fee_max: Token(1_000_000),
        sponsor: None,
        body: Body::Transfer(Transfer {
            to: account(4),
            amount: Asset::Token(Token(amount)),
        }),
    };
    transaction.sign(&key(1))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_final_already_is_not_refused_because_its_block_is_not_taken_in_yet() {
    let folder = tempfile::tempdir().unwrap();
    let config = NodeConfig {
        listen: "127.0.0.1:0".parse().unwrap(),
        ..NodeConfig::solo(folder.path().join("node"), genesis())
    };
    let node = start(config).await.unwrap();
    let sent = transfer(1, 5);
    let done = node.submit_and_wait(sent.bytes()).await.unwrap();

    let pool = Arc::new(SharedPool::new(crate::mempool::Limits::default()));
    let index = Index::open(&folder.path().join("index")).unwrap();
    let follower = Arc::new(Follower::new(index, pool.clone()));
    let state = State::new(node.chain().clone());
    let (admission, desk) = Admission::new(ledger(), state, pool, follower.clone());
    let desk = tokio::spawn(desk.run());
    let other = transfer(1, 6);
    let asked = [&sent, &other].map(|signed| {
        let (admission, bytes) = (admission.clone(), signed.bytes());
        tokio::spawn(async move { admission.submit(bytes, true).await })
    });
    // Both were looked at, and wait for the block.
    while !follower.is_waited_for() {
        assert!(!asked[0].is_finished(), "it was answered before the block was taken in");
        tokio::task::yield_now().await;
    }
    for height in 1..=done.height {
        let block = node.chain().block(height).await.unwrap();
        follower.finalized(Arc::new(block));
    }
    let [sent, other] = asked;
    match sent.await.unwrap().unwrap().progress {
        Progress::Final(place) => assert_eq!((place.height, place.index), (done.height, done.index)),
        progress => panic!("{progress:?}"),
    }
    let refused = other.await.unwrap().unwrap_err();
    assert_eq!(refused, SubmitError::Refused(Reject::NonceUsed));
    drop(admission);
    desk.await.unwrap();
    node.shutdown().await;
}

/// A way in whose pool nobody takes from, as that of a node that does not lead, beside a node with block 1.
#[tokio::test(flavor = "multi_thread")]
async fn a_corrected_transaction_takes_the_place_of_one_that_the_ledger_refuses() {
    let folder = tempfile::tempdir().unwrap();
    let config = NodeConfig {
        listen: "127.0.0.1:0".parse().unwrap(),
        ..NodeConfig::solo(folder.path().join("node"), genesis())
    };
    let node = start(config).await.unwrap();
    let first = node.submit_and_wait(transfer(1, 5).bytes()).await.unwrap();
    let pool = Arc::new(SharedPool::new(crate::mempool::Limits::default()));
    let index = Index::open(&folder.path().join("index")).unwrap();
    let follower = Arc::new(Follower::new(index, pool.clone()));
    for height in 1..=first.height {
        follower.finalized(Arc::new(node.chain().block(height).await.unwrap()));
    }
    let state = State::new(node.chain().clone());
    let (admission, desk) = Admission::new(ledger(), state, pool.clone(), follower.clone());
    let desk = tokio::spawn(desk.run());
    // The node makes blocks meanwhile; this way in hears of them too.
    let told = tokio::spawn({
        let (chain, follower) = (node.chain().clone(), follower.clone());
        async move {
            let mut newest = chain.follow();
            for height in first.height + 1.. {
                if newest.wait_for(|latest| latest.header.height >= height).await.is_err() {
                    return;
                }
                let Ok(block) = chain.block(height).await else { return };
                follower.finalized(Arc::new(block));
            }
        }
    });

    let waits = |submitted: Result<Submitted, SubmitError>| match submitted.unwrap().progress {
        Progress::Watched(ending) => ending,
        progress => panic!("{progress:?}"),
    };
    let underpriced = |submitted: Result<Submitted, SubmitError>| {
        let refusal = submitted.unwrap_err();
        assert!(
            matches!(refusal, SubmitError::Pool(PoolRefusal::Underpriced { .. })),
            "{refusal:?}"
        );
    };
    let too_much = u64::MAX / 4;
    let refused = waits(admission.submit(transfer(2, too_much).bytes(), true).await);
    // Another that the ledger refuses as well is no correction.
    underpriced(admission.submit(transfer(2, too_much - 1).bytes(), true).await);
    let corrected = transfer(2, 6);
    let mut good = waits(admission.submit(corrected.bytes(), true).await);
    let why = refused.await.unwrap();
    assert!(
        matches!(why, Why::Refused { code, .. } if code == number(Reject::TokenInsufficient)),
        "{why:?}"
    );
    // Nor does one take the place of what the ledger takes.
    underpriced(admission.submit(transfer(2, 7).bytes(), true).await);
    assert!(pool.contains(&corrected.transaction.id()));
    assert!(good.try_recv().is_err(), "it waits for a block");
    assert_eq!(pool.level().count, 1);
    drop(admission);
    desk.await.unwrap();
    node.shutdown().await;
    told.abort();
}
