//! What a machine may accept goes into a block, in its turn, however large it is and however many records it touches.

use super::*;
use crate::{
    Header, Validator, View,
    assemble::{message_bytes_max, state_config},
    block::Block,
    finalized::{receipt_root, tx_root},
    header,
    limits::BLOCK_TXS_MAX,
};
use commonware_codec::{DecodeExt as _, Encode as _, EncodeSize as _};
use commonware_consensus::BoundedBlock as _;
use commonware_cryptography::{Signer as _, ed25519::PrivateKey};
use commonware_runtime::{
    Runner as _, Supervisor as _,
    buffer::paged::CacheRef,
    deterministic::{Context, Runner},
};
use commonware_utils::{NZU16, NZUsize};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Refused by the machine below.
const UNWANTED: u32 = 1;
/// A day of records: more than any transaction of the ledger touches.
const MANY: u32 = 3_000;

/// A machine whose transactions say how much they read and announce.
#[derive(Default)]
struct Weights {
    /// Bytes of the receipt of a block's beginning.
    begin: usize,
    calls: AtomicUsize,
}

/// `reads` records, and as many again that only those name; a receipt of so many bytes; none: it is refused.
fn tx(name: u32, reads: u32, receipt: Option<usize>, bytes: usize) -> Tx {
    let receipt = receipt.map_or(u32::MAX, |receipt| u32::try_from(receipt).unwrap());
    let mut all: Vec<u8> = [name, reads, receipt]
        .iter()
        .flat_map(|part| part.to_be_bytes())
        .collect();
    all.resize(bytes.max(all.len()), 0);
    Tx::new(all)
}

fn light(name: u32) -> Tx {
    tx(name, 0, Some(0), 0)
}

fn part(tx: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(tx[4 * at..4 * at + 4].try_into().unwrap())
}

fn key(step: u8, name: u32, at: u32) -> Key {
    let mut key = [step; crate::KEY_BYTES];
    key[1..].copy_from_slice(&crate::tx_hash(&[name.to_be_bytes(), at.to_be_bytes()].concat()));
    key
}

/// Asks for all before it gives up on the first that is missing.
fn touch(step: u8, name: u32, reads: u32, view: &mut dyn View) -> Result<(), Missing> {
    let asked: Vec<_> = (0..reads).map(|at| view.get(&key(step, name, at))).collect();
    asked.into_iter().try_for_each(|read| read.map(drop))
}

impl StateMachine for Weights {
    fn genesis_digest(&self) -> [u8; 32] {
        [7; 32]
    }

    fn begin(&self, _: &BlockContext, view: &mut dyn View) -> Result<Vec<u8>, Missing> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        touch(3, 0, MANY, view)?;
        Ok(vec![9; self.begin])
    }

    fn check(&self, transactions: &[&[u8]]) -> Vec<Result<(), u32>> {
        vec![Ok(()); transactions.len()]
    }

    fn reads(&self, tx: &[u8]) -> Vec<Key> {
        (0..part(tx, 1)).map(|at| key(1, part(tx, 0), at)).collect()
    }

    fn validators(&self, _: &mut dyn View) -> Result<Vec<Validator>, Missing> {
        Ok(Vec::new())
    }

    fn apply(&self, _: &BlockContext, tx: &[u8], view: &mut dyn View) -> Result<Applied, Missing> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let (name, reads) = (part(tx, 0), part(tx, 1));
        touch(1, name, reads, view)?;
        touch(2, name, reads, view)?;
        Ok(match part(tx, 2) {
            u32::MAX => Applied::Refused(UNWANTED),
            bytes => Applied::Accepted(vec![1; bytes as usize]),
        })
    }
}

type Run<'a> = Execution<'a, Context>;

/// Runs a test on an empty state.
fn on_a_state(test: impl AsyncFnOnce(Databases<Context>)) {
    Runner::default().start(|context| async move {
        let cache = CacheRef::new(NZU16!(4_096), NZUsize!(2_048));
        let state = Databases::<Context>::init(context.child("state"), state_config("weights", &cache), None).await;
        test(state).await;
    })
}

fn run<'a>(machine: &'a Weights, batch: Batch<Context>) -> Run<'a> {
    let block = BlockContext {
        height: 1,
        time_ms: 1,
        beacon: None,
    };
    Execution::new(machine, block, batch)
}

fn names(executed: &[Executed]) -> Vec<u32> {
    executed.iter().map(|tx| part(&tx.bytes, 0)).collect()
}

#[test]
fn who_reads_thousands_of_records_is_called_once_a_step_and_not_once_a_record() {
    on_a_state(async |state| {
        let machine = Weights::default();
        let mut run = run(&machine, state.new_batches().await);
        run.begin(None).await;
        assert_eq!(
            machine.calls.swap(0, Ordering::Relaxed),
            2,
            "to ask, and with all of it"
        );
        let many = tx(1, MANY, Some(0), 0);
        let (executed, _) = run.fill(&[], std::slice::from_ref(&many), || true).await;
        assert_eq!(executed.len(), 1);
        assert_eq!(
            machine.calls.swap(0, Ordering::Relaxed),
            2,
            "what it surely reads is there; to ask for the rest, and with that"
        );
        // Without what it surely reads it takes one call more.
        run.apply(&tx(2, MANY, Some(0), 0).bytes).await;
        assert_eq!(machine.calls.load(Ordering::Relaxed), 3);
    });
}

#[test]
fn whatever_may_be_accepted_goes_into_a_block_that_is_otherwise_empty_and_comes_out_of_its_bytes() {
    let sizes = [
        (TX_BYTES_MAX, RECEIPT_BYTES_MAX, BEGIN_BYTES_MAX),
        (TX_BYTES_MAX, 0, BEGIN_BYTES_MAX),
        (0, RECEIPT_BYTES_MAX, 0),
        (TX_BYTES_MAX, RECEIPT_BYTES_MAX, 0),
        // What would begin with more begins with nothing.
        (TX_BYTES_MAX, RECEIPT_BYTES_MAX, BEGIN_BYTES_MAX + 1),
    ];
    on_a_state(async |state| {
        for (bytes, receipt, begin) in sizes {
            let machine = Weights {
                begin,
                ..Weights::default()
            };
            let mut run = run(&machine, state.new_batches().await);
            let began = run.begin(None).await;
            let (executed, refused) = run.fill(&began, &[tx(1, MANY, Some(receipt), bytes)], || false).await;
            assert_eq!((executed.len(), refused.len()), (1, 0), "{bytes} {receipt} {begin}");
            assert_eq!(executed[0].receipt.len(), receipt);

            let leader = PrivateKey::from_seed(1).public_key();
            let header = Header {
                leader: crate::block::key_bytes(&leader),
                tx_root: tx_root(&executed),
                receipt_root: receipt_root(&began, &executed),
                txs: 1,
                payload: committee::payload_hash(None),
                ..header::tests::sample()
            };
            let block = Block::new(header, leader, None, began.clone(), executed.clone());
            assert!(block.encode_size() <= Block::max_encode_size(&()));
            let read = Block::decode(block.encode()).expect("others read it");
            assert_eq!((read.begin(), read.txs()), (&began[..], &executed[..]));
            assert!(self::run(&machine, state.new_batches().await).repeat(read.txs()).await);
        }
    });
    assert!(Block::max_encode_size(&()) <= message_bytes_max() as usize);
}

#[test]
fn what_no_block_can_hold_is_refused_and_waits_for_nothing() {
    on_a_state(async |state| {
        let machine = Weights::default();
        let txs = [
            tx(1, 0, Some(0), TX_BYTES_MAX + 1),
            tx(2, 0, Some(RECEIPT_BYTES_MAX + 1), 0),
            tx(3, 0, None, 0),
            light(4),
        ];
        let (executed, refused) = run(&machine, state.new_batches().await).fill(&[], &txs, || true).await;
        assert_eq!(names(&executed), [4]);
        let refused: Vec<u32> = refused.into_iter().map(|(_, code)| code).collect();
        assert_eq!(refused, [TX_TOO_LONG, RECEIPT_TOO_LONG, UNWANTED]);
    });
}

#[test]
fn what_does_not_fit_into_the_rest_of_a_block_is_the_next_ones_first_however_many_small_ones_wait() {
    let large = |name| tx(name, 0, Some(RECEIPT_BYTES_MAX), TX_BYTES_MAX);
    // Of the large ones fifteen fit, and the rest would hold hundreds of small ones.
    let mut waiting: Vec<Tx> = (0..17).map(large).collect();
    waiting.extend((17..500).map(light));
    on_a_state(async |state| {
        let machine = Weights::default();
        let mut blocks = Vec::new();
        while !waiting.is_empty() {
            let (executed, _) = run(&machine, state.new_batches().await)
                .fill(&[], &waiting, || true)
                .await;
            waiting.drain(..executed.len());
            // More small ones come than blocks take, all the time.
            waiting.extend((0..10).filter(|_| blocks.is_empty()).map(|more| light(1_000 + more)));
            blocks.push(names(&executed));
        }
        assert_eq!(blocks[0], (0..15).collect::<Vec<_>>());
        assert_eq!(
            blocks[1][..3],
            [15, 16, 17],
            "and who came behind it waits for nothing else"
        );
        assert_eq!(blocks[1].len(), 2 + 483 + 10);
        assert_eq!(blocks.len(), 2);
    });
}

#[test]
fn without_time_left_the_first_in_line_still_gets_on() {
    let waiting: Vec<Tx> = [tx(1, 0, None, 0), light(2), light(3)].to_vec();
    on_a_state(async |state| {
        let machine = Weights::default();
        let (executed, refused) = run(&machine, state.new_batches().await)
            .fill(&[], &waiting, || false)
            .await;
        assert_eq!(
            (executed.len(), refused.len()),
            (0, 1),
            "it is gone, so the next is first next time"
        );
        let (executed, _) = run(&machine, state.new_batches().await)
            .fill(&[], &waiting[1..], || false)
            .await;
        assert_eq!(names(&executed), [2]);
    });
}

#[test]
fn records_are_loaded_for_those_whose_turn_it_is_and_not_for_a_whole_plan() {
    let waiting: Vec<Tx> = (0..BLOCK_TXS_MAX as u32 / 512)
        .map(|name| tx(name, MANY, Some(0), 0))
        .collect();
    let last = u32::try_from(waiting.len()).unwrap() - 1;
    on_a_state(async |state| {
        let machine = Weights::default();
        let mut run = run(&machine, state.new_batches().await);
        let (executed, _) = run.fill(&[], &waiting, || false).await;
        assert_eq!(names(&executed), [0]);
        assert!(
            run.overlay.knows(&key(1, 2, 0)),
            "three of them are as many as are loaded together"
        );
        assert!(!run.overlay.knows(&key(1, 3, 0)) && !run.overlay.knows(&key(1, last, 0)));
        let (executed, _) = run.fill(&[], &waiting[1..], || true).await;
        assert_eq!(executed.len(), waiting.len() - 1);
    });
}
