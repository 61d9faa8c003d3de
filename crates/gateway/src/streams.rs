//! Packets: who claims which, and what is promised for them. A stream order is settled once, with the best promise anybody showed, when
//! its customer says that it is done or shortly before it expires; then it is closed and the rest returns. What was taken is on disk.
//! It carries no packet, and believes nothing that the order's own key did not sign.

use crate::gateway::Gateway;
use crate::journal::Pending;
use crate::ledger::Head;
use crate::refusal::{Kind, Refusal};
use cairn_agent::carry::wire::{Promise, SHAPE_STREAM, Shown, SignedClaim};
use cairn_ledger::records::{Order, OrderState};
use cairn_types::{Credit, NetworkId, OrderId, TimeMs, codec};
use cairn_verifier::meters::MeterEntry;
use std::collections::BTreeMap;

/// Claims at once.
pub const CLAIMS_MAX: usize = 256;
/// A claim that is not said again is forgotten.
pub const CLAIM_MS: u64 = 300_000;
/// So long before its end an order is settled with what there is: by the clock, so after a halt at once. Of its own time, which stands in
/// a halt, at least as much is left then.
pub const MARGIN_MS: u64 = 600_000;
/// So long after the customer's last word devices may still show a better promise.
pub const LAST_WAIT_MS: u64 = 30_000;

/// What is claimed, by order, and when it was said last.
pub type Claims = BTreeMap<OrderId, (SignedClaim, TimeMs)>;

fn malformed(error: impl ToString) -> Refusal {
    Refusal::new(
        Kind::Invalid,
        "request_invalid",
        error.to_string(),
        "`cairn router run` makes requests of the right form",
    )
}

fn forbidden(code: &'static str, error: impl ToString) -> Refusal {
    let hint = "sign with the voucher key that the order names";
    Refusal::new(Kind::Forbidden, code, error.to_string(), hint)
}

/// What an order holds and held.
pub(crate) fn held(order: &Order) -> Credit {
    let held = order.held.total().unwrap_or_default().checked_add(order.settled);
    held.unwrap_or(Credit(u64::MAX))
}

impl Gateway {
    /// The order of a stream that this gateway serves and that is open. After a halt of the chain that may be longer than it is for
    /// anything new: what was carried is still settled.
    fn stream(&self, id: &OrderId, network: Option<&NetworkId>, head: &Head) -> Result<Order, Refusal> {
        let refuse = |kind, code, message: &str, hint: &str| Err(Refusal::new(kind, code, message, hint));
        let Some(order) = self.ledger.order(id)? else {
            let hint = "wait until the transaction that opens it is final, then ask again";
            return refuse(Kind::NotFound, "order_unknown", "the ledger has no such order", hint);
        };
        if order.provider != *self.account() {
            let hint = "ask the gateway whose account the order names";
            return refuse(
                Kind::Forbidden,
                "other_provider",
                "the order names another provider",
                hint,
            );
        }
        if order.shape != SHAPE_STREAM || network.is_some_and(|network| *network != order.network) {
            let hint = "open one with `cairn router open`";
            return refuse(Kind::Conflict, "no_stream", "the order is for something else", hint);
        }
        if order.state != OrderState::Open || order.is_over(head.uptime_ms) || order.settled > Credit::ZERO {
            let hint = "open another one with `cairn router open`";
            return refuse(
                Kind::Conflict,
                "order_not_open",
                "the order is paid, closed or expired",
                hint,
            );
        }
        Ok(order)
    }

    /// Takes a claim, or says it anew.
    pub fn take_claim(&self, bytes: &[u8]) -> Result<(), Refusal> {
        let signed: SignedClaim = codec::decode_canonical(bytes).map_err(malformed)?;
        let claim = &signed.claim;
        claim.check().map_err(malformed)?;
        let head = self.ledger.head()?;
        let (now, order) = (head.time, self.stream(&claim.order, Some(&claim.network), &head)?);
        if order.expires <= now {
            let hint = "open another one with `cairn router open`";
            return Err(Refusal::new(
                Kind::Conflict,
                "order_not_open",
                "the order's time is over",
                hint,
            ));
        }
        let checked = signed.check(&self.facts.chain, &order.voucher_key);
        checked.map_err(|error| forbidden("signature_wrong", error))?;
        let mut claims = self.claims.lock().expect("no holder of the lock panics");
        claims.retain(|_, (_, said)| now.since_ms(*said) <= CLAIM_MS);
        let before = claims.get(&claim.order);
        if before.is_some_and(|(before, _)| before.claim.said > claim.said) {
            let hint = "set this computer's clock";
            return Err(Refusal::new(
                Kind::Conflict,
                "claim_old",
                "a later claim is known",
                hint,
            ));
        }
        if before.is_none() && claims.len() >= CLAIMS_MAX {
            return Err(Refusal::new(
                Kind::Busy,
                "claims_full",
                format!("{CLAIMS_MAX} claims are known, which is all there is room for"),
                "wait until another customer is done, or ask another gateway",
            ));
        }
        claims.insert(claim.order, (signed, now));
        Ok(())
    }

    /// The claims on a network's packets, as CBOR.
    pub fn claims(&self, network: &NetworkId) -> Result<Vec<u8>, Refusal> {
        let now = self.ledger.head()?.time;
        let claims = self.claims.lock().expect("no holder of the lock panics");
        let fresh = claims.values().filter(|(_, said)| now.since_ms(*said) <= CLAIM_MS);
        let of_network = fresh.filter(|(signed, _)| signed.claim.network == *network);
        let found: Vec<&SignedClaim> = of_network.map(|(signed, _)| signed).collect();
        Ok(codec::encode(&found))
    }

    /// Keeps a promise if it is the best of its order so far. On disk when it returns.
    pub fn take_promise(&self, bytes: &[u8]) -> Result<(), Refusal> {
        let shown: Shown = codec::decode_canonical(bytes).map_err(malformed)?;
        let Shown { promise, last } = shown;
        let voucher = promise.settle.voucher;
        let _held = self.hold(voucher.order)?;
        let head = self.ledger.head()?;
        let (now, order) = (head.time, self.stream(&voucher.order, None, &head)?);
        let chain = &self.facts.chain;
        let checked = promise.check(chain, &voucher.order, &order.voucher_key, held(&order));
        checked.map_err(|error| forbidden("voucher_wrong", error))?;
        if let Some(signature) = &last {
            let message = Shown::last_message(chain, &voucher.order, voucher.credits);
            if !order.voucher_key.verify(&message, signature) {
                return Err(forbidden("signature_wrong", "the last word is not the customer's"));
            }
        }
        let kept = self.journal().get(&voucher.order).map_err(unkept)?;
        if kept.as_ref().and_then(|kept| kept.due).is_some_and(|due| due <= now) {
            // The voucher may be on its way already: another one would pay for the same twice, and nobody for the rest.
            let (message, hint) = (
                "the order is being settled",
                "open another one with `cairn router open`",
            );
            return Err(Refusal::new(Kind::Conflict, "order_not_open", message, hint));
        }
        let better = kept
            .as_ref()
            .is_none_or(|kept| kept.settle.voucher.credits < voucher.credits);
        let due = match last {
            Some(_) => now.plus_ms(LAST_WAIT_MS),
            None => TimeMs(order.expires.0.saturating_sub(MARGIN_MS)),
        };
        let earlier = kept
            .as_ref()
            .and_then(|kept| kept.due)
            .map_or(due, |before| before.min(due));
        if !better && kept.as_ref().is_some_and(|kept| kept.due == Some(earlier)) {
            return Ok(());
        }
        let pending = match kept {
            Some(kept) if !better => Pending {
                due: Some(earlier),
                ..kept
            },
            _ if voucher.credits == Credit::ZERO => return Ok(()),
            _ => pending(&order, promise, earlier),
        };
        self.journal().put(&pending).map_err(unkept)
    }
}

fn unkept(error: impl ToString) -> Refusal {
    tracing::error!(error = error.to_string(), "a promise cannot be kept");
    Refusal::ask_again("journal_unavailable", "the gateway cannot keep the promise now")
}

fn pending(order: &Order, promise: Promise, due: TimeMs) -> Pending {
    let entries = promise.entries.iter().map(|entry| MeterEntry {
        device: entry.device,
        credits: entry.credits,
    });
    Pending {
        network: order.network,
        entries: entries.collect(),
        settle: promise.settle,
        due: Some(due),
        bought: None,
    }
}
