//! Random workloads, hostile steps among them, on the ledger and on the slow model side by side: the same answers, the same balances,
//! and every invariant after every step.

mod model;
mod world;

use cairn_ledger::economics::invariants::price_moved_within;
use cairn_ledger::tx::*;
use cairn_ledger::{Body, Reject, view};
use cairn_types::*;
use model::draws::*;
use model::{Evidence, GAP_MS_MAX, Model, NAMES, STALL, Said, VALIDATORS_MAX, VARIANTS, WITHOUTS, Wrong};
use proptest::prelude::*;
use std::collections::BTreeMap;
use world::*;

/// Far ahead of what is settled.
const STALLED: u64 = 1 << 20;

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
    /// Of which network, one of the results there may be, and what is wrong about it.
    Settle(usize, Said, Wrong),
    /// By whom, of which network, how many epochs after the oldest unreleased one, and which leaf; `None`: only the release.
    Pay(usize, usize, u64, Option<usize>),
    /// Likewise, and the result that is claimed.
    OpenDispute(usize, usize, u64, Said),
    /// And whether the blame that follows from it is turned round.
    VoteDispute(usize, usize, u64, Said, bool),
    /// By whom, which verifier, and whether both results build on the same one.
    SlashVerifier(usize, usize, bool),
    /// By whom, which verifier, of which network, how many epochs before the open one, what is shown, and whether the report is there.
    SlashReceipt(usize, usize, usize, u64, Evidence, bool),
    /// By whom, which key, and which account joins with it.
    VoteValidator(usize, usize, Option<usize>),
    /// By whom, how many versions above the one in force, and how many blocks ahead; `None`: not at all.
    VoteUpgrade(usize, u16, Option<u64>),
    /// All validators and a stranger vote for the next version.
    Upgrade(Option<u64>),
    Block(u64),
    /// An hour as it should be: closed, anchored by everybody, settled.
    Round(usize, Said),
    /// A dispute by somebody of some settled epoch, claiming one result; validators vote for another or the same, and a verifier signs. Far
    /// ahead: of the oldest one that is not settled, once it is stalled.
    Judge(usize, usize, u64, Said, Said),
    /// All that may be paid of the oldest unreleased epoch.
    PayAll(usize),
    /// Last transaction again, byte for byte.
    Replay,
    /// Random bytes, and a true transaction with one bit turned.
    Garbage(Vec<u8>, usize),
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
            3 => (prop_oneof![1usize..3, Just(5)], 0u64..4_000_000).prop_map(|(a, b)| Step::Bond(a, b)),
            2 => (prop_oneof![1usize..3, Just(5)], 0u64..4_000_000).prop_map(|(a, b)| Step::Unbond(a, b)),
            12 => (prop_oneof![9 => Just(5usize), 3 => 1usize..3, 1 => who()], few(), 0u64..3, 0u64..3).prop_map(|(a, b, c, d)| Step::Anchor(a, b, c, d)),
    14 => (0usize..2, said(), wrong()).prop_map(|(a, b, c)| Step::Settle(a, b, c)),
            16 => (who(), few(), later(), prop_oneof![2 => Just(None), 2 => Just(Some(0usize)), 2 => Just(Some(1))]).prop_map(|(a, b, c, d)| Step::Pay(a, b, c, d)),
            6 => (0usize..4, few(), later(), said()).prop_map(|(a, b, c, d)| Step::OpenDispute(a, b, c, d)),
            24 => (0usize..5, few(), later(), said(), prop::bool::weighted(0.1)).prop_map(|(a, b, c, d, e)| Step::VoteDispute(a, b, c, d, e)),
            1 => (0usize..6, prop_oneof![Just(1usize), Just(2), Just(5)], any::<bool>()).prop_map(|(a, b, c)| Step::SlashVerifier(a, b, c)),
            4 => (0usize..6, prop_oneof![Just(1usize), Just(2), Just(5)], few(), 0u64..5, evidence(), any::<bool>())
                .prop_map(|(a, b, c, d, e, f)| Step::SlashReceipt(a, b, c, d, e, f)),
            6 => (0usize..5, 0usize..7, prop_oneof![2 => Just(None), 3 => (0usize..7).prop_map(Some)]).prop_map(|(a, b, c)| Step::VoteValidator(a, b, c)),
            6 => (0usize..5, prop_oneof![8 => Just(1u16), 1 => Just(0), 1 => Just(2)], ahead()).prop_map(|(a, b, c)| Step::VoteUpgrade(a, b, c)),
            4 => ahead().prop_map(Step::Upgrade),
            16 => prop_oneof![Just(1u64), Just(3_600_000), Just(3_600_000), 1u64..8_000_000, Just(30_000_000)].prop_map(Step::Block),
            14 => (few(), said()).prop_map(|(a, b)| Step::Round(a, b)),
        8 => (0usize..5, few(), prop_oneof![2 => later(), 1 => Just(STALLED)], said(), said()).prop_map(|(a, b, c, d, e)| Step::Judge(a, b, c, d, e)),
        8 => few().prop_map(Step::PayAll),
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
        let mut genesis = genesis(&[("vera", 5_000_000)], all_fees());
        genesis.limits.dispute_window_ms = 4_800_000;
        (genesis.limits.gap_ms_max, genesis.limits.stall_ms) = (GAP_MS_MAX, STALL as u64);
        genesis.limits.dispute_bond = Token(3_000_001);
        genesis.limits.validators_max = VALIDATORS_MAX as u16;
        genesis.validators = (0..4).map(|place| genesis_validator(NAMES[place], place)).collect();
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
                    root: reports(count.into()).root(),
                    count,
                    reports_hash: Hash([8; 32]),
                };
                let (epoch, anchors) = (EpochNumber(epoch), vec![anchor]);
                self.act(by, Body::AnchorEpoch(anchor_epoch::AnchorEpoch { epoch, anchors }))
            }
            Step::Settle(network, said, wrong) => {
                let open = self.model.epoch;
                let due = self.model.networks.get(network).map_or(0, |network| network.due(open));
                // Without leaves there is nothing to be too high.
                let wrong = if wrong == Wrong::Totals && VARIANTS[said.variant].is_none() {
                    Wrong::Nothing
                } else {
                    wrong
                };
                expected = self.model.settle(5, network, said, wrong);
                let result = self.result(network, due, said, wrong);
                let attestation = self.world.attest(result, &["vera"]);
                self.act(
                    5,
                    Body::SettleEpoch(settle_epoch::SettleEpoch {
                        attestation,
                        exchange: None,
                    }),
                )
            }
            Step::Pay(by, network, later, place) => {
                return self.pay(by, network, self.unreleased(network) + later, place);
            }
            Step::OpenDispute(by, network, later, said) => {
                let epoch = self.unreleased(network) + later;
                let claimed = self.result(network, epoch, said, Wrong::Nothing);
                expected = self.model.open_dispute(by, network, epoch, said);
                let exchange = None;
                self.act(by, Body::OpenDispute(open_dispute::OpenDispute { claimed, exchange }))
            }
            Step::VoteDispute(by, network, later, said, turned) => {
                let epoch = self.unreleased(network) + later;
                let result = self.result(network, epoch, said, Wrong::Nothing);
                let blame = self.model.is_blamed(network, epoch, said) ^ turned;
                expected = self.model.vote_dispute(by, network, epoch, said, blame);
                let vote = vote_dispute::VoteDispute {
                    result,
                    exchange: None,
                    blame,
                };
                self.act(by, Body::VoteDispute(vote))
            }
            Step::SlashVerifier(by, who, same_previous) => {
                expected = self.model.slash_verifier(by, who, same_previous);
                let first = self.result(0, 0, Said::default(), Wrong::Nothing);
                let mut second = first.clone();
                second.findings = Hash([99; 32]);
                if !same_previous {
                    second.previous.0[5] ^= 1;
                }
                let key = verifier_key(NAMES[who]);
                self.act(
                    by,
                    Body::SlashVerifier(slash_verifier::SlashVerifier {
                        verifier: id(NAMES[who]),
                        first_signature: first.sign(&key),
                        second_signature: Some(second.sign(&key)),
                        first,
                        second,
                    }),
                )
            }
            Step::SlashReceipt(by, who, network, before, evidence, present) => {
                let epoch = self.model.epoch.saturating_sub(before);
                let body = self.broken_receipt(who, network, epoch, evidence, present);
                expected = self.model.slash_receipt(by, who, (network, epoch), evidence, present);
                self.act(by, Body::SlashReceipt(body))
            }
            Step::VoteValidator(by, key, joins) => {
                expected = self.model.vote_validator(by, key, joins);
                let change = match joins {
                    Some(account) => vote_validator::Change::Add(id(NAMES[account]), "host:1".to_owned()),
                    None => vote_validator::Change::Remove,
                };
                let key = validator_key(key);
                self.act(by, Body::VoteValidator(vote_validator::VoteValidator { key, change }))
            }
            Step::VoteUpgrade(by, above, ahead) => {
                let version = self.model.upgrades.version + above;
                let height = ahead.map(|ahead| self.model.height + ahead);
                expected = self.model.vote_upgrade(by, version, height);
                self.act(by, Body::VoteUpgrade(vote_upgrade::VoteUpgrade { version, height }))
            }
            Step::Upgrade(ahead) => {
                return (0..6).for_each(|who| self.run(&Step::VoteUpgrade(who, 1, ahead)));
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
            Step::Round(network, said) => {
                self.run(&Step::Block(3_600_000));
                self.run(&Step::Block(1));
                for who in [5, 1, 2] {
                    self.run(&Step::Anchor(who, network, 0, who as u64 % 2));
                }
                return self.run(&Step::Settle(network, said, Wrong::Nothing));
            }
            Step::Judge(by, network, later, claimed, voted) => {
                let later = if later == STALLED { self.stall(network) } else { later };
                self.run(&Step::OpenDispute(by, network, later, claimed));
                for who in 0..6 {
                    self.run(&Step::VoteDispute(who, network, later, voted, false));
                }
                return;
            }
            Step::PayAll(network) => {
                let epoch = self.unreleased(network);
                for place in [None, Some(0), Some(1)] {
                    self.pay(2, network, epoch, place);
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

    /// Lets all the time pass that verifiers have; how far the oldest unsettled epoch is from the oldest unreleased one.
    fn stall(&mut self, network: usize) -> u64 {
        (0..3).for_each(|_| self.run(&Step::Block(3_600_000)));
        let networks = self.model.networks.get(network);
        networks.map_or(0, |network| network.due(self.model.epoch) - network.unreleased)
    }

    fn unreleased(&self, network: usize) -> u64 {
        self.model.networks.get(network).map_or(0, |network| network.unreleased)
    }

    /// The leaves of a variant of an epoch's result.
    fn leaves(&self, network: usize, epoch: u64, variant: usize) -> Vec<PayoutLeaf> {
        let pools = self.model.networks.get(network).map(|network| &network.pools);
        let pool = pools.and_then(|pools| pools.get(&epoch)).cloned().unwrap_or_default();
        let leaves = (0u32..).zip(pool.leaves(variant));
        leaves
            .map(|(operator, leaf)| PayoutLeaf {
                operator: AccountNumber(operator),
                units: 1,
                availability: Token(leaf.availability as u64),
                usage: Token(leaf.usage as u64),
                cash: MicroUsd(leaf.cash as u64),
                customers_paid: Credit(leaf.paid as u64),
            })
            .collect()
    }

    /// A variant of an epoch's result, of what is anchored, on what stands for the epoch before.
    fn result(&self, network: usize, epoch: u64, said: Said, wrong: Wrong) -> EpochResult {
        let leaves = self.leaves(network, epoch, said.variant);
        let id = self.network(network);
        let mut result = self.world.result(id, epoch, &leaves);
        result.findings = Hash([said.variant as u8; 32]);
        result.without = WITHOUTS[said.without].to_vec();
        let book: Option<cairn_ledger::records::Anchors> = self.world.record(&(id, EpochNumber(epoch)));
        let anchored = book.map_or(0, |book| book.reports);
        result.archive = reports(if wrong == Wrong::Archive { 1 } else { anchored.into() }).root();
        match wrong {
            Wrong::Totals => result.totals.availability.0 = u64::MAX,
            Wrong::Anchors => result.anchors.0[0] ^= 1,
            Wrong::Previous => result.previous.0[0] ^= 1,
            Wrong::Nothing | Wrong::Archive => {}
        }
        result
    }

    fn pay(&mut self, by: usize, network: usize, epoch: u64, place: Option<usize>) {
        let (body, place) = self.payment(network, epoch, place);
        let expected = self.model.pay(by, network, epoch, place);
        let answer = self.act(by, Body::Pay(body));
        assert_eq!(answer.map(|_| ()), expected, "leaf {place:?} of epoch {epoch}");
    }

    /// The payment of a leaf, if there is one at that place, else of none.
    fn payment(&self, network: usize, epoch: u64, place: Option<usize>) -> (pay::Pay, Option<usize>) {
        let id = self.network(network);
        let pools = self.model.networks.get(network).map(|network| &network.pools);
        let settled = pools.and_then(|pools| pools.get(&epoch)?.settled.as_ref());
        let leaves = self.leaves(network, epoch, settled.map_or(0, |settled| settled.said.variant));
        let Some(leaf) = place.and_then(|place| leaves.get(place)) else {
            return (pay::Pay::releasing(id, EpochNumber(epoch)), None);
        };
        let at = place.expect("there is a leaf") as u64;
        let tree = merkle::Tree::new(leaves.iter().map(PayoutLeaf::hash).collect());
        let pay = pay::Pay {
            network: id,
            epoch: EpochNumber(epoch),
            leaves: vec![*leaf],
            proof: tree.prove(at, at + 1).expect("a leaf"),
            choices: None,
        };
        (pay, place)
    }

    fn broken_receipt(
        &self,
        who: usize,
        network: usize,
        epoch: u64,
        evidence: Evidence,
        present: bool,
    ) -> slash_receipt::SlashReceipt {
        let promise = receipt::Promise {
            report: ReportId(if present { REPORT } else { [1; 32] }),
            network: self.network(network),
            epoch: EpochNumber(epoch),
        };
        let issued = receipt::issue(id(NAMES[who]), &verifier_key(NAMES[who]), START, &[promise]);
        let pools = self.model.networks.get(network).map(|network| &network.pools);
        let pool = pools.and_then(|pools| pools.get(&epoch)).cloned().unwrap_or_default();
        let anchored = pool.anchored.iter().find(|(verifier, _)| *verifier == who);
        let absence = |count: u128| reports(count).absence(&Hash(promise.report.0));
        slash_receipt::SlashReceipt {
            receipt: issued[0].clone(),
            evidence: match evidence {
                Evidence::NoAnchor => slash_receipt::Evidence::NoAnchor,
                Evidence::NotAnchored => {
                    slash_receipt::Evidence::NotAnchored(absence(anchored.map_or(0, |(_, count)| *count)))
                }
                Evidence::NotJudged => slash_receipt::Evidence::NotJudged(absence(pool.reports())),
            },
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
        let kept = view::emission(store).expect("memory").expect("block 1").cover;
        assert_eq!(u128::from(kept.0), books.kept);
        for (who, name) in NAMES.iter().enumerate().take(6) {
            let found = view::verifier(store, &id(name)).expect("memory");
            let stakes = |verifier: cairn_ledger::records::Verifier| {
                let stakes = [verifier.bond, verifier.joining, verifier.unbonding_amount()];
                (stakes.map(|stake| u128::from(stake.0)), verifier.held)
            };
            let expected = self.model.verifiers.get(&who).map(|verifier| {
                let leaving = verifier.unbonding.map_or(0, |(amount, _, _)| amount);
                ([verifier.bond, verifier.joining, leaving], verifier.held)
            });
            assert_eq!(found.map(stakes), expected, "{name}");
        }
        let validators: BTreeMap<ValidatorKey, AccountId> = view::validators(store)
            .expect("memory")
            .into_iter()
            .map(|validator| (validator.key, validator.account))
            .collect();
        let expected = self.model.validators.iter();
        let expected: BTreeMap<ValidatorKey, AccountId> = expected
            .map(|(key, account)| (validator_key(*key), id(NAMES[*account])))
            .collect();
        assert_eq!(validators, expected);
        let (rules, past) = (
            view::protocol(store).expect("memory"),
            view::upgrades(store).expect("memory"),
        );
        let heights: Vec<u64> = past.iter().map(|(_, upgrade)| upgrade.height).collect();
        let expected = &self.model.upgrades;
        assert_eq!(
            (rules.version, rules.next, &heights),
            (expected.version, expected.next, &expected.heights)
        );
        assert_eq!(
            [stable.cover.0, stable.buy_back.0].map(u128::from),
            [books.cover, books.buy_back]
        );
        let chain = view::chain(store).expect("memory").expect("block 1");
        assert_eq!((chain.epoch.0, chain.round), (self.model.epoch, self.model.round));
        assert_eq!(u128::from(chain.uptime_ms), self.model.uptime);
        for (id, expected) in self.networks.iter().zip(&self.model.networks) {
            let found = view::network(store, id).expect("memory").expect("a network");
            let places = [
                found.treasury_token.0,
                found.treasury_stable.0,
                found.carry_token.0,
                found.carry_stable.0,
                found.allowance.0,
                found.unsettled.0,
                found.unreleased.0,
            ];
            let [treasury, carry] = [expected.treasury, expected.carry];
            let should = [
                treasury[0],
                treasury[1],
                carry[0],
                carry[1],
                expected.allowance,
                expected.unsettled.into(),
                expected.unreleased.into(),
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

/// The one report there is, if there is any.
const REPORT: [u8; 32] = [5; 32];

struct Reports(Vec<Hash>);

fn reports(count: u128) -> Reports {
    Reports(vec![Hash(REPORT); usize::from(count > 0)])
}

impl Reports {
    fn tree(&self) -> merkle::Tree {
        merkle::Tree::new(self.0.iter().map(|id| merkle::leaf(&id.0)).collect())
    }

    fn root(&self) -> Hash {
        self.tree().root()
    }

    /// A proof that proves nothing when the report is there.
    fn absence(&self, report: &Hash) -> merkle::AbsenceProof {
        let none = merkle::AbsenceProof {
            neighbours: Vec::new(),
            range: None,
        };
        merkle::AbsenceProof::make(&self.tree(), &self.0, report).unwrap_or(none)
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
            Step::Bond(1, 1_500_000),
        ] {
            pair.run(&step);
        }
        for step in &steps {
            pair.run(step);
            pair.compare();
        }
    }
}
