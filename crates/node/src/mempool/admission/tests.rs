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
    let (admission, desk) = Admission::new(Arc::new(genesis()), state, pool, follower.clone());
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
