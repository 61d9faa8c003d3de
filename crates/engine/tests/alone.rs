//! One validator on a real computer: blocks, records, proofs, restarts, and what it refuses.

#![allow(clippy::unwrap_used, reason = "a test may")]

#[expect(dead_code, reason = "the other test files use the rest")]
mod toy;

use cairn_engine::{
    Config, Handle, ManualClock, Observer, StartError, SystemClock, TxSource, light, start_tokio, tx_hash,
};
use std::{path::Path, sync::Arc, time::Duration};
use toy::{BAD_COUNT, Counters, Pool, account_key, block_key, count_in, count_up};

async fn start(dir: &Path, pool: &Arc<Pool>) -> Handle {
    let (source, observer): (Arc<dyn TxSource>, Arc<dyn Observer>) = (pool.clone(), pool.clone());
    let config = Config::alone(dir, "cairn-test");
    start_tokio(config, Arc::new(Counters), source, observer, Arc::new(SystemClock))
        .await
        .unwrap()
}

#[tokio::test]
async fn a_lone_validator_confirms_proves_and_comes_back_with_the_same_state() {
    let dir = tempfile::tempdir().unwrap();
    let pool = Pool::new(Some(0));
    let chain = start(dir.path(), &pool).await;
    let sent: Vec<_> = (1..=50)
        .flat_map(|count| (0..4).map(move |account| count_up(account, count)))
        .collect();
    for tx in &sent {
        pool.submit(tx.clone());
    }
    let stale = count_up(1, 1);
    pool.submit(count_up(3, 99));
    let finals = pool.final_txs(sent.len()).await;
    assert_eq!(finals, sent.iter().map(|tx| tx.hash).collect::<Vec<_>>());

    let records = chain.read((0..5).map(account_key).collect()).await.unwrap();
    let counts: Vec<_> = records
        .values
        .iter()
        .map(|value| value.as_ref().map(count_in))
        .collect();
    assert_eq!(counts, [Some(50), Some(50), Some(50), Some(50), None]);
    assert_eq!(pool.refused(), [(count_up(3, 99).hash, BAD_COUNT)]);

    for (account, expected) in [(2, Some(50)), (77, None)] {
        let proof = chain.prove(account_key(account)).await.unwrap();
        let (header, value) = proof.verify(chain.anchor(), &account_key(account)).unwrap();
        assert_eq!(value.as_ref().map(count_in), expected);
        assert!(header.height > 0);
    }
    let with_tx = pool
        .told
        .borrow()
        .iter()
        .find(|block| !block.txs.is_empty())
        .cloned()
        .unwrap();
    let inclusion = with_tx.prove_tx(0).unwrap();
    light::verify_tx(&with_tx.header, &with_tx.txs[0].bytes, &inclusion).unwrap();
    assert!(light::verify_tx(&with_tx.header, &stale.bytes[1..], &inclusion).is_err());
    let receipt = with_tx.prove_receipt(0).unwrap();
    light::verify_receipt(&with_tx.header, &with_tx.txs[0].receipt, &receipt).unwrap();

    let before = chain.latest();
    let told = pool.told.borrow().len();
    chain.shutdown().await;

    let pool = Pool::new(Some(0));
    let chain = start(dir.path(), &pool).await;
    assert!(chain.latest().header.height >= before.header.height);
    let again = chain.block(before.header.height).await.unwrap();
    assert_eq!(again.digest, before.digest);
    assert_eq!(pool.final_txs(sent.len()).await.len(), sent.len());
    assert!(pool.told.borrow().len() + 1 >= told);
    pool.submit(count_up(0, 51));
    pool.final_txs(sent.len() + 1).await;
    let records = chain.read(vec![account_key(0), block_key()]).await.unwrap();
    assert_eq!(records.values[0].as_ref().map(count_in), Some(51));
    assert_eq!(records.values[1].as_ref().map(count_in), Some(records.header.height));
    chain.shutdown().await;
}

#[tokio::test]
async fn a_folder_serves_one_chain_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let pool = Pool::new(None);
    let chain = start(dir.path(), &pool).await;
    let second = start_tokio(
        Config::alone(dir.path(), "cairn-test"),
        Arc::new(Counters),
        pool.clone(),
        pool.clone(),
        Arc::new(SystemClock),
    );
    assert!(matches!(second.await, Err(StartError::FolderInUse)));
    chain.shutdown().await;
    assert!(chain.read(vec![block_key()]).await.is_err());
}

#[tokio::test]
async fn data_time_makes_a_block_when_it_moves_and_none_while_it_stands() {
    const HOUR_MS: u64 = 3_600_000;
    let dir = tempfile::tempdir().unwrap();
    let pool = Pool::new(Some(0));
    let clock = Arc::new(ManualClock::new(HOUR_MS));
    let mut config = Config::alone(dir.path(), "cairn-test");
    config.pace.idle_interval = Duration::from_secs(HOUR_MS / 1000);
    let chain = start_tokio(config, Arc::new(Counters), pool.clone(), pool.clone(), clock.clone())
        .await
        .unwrap();
    let mut told = pool.told.subscribe();
    for hour in 2..6 {
        told.wait_for(|blocks| blocks.len() as u64 == hour - 1).await.unwrap();
        clock.advance_to(hour * HOUR_MS);
    }
    told.wait_for(|blocks| blocks.len() == 5).await.unwrap();
    let times: Vec<u64> = told
        .borrow()
        .iter()
        .map(|block| block.header.time_ms / HOUR_MS)
        .collect();
    assert_eq!(times, [1, 2, 3, 4, 5]);
    pool.submit(count_up(0, 1));
    assert_eq!(pool.final_txs(1).await, [tx_hash(&count_up(0, 1).bytes)]);
    assert_eq!(chain.latest().header.time_ms, 5 * HOUR_MS);
    chain.shutdown().await;
}
