//! How requests and answers look as JSON. Ids, hashes and signatures are hexadecimal, times `2017-07-15T00:00:00Z`, amounts decimal
//! strings. Fields that do not belong are refused: they would be misspelt.

use crate::query::Query;
use crate::quote::Quote;
use crate::refusal::{Kind, Refusal};
use crate::sale::Ask;
use cairn_ledger::tx::settle_order::Voucher;
use cairn_types::{AccountId, ChainId, Credit, OrderId, Signature};
use serde::{Deserialize, Serialize};
use std::fmt::Display;
use std::str::FromStr;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QueryFace {
    pub network: String,
    /// None: every cell of the network.
    #[serde(default)]
    pub cells: Vec<String>,
    pub quantity: String,
    pub from: String,
    pub to: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuoteRequest {
    pub query: QueryFace,
    pub customer: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EpochsFace {
    pub first: u64,
    pub last: u64,
    pub settled: u64,
    pub missing: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuoteFace {
    pub query: QueryFace,
    pub chain: String,
    pub provider: String,
    pub rows: u64,
    pub devices: u64,
    pub price_credits: String,
    pub meters: String,
    pub terms: String,
    pub epochs: EpochsFace,
    pub available_until: String,
    pub valid_until: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VoucherFace {
    pub credits: String,
    pub meters: String,
    pub signature: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PurchaseRequest {
    pub query: QueryFace,
    pub format: String,
    pub order: String,
    pub voucher: VoucherFace,
    pub signature: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorFace {
    pub code: String,
    pub message: String,
    pub hint: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthFace {
    /// `ok`, or what does not answer.
    pub status: String,
    pub chain: String,
    pub account: String,
    /// The ledger's time.
    pub time: String,
    /// Sales begun and not wound up.
    pub pending: u64,
}

/// The value of a field's text.
pub fn field<T: FromStr>(name: &str, text: &str) -> Result<T, Refusal>
where
    T::Err: Display,
{
    text.parse().map_err(|error| {
        Refusal::new(
            Kind::Invalid,
            "request_invalid",
            format!("field {name}: {error}"),
            "see /v1/openapi.json for the form of a request",
        )
    })
}

fn signature(name: &str, text: &str) -> Result<Signature, Refusal> {
    let mut bytes = [0; 64];
    match hex::decode_to_slice(text, &mut bytes) {
        Ok(()) => Ok(Signature(bytes)),
        Err(_) => field::<Never>(name, text).map(|_| Signature(bytes)),
    }
}

/// A text that is never right.
struct Never;

impl FromStr for Never {
    type Err = &'static str;
    fn from_str(_: &str) -> Result<Self, Self::Err> {
        Err("a signature is 128 hexadecimal digits")
    }
}

impl From<&Query> for QueryFace {
    fn from(query: &Query) -> Self {
        Self {
            network: query.network.to_string(),
            cells: query.cells.iter().map(ToString::to_string).collect(),
            quantity: query.quantity.clone(),
            from: query.from.to_string(),
            to: query.to.to_string(),
        }
    }
}

impl QueryFace {
    /// Cells may come in any order, and twice.
    pub fn query(&self) -> Result<Query, Refusal> {
        if self.cells.len() > crate::limits::CELLS_MAX {
            return Err(crate::query::QueryError::TooManyCells.into());
        }
        let mut cells = self
            .cells
            .iter()
            .map(|cell| field("cells", cell))
            .collect::<Result<Vec<_>, _>>()?;
        cells.sort_unstable();
        cells.dedup();
        Ok(Query {
            network: field("network", &self.network)?,
            cells,
            quantity: self.quantity.clone(),
            from: field("from", &self.from)?,
            to: field("to", &self.to)?,
        })
    }
}

impl QuoteRequest {
    pub fn read(&self) -> Result<(Query, AccountId), Refusal> {
        Ok((self.query.query()?, field("customer", &self.customer)?))
    }
}

impl From<&Quote> for QuoteFace {
    fn from(quote: &Quote) -> Self {
        Self {
            query: (&quote.query).into(),
            chain: quote.chain.to_string(),
            provider: quote.provider.to_string(),
            rows: quote.rows,
            devices: quote.devices,
            price_credits: quote.price.to_string(),
            meters: quote.meters.to_string(),
            terms: quote.terms.to_string(),
            epochs: EpochsFace {
                first: quote.epochs.first.0,
                last: quote.epochs.last.0,
                settled: quote.epochs.settled,
                missing: quote.epochs.missing,
            },
            available_until: quote.available_until.to_string(),
            valid_until: quote.valid_until.to_string(),
        }
    }
}

impl QuoteFace {
    pub fn read(&self) -> Result<Quote, Refusal> {
        Ok(Quote {
            query: self.query.query()?,
            chain: field::<ChainId>("chain", &self.chain)?,
            provider: field("provider", &self.provider)?,
            rows: self.rows,
            devices: self.devices,
            price: Credit(field("price_credits", &self.price_credits)?),
            meters: field("meters", &self.meters)?,
            terms: field("terms", &self.terms)?,
            epochs: crate::quote::Epochs {
                first: cairn_types::EpochNumber(self.epochs.first),
                last: cairn_types::EpochNumber(self.epochs.last),
                settled: self.epochs.settled,
                missing: self.epochs.missing,
            },
            available_until: field("available_until", &self.available_until)?,
            valid_until: field("valid_until", &self.valid_until)?,
        })
    }
}

impl PurchaseRequest {
    pub fn read(&self) -> Result<(Ask, crate::export::Format), Refusal> {
        let format = crate::export::Format::by_name(&self.format).ok_or_else(|| {
            Refusal::new(
                Kind::Invalid,
                "format_unknown",
                "the format is csv, geojson or parquet",
                "choose one of them",
            )
        })?;
        let voucher = Voucher {
            order: field::<OrderId>("order", &self.order)?,
            credits: Credit(field("voucher.credits", &self.voucher.credits)?),
            meters: field("voucher.meters", &self.voucher.meters)?,
        };
        let ask = Ask {
            query: self.query.query()?,
            voucher,
            voucher_signature: signature("voucher.signature", &self.voucher.signature)?,
            signature: signature("signature", &self.signature)?,
        };
        Ok((ask, format))
    }
}

impl From<&Refusal> for ErrorFace {
    fn from(refusal: &Refusal) -> Self {
        Self {
            code: refusal.code.to_owned(),
            message: refusal.message.clone(),
            hint: refusal.hint.clone(),
        }
    }
}
