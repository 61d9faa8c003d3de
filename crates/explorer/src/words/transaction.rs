//! Every kind of transaction: its name, and what it asks for in a sentence. A new one does not compile until it has both.

use super::figures::{Words, credits, decimal, price, short, stable};
use cairn_ledger::tx::Body;
use cairn_ledger::tx::buy_credits::Payment;
use cairn_ledger::tx::vote_validator::Change;
use cairn_types::PublicKey;

/// Every kind there is, as they are listed.
pub const KINDS: [&str; 39] = [
    "open_account",
    "rotate_keys",
    "set_payout_choice",
    "transfer",
    "issue_stable",
    "redeem_stable",
    "buy_credits",
    "refund_credits",
    "sell_token",
    "bond_verifier",
    "unbond_verifier",
    "slash_verifier",
    "post_price",
    "slash_receipt",
    "set_verifier_url",
    "create_network",
    "set_parameters",
    "fund_treasury",
    "withdraw_treasury",
    "close_network",
    "register_device",
    "join_network",
    "leave_network",
    "move_device",
    "retire_device",
    "bar_device",
    "settle_epoch",
    "pay",
    "anchor_epoch",
    "open_dispute",
    "vote_dispute",
    "open_order",
    "settle_order",
    "close_order",
    "expire_order",
    "vote_validator",
    "vote_upgrade",
    // The engine's own.
    "take_over_records",
    "end_era",
];

/// What a kind of transaction is called.
pub fn kind(body: &Body) -> &'static str {
    match body {
        Body::OpenAccount(_) => "open_account",
        Body::RotateKeys(_) => "rotate_keys",
        Body::SetPayoutChoice(_) => "set_payout_choice",
        Body::Transfer(_) => "transfer",
        Body::IssueStable(_) => "issue_stable",
        Body::RedeemStable(_) => "redeem_stable",
        Body::BuyCredits(_) => "buy_credits",
        Body::RefundCredits(_) => "refund_credits",
        Body::SellToken(_) => "sell_token",
        Body::BondVerifier(_) => "bond_verifier",
        Body::UnbondVerifier(_) => "unbond_verifier",
        Body::SlashVerifier(_) => "slash_verifier",
        Body::PostPrice(_) => "post_price",
        Body::SlashReceipt(_) => "slash_receipt",
        Body::SetVerifierUrl(_) => "set_verifier_url",
        Body::CreateNetwork(_) => "create_network",
        Body::SetParameters(_) => "set_parameters",
        Body::FundTreasury(_) => "fund_treasury",
        Body::WithdrawTreasury(_) => "withdraw_treasury",
        Body::CloseNetwork(_) => "close_network",
        Body::RegisterDevice(_) => "register_device",
        Body::JoinNetwork(_) => "join_network",
        Body::LeaveNetwork(_) => "leave_network",
        Body::MoveDevice(_) => "move_device",
        Body::RetireDevice(_) => "retire_device",
        Body::BarDevice(_) => "bar_device",
        Body::SettleEpoch(_) => "settle_epoch",
        Body::Pay(_) => "pay",
        Body::AnchorEpoch(_) => "anchor_epoch",
        Body::OpenDispute(_) => "open_dispute",
        Body::VoteDispute(_) => "vote_dispute",
        Body::OpenOrder(_) => "open_order",
        Body::SettleOrder(_) => "settle_order",
        Body::CloseOrder(_) => "close_order",
        Body::ExpireOrder(_) => "expire_order",
        Body::VoteValidator(_) => "vote_validator",
        Body::VoteUpgrade(_) => "vote_upgrade",
    }
}

/// What a transaction asks for.
pub fn transaction(body: &Body, words: Words) -> String {
    match body {
        Body::OpenAccount(_) => "Open the account.".to_owned(),
        Body::RotateKeys(body) => {
            let (threshold, all) = (body.rule.threshold, body.rule.keys.len());
            format!("Change the account's keys: from then on {threshold} of {all} sign for it.")
        }
        Body::SetPayoutChoice(body) => match body.wants {
            Some(part) => format!(
                "Take {} % of its income in stablecoin from the next epoch on.",
                decimal(part.get().into(), 2)
            ),
            None => "Take its income as it is earned from the next epoch on.".to_owned(),
        },
        Body::Transfer(body) => format!("Give {} to account {}.", words.asset(body.amount), short(body.to)),
        Body::IssueStable(body) => format!(
            "Issue {} to account {}, and owe it.",
            stable(body.amount),
            short(body.to)
        ),
        Body::RedeemStable(body) => format!(
            "Give {} back to its issuer {}, to be paid out.",
            stable(body.amount),
            short(body.issuer)
        ),
        Body::BuyCredits(body) => match body.payment {
            Payment::Stable(paid) => format!("Buy {} for {}.", credits(paid.0), stable(paid)),
            Payment::Burn(burned, least) => format!("Burn {} for at least {}.", words.token(burned), credits(least.0)),
            Payment::BurnFor(bought, most) => format!("Burn at most {} for {}.", words.token(most), credits(bought.0)),
        },
        Body::RefundCredits(body) => format!("Give {} back for stablecoin, less a fee.", credits(body.credits.0)),
        Body::SellToken(body) => format!(
            "Sell {} to the chain's buy-back for at least {}.",
            words.token(body.tokens),
            stable(body.paid_min)
        ),
        Body::BondVerifier(body) => format!("Bond {} as a verifier.", words.token(body.amount)),
        Body::UnbondVerifier(body) => format!("Take back {} of a verifier's bond.", words.token(body.amount)),
        Body::SlashVerifier(body) => format!(
            "Show that verifier {} signed two results of epoch {} of network {}.",
            short(body.verifier),
            body.first.epoch,
            short(body.first.network)
        ),
        Body::PostPrice(body) => format!("Say that a token is worth {} US dollars.", price(body.price)),
        Body::SlashReceipt(body) => format!(
            "Show that a verifier gave a receipt for a report of epoch {} that it left out.",
            body.receipt.epoch
        ),
        Body::SetVerifierUrl(body) if body.url.is_empty() => "Take back the verifier's address.".to_owned(),
        Body::SetVerifierUrl(body) => format!("Say that the verifier is reached at {}.", body.url),
        Body::CreateNetwork(body) => format!(
            "Create the network {} of {}, with a bond of {}.",
            body.name,
            body.vertical,
            words.token(body.bond)
        ),
        Body::SetParameters(body) => format!(
            "Set the terms of network {}: {} US dollars for a million units of service, and its parameters.",
            short(body.network),
            decimal(body.price_micro_usd, 6)
        ),
        Body::FundTreasury(body) => {
            let to = if body.allowance {
                "allowance for fees"
            } else {
                "treasury"
            };
            format!(
                "Give {} to the {to} of network {}.",
                words.asset(body.amount),
                short(body.network)
            )
        }
        Body::WithdrawTreasury(body) => format!(
            "Draw {} from the treasury of network {}.",
            words.asset(body.amount),
            short(body.network)
        ),
        Body::CloseNetwork(body) => format!("Close network {}, for ever.", short(body.network)),
        Body::RegisterDevice(body) => format!("Register device {} as its own.", short(body.key.device_id())),
        Body::JoinNetwork(body) => format!(
            "Let device {} join network {} at cell {}.",
            short(body.device),
            short(body.network),
            body.cell
        ),
        Body::LeaveNetwork(body) => format!(
            "Let device {} leave network {}.",
            short(body.device),
            short(body.network)
        ),
        Body::MoveDevice(body) => format!(
            "Move device {} to cell {} of network {}.",
            short(body.device),
            body.cell,
            short(body.network)
        ),
        Body::RetireDevice(body) => format!("Retire device {}, for ever.", short(body.device)),
        Body::BarDevice(_) => "Show that a device signed two reports under one sequence number.".to_owned(),
        Body::SettleEpoch(body) => {
            let result = &body.attestation.result;
            format!(
                "Settle epoch {} of network {}: {} verifiers signed that {} operators are paid {}.",
                result.epoch,
                short(result.network),
                body.attestation.signatures.len(),
                result.leaves,
                words.token(cairn_types::Token(
                    result.totals.availability.0.saturating_add(result.totals.usage.0)
                ))
            )
        }
        Body::Pay(body) if body.leaves.is_empty() => format!(
            "Release epoch {} of network {}, which pays nobody.",
            body.epoch,
            short(body.network)
        ),
        Body::Pay(body) => format!(
            "Pay {} operators for epoch {} of network {}.",
            body.leaves.len(),
            body.epoch,
            short(body.network)
        ),
        Body::AnchorEpoch(body) => {
            let reports: u64 = body
                .anchors
                .iter()
                .map(|anchor| anchor.count)
                .fold(0, u64::saturating_add);
            format!(
                "Bind itself to the {reports} reports it has of epoch {}, in {} networks.",
                body.epoch,
                body.anchors.len()
            )
        }
        Body::OpenDispute(body) => format!(
            "Dispute the result of epoch {} of network {}, with a bond.",
            body.claimed.epoch,
            short(body.claimed.network)
        ),
        Body::VoteDispute(body) => format!(
            "Vote for a result of epoch {} of network {}{}.",
            body.result.epoch,
            short(body.result.network),
            if body.blame {
                ", and blame who signed another"
            } else {
                ""
            }
        ),
        Body::OpenOrder(body) => format!(
            "Hold {} until {} for an order from {} in network {}.",
            credits(body.hold.0),
            body.expires,
            short(body.provider),
            short(body.network)
        ),
        Body::SettleOrder(body) => format!(
            "Be paid {} in all so far out of order {}.",
            credits(body.voucher.credits.0),
            short(body.voucher.order)
        ),
        Body::CloseOrder(body) => format!("Close order {}; what is left of it goes back.", short(body.order)),
        Body::ExpireOrder(body) => format!("End order {}, whose time is over.", short(body.order)),
        Body::VoteValidator(body) => {
            let key = PublicKey::Ed25519(body.key.0);
            match &body.change {
                Change::Add(account, address) => format!(
                    "Wish that validator {key} joins, reached at {address}, with account {}.",
                    short(account)
                ),
                Change::Remove => format!("Wish that validator {key} leaves."),
            }
        }
        Body::VoteUpgrade(body) => match body.height {
            Some(height) => format!(
                "Wish that version {} of the ledger's rules holds from block {height} on.",
                body.version
            ),
            None => format!(
                "Wish that version {} of the ledger's rules, which is announced, does not come.",
                body.version
            ),
        },
    }
}
