//! Every event in a sentence. A new one does not compile until it has words.

use super::figures::{Words, credits, decimal, price, short, stable};
use cairn_ledger::Event;
use cairn_types::{PublicKey, Token};

/// What happened.
pub fn event(event: &Event, words: Words) -> String {
    match event {
        Event::GenesisWritten { .. } => "The chain began.".to_owned(),
        Event::FeePaid { payer, fee } => format!(
            "{} paid a fee of {}, which was burned.",
            short(payer),
            words.token(*fee)
        ),
        Event::AllowanceSpent { network, fee } => format!(
            "Network {} paid a fee of {} out of its allowance.",
            short(network),
            words.token(*fee)
        ),
        Event::AccountOpened { account, number } => {
            format!("Account {} was opened as number {number}.", short(account))
        }
        Event::KeysRotated { account, .. } => format!("Account {} changed its keys.", short(account)),
        Event::Transferred { from, to, amount } => {
            format!("{} gave {} to {}.", short(from), words.asset(*amount), short(to))
        }
        Event::PayoutChoiceSet { account, wants, from } => match wants {
            Some(part) => format!(
                "{} takes {} % of its income in stablecoin from epoch {from} on.",
                short(account),
                decimal(part.get().into(), 2)
            ),
            None => format!("{} takes its income as earned from epoch {from} on.", short(account)),
        },
        Event::StableIssued { issuer, to, amount } => {
            format!("{} issued {} to {}.", short(issuer), stable(*amount), short(to))
        }
        Event::StableRedeemed {
            issuer, from, amount, ..
        } => format!("{} gave {} back to {}.", short(from), stable(*amount), short(issuer)),
        Event::CreditsBought {
            account,
            credits: bought,
            paid,
            burned,
        } => {
            let price = if paid.0 > 0 {
                stable(*paid)
            } else {
                words.token(*burned)
            };
            format!("{} bought {} for {price}.", short(account), credits(bought.0))
        }
        Event::CreditsRefunded {
            account,
            credits: given,
            paid,
            ..
        } => format!(
            "{} gave {} back and got {}.",
            short(account),
            credits(given.0),
            stable(*paid)
        ),
        Event::TokenSoldBack { account, burned, paid } => format!(
            "{} sold {} to the buy-back for {}; they were burned.",
            short(account),
            words.token(*burned),
            stable(*paid)
        ),
        Event::VerifierBonded { verifier, amount } => {
            format!("Verifier {} bonded {}.", short(verifier), words.token(*amount))
        }
        Event::VerifierUnbonding {
            verifier,
            amount,
            until,
        } => format!(
            "{} of verifier {} are on their way back until epoch {until}, still liable.",
            words.token(*amount),
            short(verifier)
        ),
        Event::VerifierUnbonded { verifier, amount } => {
            format!(
                "Verifier {} got {} of its bond back.",
                short(verifier),
                words.token(*amount)
            )
        }
        Event::VerifierSlashed {
            verifier,
            burned,
            cover,
            reporter,
            rewarded,
        } => format!(
            "Verifier {} lost {}: {} burned, {} to the cover fund, {} to {}.",
            short(verifier),
            words.token(Token(burned.0.saturating_add(cover.0).saturating_add(rewarded.0))),
            words.token(*burned),
            words.token(*cover),
            words.token(*rewarded),
            short(reporter)
        ),
        Event::PricePosted {
            verifier, price: said, ..
        } => {
            format!(
                "Verifier {} said that a token is worth {} US dollars.",
                short(verifier),
                price(*said)
            )
        }
        Event::PriceAccepted { price: held, .. } => format!("A token counts as {} US dollars.", price(*held)),
        Event::ReceiptBroken {
            verifier,
            network,
            epoch,
            report,
        } => format!(
            "Verifier {} had given a receipt for report {} of epoch {epoch} of network {} and left it out.",
            short(verifier),
            short(report),
            short(network)
        ),
        Event::VerifierUrlSet { verifier, url } if url.is_empty() => {
            format!("Verifier {} no longer says where it is reached.", short(verifier))
        }
        Event::VerifierUrlSet { verifier, url } => format!("Verifier {} is reached at {url}.", short(verifier)),
        Event::NetworkCreated {
            founder,
            name,
            vertical,
            ..
        } => format!("{} created the network {name} of {vertical}.", short(founder)),
        Event::TermsSet { network, from, .. } => {
            format!("Network {} has new terms from epoch {from} on.", short(network))
        }
        Event::TreasuryFunded {
            network,
            by,
            amount,
            allowance,
        } => format!(
            "{} gave {} to the {} of network {}.",
            short(by),
            words.asset(*amount),
            if *allowance { "allowance for fees" } else { "treasury" },
            short(network)
        ),
        Event::TreasuryDrawn { network, by, amount } => format!(
            "{} drew {} from the treasury of network {}.",
            short(by),
            words.asset(*amount),
            short(network)
        ),
        Event::NetworkClosing { network, last } => {
            format!("Network {} closes with epoch {last}.", short(network))
        }
        Event::BondReturned { network, to, amount } => format!(
            "{} got the bond of network {} back: {}.",
            short(to),
            short(network),
            words.token(*amount)
        ),
        Event::DeviceRegistered { device, owner, .. } => {
            format!("Device {} was registered by {}.", short(device), short(owner))
        }
        Event::NetworkJoined {
            network,
            device,
            cell,
            from,
            ..
        } => format!(
            "Device {} joined network {} at cell {cell}, from epoch {from} on.",
            short(device),
            short(network)
        ),
        Event::NetworkLeft {
            network, device, last, ..
        } => format!(
            "Device {} left network {}; its last epoch is {last}.",
            short(device),
            short(network)
        ),
        Event::DeviceMoved {
            network,
            device,
            cell,
            from,
            ..
        } => format!(
            "Device {} moved to cell {cell} of network {}, from epoch {from} on.",
            short(device),
            short(network)
        ),
        Event::DeviceRetired { device } => format!("Device {} was retired.", short(device)),
        Event::DeviceBarred {
            device, from, until, ..
        } => format!(
            "Device {} signed two reports under one number: what it says earns nothing from epoch {from} until epoch {until}.",
            short(device)
        ),
        Event::EpochClosed {
            epoch,
            networks,
            emission,
        } => format!(
            "Epoch {epoch} closed for {networks} networks; up to {} could be minted for it.",
            words.token(*emission)
        ),
        Event::PoolFixed {
            network,
            epoch,
            availability,
            usage,
            cash,
            customers_paid,
        } => format!(
            "Network {} pays {} for being there, {} and {} for service in epoch {epoch}; customers paid {}.",
            short(network),
            words.token(*availability),
            words.token(*usage),
            stable(*cash),
            credits(customers_paid.0)
        ),
        Event::BeaconRevealed { epoch, .. } => format!("The random seed of epoch {epoch} was revealed."),
        Event::EpochSettled {
            network, epoch, leaves, ..
        } => format!(
            "A quorum of verifiers attested epoch {epoch} of network {}: {leaves} operators are to be paid.",
            short(network)
        ),
        Event::EpochExpired { network, epoch, .. } => format!(
            "Nobody attested epoch {epoch} of network {} in time: its money is carried on.",
            short(network)
        ),
        Event::LeavesPaid {
            network,
            epoch,
            start,
            end,
            ..
        } => format!(
            "{} operators were paid for epoch {epoch} of network {}.",
            end.saturating_sub(*start),
            short(network)
        ),
        Event::PayoutsCompleted { network, epoch } => {
            format!("Everybody is paid for epoch {epoch} of network {}.", short(network))
        }
        Event::EpochAnchored {
            network,
            epoch,
            verifier,
            count,
            ..
        } => format!(
            "Verifier {} bound itself to {count} reports of epoch {epoch} of network {}.",
            short(verifier),
            short(network)
        ),
        Event::VerifierPaid {
            network,
            epoch,
            verifier,
            amount,
        } => format!(
            "Verifier {} was paid {} for its word on epoch {epoch} of network {}.",
            short(verifier),
            stable(*amount),
            short(network)
        ),
        Event::DisputeBondReturned {
            network,
            epoch,
            to,
            amount,
        } => format!(
            "Account {} has the bond of {} back that it put up about epoch {epoch} of network {}.",
            short(to),
            words.token(*amount),
            short(network)
        ),
        Event::EpochReleased { network, epoch, .. } => format!(
            "The result of epoch {epoch} of network {} can no longer be disputed: money moves.",
            short(network)
        ),
        Event::DisputeOpened {
            network,
            epoch,
            disputer,
            bond,
            ..
        } => format!(
            "{} disputes epoch {epoch} of network {}, with a bond of {}.",
            short(disputer),
            short(network),
            words.token(*bond)
        ),
        Event::OrderOpened {
            customer,
            provider,
            network,
            held,
            ..
        } => format!(
            "{} holds {} for an order from {} in network {}.",
            short(customer),
            credits(held.0),
            short(provider),
            short(network)
        ),
        Event::OrderSettled { order, paid, .. } => format!("Order {} paid {}.", short(order), credits(paid.0)),
        Event::OrderClosed { order, returned } => {
            format!("Order {} was closed; {} went back.", short(order), credits(returned.0))
        }
        Event::OrderExpired { order, returned } => {
            format!("Order {} expired; {} went back.", short(order), credits(returned.0))
        }
        Event::ValidatorVoted { key, validator, .. } => format!(
            "Validator {} voted about validator {}.",
            short(validator),
            PublicKey::Ed25519(key.0)
        ),
        Event::ValidatorAdded { key, address, .. } => {
            format!(
                "Validator {} was voted in, reached at {address}.",
                PublicKey::Ed25519(key.0)
            )
        }
        Event::ValidatorRemoved { key } => format!("Validator {} was voted out.", PublicKey::Ed25519(key.0)),
        Event::DisputeVoted {
            network,
            epoch,
            validator,
            ..
        } => format!(
            "Validator {} voted on the dispute of epoch {epoch} of network {}.",
            short(validator),
            short(network)
        ),
        Event::DisputeDecided {
            network,
            epoch,
            upheld,
            blame,
            ..
        } => {
            let (network, outcome) = (
                short(network),
                match (upheld, blame) {
                    (true, true) => "the attested result was wrong; who signed it loses its bond",
                    (true, false) => "the result is completed, and nobody is to blame",
                    (false, _) => "the attested result was right",
                },
            );
            format!("Validators decided the dispute of epoch {epoch} of network {network}: {outcome}.")
        }
        Event::SettlementWithdrawn { network, epoch } => format!(
            "Epoch {epoch} of network {} built on a result that was replaced: verifiers attest it anew.",
            short(network)
        ),
        Event::UpgradeVoted { version, validator, .. } => format!(
            "Validator {} voted about version {version} of the rules.",
            short(validator)
        ),
        Event::UpgradeAnnounced { version, height } => {
            format!("Version {version} of the rules holds from block {height} on.")
        }
        Event::UpgradeWithdrawn { version } => format!("Version {version} of the rules does not come."),
        Event::UpgradeTookEffect { version, .. } => format!("Version {version} of the rules holds."),
    }
}
