//! The events of the ledger as JSON: `{"kind": …, its fields …}`. A new event does not compile until it is named here.

use super::{Face, object, struct_faces, with};
use cairn_ledger::event::{self, Event};
use cairn_ledger::tx::Asset;
use serde_json::Value;

struct_faces! {
    event::LeafPaid { operator, token, stable }
}

impl Face for Asset {
    fn face(&self) -> Value {
        match self {
            Self::Token(amount) => object([("asset", "token".to_owned().face()), ("amount", amount.face())]),
            Self::Stable(amount) => object([("asset", "stable".to_owned().face()), ("amount", amount.face())]),
        }
    }
}

/// One arm for each event: its name, then its fields under their own names.
macro_rules! named {
    ($event:expr, $($variant:ident { $($field:ident),* } => $name:literal),+ $(,)?) => {
        match $event {
            $(Event::$variant { $($field),* } => ($name, object([$((stringify!($field), $field.face())),*])),)+
            Event::StableRedeemed { issuer, from, amount, reference } => {
                let fields = [("issuer", issuer.face()), ("from", from.face()), ("amount", amount.face())];
                ("stable_redeemed", with(object(fields), [("reference", super::hex(reference))]))
            }
        }
    };
}

/// The name of an event and its fields.
pub fn event(event: &Event) -> (&'static str, Value) {
    named!(event,
        GenesisWritten { digest } => "genesis_written",
        FeePaid { payer, fee } => "fee_paid",
        AllowanceSpent { network, fee } => "allowance_spent",
        AccountOpened { account, number } => "account_opened",
        KeysRotated { account, rule } => "keys_rotated",
        Transferred { from, to, amount } => "transferred",
        PayoutChoiceSet { account, wants, from } => "payout_choice_set",
        StableIssued { issuer, to, amount } => "stable_issued",
        CreditsBought { account, credits, paid, burned } => "credits_bought",
        CreditsRefunded { account, credits, paid, fee } => "credits_refunded",
        TokenSoldBack { account, burned, paid } => "token_sold_back",
        VerifierBonded { verifier, amount } => "verifier_bonded",
        VerifierUnbonding { verifier, amount, until } => "verifier_unbonding",
        VerifierUnbonded { verifier, amount } => "verifier_unbonded",
        VerifierSlashed { verifier, burned, cover, reporter, rewarded } => "verifier_slashed",
        VerifierUrlSet { verifier, url } => "verifier_url_set",
        ReceiptBroken { verifier, network, epoch, report } => "receipt_broken",
        PricePosted { verifier, price, round } => "price_posted",
        PriceAccepted { round, price } => "price_accepted",
        NetworkCreated { network, number, founder, name, vertical, bond, allowance } => "network_created",
        TermsSet { network, version, from, parameters } => "terms_set",
        TreasuryFunded { network, by, amount, allowance } => "treasury_funded",
        TreasuryDrawn { network, by, amount } => "treasury_drawn",
        NetworkClosing { network, last } => "network_closing",
        BondReturned { network, to, amount } => "bond_returned",
        DeviceRegistered { device, number, owner } => "device_registered",
        NetworkJoined { network, device, entry, cell, from } => "network_joined",
        NetworkLeft { network, device, entry, last } => "network_left",
        DeviceMoved { network, device, entry, cell, from } => "device_moved",
        DeviceRetired { device } => "device_retired",
        DeviceBarred { device, network, sequence, from, until, reporter } => "device_barred",
        EpochClosed { epoch, networks, emission } => "epoch_closed",
        PoolFixed { network, epoch, availability, usage, cash, customers_paid } => "pool_fixed",
        BeaconRevealed { epoch, beacon } => "beacon_revealed",
        EpochSettled { network, epoch, result, leaves, totals, unpaid_token, unpaid_stable } => "epoch_settled",
        EpochExpired { network, epoch, unpaid_token, unpaid_stable } => "epoch_expired",
        LeavesPaid { network, epoch, start, end, sums, leaves } => "leaves_paid",
        PayoutsCompleted { network, epoch } => "payouts_completed",
        EpochAnchored { network, epoch, verifier, root, count } => "epoch_anchored",
        EpochReleased { network, epoch, verifiers, unpaid_token, unpaid_stable } => "epoch_released",
        VerifierPaid { network, epoch, verifier, amount } => "verifier_paid",
        DisputeBondReturned { network, epoch, to, amount } => "dispute_bond_returned",
        OrderOpened { order, network, customer, provider, held } => "order_opened",
        OrderSettled { order, paid, cumulative, meters } => "order_settled",
        OrderClosed { order, returned } => "order_closed",
        OrderExpired { order, returned } => "order_expired",
        ValidatorVoted { key, validator, choice } => "validator_voted",
        ValidatorAdded { key, account, address } => "validator_added",
        ValidatorRemoved { key } => "validator_removed",
        UpgradeVoted { version, height, validator } => "upgrade_voted",
        UpgradeAnnounced { version, height } => "upgrade_announced",
        UpgradeWithdrawn { version } => "upgrade_withdrawn",
        UpgradeTookEffect { version, height } => "upgrade_took_effect",
        DisputeOpened { network, epoch, disputer, bond, claim } => "dispute_opened",
        DisputeVoted { network, epoch, validator, choice } => "dispute_voted",
        DisputeDecided { network, epoch, upheld, result, blame } => "dispute_decided",
        SettlementWithdrawn { network, epoch } => "settlement_withdrawn",
    )
}
