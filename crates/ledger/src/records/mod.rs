//! What the ledger keeps, one kind of record a file. Plain values and their bytes; nothing here decides.

mod account;
mod anchor;
mod chain;
mod device;
mod dispute;
mod epoch;
mod network;
mod order;
mod score;
mod supply;
mod upgrade;
mod validator;
mod verifier;
mod without;

pub use account::{Account, AccountIndex, Issuer, PastChoice, PayoutChoice};
pub use anchor::{Anchor, AnchorPlace, Anchors, Omission};
pub use chain::{Chain, Moment};
pub use device::{Bar, Device, DeviceIndex, Equivocation, Membership, NETWORKS_PER_DEVICE_MAX, RosterEntry};
pub use dispute::{Dispute, DisputeState};
pub use epoch::{Epoch, ExchangeBook, Pool, PoolState, Roots, SIGNERS_PER_PAGE, Settlement, Signer, SignerPage};
pub use network::{
    Network, NetworkIndex, PARAMETER_PAGE_BYTES, PARAMETERS_BYTES_MAX, ParameterPage, Terms, TermsVersion,
    UNRELEASED_MAX, Usage,
};
pub use order::{Order, OrderState, SettledOrder};
pub use score::{SCORE_ONE, Score};
pub use supply::{CreditSupply, Emission, Prices, StableSupply};
pub use upgrade::{Protocol, Upgrade};
pub use validator::{Validator, ValidatorBallot, Vote};
pub use verifier::{Profile, Unbonding, Verifier, VerifierIndex};
pub use without::{PLACES_PER_PAGE, Whose, WithoutPage};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::economics::credits::{BurnCount, CreditBalance};
    use crate::economics::netting::{OfferTotals, Running};
    use crate::economics::price::{PriceState, RING_ROUNDS};
    use crate::store::VALUE_BYTES_MAX;
    use crate::tables::Record;
    use cairn_types::attestation::Totals;
    use cairn_types::*;

    const MAX: u64 = u64::MAX;
    const HASH: Hash = Hash([0xff; 32]);
    const KEY: PublicKey = PublicKey::P256([0xff; 33]);

    fn check<R: Record + PartialEq + std::fmt::Debug>(largest: R) {
        let bytes = codec::encode(&largest);
        assert!(bytes.len() <= VALUE_BYTES_MAX, "{} bytes: {largest:?}", bytes.len());
        assert_eq!(crate::tables::decode::<R>(&bytes), largest);
    }

    #[test]
    fn every_record_fits_a_value_at_its_largest_and_reads_back() {
        let account = AccountId([0xff; 32]);
        let balance = CreditBalance {
            stable: Credit(MAX),
            burned: Credit(MAX),
        };
        let part = Some(BasisPoints::WHOLE);
        let totals = Totals {
            units: MAX,
            availability: Token(MAX),
            usage: Token(MAX),
            cash: MicroUsd(MAX),
            customers_paid: Credit(MAX),
        };
        let version = TermsVersion {
            version: u32::MAX,
            from: EpochNumber(MAX),
            hash: HASH,
            bytes: 1_024,
            price_micro_usd: MAX,
        };
        let bar = Bar {
            from: EpochNumber(MAX),
            until: EpochNumber(MAX),
        };
        let cell: CellId = "8f2830828052d25".parse().expect("a cell");
        check(Chain {
            genesis: HASH,
            height: MAX,
            time: TimeMs(MAX),
            epoch: EpochNumber(MAX),
            round: MAX,
            beacon_due: EpochNumber(MAX),
            accounts: u32::MAX,
            devices: u32::MAX,
            networks: u32::MAX,
            verifiers: u16::MAX,
            bond_active: Token(MAX),
            orders_open: MAX,
            validators: u16::MAX,
            ballots: MAX,
            settlements: MAX,
            uptime_ms: MAX,
        });
        check(Validator {
            account,
            number: AccountNumber(u32::MAX),
            key: ValidatorKey([0xff; 32]),
            address: "a".repeat(crate::tx::vote_validator::ADDRESS_BYTES_MAX),
        });
        check(ValidatorBallot { ballot: MAX });
        check(Vote { choice: HASH });
        check(Protocol {
            version: u16::MAX,
            since: MAX,
            next: Some(MAX),
            ballot: Some(MAX),
        });
        check(Upgrade { height: MAX });
        check(Dispute {
            state: DisputeState::Completed,
            ballot: MAX,
            disputer: account,
            bond: Token(MAX),
            claim: HASH,
            opened: TimeMs(MAX),
            without: u16::MAX,
        });
        check(Account {
            number: AccountNumber(u32::MAX),
            rule: HASH,
            nonce: MAX,
            token: Token(MAX),
            stable: MicroUsd(MAX),
            credits: balance,
            payout_choice: PayoutChoice {
                wants: part,
                from: EpochNumber(MAX),
                before: part,
                past: u32::MAX,
            },
        });
        check(PastChoice {
            wants: part,
            from: EpochNumber(MAX),
        });
        check(Issuer {
            bond: Token(MAX),
            limit: MicroUsd(MAX),
            outstanding: MicroUsd(MAX),
        });
        check(Device {
            number: DeviceNumber(u32::MAX),
            key: KEY,
            owner: account,
            owner_number: AccountNumber(u32::MAX),
            registered: EpochNumber(MAX),
            retired: Some(EpochNumber(MAX)),
            networks: vec![NetworkNumber(u32::MAX); NETWORKS_PER_DEVICE_MAX],
            barred: Some(bar),
            bars: u32::MAX,
        });
        check(bar);
        check(Equivocation {
            epoch: EpochNumber(MAX),
        });
        check(Omission {
            report: ReportId([0xff; 32]),
        });
        check(Profile {
            url: "u".repeat(crate::tx::set_verifier_url::URL_BYTES_MAX),
            score: Score {
                agreed: MAX,
                differed: MAX,
                silent: MAX,
                seen: MAX,
                decayed: EpochNumber(MAX),
            },
        });
        check(RosterEntry {
            device: DeviceNumber(u32::MAX),
            id: DeviceId([0xff; 32]),
            operator: AccountNumber(u32::MAX),
            cell,
            joined: EpochNumber(MAX),
            left: Some(EpochNumber(MAX)),
        });
        check(Network {
            number: NetworkNumber(u32::MAX),
            name: "n".repeat(32),
            vertical: "v".repeat(16),
            founder: account,
            treasurer: account,
            resolution: 15,
            bond: Token(MAX),
            created: EpochNumber(MAX),
            closes: Some(EpochNumber(MAX)),
            roster: u32::MAX,
            unsettled: EpochNumber(MAX),
            treasury_token: Token(MAX),
            treasury_stable: MicroUsd(MAX),
            allowance: Token(MAX),
            carry_token: Token(MAX),
            carry_stable: MicroUsd(MAX),
            unreleased: EpochNumber(MAX),
            held: EpochNumber(MAX),
        });
        check(Terms {
            current: version,
            next: Some(version),
        });
        check(ParameterPage {
            bytes: vec![0xff; PARAMETER_PAGE_BYTES],
        });
        check(Usage {
            stable: Credit(MAX),
            burned: Credit(MAX),
            meters: HASH,
            settled: u32::MAX,
            share: MAX,
        });
        let price = Some(Price(MAX));
        check(Epoch {
            start: TimeMs(MAX),
            end: TimeMs(MAX),
            closed_height: MAX,
            price_low: price,
            price_mid: price,
            price_high: price,
            emission: Token(MAX),
            networks: u32::MAX,
            beacon: Some(HASH),
            closed_time: TimeMs(MAX),
            verifiers: u16::MAX,
            closed_uptime_ms: MAX,
        });
        check(Anchor {
            verifier: account,
            root: HASH,
            count: MAX,
            reports_hash: HASH,
        });
        check(AnchorPlace { place: u16::MAX });
        check(Anchors {
            count: u16::MAX,
            listed: u16::MAX,
            reports: MAX,
            digest: HASH,
        });
        check(Pool {
            state: PoolState::Expired,
            availability: Token(MAX),
            usage: Token(MAX),
            cash: MicroUsd(MAX),
            verifiers: MicroUsd(MAX),
            spent_stable: Credit(MAX),
            spent_burned: Credit(MAX),
            usage_price: price,
            exchange_price: price,
            meters: HASH,
            settled: u32::MAX,
            terms: u32::MAX,
            parameters: HASH,
            roster: u32::MAX,
        });
        check(Settlement {
            result: HASH,
            payouts: HASH,
            leaves: u32::MAX,
            cursor: u32::MAX,
            totals,
            paid: totals,
            operator: Some(AccountNumber(u32::MAX)),
            height: MAX,
            exchanged: true,
            time: TimeMs(MAX),
            signers: u16::MAX,
            without: u16::MAX,
            uptime_ms: MAX,
        });
        let signer = Signer {
            account: AccountNumber(u32::MAX),
            bond: Token(MAX),
        };
        check(SignerPage {
            signers: vec![signer; SIGNERS_PER_PAGE],
        });
        check(WithoutPage {
            places: vec![u16::MAX; PLACES_PER_PAGE],
        });
        check(Roots {
            inputs: HASH,
            archive: HASH,
            findings: HASH,
            memory: HASH,
            anchors: HASH,
            previous: HASH,
        });
        check(ExchangeBook {
            offers: OfferTotals {
                tokens: Token(MAX),
                cash: MicroUsd(MAX),
            },
            choices: HASH,
            running: Running {
                tokens: Token(MAX),
                cash: MicroUsd(MAX),
            },
        });
        check(Order {
            state: OrderState::Expired,
            customer: account,
            provider: account,
            network: NetworkId([0xff; 32]),
            shape: u8::MAX,
            terms: HASH,
            held: balance,
            settled: Credit(MAX),
            expires: TimeMs(MAX),
            opened: EpochNumber(MAX),
            voucher_key: KEY,
            ends_uptime_ms: MAX,
        });
        check(SettledOrder {
            order: OrderId([0xff; 32]),
            paid: Credit(MAX),
            meters: HASH,
        });
        check(Verifier {
            number: AccountNumber(u32::MAX),
            index: u16::MAX,
            key: KEY,
            bond: Token(MAX),
            joining: Token(MAX),
            unbonding: Some(Unbonding {
                amount: Token(MAX),
                until: EpochNumber(MAX),
                until_uptime_ms: MAX,
            }),
            price: Some((Price(MAX), MAX)),
            since: EpochNumber(MAX),
            held: u32::MAX,
        });
        check(Prices(PriceState {
            ring: vec![crate::economics::price::PRICE_MAX; RING_ROUNDS],
            round: MAX,
            confidence: MAX,
            wide_rounds: u8::MAX,
        }));
        let supply = crate::economics::Supply {
            premine: Token(MAX),
            minted: Token(MAX),
            reminted: Token(MAX),
            burned: Token(MAX),
            burned_before: Token(MAX),
            burned_smoothed: Token(MAX),
            unminted: Token(MAX),
            reserve: Token(MAX),
            topped_up: Token(MAX),
        };
        check(Emission {
            supply,
            pooled: Token(MAX),
            cover: Token(MAX),
            slashed: Token(MAX),
        });
        check(CreditSupply {
            stable_bought: Credit(MAX),
            stable_spent: Credit(MAX),
            stable_refunded: Credit(MAX),
            burned_bought: Credit(MAX),
            burned_spent: Credit(MAX),
            tokens_burned: Token(MAX),
            burn_count: BurnCount {
                tokens: Token(MAX),
                at: TimeMs(MAX),
            },
        });
    }
}
