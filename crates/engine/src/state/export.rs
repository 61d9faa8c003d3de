//! Writes the state of a stopped node into a state file. Opens the node's own files, under its lock, and changes nothing in them but
//! what opening them after a kill mends.

use super::{
    Progress, StateFileError,
    download::PART_OPERATIONS,
    file::{Part, StateHead, Writer},
};
use crate::{
    Header,
    assemble::{Runtime, state_config},
    block::Block,
    catch_up::{Generations, Stores},
    engine_types::{Digest, State},
    header::OVER,
    light::{EncodedHeader, Finality, HandOver},
    limits::FINALITY_HEADERS_MAX,
    tokio_node::{FILES, PARTITION, STACK_BYTES, lock, panic_message},
};
use commonware_codec::Encode as _;
use commonware_cryptography::Digestible as _;
use commonware_runtime::{
    Runner as _, Supervisor as _,
    buffer::paged::CacheRef,
    tokio::{Config as RuntimeConfig, Runner},
};
use commonware_storage::{
    archive::{Archive as _, Identifier},
    mmr::Location,
    qmdb,
};
use commonware_utils::{NZU16, NZUsize};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    sync::Arc,
    thread,
};

/// What is exported.
#[derive(Clone, Debug)]
pub struct Export {
    /// The chain's folder, see [`Config::dir`](crate::Config::dir).
    pub dir: PathBuf,
    pub chain: String,
    /// From the first era to this one.
    pub hand_overs: Vec<HandOver>,
    pub out: PathBuf,
}

/// Writes the newest state that the node can show to be final; that of the era's last block, if the era has ended. Returns its header.
pub fn export(export: Export, progress: Progress<'_>) -> Result<Header, StateFileError> {
    if !export.dir.join(FILES).is_dir() {
        return Err(StateFileError::NoChain);
    }
    let _lock = lock(&export.dir)?;
    thread::scope(|scope| {
        let thread = thread::Builder::new()
            .name("cairn-export".into())
            .stack_size(STACK_BYTES)
            .spawn_scoped(scope, || run(&export, progress))?;
        let done = thread.join();
        done.unwrap_or_else(|panic| Err(StateFileError::Failed(panic_message(&*panic))))
    })
}

fn run(export: &Export, progress: Progress<'_>) -> Result<Header, StateFileError> {
    let config = RuntimeConfig::new()
        .with_worker_threads(1)
        .with_storage_directory(export.dir.join(FILES));
    let run = catch_unwind(AssertUnwindSafe(|| {
        Runner::new(config).start(|context| async move { write(context.child("export"), export, progress).await })
    }));
    run.unwrap_or_else(|panic| Err(StateFileError::Failed(panic_message(&*panic))))
}

async fn write<E: Runtime>(runtime: E, export: &Export, progress: Progress<'_>) -> Result<Header, StateFileError> {
    let cache = CacheRef::new(NZU16!(4_096), NZUsize!(2_048));
    let generations = Generations::open(&runtime, PARTITION).await;
    let partition = generations.partition(PARTITION);
    let stores = Stores::open(&runtime, partition.clone(), &cache).await;
    let state = State::<E>::init(runtime.child("state"), state_config(&partition, &cache), None);
    let state = state.await.map_err(failed)?;
    let (header, finality) = newest(&stores, state.ops_root(), *state.bounds().end).await?;
    let head = StateHead::new(export.chain.clone(), finality, export.hand_overs.clone());
    let mut file = Writer::create(&export.out, &head)?;
    let mut next = header.ops_start;
    while next < header.ops_end {
        let (part, count) = part(&state, &header, next).await?;
        file.part(&part)?;
        next += count;
        progress(next - header.ops_start, header.ops_end - header.ops_start);
    }
    file.finish()?;
    Ok(header)
}

/// The operations from `next` on in the log of a header's state, and how many there are in the part.
pub(crate) async fn part<E: Runtime>(
    state: &State<E>,
    header: &Header,
    next: u64,
) -> Result<(Part, u64), StateFileError> {
    let end = Location::new(header.ops_end);
    let proof = state.ops_historical_proof(end, Location::new(next), PART_OPERATIONS);
    let (proof, operations) = proof.await.map_err(|error| match error {
        qmdb::Error::OperationPruned(_) => StateFileError::Pruned(next),
        other => failed(other),
    })?;
    if operations.is_empty() {
        return Err(StateFileError::Pruned(next));
    }
    let part = Part {
        start: next,
        operations: operations.iter().flat_map(|operation| operation.encode()).collect(),
        proof: proof.encode().to_vec(),
    };
    Ok((part, operations.len() as u64))
}

/// The newest header that this state reaches and a certificate here finalizes.
async fn newest<E: Runtime>(stores: &Stores<E>, root: Digest, end: u64) -> Result<(Header, Finality), StateFileError> {
    let mut at = stores.blocks.last_index().ok_or(StateFileError::NoBlock)?;
    // Blocks may be stored that the state does not hold yet.
    loop {
        let block = block(stores, at).await?;
        let reached = block.as_ref().is_some_and(|block| {
            let header = block.header();
            (header.ops_root, header.ops_end) == (root.0, end)
        });
        if reached {
            break;
        }
        at = at.checked_sub(1).ok_or(StateFileError::NoBlock)?;
    }
    loop {
        let header = match block(stores, at).await? {
            Some(block) if !block.header().is_genesis() => block.header().clone(),
            _ => return Err(StateFileError::NoBlock),
        };
        if header.next != OVER
            && let Some(finality) = finality(stores, at).await?
        {
            return Ok((header, finality));
        }
        at -= 1;
    }
}

async fn finality<E: Runtime>(stores: &Stores<E>, from: u64) -> Result<Option<Finality>, StateFileError> {
    let mut headers = Vec::new();
    for at in (from..).take(FINALITY_HEADERS_MAX) {
        let Some(block) = block(stores, at).await? else { break };
        headers.push(EncodedHeader(block.header().encode()));
        let certificate = stores.certificates.get(Identifier::Index(at)).await.map_err(failed)?;
        if let Some(certificate) = certificate.filter(|certificate| certificate.proposal.payload == block.digest()) {
            let certificate = certificate.encode().to_vec();
            return Ok(Some(Finality { headers, certificate }));
        }
    }
    Ok(None)
}

async fn block<E: Runtime>(stores: &Stores<E>, at: u64) -> Result<Option<Arc<Block>>, StateFileError> {
    stores.blocks.get(Identifier::Index(at)).await.map_err(failed)
}

fn failed(error: impl std::fmt::Display) -> StateFileError {
    StateFileError::Failed(error.to_string())
}
