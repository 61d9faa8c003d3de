//! Everything a network left behind, as values: what the properties look at, and what a test doctors to see them fail. Read from the
//! ledger and the archive; judges nothing.

use crate::diary::Diary;
use crate::market::Bought;
use crate::people::network_id;
use cairn_ledger::economics::netting::Exchange;
use cairn_ledger::records::{ExchangeBook, Pool, Roots, Settlement};
use cairn_ledger::{Event, view};
use cairn_types::{AccountNumber, Credit, DeviceId, EpochNumber, Finding, Hash, MicroUsd, PayoutLeaf, Token};
use cairn_verifier::archive::{EpochArchive, Inputs, REPORTS, reports};
use cairn_verifier::audit::audit;
use cairn_verifier::chain::ChainView;
use cairn_verifier::chain::local::LocalChain;
use cairn_verifier::collector::Sealed;
use cairn_verifier::exchange::{self, Choice};
use cairn_verifier::objects::Objects;
use cairn_verticals::kit::Role;
use std::collections::BTreeMap;

/// One device of the cast.
#[derive(Clone, Debug)]
pub struct Device {
    pub name: String,
    pub id: DeviceId,
    pub role: Role,
}

/// A paid epoch.
#[derive(Clone, Debug)]
pub struct Paid {
    pub epoch: EpochNumber,
    pub pool: Pool,
    pub settlement: Settlement,
    pub roots: Roots,
    pub inputs: Inputs,
    pub reports: Vec<Sealed>,
    pub findings: Vec<Finding>,
    pub leaves: Vec<PayoutLeaf>,
    /// What the leaves' operators had chosen, as the archive says.
    pub choices: Vec<Choice>,
    /// What the leaves exchanged.
    pub steps: Vec<Exchange>,
    /// The settled exchange, if there was one.
    pub book: Option<ExchangeBook>,
    /// What the audit came to: the difference, or why there was none.
    pub difference: Option<String>,
}

/// The records of a network.
#[derive(Clone, Debug)]
pub struct Records {
    pub devices: Vec<Device>,
    pub epochs: Vec<Paid>,
    /// Epochs after those, paid while everybody finished.
    pub later: Vec<Paid>,
    /// So many epochs should be paid in the end.
    pub hours: u64,
    pub events: Vec<Event>,
    pub diary: Diary,
    /// What each operator has, who began with nothing and spends nothing.
    pub holds: BTreeMap<AccountNumber, (Token, MicroUsd)>,
    pub bought: Vec<Bought>,
    /// Credits the customer bought, and those it has or holds in orders.
    pub credits: (Credit, Credit),
    /// What the ledger's own invariants say.
    pub violations: Vec<String>,
    /// Whether all is over: nothing is under way any more.
    pub is_over: bool,
    /// Whether every cheat must have been refused by its end.
    pub is_telling: bool,
}

impl Records {
    /// The result of each epoch: two runs of one seed have the same.
    pub fn roots(&self) -> Vec<Hash> {
        self.epochs.iter().map(|paid| paid.settlement.result).collect()
    }

    /// What was judged and what it came to, without the hashes of the files that were anchored: those say when reports were received as
    /// well, and a kill delays that.
    pub fn judged(&self) -> Vec<[Hash; 5]> {
        let judged = |paid: &Paid| {
            let roots = &paid.roots;
            let payouts = paid.settlement.payouts;
            [roots.inputs, roots.archive, roots.findings, roots.memory, payouts]
        };
        self.epochs.iter().map(judged).collect()
    }
}

/// Reads a paid epoch; what cannot be read is the difference.
pub fn paid(chain: &LocalChain, objects: &dyn Objects, epoch: EpochNumber) -> Result<Paid, String> {
    let (network, says) = (network_id(), |error: &dyn std::fmt::Display| {
        format!("epoch {epoch}: {error}")
    });
    let closed = chain.closed(&network, epoch).map_err(|error| says(&error))?;
    let settlement = ChainView::settlement(chain, &network, epoch).map_err(|error| says(&error))?;
    let (Some(closed), Some(settlement)) = (closed, settlement) else {
        return Err(says(&"not settled"));
    };
    let roots = chain.read(|store| view::roots(store, &network, epoch).ok().flatten());
    let archive = EpochArchive::of(objects, &network, epoch);
    let rows = archive.need(REPORTS).map_err(|error| says(&error))?;
    let difference = match audit(objects, chain, &network, epoch) {
        Ok(audited) => audited.difference.map(|difference| difference.to_string()),
        Err(error) => Some(error.to_string()),
    };
    let inputs = archive.inputs().map_err(|error| says(&error))?;
    let leaves = archive.payouts().map_err(|error| says(&error))?;
    let choices = archive.choices().map_err(|error| says(&error))?;
    let scale = inputs.economics.scale().map_err(|error| says(&error))?;
    let steps = exchange::steps(scale, closed.pool.exchange_price, &leaves, &choices).map_err(|error| says(&error))?;
    Ok(Paid {
        epoch,
        pool: closed.pool,
        settlement,
        roots: roots.ok_or_else(|| says(&"no roots"))?,
        inputs,
        reports: reports::read(rows).map_err(|error| says(&error))?,
        findings: archive.findings().map_err(|error| says(&error))?,
        leaves,
        choices,
        steps,
        book: ChainView::exchange(chain, &network, epoch).map_err(|error| says(&error))?,
        difference,
    })
}
