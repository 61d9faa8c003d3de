//! What one chain process is told at its start. Values only; nothing is opened here.

use crate::{
    Address, key_file,
    limits::{BLOCK_TXS_MAX, CHAIN_NAME_BYTES_MAX, FOLLOWERS_MAX, VALIDATORS_MAX},
};
use std::{net::SocketAddr, num::NonZeroU64, path::PathBuf, time::Duration};

/// What [`Config::epoch_blocks`] is unless somebody says otherwise.
pub const EPOCH_BLOCKS: NonZeroU64 = NonZeroU64::MIN.saturating_add(1_023);

/// Blocks of an epoch at least: every validator must lead in its second half, with turns to spare.
pub const EPOCH_BLOCKS_MIN: u64 = 16;

/// The settings of one chain process.
#[derive(Clone, Debug)]
pub struct Config {
    /// The data folder: state and blocks. One process at a time.
    pub dir: PathBuf,
    /// The file of this node's keys.
    pub keys: PathBuf,
    /// The chain's name; part of every signature.
    pub chain: String,
    /// All validators. Empty: this process is the only one, and makes its keys at the first start.
    pub validators: Vec<Validator>,
    /// The group key in the form with which single votes are checked, as the ceremony gave it. A node outside the validators
    /// needs it; a validator has it in its key file, which must agree unless this is empty.
    pub sharing: Vec<u8>,
    /// Keys of nodes outside the validators that may connect to this one and follow.
    pub followers: Vec<[u8; 32]>,
    /// Where other nodes reach this one. A lone validator takes any free port on this computer.
    pub listen: SocketAddr,
    /// Where the era begins that this node runs.
    pub begin: EraStart,
    /// A file of the records with which a later era begins, see [`records`](crate::records). It is enough that one validator
    /// has it.
    pub records: Option<PathBuf>,
    pub pace: Pace,
    /// Blocks after which shares are renewed and other validators may take over. A rule of the chain: all nodes must have the same.
    pub epoch_blocks: NonZeroU64,
    pub retain: Retain,
    pub catch_up: CatchUp,
    /// Threads of the chain's own runtime.
    pub threads: usize,
}

/// A validator as the others know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Validator {
    /// Its Ed25519 key.
    pub key: [u8; 32],
    /// Where it is reached.
    pub address: Address,
}

/// Where an era begins: the first one from nothing, a later one where the one before ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EraStart {
    /// See [`Header::era`](crate::Header::era).
    pub era: u32,
    /// Of the last block of the era before.
    pub height: u64,
    pub time_ms: u64,
    /// Its digest.
    pub parent: [u8; 32],
    /// The root over the records of the state after it, see [`records`](crate::records): all that the first blocks take in.
    pub records: Option<[u8; 32]>,
}

/// How fast blocks follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// The least time between blocks. Zero: a waiting transaction gets its block at once.
    pub block_interval: Duration,
    /// The longest time without a block when no transaction waits, by the computer's clock and by the chain's.
    pub idle_interval: Duration,
    /// How far one block may move the chain's time; after a long stop blocks without pause catch up. A rule of the
    /// chain: all validators must have the same.
    pub time_step_ms_max: u64,
    /// How far ahead of its own clock a validator votes for a block; it waits before voting for later ones.
    pub ahead_ms_max: u64,
    /// Transactions that this proposer puts into a block at most.
    pub block_txs_max: usize,
}

/// What is kept on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retain {
    /// Finalized blocks with their certificates. `None` keeps all, and the whole log of state operations with them.
    pub blocks: Option<usize>,
    /// Blocks whose log of state operations is kept for validators that catch up.
    pub state_blocks: usize,
}

/// How a node that is new, or was away for long, catches up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CatchUp {
    /// A node that is more rounds of consensus behind fetches the newest state and has no blocks from before; one that is
    /// less behind fetches the blocks. Must be below what the others keep. `None`: always the blocks.
    pub views_max: Option<u64>,
    /// How long it waits at its start for others to say how far they are.
    pub wait: Duration,
}

impl Config {
    /// One validator in this process, blocks as soon as there is something to do.
    pub fn alone(dir: impl Into<PathBuf>, chain: impl Into<String>) -> Self {
        let dir = dir.into();
        Self {
            keys: dir.join(key_file::FILE),
            dir,
            chain: chain.into(),
            validators: Vec::new(),
            sharing: Vec::new(),
            followers: Vec::new(),
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            begin: EraStart::default(),
            records: None,
            pace: Pace::default(),
            epoch_blocks: EPOCH_BLOCKS,
            retain: Retain::default(),
            catch_up: CatchUp::default(),
            threads: 2,
        }
    }

    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        if self.chain.is_empty() || self.chain.len() > CHAIN_NAME_BYTES_MAX {
            return Err(ConfigError::ChainName);
        }
        if self.validators.len() > VALIDATORS_MAX {
            return Err(ConfigError::TooManyValidators);
        }
        if self.followers.len() > FOLLOWERS_MAX {
            return Err(ConfigError::TooManyFollowers);
        }
        if self.pace.idle_interval.is_zero() || self.pace.idle_interval < self.pace.block_interval {
            return Err(ConfigError::IdleInterval);
        }
        if self.pace.time_step_ms_max == 0 {
            return Err(ConfigError::TimeStep);
        }
        if self.pace.block_txs_max == 0 || self.pace.block_txs_max > BLOCK_TXS_MAX {
            return Err(ConfigError::BlockTxs);
        }
        if self
            .retain
            .blocks
            .is_some_and(|blocks| blocks < Retain::BLOCKS_MIN.max(self.retain.state_blocks))
        {
            return Err(ConfigError::RetainBlocks);
        }
        let validators = self.validators.len().max(1) as u64;
        if self.epoch_blocks.get() < EPOCH_BLOCKS_MIN.max(4 * validators) {
            return Err(ConfigError::EpochBlocks);
        }
        let kept = self.retain.blocks.map_or(u64::MAX, |blocks| blocks as u64);
        if kept < self.epoch_blocks.get() {
            return Err(ConfigError::RetainEpoch);
        }
        if self.threads == 0 {
            return Err(ConfigError::Threads);
        }
        Ok(())
    }
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            block_interval: Duration::ZERO,
            idle_interval: Duration::from_secs(5),
            time_step_ms_max: 24 * 60 * 60 * 1000,
            ahead_ms_max: 500,
            block_txs_max: 4_096,
        }
    }
}

impl Retain {
    /// Enough to restart from and to serve a validator that was away for a moment.
    pub const BLOCKS_MIN: usize = 64;
}

impl Default for CatchUp {
    fn default() -> Self {
        Self {
            views_max: Some(16_384),
            wait: Duration::from_secs(3),
        }
    }
}

impl Default for Retain {
    fn default() -> Self {
        Self {
            blocks: Some(65_536),
            state_blocks: 64,
        }
    }
}

/// Which setting cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    #[error("a chain's name has 1 to {CHAIN_NAME_BYTES_MAX} bytes")]
    ChainName,
    #[error("a chain has at most {VALIDATORS_MAX} validators")]
    TooManyValidators,
    #[error("a node lets at most {FOLLOWERS_MAX} others follow")]
    TooManyFollowers,
    #[error("idle_interval must be above zero and not below block_interval")]
    IdleInterval,
    #[error("time_step_ms_max must be above zero")]
    TimeStep,
    #[error("block_txs_max must be between 1 and {BLOCK_TXS_MAX}")]
    BlockTxs,
    #[error(
        "retain.blocks must be at least {} and at least retain.state_blocks",
        Retain::BLOCKS_MIN
    )]
    RetainBlocks,
    #[error("an epoch has at least {EPOCH_BLOCKS_MIN} blocks, and four for each validator")]
    EpochBlocks,
    #[error("retain.blocks must be at least the blocks of an epoch")]
    RetainEpoch,
    #[error("threads must be above zero")]
    Threads,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_lets_every_validator_lead_and_is_kept_to_its_end() {
        let with = |blocks: u64, validators: u8, kept: Option<usize>| {
            let mut config = Config::alone("folder", "chain");
            config.epoch_blocks = NonZeroU64::new(blocks).unwrap();
            config.validators = (0..validators)
                .map(|at| Validator {
                    key: [at; 32],
                    address: Address::nowhere(),
                })
                .collect();
            config.retain.blocks = kept;
            config.check()
        };
        assert_eq!(with(EPOCH_BLOCKS_MIN, 4, None), Ok(()));
        assert_eq!(with(EPOCH_BLOCKS_MIN - 1, 0, None), Err(ConfigError::EpochBlocks));
        assert_eq!(with(EPOCH_BLOCKS_MIN, 5, None), Err(ConfigError::EpochBlocks));
        assert_eq!(with(128, 4, Some(127)), Err(ConfigError::RetainEpoch));
        assert_eq!(with(128, 4, Some(128)), Ok(()));
        assert_eq!(Config::alone("folder", "chain").check(), Ok(()));
    }
}
