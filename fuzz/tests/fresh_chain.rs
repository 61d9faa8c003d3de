//! A chain made on the spot proves what the target expects of the golden one. `UPDATE=1` writes the golden file anew, after its form
//! was changed on purpose.

use std::{path::Path, sync::Arc};

use cairn_engine::{
    Applied, BlockContext, Config, Finalized, Key, Missing, Observer, StateMachine, SystemClock, Tx, TxHash, TxSource,
    Validator, View, start_tokio,
};
use cairn_fuzz::engine::{ABSENT, Chain, PRESENT};
use cairn_types::codec::encode;
use tokio::sync::watch;

/// Every block writes its height to many records, one of them `PRESENT`.
struct Heights;

impl StateMachine for Heights {
    fn genesis_digest(&self) -> [u8; 32] {
        [7; 32]
    }

    fn begin(&self, block: &BlockContext, view: &mut dyn View) -> Result<Vec<u8>, Missing> {
        let mut record = [0; 256];
        record[..8].copy_from_slice(&block.height.to_be_bytes());
        view.put(PRESENT, record);
        for other in 0..40 {
            view.put([other * 6 + 1; 33], record);
        }
        Ok(Vec::new())
    }

    fn check(&self, transactions: &[&[u8]]) -> Vec<Result<(), u32>> {
        vec![Err(1); transactions.len()]
    }

    fn reads(&self, _: &[u8]) -> Vec<Key> {
        Vec::new()
    }

    fn validators(&self, _: &mut dyn View) -> Result<Vec<Validator>, Missing> {
        Ok(Vec::new())
    }

    fn apply(&self, _: &BlockContext, _: &[u8], _: &mut dyn View) -> Result<Applied, Missing> {
        Ok(Applied::Refused(1))
    }
}

/// No transactions; only wants to know the height.
struct Watcher {
    height: watch::Sender<u64>,
    arrivals: watch::Sender<u64>,
}

impl TxSource for Watcher {
    fn peek(&self, _: usize, _: usize, _: &dyn Fn(&TxHash) -> bool) -> Vec<Tx> {
        Vec::new()
    }

    fn refused(&self, _: &TxHash, _: u32, _: u64) {}

    fn arrivals(&self) -> watch::Receiver<u64> {
        self.arrivals.subscribe()
    }
}

impl Observer for Watcher {
    fn stored_height(&self) -> Option<u64> {
        None
    }

    fn finalized(&self, block: Arc<Finalized>) {
        self.height.send_replace(block.header.height);
    }

    fn skipped_to(&self, _: u64) {}
}

#[tokio::test]
async fn a_fresh_chain_proves_what_the_golden_one_proves() {
    let dir = tempfile::tempdir().unwrap();
    let watcher = Arc::new(Watcher {
        height: watch::Sender::new(0),
        arrivals: watch::Sender::new(0),
    });
    let mut config = Config::alone(dir.path(), "cairn-fuzz");
    config.pace.idle_interval = std::time::Duration::from_millis(50);
    let chain = start_tokio(
        config,
        Arc::new(Heights),
        watcher.clone(),
        watcher.clone(),
        Arc::new(SystemClock),
    )
    .await
    .unwrap();
    watcher
        .height
        .subscribe()
        .wait_for(|height| *height >= 2)
        .await
        .unwrap();

    let fresh = Chain {
        anchor: chain.anchor().clone(),
        present: chain.prove(PRESENT).await.unwrap(),
        absent: chain.prove(ABSENT).await.unwrap(),
    };
    chain.shutdown().await;
    assert!(fresh.present.verify(&fresh.anchor, &PRESENT).unwrap().1.is_some());
    assert!(fresh.absent.verify(&fresh.anchor, &ABSENT).unwrap().1.is_none());

    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/chain.hex");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, fresh.write()).unwrap();
    }
    let golden = Chain::read(&std::fs::read_to_string(path).unwrap()).expect("a form changed: run again with UPDATE=1");
    for (ours, theirs) in [(&fresh.present, &golden.present), (&fresh.absent, &golden.absent)] {
        assert_eq!(ours.finality.certificate.len(), theirs.finality.certificate.len());
        assert_eq!(ours.value.is_some(), theirs.value.is_some());
        assert!(!encode(theirs).is_empty());
    }
}
