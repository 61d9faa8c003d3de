//! Random workloads, hostile steps among them, on the ledger and on the slow model side by side: the same answers, the same balances,
//! and every invariant after every step.

mod model;
mod world;

use cairn_ledger::economics::invariants::price_moved_within;
use cairn_ledger::tx::*;
use cairn_ledger::{Body, Reject, view};
use cairn_types::*;
use model::{Model, NAMES, Wrong};
use proptest::prelude::*;
use world::*;

/// A step; accounts, networks and orders by their place, a place that does not exist meaning a stranger's.
#[derive(Clone, Debug)]
enum Step {
    Transfer(usize, usize, usize, u64),
    Issue(usize, usize, u64),
    Redeem(usize, usize, u64),
    BuyStable(usize, u64),
    BuyBurn(usize, u64),
    Refund(usize, u64),
    PostPrice(u64),
    CreateNetwork(usize, usize, u64, u64),
    Fund(usize, usize, usize, u64),
    Withdraw(usize, usize, usize, u64),
    OpenOrder(usize, usize, usize, u64, u64),
    SettleOrder(usize, usize, u64),
    EndOrder(usize, usize, bool),
    Bond(usize, u64),
    Unbond(usize, u64),
    /// By whom, of which network, how many epochs after the oldest unsettled one, and how many reports.
    Anchor(usize, usize, u64, u64),
    /// Shares of what customers paid for two operators in hundredths, how much too much is attested, and what else is wrong.
    Settle(usize, u64, u64, Wrong),
    Block(u64),
    /// Last transaction again, byte for byte.
    Replay,
    /// Random bytes, and a true transaction with one bit turned.
    Garbage(Vec<u8>, usize),
}

fn amount() -> impl Strategy<Value = u64> {
    prop_oneof![
        2 => Just(0u64),
        8 => 1u64..2_000,
        30 => 1_000u64..20_000_000,
        5 => 1_000_000_000u64..2_000_000_000_000,
        1 => Just(u64::MAX),
    ]
}

fn wrong() -> impl Strategy<Value = Wrong> {
    prop_oneof![
        12 => Just(Wrong::Nothing),
        1 => Just(Wrong::Anchors),
        1 => Just(Wrong::Archive),
        1 => Just(Wrong::Previous),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let who = || 0usize..7;
    let few = || prop_oneof![6 => Just(0usize), 3 => Just(1), 1 => Just(9)];
    prop_oneof![
        6 => (who(), who(), 0usize..2, amount()).prop_map(|(a, b, c, d)| Step::Transfer(a, b, c, d)),
        6 => (3usize..6, who(), amount()).prop_map(|(a, b, c)| Step::Issue(a, b, c)),
        3 => (who(), 2usize..6, amount()).prop_map(|(a, b, c)| Step::Redeem(a, b, c)),
        8 => (who(), amount()).prop_map(|(a, b)| Step::BuyStable(a, b)),
        8 => (who(), amount()).prop_map(|(a, b)| Step::BuyBurn(a, b)),
        3 => (who(), amount()).prop_map(|(a, b)| Step::Refund(a, b)),
        6 => prop_oneof![Just(0u64), 100u64..1_000_000_000, Just(u64::MAX)].prop_map(Step::PostPrice),
        4 => (0usize..2, 0usize..2, amount(), 0u64..1_000).prop_map(|(a, b, c, d)| Step::CreateNetwork(a, b, c, d)),
        3 => (who(), few(), 0usize..3, amount()).prop_map(|(a, b, c, d)| Step::Fund(a, b, c, d)),
        3 => (0usize..3, few(), 0usize..2, amount()).prop_map(|(a, b, c, d)| Step::Withdraw(a, b, c, d)),
        12 => (who(), few(), who(), amount(), 0u64..40_000_000).prop_map(|(a, b, c, d, e)| Step::OpenOrder(a, b, c, d, e)),
        14 => (0usize..4, 0usize..8, amount()).prop_map(|(a, b, c)| Step::SettleOrder(a, b, c)),
        3 => (0usize..4, 0usize..8, any::<bool>()).prop_map(|(a, b, c)| Step::EndOrder(a, b, c)),
        2 => (1usize..3, 0u64..4_000_000).prop_map(|(a, b)| Step::Bond(a, b)),
        2 => (1usize..3, 0u64..4_000_000).prop_map(|(a, b)| Step::Unbond(a, b)),
        12 => (prop_oneof![9 => Just(5usize), 3 => 1usize..3, 1 => who()], few(), 0u64..3, 0u64..3).prop_map(|(a, b, c, d)| Step::Anchor(a, b, c, d)),
        14 => (0usize..2, 0u64..=100, prop_oneof![8 => Just(0u64), 1 => Just(1u64)], wrong()).prop_map(|(a, b, c, d)| Step::Settle(a, b, c, d)),
        16 => prop_oneof![Just(1u64), Just(3_600_000), Just(3_600_000), 1u64..8_000_000, Just(30_000_000)].prop_map(Step::Block),
        2 => Just(Step::Replay),
        1 => (prop::collection::vec(any::<u8>(), 0..80), any::<usize>()).prop_map(|(a, b)| Step::Garbage(a, b)),
    ]
}

struct Pair {
    world: World,
    model: Model,
    networks: Vec<NetworkId>,
    orders: Vec<(OrderId, usize)>,
    last: Option<Signed>,
}

impl Pair {
    fn new() -> Self {
        let genesis = genesis(&[("vera", 5_000_000)], all_fees());
        let premine = u128::from(genesis.economics.premine.0);
        let model = Model::new(5_000_000, premine);
        Self {
            world: World::new(genesis),
            model,
            networks: Vec::new(),
            orders: Vec::new(),
            last: None,
        }
    }

    fn network(&self, at: usize) -> NetworkId {
        self.networks.get(at).copied().unwrap_or_default()
    }

    fn order(&self, at: usize) -> (OrderId, usize) {
        self.orders.get(at).copied().unwrap_or((OrderId::default(), 2))
    }

    fn act(&mut self, who: usize, body: Body) -> Result<Signed, Reject> {
        let transaction = self.world.transaction(NAMES[who], body);
        let signed = self.world.sign(NAMES[who], transaction);
        self.world.submit(&signed)?;
        self.last = Some(signed.clone());
        Ok(signed)
    }

    fn run(&mut self, step: &Step) {
        let expected;
        let answer = match step.clone() {
            Step::Transfer(from, to, asset, amount) => {
                expected = self.model.transfer(from, to, asset, amount.into());
                let amount = if asset == 0 {
                    Asset::Token(Token(amount))
                } else {
                    Asset::Stable(MicroUsd(amount))
                };
                self.act(
                    from,
                    Body::Transfer(transfer::Transfer {
                        to: id(NAMES[to]),
                        amount,
                    }),
                )
            }
            Step::Issue(by, to, amount) => {
                expected = self.model.issue(by, to, amount.into());
                self.act(
                    by,
                    Body::IssueStable(issue_stable::IssueStable {
                        to: id(NAMES[to]),
                        amount: MicroUsd(amount),
                    }),
                )
            }
            Step::Redeem(by, issuer, amount) => {
                expected = self.model.redeem(by, issuer, amount.into());
                let (issuer, amount) = (id(NAMES[issuer]), MicroUsd(amount));
                self.act(
                    by,
                    Body::RedeemStable(redeem_stable::RedeemStable {
                        issuer,
                        amount,
                        reference: Vec::new(),
                    }),
                )
            }
            Step::BuyStable(by, amount) => {
                expected = self.model.buy_stable(by, amount.into());
                let payment = buy_credits::Payment::Stable(MicroUsd(amount));
                self.act(by, Body::BuyCredits(buy_credits::BuyCredits { payment }))
            }
            Step::BuyBurn(by, amount) => {
                expected = self.model.buy_burn(by, amount.into());
                let payment = buy_credits::Payment::Burn(Token(amount), Credit::ZERO);
                self.act(by, Body::BuyCredits(buy_credits::BuyCredits { payment }))
            }
            Step::Refund(by, amount) => {
                expected = self.model.refund(by, amount.into());
                self.act(
                    by,
                    Body::RefundCredits(refund_credits::RefundCredits {
                        credits: Credit(amount),
                    }),
                )
            }
            Step::PostPrice(price) => {
                expected = self.model.post_price(5, price.into());
                self.act(5, Body::PostPrice(post_price::PostPrice { price: Price(price) }))
            }
            Step::CreateNetwork(by, name, bond, allowance) => {
                expected = self.model.create_network(by, name, bond.into(), allowance.into());
                let name = format!("net-{name}");
                let network = NetworkId::of(&chain(), &id(NAMES[by]), &name);
                let answer = self.act(
                    by,
                    Body::CreateNetwork(create_network::CreateNetwork {
                        name,
                        vertical: "any".to_owned(),
                        resolution: 8,
                        parameters: vec![1; 240],
                        price_micro_usd: 1,
                        bond: Token(bond),
                        allowance: Token(allowance),
                        treasurer: id(NAMES[by]),
                    }),
                );
                if answer.is_ok() {
                    self.networks.push(network);
                }
                answer
            }
            Step::Fund(by, network, kind, amount) => {
                expected = self.model.fund(by, Some(network), kind, amount.into());
                let network = self.network(network);
                let paid = if kind == 1 {
                    Asset::Stable(MicroUsd(amount))
                } else {
                    Asset::Token(Token(amount))
                };
                self.act(
                    by,
                    Body::FundTreasury(fund_treasury::FundTreasury {
                        network,
                        amount: paid,
                        allowance: kind == 2,
                    }),
                )
            }
            Step::Withdraw(by, network, asset, amount) => {
                expected = self.model.withdraw(by, Some(network), asset, amount.into());
                let network = self.network(network);
                let amount = if asset == 1 {
                    Asset::Stable(MicroUsd(amount))
                } else {
                    Asset::Token(Token(amount))
                };
                self.act(
                    by,
                    Body::WithdrawTreasury(withdraw_treasury::WithdrawTreasury { network, amount }),
                )
            }
            Step::OpenOrder(by, network, provider, hold, ms) => {
                expected = self
                    .model
                    .open_order(by, Some(network), provider, hold.into(), ms.into());
                let answer = self.act(
                    by,
                    Body::OpenOrder(open_order::OpenOrder {
                        network: self.network(network),
                        provider: id(NAMES[provider]),
                        shape: 0,
                        terms: Hash::default(),
                        hold: Credit(hold),
                        expires: self.world.block.time.plus_ms(ms),
                        voucher_key: voucher_key(NAMES[by]).public(),
                    }),
                );
                if let Ok(signed) = &answer {
                    self.orders.push((open_order::order_id(signed), by));
                }
                answer
            }
            Step::SettleOrder(by, order, credits) => {
                expected = self.model.settle_order(by, order, credits.into());
                let (order, customer) = self.order(order);
                let voucher = settle_order::Voucher {
                    order,
                    credits: Credit(credits),
                    meters: Hash::default(),
                };
                self.act(
                    by,
                    Body::SettleOrder(voucher.sign(&chain(), &voucher_key(NAMES[customer]))),
                )
            }
            Step::EndOrder(by, order, expired) => {
                expected = self.model.end_order(by, order, expired);
                let (order, _) = self.order(order);
                let body = match expired {
                    true => Body::ExpireOrder(expire_order::ExpireOrder { order }),
                    false => Body::CloseOrder(close_order::CloseOrder { order }),
                };
                self.act(by, body)
            }
            Step::Bond(by, amount) => {
                expected = self.model.bond(by, amount.into());
                let key = verifier_key(NAMES[by]).public();
                self.act(
                    by,
                    Body::BondVerifier(bond_verifier::BondVerifier {
                        amount: Token(amount),
                        key,
                    }),
                )
            }
            Step::Unbond(by, amount) => {
                expected = self.model.unbond(by, amount.into());
                self.act(
                    by,
                    Body::UnbondVerifier(unbond_verifier::UnbondVerifier { amount: Token(amount) }),
                )
            }
            Step::Anchor(by, network, later, count) => {
                let epoch = self.model.networks.get(network).map_or(0, |network| network.unsettled) + later;
                expected = self.model.anchor(by, network, epoch, count.into());
                let anchor = anchor_epoch::NetworkAnchor {
                    network: self.network(network),
                    root: Hash([7; 32]),
                    count,
                    reports_hash: Hash([8; 32]),
                };
                let (epoch, anchors) = (EpochNumber(epoch), vec![anchor]);
                self.act(by, Body::AnchorEpoch(anchor_epoch::AnchorEpoch { epoch, anchors }))
            }
            Step::Settle(network, percent, too_much, wrong) => {
                return self.settle_and_pay(network, percent, too_much, wrong);
            }
            Step::Block(ms) => {
                self.model.advance(ms.into());
                let before = view::single::<cairn_ledger::records::Prices>(&mut self.world.store).expect("memory");
                self.world.advance(ms);
                let after = view::single::<cairn_ledger::records::Prices>(&mut self.world.store).expect("memory");
                let parameters = self.world.ledger.genesis().economics;
                if let (Some(last), Some(next)) = (before.and_then(|p| p.0.last()), after.and_then(|p| p.0.last())) {
                    price_moved_within(last, next, &parameters).expect("I10");
                }
                return;
            }
            Step::Replay => {
                let Some(last) = self.last.clone() else { return };
                assert!(self.world.submit(&last).is_err(), "a transaction takes effect once");
                return;
            }
            Step::Garbage(bytes, bit) => return self.garbage(&bytes, bit),
        };
        assert_eq!(answer.map(|_| ()), expected, "{step:?}");
    }

    /// Two operators share what the pool allows; the second leaf is paid in a chunk of its own.
    fn settle_and_pay(&mut self, at: usize, percent: u64, too_much: u64, wrong: Wrong) {
        let Some(due) = self.model.networks.get(at).map(|network| network.unsettled) else {
            return;
        };
        let pool = self.model.networks[at].pools.get(&due).cloned().unwrap_or_default();
        let first = pool.paid * u128::from(percent) / 100;
        let share = |charged: u128| Model::usage_share(&pool, charged);
        let halves = [
            pool.availability / 2,
            pool.availability - pool.availability / 2 + u128::from(too_much),
        ];
        let leaves: Vec<PayoutLeaf> = [first, pool.paid - first]
            .into_iter()
            .enumerate()
            .map(|(operator, charged)| {
                let (cash, usage) = share(charged);
                PayoutLeaf {
                    operator: AccountNumber(operator as u32),
                    units: 1,
                    availability: Token(halves[operator] as u64),
                    usage: Token(usage as u64),
                    cash: MicroUsd(cash as u64),
                    customers_paid: Credit(charged as u64),
                }
            })
            .collect();
        let mut result = self.world.result(self.network(at), due, &leaves);
        match wrong {
            Wrong::Anchors => result.anchors.0[0] ^= 1,
            Wrong::Previous => result.previous.0[0] ^= 1,
            Wrong::Nothing | Wrong::Archive => {}
        }
        if pool.reports == 0 && wrong != Wrong::Archive {
            result.archive = merkle::root(Vec::new());
        }
        let totals = [
            result.totals.availability.0,
            result.totals.usage.0,
            result.totals.cash.0,
        ]
        .map(u128::from);
        let expected = self.model.settle(5, at, totals, wrong);
        let attestation = self.world.attest(result, &["vera"]);
        let answer = self.act(
            5,
            Body::SettleEpoch(settle_epoch::SettleEpoch {
                attestation,
                exchange: None,
            }),
        );
        assert_eq!(answer.map(|_| ()), expected);
        if expected.is_err() {
            return;
        }
        let tree = merkle::Tree::new(leaves.iter().map(PayoutLeaf::hash).collect());
        for (place, leaf) in leaves.iter().enumerate() {
            let proof = tree.prove(place as u64, place as u64 + 1).expect("a leaf");
            let (network, epoch) = (self.network(at), EpochNumber(due));
            let pay = pay::Pay {
                network,
                epoch,
                leaves: vec![*leaf],
                proof,
                choices: None,
            };
            self.act(2, Body::Pay(pay.clone())).expect("an honest leaf is paid");
            assert!(self.act(2, Body::Pay(pay)).is_err(), "a leaf is paid once");
            self.model.pay(
                place,
                u128::from(leaf.availability.0 + leaf.usage.0),
                leaf.cash.0.into(),
            );
        }
    }

    fn garbage(&mut self, bytes: &[u8], bit: usize) {
        assert!(cairn_ledger::check(&[bytes])[0].is_err());
        let Some(last) = &self.last else { return };
        let mut turned = last.bytes();
        let at = bit % (turned.len() * 8);
        turned[at / 8] ^= 1 << (at % 8);
        assert!(
            cairn_ledger::check(&[&turned])[0].is_err(),
            "no bit of a transaction can be turned"
        );
    }

    /// Every balance and book is the same on both sides.
    fn compare(&mut self) {
        for (who, expected) in self.model.accounts.iter().enumerate() {
            let found = self.world.account(NAMES[who]);
            let credits = [found.credits.stable.0, found.credits.burned.0].map(u128::from);
            assert_eq!(
                (u128::from(found.token.0), u128::from(found.stable.0), credits),
                (expected.token, expected.stable, expected.credits),
                "{}",
                NAMES[who]
            );
        }
        let store = &mut self.world.store;
        let emission = view::emission(store).expect("memory").expect("block 1").supply;
        let stable = view::stable(store).expect("memory").expect("block 1");
        let books = &self.model.books;
        let found = [
            emission.minted.0,
            emission.burned.0,
            emission.reminted.0,
            emission.unminted.0,
            emission.reserve.0,
        ];
        assert_eq!(
            found.map(u128::from),
            [
                books.minted,
                books.burned,
                books.reminted,
                books.unminted,
                books.reserve
            ]
        );
        assert_eq!(
            [stable.cover.0, stable.buy_back.0].map(u128::from),
            [books.cover, books.buy_back]
        );
        let chain = view::chain(store).expect("memory").expect("block 1");
        assert_eq!((chain.epoch.0, chain.round), (self.model.epoch, self.model.round));
        for (id, expected) in self.networks.iter().zip(&self.model.networks) {
            let found = view::network(store, id).expect("memory").expect("a network");
            let places = [
                found.treasury_token.0,
                found.treasury_stable.0,
                found.carry_token.0,
                found.carry_stable.0,
                found.allowance.0,
                found.unsettled.0,
            ];
            let [treasury, carry] = [expected.treasury, expected.carry];
            let should = [
                treasury[0],
                treasury[1],
                carry[0],
                carry[1],
                expected.allowance,
                expected.unsettled.into(),
            ];
            assert_eq!(places.map(u128::from), should);
            let share = view::usage(store, id).expect("memory").expect("a network").share;
            assert_eq!(u128::from(share), expected.share);
            if let Some((epoch, pool)) = expected.pools.last_key_value() {
                let found = view::pool(store, id, EpochNumber(*epoch))
                    .expect("memory")
                    .expect("closed");
                let amounts = [
                    found.availability.0,
                    found.usage.0,
                    found.cash.0,
                    found.verifiers.0,
                    found.customers_paid().0,
                ];
                assert_eq!(
                    amounts.map(u128::from),
                    [pool.availability, pool.usage, pool.cash, pool.verifiers, pool.paid]
                );
            }
        }
    }
}

/// More with `PROPTEST_CASES`.
fn config() -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES")
        .ok()
        .and_then(|cases| cases.parse().ok())
        .unwrap_or(48);
    ProptestConfig {
        cases,
        max_shrink_iters: 400,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn the_ledger_and_the_slow_model_agree(steps in prop::collection::vec(step(), 1..160)) {
        let mut pair = Pair::new();
        // A start from which orders, prices and pools are within reach.
        for step in [
            Step::CreateNetwork(0, 0, 2_000_000, 10),
            Step::Issue(4, 2, 500_000_000),
            Step::BuyStable(2, 200_000_000),
            Step::PostPrice(50_000_000),
        ] {
            pair.run(&step);
        }
        for step in &steps {
            pair.run(step);
            pair.compare();
        }
    }
}
