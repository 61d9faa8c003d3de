//! The ceremony on a real computer: TCP among the validators, a chain of its own in its folder on which they agree on what each
//! has dealt.

use super::{
    Ceremony, CeremonyError, Dealt, Stage,
    roll::{Roll, WORD_BYTES_MAX},
    secrets::Secrets,
    statement,
};
use crate::{
    Group, Identity,
    assemble::{Links, Network},
    block::key_bytes,
    engine_types::{Bls, PublicKey},
    key_file::{self, KeysError, Stored},
    keys::Keys,
    tcp::{self, Peers, Tcp},
    tokio_node::{STACK_BYTES, lock, panic_message},
};
use commonware_codec::{Copying, DecodeExt as _};
use commonware_consensus::types::Epoch;
use commonware_cryptography::{
    Signer as _,
    bls12381::{
        dkg::feldman_desmedt::Reveal,
        primitives::sharing::{Mode, ModeVersion},
    },
    ed25519::PrivateKey,
};
use commonware_glue::dkg::{
    bootstrap::{Completion, Config, Engine, max_payload_size},
    network::Manager,
    types::EpochOutcome,
};
use commonware_p2p::{
    PeerSetSubscription, Provider, Receiver as _, Recipients, Sender as _, TrackedPeers, authenticated::lookup,
};
use commonware_parallel::Sequential;
use commonware_runtime::{
    Clock as _, Handle as Task, Quota, Runner as _, Supervisor as _,
    buffer::paged::CacheRef,
    tokio::{Config as RuntimeConfig, Context, Runner},
};
use commonware_utils::{
    NZDuration, NZU16, NZU32, NZU64, NZUsize, channel::oneshot as completion_channel, ordered::Set, sequence::Unit,
};
use std::{
    convert::Infallible,
    fs::{self, File},
    num::{NonZeroU32, NonZeroU64},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread,
    time::{Duration, SystemTime},
};
use tokio::sync::oneshot;

/// Told of each new stage.
pub type Tell = Arc<dyn Fn(Stage) + Send + Sync>;

/// The channels of the ceremony's chain, and one for words.
const CHANNELS: [Quota; 7] = [
    Quota::per_second(NZU32!(256)),
    Quota::per_second(NZU32!(256)),
    Quota::per_second(NZU32!(64)),
    Quota::per_second(NZU32!(64)),
    Quota::per_second(NZU32!(64)),
    Quota::per_second(NZU32!(256)),
    Quota::per_second(NZU32!(64)),
];
/// How often a word is told again that may not have been heard.
const TELL_EVERY: Duration = Duration::from_millis(250);
/// How long one who heard all the others done goes on telling them that it is done as well.
const FAREWELL: Duration = Duration::from_secs(2);
/// How long one that is done stays for those that may not know.
const LINGER: Duration = Duration::from_secs(20);
/// Blocks of the ceremony's chain for each validator: dealing takes the first half, and each must lead a block in the second. Blocks
/// are not paced, so this is also how long one that breaks off has time to come back before its share is given up: with four on one
/// machine about ten seconds.
const BLOCKS_EACH: u64 = 48;
const BLOCKS_MIN: u64 = 64;

/// Holds the ceremony on threads of its own, until all have signed. `tell` is told of each stage. Dropped before its end, it
/// breaks off and can be held on later.
pub async fn bootstrap_tokio(ceremony: Ceremony, tell: Tell) -> Result<Dealt, CeremonyError> {
    let (answer, answered) = oneshot::channel();
    thread::Builder::new()
        .name("cairn-ceremony".into())
        .stack_size(STACK_BYTES)
        .spawn(move || run(ceremony, tell, answer))?;
    let broken = |_| CeremonyError::Broken("its thread ended".into());
    answered.await.map_err(broken)?
}

type Answer = oneshot::Sender<Result<Dealt, CeremonyError>>;

fn run(ceremony: Ceremony, tell: Tell, mut answer: Answer) {
    let dir = ceremony.dir.clone();
    let dealt = open(&ceremony).and_then(|opened| {
        let Opened {
            lock: _lock,
            keys,
            peers,
            secrets,
        } = opened;
        let runner = Runner::new(
            RuntimeConfig::new()
                .with_worker_threads(2)
                .with_storage_directory(dir.join("chain")),
        );
        let held = catch_unwind(AssertUnwindSafe(|| {
            runner.start(|context| hold(context, ceremony, keys, peers, secrets, tell, &mut answer))
        }));
        held.unwrap_or_else(|panic| Err(CeremonyError::Broken(panic_message(&*panic))))
    });
    let dealt = dealt.and_then(|(dealt, closed)| {
        if closed {
            // Its secrets are as good as the share.
            fs::remove_dir_all(&dir)?;
        }
        Ok(dealt)
    });
    // Whoever asked may have gone.
    let _ = answer.send(dealt);
}

struct Opened {
    lock: File,
    keys: Stored,
    peers: Peers,
    secrets: Secrets,
}

fn open(ceremony: &Ceremony) -> Result<Opened, CeremonyError> {
    let keys = Stored::read(&ceremony.keys)?.ok_or(KeysError::Absent)?;
    let me = Identity::open(&ceremony.keys)?.key();
    if ceremony.validators.iter().all(|validator| validator.key != me) {
        return Err(CeremonyError::NotAValidator);
    }
    let peers = Peers::of(keys.identity(), &ceremony.validators, &[])?;
    let lock = lock(&ceremony.dir)?;
    let secrets = ceremony.dir.join(format!("secrets-{}", ceremony.attempt));
    let secrets = Secrets::open(&secrets, key_file::form(&ceremony.keys)?)?;
    Ok(Opened {
        lock,
        keys,
        peers,
        secrets,
    })
}

/// The peers, which all know beforehand: the ceremony's chain has nothing to add.
#[derive(Clone, Debug)]
struct Known(tcp::Known);

impl Provider for Known {
    type PublicKey = PublicKey;

    async fn peer_set(&mut self, id: u64) -> Option<TrackedPeers<PublicKey>> {
        self.0.peer_set(id).await
    }

    async fn subscribe(&mut self) -> PeerSetSubscription<PublicKey> {
        self.0.subscribe().await
    }
}

impl Manager for Known {
    type Directory = Unit;
    type Error = Infallible;

    fn track(&mut self, _: Epoch, _: TrackedPeers<PublicKey>, _: &Unit) -> Result<(), Infallible> {
        Ok(())
    }
}

/// All of it; answers also whether all others are done too.
async fn hold(
    context: Context,
    ceremony: Ceremony,
    stored: Stored,
    peers: Peers,
    secrets: Secrets,
    tell: Tell,
    answer: &mut Answer,
) -> Result<(Dealt, bool), CeremonyError> {
    let identity = stored.identity().clone();
    let keys: Vec<[u8; 32]> = ceremony.validators.iter().map(|validator| validator.key).collect();
    let total = u32::try_from(keys.len()).ok().and_then(NonZeroU32::new);
    let total = total.expect("this validator is among them, and they are few");
    let me = key_bytes(&identity.public_key());
    let bytes_max = max_payload_size::<Bls, Unit>(total, ModeVersion::v0()).max(WORD_BYTES_MAX);
    let (network, links) = tcp::open(
        context.child("network"),
        &identity,
        &[ceremony.chain.as_bytes(), b"/ceremony"].concat(),
        ceremony.listen,
        peers,
        commonware_p2p::max_message_size(&[bytes_max]),
        &CHANNELS,
    );
    let Network {
        peers,
        blocker,
        mut channels,
    } = links;
    let words = channels.pop().expect("the network opens one channel per quota");
    let mut table = Table {
        context: context.child("table"),
        roll: Roll::new(me, &keys, ceremony.draft, ceremony.attempt),
        words,
        next: context.current(),
        tell,
        told: None,
    };
    let finish = async {
        table.until(Roll::is_gathered).await?;
        let (engine, dealing) = deal(
            &context,
            &ceremony,
            &identity,
            Known(peers),
            blocker,
            channels,
            secrets.clone(),
        );
        let all = async {
            let completion = table.until_done(dealing).await?;
            let group = match keep_share(&ceremony, &stored, &secrets, completion) {
                Ok(group) => group,
                Err(error) => {
                    // The others learn the same only with enough of us.
                    let _ = tokio::time::timeout(LINGER, table.until(|_| false)).await;
                    return Err(error);
                }
            };
            let statement = statement(&ceremony.draft, &group);
            table
                .roll
                .sign(statement, Identity::open(&ceremony.keys)?.sign(&statement));
            table.until(|roll| roll.signatures().is_some()).await?;
            let signatures = table.roll.signatures().expect("waited until they are there");
            let closed = table.until(Roll::is_closed);
            let closed = matches!(tokio::time::timeout(LINGER, closed).await, Ok(Ok(())));
            if closed {
                // Who leaves last was heard by nobody yet: its word needs a moment to reach the others.
                let _ = tokio::time::timeout(FAREWELL, table.until(|_| false)).await;
            }
            Ok((Dealt { group, signatures }, closed))
        };
        tokio::select! {
            dealt = all => dealt,
            ended = engine => Err(CeremonyError::Broken(format!("its chain ended: {ended:?}"))),
        }
    };
    tokio::select! {
        dealt = finish => dealt,
        _ = network => Err(CeremonyError::Broken("the network ended".into())),
        () = answer.closed() => Err(CeremonyError::Broken("nobody waits for it any more".into())),
    }
}

type Channel = (<Tcp as Links>::Sender, <Tcp as Links>::Receiver);

/// Where validators sit and tell each other how far they are.
struct Table {
    context: Context,
    roll: Roll,
    words: Channel,
    /// When the own word is told again.
    next: SystemTime,
    tell: Tell,
    told: Option<Stage>,
}

impl Table {
    async fn until(&mut self, reached: impl Fn(&Roll) -> bool) -> Result<(), CeremonyError> {
        self.speak();
        while !reached(&self.roll) {
            self.turn().await?;
        }
        self.speak();
        Ok(())
    }

    async fn until_done<T>(&mut self, mut done: completion_channel::Receiver<T>) -> Result<T, CeremonyError> {
        let ended = |_| CeremonyError::Broken("its chain ended early".into());
        loop {
            tokio::select! {
                done = &mut done => return done.map_err(ended),
                turned = self.turn() => turned?,
            }
        }
    }

    /// Hears one word, or tells the own one again.
    async fn turn(&mut self) -> Result<(), CeremonyError> {
        let before = self.roll.word();
        tokio::select! {
            heard = self.words.1.recv() => {
                let (from, word) = heard.map_err(|_| CeremonyError::Broken("the network ended".into()))?;
                if let Err(error) = self.roll.hear(&key_bytes(&from), word.as_ref()) {
                    // So that the other one is told as well.
                    self.speak();
                    self.context.sleep(TELL_EVERY).await;
                    return Err(error);
                }
                if self.roll.word() != before {
                    self.speak();
                }
            }
            () = self.context.sleep_until(self.next) => self.speak(),
        }
        let stage = self.roll.stage();
        if self.told.as_ref() != Some(&stage) {
            (self.tell)(stage.clone());
            self.told = Some(stage);
        }
        Ok(())
    }

    fn speak(&mut self) {
        // Whoever is away hears the next one.
        let _ = self.words.0.send(Recipients::All, self.roll.word(), false);
        self.next = self.context.current() + TELL_EVERY;
    }
}

/// Starts the chain on which the key is made.
fn deal(
    context: &Context,
    ceremony: &Ceremony,
    identity: &PrivateKey,
    peers: Known,
    blocker: lookup::Oracle<PublicKey>,
    channels: Vec<Channel>,
    secrets: Secrets,
) -> (Task<()>, completion_channel::Receiver<Completion<Bls>>) {
    // All of them are keys: the network has looked at them before.
    let validators = ceremony.validators.iter();
    let validators = validators.filter_map(|validator| PublicKey::decode(Copying(&validator.key)).ok());
    let blocks = (BLOCKS_EACH * ceremony.validators.len() as u64).max(BLOCKS_MIN);
    let name = cairn_types::hash::domain(
        "cairn/ceremony-chain/1",
        &[
            ceremony.chain.as_bytes(),
            &ceremony.draft,
            &ceremony.attempt.to_be_bytes(),
        ],
    );
    let engine = Engine::<_, Bls, _, _, _, _, _>::new(
        context.child("ceremony"),
        Config {
            signer: identity.clone(),
            manager: peers,
            blocker,
            secret_store: secrets,
            strategy: Sequential,
            // Wanted for as long as the process lives; 32 bytes a ceremony.
            namespace: Box::leak(Box::new(name.0)),
            sharing_mode: Mode::NonZeroCounter,
            reveal: Reveal::V1,
            max_supported_mode: ModeVersion::v0(),
            partition_prefix: format!("ceremony-{}", ceremony.attempt),
            page_cache: CacheRef::new(NZU16!(4_096), NZUsize!(256)),
            write_buffer: NZUsize!(64 * 1024),
            replay_buffer: NZUsize!(64 * 1024),
            mailbox_size: NZUsize!(256),
            fetch_timeout: NZDuration!(Duration::from_secs(2)),
            fetch_retry_delay: Duration::from_millis(100),
            items_per_section: NZU64!(256),
            participants: Set::from_iter_dedup(validators),
            directory: Unit,
            blocks_per_epoch: NonZeroU64::new(blocks).unwrap_or(NonZeroU64::MIN),
        },
    );
    let [votes, certificates, resolver, backfill, broadcast, dealings]: [_; 6] = channels
        .try_into()
        .unwrap_or_else(|_| unreachable!("the network opens one channel per quota"));
    engine.start(votes, certificates, resolver, backfill, broadcast, dealings)
}

/// Checks what came of it, the same for all, and adds the share to the key file.
fn keep_share(
    ceremony: &Ceremony,
    stored: &Stored,
    secrets: &Secrets,
    completion: Completion<Bls>,
) -> Result<Group, CeremonyError> {
    let info = completion.info.filter(|info| info.outcome == EpochOutcome::Success);
    let output = info.ok_or(CeremonyError::Failed)?.output;
    if let Some(revealed) = output.revealed().iter().next() {
        return Err(CeremonyError::Revealed(key_bytes(revealed)));
    }
    let group = Group::of(output.public());
    if let Stored::Whole(keys) = stored {
        return (keys.sharing == *output.public())
            .then_some(group)
            .ok_or(CeremonyError::OtherGroup);
    }
    let validators = output.players().iter().cloned().collect();
    let keys = Keys::new(stored.identity().clone(), validators, output.public().clone())
        .zip(secrets.share())
        .and_then(|(keys, share)| keys.with_share(share))
        .ok_or(CeremonyError::NoShare)?;
    key_file::write(&ceremony.keys, &keys)?;
    Ok(group)
}
