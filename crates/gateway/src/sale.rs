//! Whether an order pays for a query: pure. First what can be seen without reading data, then whether the data is what was agreed.

use crate::ledger::Head;
use crate::query::Query;
use crate::quote::{self, SHAPE_QUERY};
use crate::refusal::{Kind, Refusal};
use crate::scan::Tally;
use cairn_ledger::records::{Order, OrderState};
use cairn_ledger::tx::settle_order::{SettleOrder, Voucher};
use cairn_types::{AccountId, ChainId, Credit, OrderId, Signature, hash};
use cairn_verifier::meters::MeterEntry;

/// A request for what an order pays for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    pub query: Query,
    pub voucher: Voucher,
    pub voucher_signature: Signature,
    /// By the order's voucher key over the request: the voucher itself is public once it is settled.
    pub signature: Signature,
}

/// What is still to be done before data is delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    Paid,
    /// Settle this voucher, whose meters are these.
    Unpaid(SettleOrder, Vec<MeterEntry>),
}

/// What a customer signs to fetch what an order paid for.
pub fn request_message(chain: &ChainId, order: &OrderId, query: &Query) -> [u8; 32] {
    hash::domain(
        "cairn/query-request/1",
        &[chain.as_str().as_bytes(), &order.0, &query.hash().0],
    )
    .0
}

/// Whether a voucher of so many credits is settled.
pub fn is_paid(order: &Order, credits: Credit) -> bool {
    credits > Credit::ZERO && order.settled >= credits
}

/// With less left of an order's time nothing is sold for it: a halt of the chain right after the sale may take a minute of it, and the
/// voucher must be settled in what remains.
pub const SETTLE_MS: u64 = 120_000;

/// Everything that needs no data.
pub fn check_order(
    ask: &Ask,
    order: &Order,
    chain: &ChainId,
    provider: &AccountId,
    head: &Head,
) -> Result<(), Refusal> {
    let refuse = |kind, code, message: &str, hint: &str| Err(Refusal::new(kind, code, message, hint));
    let (voucher, key) = (&ask.voucher, &order.voucher_key);
    if order.provider != *provider {
        return refuse(
            Kind::Forbidden,
            "other_provider",
            "the order names another provider",
            "ask the gateway whose account the order names",
        );
    }
    if !key.verify(&request_message(chain, &voucher.order, &ask.query), &ask.signature) {
        return refuse(
            Kind::Forbidden,
            "signature_wrong",
            "the request is not signed by the order's voucher key",
            "sign the request with the key named in the order",
        );
    }
    if !key.verify(&voucher.message(chain), &ask.voucher_signature) {
        return refuse(
            Kind::Forbidden,
            "voucher_wrong",
            "the voucher is not signed by the order's voucher key",
            "sign a voucher of this order for the quoted price and meters",
        );
    }
    if order.shape != SHAPE_QUERY || order.network != ask.query.network {
        return Err(Refusal::quote_again(
            "the order is not for a query of this network",
            order.expires,
        ));
    }
    if is_paid(order, voucher.credits) {
        return Ok(());
    }
    if order.state != OrderState::Open {
        return refuse(
            Kind::Conflict,
            "order_not_open",
            "the order is closed or expired, and was not paid",
            "ask for a quote and open another order",
        );
    }
    if order.expires <= head.time || order.is_over(head.uptime_ms.saturating_add(SETTLE_MS)) {
        return refuse(
            Kind::Conflict,
            "order_expired",
            "the order's time is over, or too short to settle it",
            "ask for a quote and open another order; anyone may expire this one, then what it holds returns",
        );
    }
    let held = order.held.total().unwrap_or_default().checked_add(order.settled);
    if held.is_none_or(|held| held < voucher.credits) {
        return Err(Refusal::new(
            Kind::Insufficient,
            "hold_too_small",
            format!(
                "the order holds {} credits, the voucher promises {}",
                held.unwrap_or_default(),
                voucher.credits
            ),
            "open an order that holds the quoted price",
        ));
    }
    Ok(())
}

/// Whether the data found is what order and voucher agree on. `price` is today's.
pub fn check_terms(
    ask: &Ask,
    order: &Order,
    chain: &ChainId,
    provider: &AccountId,
    query: &Query,
    tally: &Tally,
    price: Credit,
) -> Result<Standing, Refusal> {
    let voucher = &ask.voucher;
    let again = |message: &str| match is_paid(order, voucher.credits) {
        false => Err(Refusal::quote_again(message, order.expires)),
        true => Err(Refusal::paid_for_other_data()),
    };
    let Some((entries, root, terms)) = quote::agreed(chain, provider, query, tally, voucher.credits) else {
        return again("there is no data for this query");
    };
    if root != voucher.meters || terms != order.terms {
        return again("the data or its price is not what was agreed");
    }
    if is_paid(order, voucher.credits) {
        return Ok(Standing::Paid);
    }
    if price != voucher.credits {
        return again("the price has changed");
    }
    let settle = SettleOrder {
        voucher: *voucher,
        key: order.voucher_key,
        signature: ask.voucher_signature,
    };
    Ok(Standing::Unpaid(settle, entries))
}
