//! How requests and answers look as JSON. Ids, hashes and signatures are hexadecimal, times `2017-07-15T00:00:00Z`, amounts decimal
//! strings. Fields that do not belong are refused: they would be misspelt.

use crate::data::KeyNow;
use crate::export::Format;
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
    /// None: whether anybody could pay is not asked.
    #[serde(default)]
    pub customer: Option<String>,
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

/// A question in an address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataAsked {
    pub network: String,
    pub quantity: String,
    pub from: String,
    pub to: String,
    /// With commas between them. None: every cell of the network.
    #[serde(default)]
    pub cells: Option<String>,
    #[serde(default)]
    pub format: Option<String>,
    #[serde(default)]
    pub credits_max: Option<String>,
}

/// A price for whoever asks, with what an order that an API key spends must name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriceFace {
    pub query: QueryFace,
    pub chain: String,
    pub provider: String,
    pub rows: u64,
    pub devices: u64,
    pub price_credits: String,
    pub epochs: EpochsFace,
    pub available_until: String,
    pub valid_until: String,
}

/// How an API key is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyFace {
    pub order: String,
    pub network: String,
    pub state: String,
    pub held_credits: String,
    pub spent_credits: String,
    pub left_credits: String,
    pub expires: String,
    pub sells_until: String,
    /// None once it is settled.
    pub queries_paid: Option<u64>,
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
    /// API keys in use.
    pub keys: u64,
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
    pub fn read(&self) -> Result<(Query, Option<AccountId>), Refusal> {
        let customer = self.customer.as_deref().map(|text| field("customer", text));
        Ok((self.query.query()?, customer.transpose()?))
    }
}

impl DataAsked {
    pub fn read(&self) -> Result<(Query, Format, Option<Credit>), Refusal> {
        let cells = self.cells.iter().flat_map(|cells| cells.split(','));
        let query = QueryFace {
            network: self.network.clone(),
            cells: cells.map(str::to_owned).collect(),
            quantity: self.quantity.clone(),
            from: self.from.clone(),
            to: self.to.clone(),
        };
        let credits_max = self.credits_max.as_deref().map(|text| field("credits_max", text));
        let format = self.format.as_deref().map_or(Ok(Format::Csv), format);
        Ok((query.query()?, format?, credits_max.transpose()?.map(Credit)))
    }
}

/// A form of files by its name.
fn format(name: &str) -> Result<Format, Refusal> {
    Format::by_name(name).ok_or_else(|| {
        Refusal::new(
            Kind::Invalid,
            "format_unknown",
            "the format is csv, geojson or parquet",
            "choose one of them",
        )
    })
}

impl From<QuoteFace> for PriceFace {
    fn from(quote: QuoteFace) -> Self {
        Self {
            query: quote.query,
            chain: quote.chain,
            provider: quote.provider,
            rows: quote.rows,
            devices: quote.devices,
            price_credits: quote.price_credits,
            epochs: quote.epochs,
            available_until: quote.available_until,
            valid_until: quote.valid_until,
        }
    }
}

impl From<&KeyNow> for KeyFace {
    fn from(key: &KeyNow) -> Self {
        Self {
            order: key.order.to_string(),
            network: key.network.to_string(),
            state: key.state.name().to_owned(),
            held_credits: key.held.to_string(),
            spent_credits: key.spent.to_string(),
            left_credits: key.left.to_string(),
            expires: key.expires.to_string(),
            sells_until: key.sells_until.to_string(),
            queries_paid: key.queries,
        }
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
    pub fn read(&self) -> Result<(Ask, Format), Refusal> {
        let format = format(&self.format)?;
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
