//! What a transaction would do, in words, read from the transaction itself: what a person sees before signing. Amounts have their
//! units; ids are whole, so that they can be compared. What has no words here is not signed by hand.

use crate::output::decimal;
use cairn_ledger::tx::buy_credits::Payment;
use cairn_ledger::tx::vote_validator::Change;
use cairn_ledger::tx::{Asset, Body, Sponsor, Transaction};
use cairn_types::{MicroUsd, Price, PublicKey, Token, hash};

/// The verb and the sentence of a body; `None` for what only programs send.
pub fn body(body: &Body, decimals: Option<u8>) -> Option<(&'static str, String)> {
    let token = |amount: Token| token(amount, decimals);
    let said = match body {
        Body::OpenAccount(_) => ("open_account", "open the account".to_owned()),
        Body::RotateKeys(body) => {
            let keys: Vec<String> = body.rule.keys.iter().map(ToString::to_string).collect();
            let (threshold, all) = (body.rule.threshold, keys.len());
            let words = format!(
                "change the keys: from then on {threshold} of these {all} sign: {}",
                keys.join(" ")
            );
            ("rotate_keys", words)
        }
        Body::SetPayoutChoice(body) => {
            let wants = body.wants.map_or("as earned".to_owned(), |part| {
                format!("{} % in stablecoin", decimal(part.get().into(), 2))
            });
            ("set_payout_choice", format!("take payouts {wants}"))
        }
        Body::Transfer(body) => (
            "transfer",
            format!("give {} to account {}", asset(body.amount, decimals), body.to),
        ),
        Body::IssueStable(body) => {
            let words = format!("issue {} to account {}, and owe it", stable(body.amount), body.to);
            ("issue_stable", words)
        }
        Body::RedeemStable(body) => {
            let (amount, issuer) = (stable(body.amount), body.issuer);
            let reference = hex::encode(&body.reference);
            (
                "redeem_stable",
                format!("give {amount} back to issuer {issuer}, reference {reference:?}"),
            )
        }
        Body::BuyCredits(body) => {
            let words = match body.payment {
                Payment::Stable(paid) => format!("buy {} credits for {}", paid.0, stable(paid)),
                Payment::Burn(burned, least) => format!("burn {} for at least {least} credits", token(burned)),
                Payment::BurnFor(credits, most) => format!("burn at most {} for {credits} credits", token(most)),
            };
            ("buy_credits", words)
        }
        Body::RefundCredits(body) => (
            "refund_credits",
            format!("give {} credits back for stablecoin", body.credits),
        ),
        Body::SellToken(body) => {
            let words = format!(
                "sell {} to the chain for at least {}",
                token(body.tokens),
                stable(body.paid_min)
            );
            ("sell_token", words)
        }
        Body::BondVerifier(body) => (
            "bond_verifier",
            format!("bond {} as verifier, who attests with {}", token(body.amount), body.key),
        ),
        Body::UnbondVerifier(body) => (
            "unbond_verifier",
            format!("take back a verifier's bond of {}", token(body.amount)),
        ),
        Body::SetVerifierUrl(body) if body.url.is_empty() => {
            ("set_verifier_url", "take back the verifier's address".to_owned())
        }
        Body::SetVerifierUrl(body) => (
            "set_verifier_url",
            format!("say that the verifier is reached at {:?}", body.url),
        ),
        Body::PostPrice(body) => (
            "post_price",
            format!("say that a token is worth {} US dollars", price(body.price)),
        ),
        Body::OpenDispute(body) => {
            let claimed = &body.claimed;
            let words = format!(
                "dispute epoch {} of network {}, which comes to {}, and put up the bond for disputes",
                claimed.epoch,
                claimed.network,
                claimed.hash()
            );
            ("open_dispute", words)
        }
        Body::VoteDispute(body) => {
            let result = &body.result;
            let words = format!(
                "vote that epoch {} of network {} comes to {}{}",
                result.epoch,
                result.network,
                result.hash(),
                if body.blame {
                    ", and blame who signed what was settled"
                } else {
                    ""
                },
            );
            ("vote_dispute", words)
        }
        Body::VoteValidator(body) => {
            let key = PublicKey::Ed25519(body.key.0);
            let words = match &body.change {
                Change::Add(account, address) => {
                    format!("wish that validator {key} joins, reached at {address}, with account {account}")
                }
                Change::Remove => format!("wish that validator {key} leaves"),
            };
            ("vote_validator", words)
        }
        Body::VoteUpgrade(body) => {
            let version = body.version;
            let words = match body.height {
                Some(height) => {
                    format!("wish that version {version} of the ledger's rules holds from block {height} on")
                }
                None => format!("wish that version {version} of the ledger's rules, which is announced, does not come"),
            };
            ("vote_upgrade", words)
        }
        Body::CreateNetwork(body) => {
            let words = format!(
                "create network {} of {} in cells of resolution {}, {} US dollars for a million units, treasurer {}, \
                 parameters of hash {}, with a bond of {} and an allowance of {}",
                body.name,
                body.vertical,
                body.resolution,
                decimal(body.price_micro_usd, 6),
                body.treasurer,
                hash::sha256(&body.parameters),
                token(body.bond),
                token(body.allowance)
            );
            ("create_network", words)
        }
        Body::SetParameters(body) => {
            let words = format!(
                "set the terms of network {}: {} US dollars for a million units, parameters of hash {}",
                body.network,
                decimal(body.price_micro_usd, 6),
                hash::sha256(&body.parameters)
            );
            ("set_parameters", words)
        }
        Body::FundTreasury(body) => {
            let to = if body.allowance { "allowance" } else { "treasury" };
            let words = format!(
                "give {} to the {to} of network {}",
                asset(body.amount, decimals),
                body.network
            );
            ("fund_treasury", words)
        }
        Body::WithdrawTreasury(body) => {
            let words = format!(
                "draw {} from the treasury of network {}",
                asset(body.amount, decimals),
                body.network
            );
            ("withdraw_treasury", words)
        }
        Body::CloseNetwork(body) => ("close_network", format!("close network {}, for ever", body.network)),
        Body::RegisterDevice(body) => ("register_device", format!("own device {}", body.key.device_id())),
        Body::JoinNetwork(body) => {
            let words = format!(
                "let device {} join network {} at cell {}",
                body.device, body.network, body.cell
            );
            ("join_network", words)
        }
        Body::LeaveNetwork(body) => (
            "leave_network",
            format!("let device {} leave network {}", body.device, body.network),
        ),
        Body::MoveDevice(body) => {
            let words = format!(
                "move device {} to cell {} of network {}",
                body.device, body.cell, body.network
            );
            ("move_device", words)
        }
        Body::RetireDevice(body) => ("retire_device", format!("retire device {}, for ever", body.device)),
        Body::OpenOrder(body) => {
            let words = format!(
                "hold {} credits until {} for an order from {} in network {}, whose terms have hash {}",
                body.hold, body.expires, body.provider, body.network, body.terms
            );
            ("open_order", words)
        }
        Body::CloseOrder(body) => ("close_order", format!("close order {}", body.order)),
        Body::ExpireOrder(body) => ("expire_order", format!("expire order {}", body.order)),
        _ => return None,
    };
    Some(said)
}

/// Everything else that a signature covers, a line each.
pub fn rest(transaction: &Transaction, decimals: Option<u8>) -> Vec<String> {
    let payer = match transaction.sponsor {
        None => "the account".to_owned(),
        Some(Sponsor::Account(id)) => format!("account {id}"),
        Some(Sponsor::Network(id)) => format!("network {id}"),
    };
    vec![
        format!("account      {}", transaction.account),
        format!("chain        {}", transaction.chain),
        format!(
            "fee          at most {}, paid by {payer}",
            token(transaction.fee_max, decimals)
        ),
        format!(
            "nonce        {}: worth nothing once the account has used it",
            transaction.nonce
        ),
        format!("transaction  {}", transaction.id()),
    ]
}

fn asset(amount: Asset, decimals: Option<u8>) -> String {
    match amount {
        Asset::Token(amount) => token(amount, decimals),
        Asset::Stable(amount) => stable(amount),
    }
}

fn token(amount: Token, decimals: Option<u8>) -> String {
    match decimals {
        Some(decimals) => format!("{} token", decimal(amount.0, decimals)),
        None => format!("{amount} base units of token"),
    }
}

fn stable(amount: MicroUsd) -> String {
    format!("{} US dollars of stablecoin", decimal(amount.0, 6))
}

fn price(price: Price) -> String {
    decimal(price.0, 8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use cairn_ledger::tx::fund_treasury::FundTreasury;
    use cairn_ledger::tx::settle_order::Voucher;
    use cairn_ledger::tx::transfer::Transfer;
    use cairn_types::{AccountId, Credit, Hash, NetworkId, OrderId, SecretKey};

    #[test]
    fn what_is_signed_is_said_with_units_and_whole_ids() {
        let to = AccountId([7; 32]);
        let gift = |amount| Body::Transfer(Transfer { to, amount });
        for (body_, decimals, wanted) in [
            (
                gift(Asset::Token(Token(12_500_000))),
                Some(6),
                "give 12.5 token to account 0707",
            ),
            (
                gift(Asset::Token(Token(12_500_000))),
                None,
                "give 12500000 base units of token to",
            ),
            (
                gift(Asset::Stable(MicroUsd(1))),
                None,
                "give 0.000001 US dollars of stablecoin to",
            ),
            (
                Body::FundTreasury(FundTreasury {
                    network: NetworkId([8; 32]),
                    amount: Asset::Token(Token(1)),
                    allowance: true,
                }),
                Some(0),
                "give 1 token to the allowance of network 0808",
            ),
        ] {
            let (_, words) = body(&body_, decimals).unwrap();
            assert!(words.starts_with(wanted), "{words}");
        }
    }

    #[test]
    fn what_only_programs_send_has_no_words() {
        let voucher = Voucher {
            order: OrderId([1; 32]),
            credits: Credit(1),
            meters: Hash([2; 32]),
        };
        let settle = voucher.sign(&"test".parse().unwrap(), &SecretKey::ed25519([1; 32]));
        assert_eq!(body(&Body::SettleOrder(settle), None), None);
    }
}
