//! The genesis file: the ledger's genesis as JSON that people can read, write and compare. The file beside the chain's data
//! is what the chain began with; another one never takes its place.

use crate::faces::{Face, FaceError, FromFace, struct_faces_both_ways};
use cairn_ledger::account::Rule;
use cairn_ledger::economics::{Parameters, Schedule, Step};
use cairn_ledger::genesis::{
    Allocation, Fees, Genesis, GenesisError, GenesisIssuer, GenesisValidator, GenesisVerifier, LIST_MAX, Limits,
};
use cairn_types::{ChainId, EpochNumber, Hash, MicroUsd, PublicKey, TimeMs, Token};
use std::io;
use std::path::Path;

/// Its name in a data folder.
pub const FILE_NAME: &str = "genesis.json";
/// Bytes of a genesis file at most.
pub const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

struct_faces_both_ways! {
    Genesis {
        chain, start, epoch_ms, round_ms, economics, schedule, limits, fees, allocations, verifiers, issuers,
        validators
    }
    Parameters {
        decimals, cap, premine, price_move_bps, price_spread_bps, price_stale_rounds, burn_limit_bps, burn_window_ms,
        refund_fee_bps, operators_bps, verifiers_bps, cover_bps, buy_back_bps, treasury_bps, usage_token_bps,
        no_wash_bps, availability_bps, availability_sunset_epochs, delegators_bps, remint_cap, reserve_cap_bps,
        reserve_draw_parts, floor_bps, share_usage_bps, share_contribution_bps, share_votes_bps,
        share_smoothing_epochs, share_move_bps
    }
    Step { from, per_epoch }
    Limits {
        networks_max, verifiers_max, network_bond_min, verifier_bond_min, unbond_epochs, settle_epochs,
        closes_per_block, beacon_blocks, order_ms_max, anchor_window_ms, window_blocks, dispute_window_ms, omission_bps,
        bar_epochs, validators_max, dispute_bond, score_half_epochs,
        committee_blocks, gap_ms_max, stall_ms
    }
    Fees { base, open_account, register_device, join_network, move_device, create_network, parameter_page }
    Allocation { rule, token, stable }
    GenesisVerifier { account, key, bond }
    GenesisIssuer { account, bond, limit }
    GenesisValidator { account, key, address }
}

impl FromFace for Rule {
    fn from_face(value: &serde_json::Value) -> Result<Self, FaceError> {
        let mut fields = crate::faces::Fields::of(value)?;
        let rule = Self {
            threshold: fields.take("threshold")?,
            keys: fields.take("keys")?,
        };
        fields.end()?;
        Ok(rule)
    }
}

/// A genesis file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum GenesisFileError {
    #[error("cannot read or write the genesis file: {0}")]
    Io(#[from] io::Error),
    #[error("the genesis file has more than {FILE_BYTES_MAX} bytes")]
    TooLong,
    #[error("the genesis file is not JSON: {0}")]
    NotJson(#[from] serde_json::Error),
    #[error("the genesis file is not a genesis: {0}")]
    NotGenesis(#[from] FaceError),
    #[error("no chain can begin with this genesis: {0}")]
    Refused(#[from] GenesisError),
    #[error("this folder holds the chain of genesis {here}, not of {given}")]
    Other { here: Hash, given: Hash },
}

impl GenesisFileError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Io(_) => "check that the folder exists and is yours",
            Self::TooLong | Self::NotJson(_) | Self::NotGenesis(_) => "compare it with one that `cairn up` wrote",
            Self::Refused(_) => "change the number it names",
            Self::Other { .. } => "name another folder, or leave the genesis as it is",
        }
    }
}

/// The file's text.
pub fn write(genesis: &Genesis) -> String {
    format!("{:#}\n", genesis.face())
}

/// The genesis of a file's text, checked.
pub fn read(text: &str) -> Result<Genesis, GenesisFileError> {
    let genesis = Genesis::from_face(&serde_json::from_str(text)?)?;
    genesis.check()?;
    Ok(genesis)
}

/// The genesis of a file.
pub fn read_file(path: &Path) -> Result<Genesis, GenesisFileError> {
    if std::fs::metadata(path)?.len() > FILE_BYTES_MAX {
        return Err(GenesisFileError::TooLong);
    }
    read(&std::fs::read_to_string(path)?)
}

/// Writes the genesis beside the chain's data at the first start; later, refuses any other.
pub fn settle(folder: &Path, genesis: &Genesis) -> Result<(), GenesisFileError> {
    genesis.check()?;
    let path = folder.join(FILE_NAME);
    if path.exists() {
        let (here, given) = (read_file(&path)?.digest(), genesis.digest());
        return if here == given {
            Ok(())
        } else {
            Err(GenesisFileError::Other { here, given })
        };
    }
    std::fs::create_dir_all(folder)?;
    let draft = folder.join("genesis.json.new");
    std::fs::write(&draft, write(genesis))?;
    std::fs::File::open(&draft)?.sync_all()?;
    Ok(std::fs::rename(draft, path)?)
}

/// Who begins a chain that one operator runs for demonstration or as the first of a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Solo {
    pub chain: ChainId,
    pub start: TimeMs,
    pub epoch_ms: u64,
    /// Holds what is left of the premine; founds networks.
    pub founder: PublicKey,
    /// The one verifier; its account has the same key.
    pub verifier: PublicKey,
    /// Promises the stablecoin.
    pub issuer: PublicKey,
    /// Others that begin with something: key, tokens, stablecoin.
    pub others: Vec<(PublicKey, Token, MicroUsd)>,
}

/// Decimals of the token of a solo chain.
pub const SOLO_DECIMALS: u8 = 6;

/// A genesis with the notes' economics for epochs of this length: a cap of a thousand million tokens, a fifth of them from
/// block 1, a tenth emitted in the first year, half of that each year from the third, and so on for sixteen years.
pub fn solo(solo: &Solo) -> Result<Genesis, GenesisFileError> {
    let whole = |tokens: u64| Token(tokens * 10u64.pow(SOLO_DECIMALS.into()));
    let (cap, premine) = (whole(1_000_000_000), whole(200_000_000));
    let epoch_ms = solo.epoch_ms.max(1);
    // The economics count in epochs of a minute at least.
    let epochs_per_day = u32::try_from(DAY_MS / epoch_ms).unwrap_or(u32::MAX).clamp(1, 1_440);
    let epochs_per_year = (365 * DAY_MS / epoch_ms).max(1);
    let economics = Parameters::with_epochs_per_day(epochs_per_day, SOLO_DECIMALS, cap, premine);
    let schedule = Schedule::halving(EpochNumber(0), epochs_per_year, whole(100_000_000), 2, 16)
        .map_err(GenesisError::Economics)?;
    let daily = Limits::daily(SOLO_DECIMALS);
    let limits = Limits {
        unbond_epochs: daily.unbond_epochs * u64::from(epochs_per_day),
        settle_epochs: daily.settle_epochs * u64::from(epochs_per_day),
        bar_epochs: daily.bar_epochs * u64::from(epochs_per_day),
        score_half_epochs: daily.score_half_epochs * u64::from(epochs_per_day),
        beacon_blocks: 1,
        // With one verifier anchoring ends at once, and one that was away for a while still keeps its promises.
        anchor_window_ms: DAY_MS.min(daily.unbond_epochs * u64::from(epochs_per_day) * epoch_ms / 2),
        ..daily
    }
    .with_stall(epoch_ms);
    let (bond, working) = (whole(1_000_000), whole(100_000));
    let stable: u64 = solo
        .others
        .iter()
        .map(|(_, _, stable)| stable.0)
        .fold(0, u64::saturating_add);
    let given = solo
        .others
        .iter()
        .map(|(_, token, _)| token.0)
        .fold(0, u64::saturating_add);
    // What the bonds and everybody else do not take; too much given is seen when the sums are checked.
    let rest = premine
        .0
        .saturating_sub(2 * bond.0 + 2 * working.0)
        .saturating_sub(given);
    let allocation = |key: PublicKey, token, stable| Allocation {
        rule: Rule::single(key),
        token,
        stable,
    };
    let mut allocations = vec![
        allocation(solo.founder, Token(rest), MicroUsd::ZERO),
        allocation(solo.verifier, working, MicroUsd::ZERO),
        allocation(solo.issuer, working, MicroUsd::ZERO),
    ];
    allocations.extend(
        solo.others
            .iter()
            .map(|(key, token, stable)| allocation(*key, *token, *stable)),
    );
    assert!(allocations.len() <= LIST_MAX, "a solo chain begins with few accounts");
    let genesis = Genesis {
        chain: solo.chain.clone(),
        start: solo.start,
        epoch_ms: solo.epoch_ms,
        round_ms: solo.epoch_ms,
        economics,
        schedule: schedule.steps().to_vec(),
        limits,
        fees: Fees {
            base: Token(1_000),
            open_account: Token(10_000),
            register_device: Token(100_000),
            join_network: Token(10_000),
            move_device: whole(1),
            create_network: whole(10),
            parameter_page: whole(1),
        },
        allocations,
        verifiers: vec![GenesisVerifier {
            account: Rule::single(solo.verifier).account_id(),
            key: solo.verifier,
            bond,
        }],
        issuers: vec![GenesisIssuer {
            account: Rule::single(solo.issuer).account_id(),
            bond,
            limit: MicroUsd(stable.saturating_add(1_000_000_000_000_000)),
        }],
        // One operator decides alone anyway.
        validators: Vec::new(),
    };
    genesis.check()?;
    Ok(genesis)
}

#[cfg(test)]
mod tests {
    use super::*;
    use cairn_types::SecretKey;

    fn made() -> Genesis {
        let key = |seed| SecretKey::ed25519([seed; 32]).public();
        solo(&Solo {
            chain: "cairn-test".parse().unwrap(),
            start: "2017-07-15T00:00:00Z".parse().unwrap(),
            epoch_ms: 3_600_000,
            founder: key(1),
            verifier: key(2),
            issuer: key(3),
            others: vec![(key(4), Token(5_000_000), MicroUsd(1_000_000_000))],
        })
        .unwrap()
    }

    #[test]
    fn a_healthy_chain_that_is_idle_loses_no_uptime() {
        let idle = cairn_engine::Pace::default().idle_interval;
        assert!(2 * idle.as_millis() <= u128::from(cairn_ledger::genesis::GAP_MS_MIN));
    }

    #[test]
    fn a_genesis_reads_back_from_its_file() {
        let genesis = made();
        assert_eq!(read(&write(&genesis)).unwrap(), genesis);
        assert_eq!(read(&write(&genesis)).unwrap().digest(), genesis.digest());
    }

    #[test]
    fn what_is_not_a_genesis_is_named_by_its_place() {
        let text = write(&made());
        for (from, to, says) in [
            ("\"epoch_ms\"", "\"epoch_s\"", "field epoch_ms is missing"),
            ("\"chain\"", "\"colour\": 1, \"chain\"", "field colour is unknown"),
            (
                "\"ed25519:",
                "\"rsa:",
                "allocations: [0]: rule: keys: [0]: a key, ed25519:HEX, p256:HEX or passkey:HEX expected",
            ),
            (
                "\"floor_bps\": ",
                "\"floor_bps\": 99",
                "economics: floor_bps: basis points, 0 to 10,000 expected",
            ),
        ] {
            let error = read(&text.replacen(from, to, 1)).unwrap_err();
            assert!(error.to_string().ends_with(says), "{error}");
        }
        assert!(matches!(read("{"), Err(GenesisFileError::NotJson(_))));
        let poorer = text.replacen("\"token\": \"5000000\"", "\"token\": \"5000001\"", 1);
        assert!(matches!(read(&poorer), Err(GenesisFileError::Refused(_))));
    }

    #[test]
    fn a_folder_keeps_the_genesis_it_began_with() {
        let folder = tempfile::tempdir().unwrap();
        let genesis = made();
        settle(folder.path(), &genesis).unwrap();
        settle(folder.path(), &genesis).unwrap();
        let other = Genesis {
            epoch_ms: 7_200_000,
            ..genesis
        };
        assert!(matches!(
            settle(folder.path(), &other),
            Err(GenesisFileError::Other { .. })
        ));
    }
}
