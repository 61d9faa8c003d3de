//! The customer's part, as values: check a quote, agree to it, pay for it. Pure: whoever uses it talks to ledger and gateway.
//!
//! ```text
//! QuoteRequest ─▶ gateway ─▶ QuoteFace ─▶ Agreed::check ─▶ order() ─▶ ledger ─▶ purchase() ─▶ gateway ─▶ file
//! ```
//! Keep the voucher key and the order's id until the file is there: asking again costs nothing.

use crate::api_key::{self, SHAPE_KEY};
use crate::export::Format;
use crate::faces::{PurchaseRequest, QueryFace, QuoteFace, QuoteRequest, VoucherFace};
use crate::query::Query;
use crate::quote::{self, Quote, SHAPE_QUERY};
use crate::refusal::Refusal;
use crate::sale;
use cairn_ledger::tx::open_order::OpenOrder;
use cairn_ledger::tx::settle_order::Voucher;
use cairn_types::{AccountId, ChainId, Credit, NetworkId, OrderId, PublicKey, SecretKey, TimeMs};
use thiserror::Error;

/// A quote not to be paid.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum QuoteWrong {
    #[error("the quote cannot be read: {0}")]
    Malformed(String),
    #[error("the quote is for another {0} than was asked for")]
    Other(&'static str),
    #[error("the quote's terms are not the hash of what it says")]
    Terms,
}

/// A quote that says what its terms bind, for what was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agreed {
    quote: Quote,
}

/// The body of `POST /v1/quotes`.
pub fn ask(query: &Query, customer: &AccountId) -> QuoteRequest {
    QuoteRequest {
        query: query.into(),
        customer: Some(customer.to_string()),
    }
}

/// What opens an order that an API key spends: at most `hold`, with this provider, in this network, until `expires`.
pub fn key_order(
    chain: &ChainId,
    provider: AccountId,
    network: NetworkId,
    hold: Credit,
    expires: TimeMs,
    voucher_key: PublicKey,
) -> OpenOrder {
    OpenOrder {
        network,
        provider,
        shape: SHAPE_KEY,
        terms: api_key::terms(chain, &provider, &network),
        hold,
        expires,
        voucher_key,
    }
}

impl Agreed {
    /// Holds a quote against the question. Its query may end earlier: where released data ends.
    pub fn check(asked: &Query, chain: &ChainId, face: &QuoteFace) -> Result<Self, QuoteWrong> {
        let quote = face
            .read()
            .map_err(|error: Refusal| QuoteWrong::Malformed(error.message))?;
        let same = Query {
            to: quote.query.to,
            ..asked.clone()
        };
        if quote.query != same || quote.query.to > asked.to {
            return Err(QuoteWrong::Other("query"));
        }
        if quote.chain != *chain {
            return Err(QuoteWrong::Other("chain"));
        }
        let terms = quote::terms(
            chain,
            &quote.provider,
            &quote.query,
            quote.rows,
            quote.price,
            &quote.meters,
        );
        if terms != quote.terms {
            return Err(QuoteWrong::Terms);
        }
        Ok(Self { quote })
    }

    pub fn quote(&self) -> &Quote {
        &self.quote
    }

    /// What opens the order: holds exactly the price, until `expires`.
    pub fn order(&self, expires: TimeMs, voucher_key: PublicKey) -> OpenOrder {
        OpenOrder {
            network: self.quote.query.network,
            provider: self.quote.provider,
            shape: SHAPE_QUERY,
            terms: self.quote.terms,
            hold: self.quote.price,
            expires,
            voucher_key,
        }
    }

    /// The body of `POST /v1/queries`, which pays.
    pub fn purchase(&self, order: OrderId, format: Format, voucher_key: &SecretKey) -> PurchaseRequest {
        let Quote { query, chain, .. } = &self.quote;
        let voucher = Voucher {
            order,
            credits: self.quote.price,
            meters: self.quote.meters,
        };
        let settle = voucher.sign(chain, voucher_key);
        let signature = voucher_key.sign(&sale::request_message(chain, &order, query));
        PurchaseRequest {
            query: QueryFace::from(query),
            format: format.name().to_owned(),
            order: order.to_string(),
            voucher: VoucherFace {
                credits: voucher.credits.to_string(),
                meters: voucher.meters.to_string(),
                signature: hex::encode(settle.signature.0),
            },
            signature: hex::encode(signature.0),
        }
    }
}
