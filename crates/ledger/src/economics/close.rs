//! One network's epoch, closed: every pool, burn-back, reserve and treasury movement at once, so that what goes in comes out.
//! Never looks at a device: verifiers divide what is fixed here.
//!
//! ```text
//!  tokens   carry + minted + reserve_out = availability + usage + delegators + reserve_in + carry'
//!  budget   scheduled + remintable       = minted + unminted
//!  dollars  R_s + carry                  = cash + verifiers + cover + buy_back + treasury + carry'
//! ```
//!
//! In this order: split `R_s`; the operators' cash is their part plus carried cash, at most the no-wash limit; availability by the
//! sunset; the usage token pool from what availability left of the budget; delegators' part of both; the reserve tops usage up
//! to the floor; unspent budget fills the reserve up to its cap and is never minted beyond. Carried tokens are used before
//! any are minted. Without a price the token pool for usage and the top-up are zero and nothing else changes (I11).
//! Every rounding is down and its fraction stays where it came from: budget, reserve or treasury. Source: economics notes §4.4.

use cairn_types::attestation::Totals;
use cairn_types::money::{Credit, MicroUsd, Price, Token};
use minicbor::{CborLen, Decode, Encode};

use super::{Budget, Error, Parameters, Quote, availability, no_wash, split, usage};

/// Credits customers spent on one network in one epoch, by what backs them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct Spent {
    /// `R_s`: backed by stablecoin, which is now paid out.
    #[n(0)]
    pub stable: Credit,
    /// `R_b`: bought by burning tokens.
    #[n(1)]
    pub burned: Credit,
}

impl Spent {
    /// `R = R_s + R_b`.
    pub fn total(self) -> Result<Credit, Error> {
        self.stable.checked_add(self.burned).ok_or(Error::Overflow)
    }
}

/// What earlier epochs' leaves left of their pools.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct Carry {
    #[n(0)]
    pub tokens: Token,
    #[n(1)]
    pub micro_usd: MicroUsd,
}

/// What closing needs to know. Plain values: the epoch step reads them, then writes what [`Pools`] says.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a> {
    pub parameters: &'a Parameters,
    /// Epochs since the network's first.
    pub age_epochs: u64,
    /// The network's part of the epoch's emission and of the reserve.
    pub budget: Budget,
    pub spent: Spent,
    pub carry: Carry,
    /// `None` while the price is halted.
    pub quote: Option<Quote>,
    /// Whether anybody delegated to the network; if not, their part stays with the operators.
    pub delegated: bool,
}

/// An epoch of a network after closing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pools {
    /// For verifiers to divide by availability weight.
    pub availability: Token,
    /// For verifiers to divide by credits charged, with `cash`; contains the top-up.
    pub usage: Token,
    /// For verifiers to divide by credits charged.
    pub cash: MicroUsd,
    /// `R`, the sum of credits charged over all leaves.
    pub customers_paid: Credit,
    /// At what usage tokens are counted on every leaf; `None`: there are none.
    pub usage_price: Option<Price>,
    /// At what operators exchange; `None`: they do not.
    pub exchange_price: Option<Price>,

    /// For those who delegated to the network.
    pub delegators: Token,
    /// For the verifiers who attest.
    pub verifiers: MicroUsd,
    /// Into the cover fund.
    pub cover: MicroUsd,
    /// Into the pot that buys tokens back and burns them.
    pub buy_back: MicroUsd,
    /// Into the network's treasury.
    pub treasury: MicroUsd,

    /// New tokens from the schedule.
    pub minted_scheduled: Token,
    /// New tokens in place of burned ones.
    pub reminted: Token,
    /// Budget that is never minted.
    pub unminted: Token,
    /// From the budget into the reserve.
    pub reserve_in: Token,
    /// From the reserve into `usage`: the top-up to the floor.
    pub reserve_out: Token,
    /// What did not fit and waits for the next epoch.
    pub carry: Carry,
}

/// Closes one network's epoch. Fails only when amounts leave 64 bits, which a checked cap and real revenue never reach.
pub fn close_network_epoch(inputs: &Inputs<'_>) -> Result<Pools, Error> {
    let Inputs {
        parameters,
        budget,
        spent,
        carry,
        ..
    } = *inputs;
    let customers_paid = spent.total()?;
    let usage_price = inputs.quote.map(Quote::for_usage);
    let budget_total = budget.emission()?;

    let split = split::split(spent.stable, parameters);
    let cash_offered = split.operators.checked_add(carry.micro_usd).ok_or(Error::Overflow)?;
    let cash = cash_offered.min(no_wash::limit(customers_paid, parameters.no_wash_bps));

    let availability = availability::pool(budget_total, inputs.age_epochs, parameters)?;
    let left = budget_total.saturating_sub(availability);
    let usage = usage::token_pool(spent, cash, left, usage_price, parameters)?;

    let cut = |pool: Token| {
        if inputs.delegated {
            pool.part(parameters.delegators_bps)
        } else {
            Token::ZERO
        }
    };
    let (from_availability, from_usage) = (cut(availability), cut(usage));
    let usage_net = usage.saturating_sub(from_usage);
    let top_up = top_up(parameters, customers_paid, cash, usage_net, usage_price, &budget)?;

    let pooled = availability.checked_add(usage).ok_or(Error::Overflow)?;
    let source = budget_total.checked_add(carry.tokens).ok_or(Error::Overflow)?;
    let reserve_in = source.saturating_sub(pooled).min(budget.reserve_room);
    let needed = pooled.checked_add(reserve_in).ok_or(Error::Overflow)?;
    let carried = carry.tokens.min(needed);
    let minted = needed.saturating_sub(carried);
    let minted_scheduled = minted.min(budget.scheduled);

    Ok(Pools {
        availability: availability.saturating_sub(from_availability),
        usage: usage_net.checked_add(top_up).ok_or(Error::Overflow)?,
        cash,
        customers_paid,
        usage_price,
        exchange_price: inputs.quote.map(|quote| quote.mid),
        delegators: from_availability.checked_add(from_usage).ok_or(Error::Overflow)?,
        verifiers: split.verifiers,
        cover: split.cover,
        buy_back: split.buy_back,
        treasury: split.treasury,
        minted_scheduled,
        reminted: minted.saturating_sub(minted_scheduled),
        unminted: budget_total.saturating_sub(minted),
        reserve_in,
        reserve_out: top_up,
        carry: Carry {
            tokens: carry.tokens.saturating_sub(carried),
            micro_usd: cash_offered.saturating_sub(cash),
        },
    })
}

/// `min(⌊(⌊f·R⌋ − cash − ⌈usage·P/K⌉)·K/P⌋, draw, burn bound)`: what the reserve adds when usage income is below the floor.
fn top_up(
    parameters: &Parameters,
    customers_paid: Credit,
    cash: MicroUsd,
    usage: Token,
    usage_price: Option<Price>,
    budget: &Budget,
) -> Result<Token, Error> {
    let Some(price) = usage_price else {
        return Ok(Token::ZERO);
    };
    let scale = parameters.scale()?;
    let floor = MicroUsd(customers_paid.part(parameters.floor_bps).0);
    let shortfall = floor
        .saturating_sub(cash)
        .saturating_sub(scale.worth_at_most(usage, price)?);
    Ok(scale
        .tokens_for_saturating(shortfall, price)?
        .min(budget.reserve_draw)
        .min(budget.top_up_bound))
}

impl Pools {
    /// What the leaves left of the pools, to be carried: `paid` are the attested totals, all zero when the epoch was never attested.
    /// Refused when they pay out more than the pools hold, or count more from customers than customers paid.
    pub fn remainder(&self, paid: &Totals) -> Result<Carry, Error> {
        let left = |pool: u64, paid: u64| {
            pool.checked_sub(paid).ok_or(Error::AboveTotal {
                reached: paid,
                total: pool,
            })
        };
        let availability = left(self.availability.0, paid.availability.0)?;
        let usage = left(self.usage.0, paid.usage.0)?;
        let micro_usd = left(self.cash.0, paid.cash.0)?;
        left(self.customers_paid.0, paid.customers_paid.0)?;
        let tokens = availability.checked_add(usage).ok_or(Error::Overflow)?;
        Ok(Carry {
            tokens: Token(tokens),
            micro_usd: MicroUsd(micro_usd),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::invariants::{closing_is_exact, halt_stops_no_dollars, leaf_is_no_wash};
    use super::super::{divide, usage::UsageShare};
    use super::*;
    use cairn_types::money::BasisPoints;
    use proptest::prelude::*;

    const HALF: Price = Price(50_000_000);
    const AT_HALF: Option<Quote> = Some(Quote {
        low: HALF,
        mid: HALF,
        high: HALF,
    });

    fn parameters() -> Parameters {
        Parameters::daily(6, Token(1_000_000_000_000), Token(0))
    }

    fn budget(scheduled: u64, remintable: u64, reserve_draw: u64, reserve_room: u64, top_up_bound: u64) -> Budget {
        Budget {
            scheduled: Token(scheduled),
            remintable: Token(remintable),
            reserve_draw: Token(reserve_draw),
            reserve_room: Token(reserve_room),
            top_up_bound: Token(top_up_bound),
        }
    }

    fn check(change: impl FnOnce(&mut Inputs<'_>), expected: impl FnOnce(&mut Pools)) {
        let parameters = parameters();
        let mut inputs = Inputs {
            parameters: &parameters,
            age_epochs: 0,
            budget: budget(10_000, 0, 0, 0, 0),
            spent: Spent {
                stable: Credit(1_000),
                burned: Credit(0),
            },
            carry: Carry::default(),
            quote: AT_HALF,
            delegated: false,
        };
        change(&mut inputs);
        let mut pools = Pools {
            availability: Token(6_000),
            usage: Token(500),
            cash: MicroUsd(700),
            customers_paid: Credit(1_000),
            usage_price: inputs.quote.map(Quote::for_usage),
            exchange_price: inputs.quote.map(|quote| quote.mid),
            verifiers: MicroUsd(50),
            cover: MicroUsd(50),
            buy_back: MicroUsd(100),
            treasury: MicroUsd(100),
            minted_scheduled: Token(6_500),
            unminted: Token(3_500),
            ..Pools::default()
        };
        expected(&mut pools);
        assert_eq!(close_network_epoch(&inputs), Ok(pools));
        assert_eq!(closing_is_exact(&inputs, &pools), Ok(()));
        assert_eq!(halt_stops_no_dollars(&inputs, &pools), Ok(()));
    }

    #[test]
    fn stable_revenue_gives_cash_and_a_quarter_in_tokens() {
        check(|_| {}, |_| {});
    }

    #[test]
    fn burned_revenue_gives_tokens_in_place_of_cash() {
        check(
            |i| {
                i.spent = Spent {
                    stable: Credit(0),
                    burned: Credit(1_000),
                }
            },
            |p| {
                (p.usage, p.cash, p.verifiers, p.cover) = (Token(1_900), MicroUsd(0), MicroUsd(0), MicroUsd(0));
                (p.buy_back, p.treasury) = (MicroUsd(0), MicroUsd(0));
                (p.minted_scheduled, p.unminted) = (Token(7_900), Token(2_100));
            },
        );
    }

    #[test]
    fn a_halted_price_pauses_the_usage_tokens_only() {
        check(
            |i| i.quote = None,
            |p| (p.usage, p.minted_scheduled, p.unminted) = (Token(0), Token(6_000), Token(4_000)),
        );
    }

    #[test]
    fn usage_takes_what_availability_leaves_and_re_emission_comes_second() {
        check(
            |i| i.budget = budget(1_000, 100, 0, 0, 0),
            |p| {
                (p.availability, p.usage) = (Token(660), Token(440));
                (p.minted_scheduled, p.reminted, p.unminted) = (Token(1_000), Token(100), Token(0));
            },
        );
    }

    #[test]
    fn unspent_budget_fills_the_reserve_up_to_its_room() {
        check(
            |i| i.budget.reserve_room = Token(3_000),
            |p| (p.reserve_in, p.minted_scheduled, p.unminted) = (Token(3_000), Token(9_500), Token(500)),
        );
    }

    #[test]
    fn the_reserve_tops_up_to_four_fifths_within_its_draw_and_what_was_burned() {
        for (draw, bound, out) in [(1_000, 1_000, 200), (150, 1_000, 150), (1_000, 90, 90)] {
            check(
                |i| i.budget = budget(0, 0, draw, 0, bound),
                |p| {
                    (p.availability, p.usage, p.reserve_out) = (Token(0), Token(out), Token(out));
                    (p.minted_scheduled, p.unminted) = (Token(0), Token(0));
                },
            );
        }
    }

    #[test]
    fn the_top_up_counts_what_is_paid_already_rounded_up() {
        let price = Some(Price(30_000_000));
        let top_up = |usage| {
            let budget = budget(0, 0, 1_000, 0, 1_000);
            super::top_up(&parameters(), Credit(10), MicroUsd(7), Token(usage), price, &budget)
        };
        assert_eq!(top_up(0), Ok(Token(3)));
        assert_eq!(top_up(1), Ok(Token(0)));
    }

    #[test]
    fn delegators_get_their_part_of_both_token_pools_only_where_there_are_some() {
        check(
            |i| i.delegated = true,
            |p| (p.availability, p.usage, p.delegators) = (Token(5_640), Token(470), Token(390)),
        );
    }

    #[test]
    fn carried_money_is_used_first_and_never_breaks_the_limit() {
        check(
            |i| {
                i.carry = Carry {
                    tokens: Token(7_000),
                    micro_usd: MicroUsd(400),
                }
            },
            |p| {
                (p.cash, p.usage, p.minted_scheduled, p.unminted) = (MicroUsd(950), Token(0), Token(0), Token(10_000));
                p.carry = Carry {
                    tokens: Token(1_000),
                    micro_usd: MicroUsd(150),
                };
            },
        );
    }

    #[test]
    fn a_fast_rally_does_not_make_paying_oneself_pay() {
        // A day at a dollar, then three rounds of twenty per cent: the mean lags at 1.06, the market is at 1.73.
        let ring = [
            vec![Price(100_000_000); 21],
            vec![Price(120_000_000), Price(144_000_000), Price(172_800_000)],
        ]
        .concat();
        let state = super::super::PriceState {
            ring,
            round: 24,
            ..Default::default()
        };
        let parameters = parameters();
        let inputs = Inputs {
            parameters: &parameters,
            age_epochs: u64::MAX,
            budget: budget(1 << 40, 0, 0, 0, 0),
            spent: Spent {
                stable: Credit(1_000_000),
                burned: Credit(0),
            },
            carry: Carry::default(),
            quote: state.quote(24, &parameters),
            delegated: false,
        };
        let pools = close_network_epoch(&inputs).expect("fits");
        let market = state.last().expect("accepted");
        let scale = parameters.scale().expect("few decimals");
        let sold = scale.worth_at_least(pools.usage, market).expect("fits");
        assert_eq!((pools.cash.0, sold.0), (700_000, 249_998));
        // The same quarter counted at the low price sells for more than all that was paid.
        let low = inputs.quote.expect("not halted").low;
        let at_low = scale.tokens_for(MicroUsd(250_000), low).expect("fits");
        assert_eq!(
            scale.worth_at_least(at_low, market).map(|sold| sold.0 + pools.cash.0),
            Ok(1_108_703)
        );
    }

    fn totals(availability: u64, usage: u64, cash: u64, customers_paid: u64) -> Totals {
        Totals {
            units: 0,
            availability: Token(availability),
            usage: Token(usage),
            cash: MicroUsd(cash),
            customers_paid: Credit(customers_paid),
        }
    }

    #[test]
    fn what_leaves_did_not_take_is_carried_and_more_than_the_pools_is_refused() {
        let pools = Pools {
            availability: Token(10),
            usage: Token(5),
            cash: MicroUsd(7),
            customers_paid: Credit(10),
            ..Pools::default()
        };
        let carry = |tokens, micro_usd| {
            Ok(Carry {
                tokens: Token(tokens),
                micro_usd: MicroUsd(micro_usd),
            })
        };
        let refused = |reached, total| Err(Error::AboveTotal { reached, total });
        for (paid, expected) in [
            (totals(8, 4, 5, 10), carry(3, 2)),
            (Totals::default(), carry(15, 7)),
            (totals(11, 0, 0, 0), refused(11, 10)),
            (totals(0, 6, 0, 0), refused(6, 5)),
            (totals(0, 0, 8, 0), refused(8, 7)),
            (totals(0, 0, 0, 11), refused(11, 10)),
        ] {
            assert_eq!(pools.remainder(&paid), expected, "{paid:?}");
        }
    }

    /// Amounts of any size a ledger can hold, often small, where roundings bite.
    fn amount() -> impl Strategy<Value = u64> {
        prop_oneof![0u64..30, 0u64..1 << 20, 0u64..1 << 58]
    }

    fn quote() -> impl Strategy<Value = Option<Quote>> {
        let quote = (1u64..1 << 50, 0u64..1 << 50, 0u64..1 << 50).prop_map(|(low, up, further)| Quote {
            low: Price(low),
            mid: Price(low + up),
            high: Price(low + up + further),
        });
        prop::option::of(quote)
    }

    prop_compose! {
        fn case()(
            decimals in 0u8..=9, age_epochs in 0u64..1_200, quote in quote(), delegated: bool,
            (scheduled, remintable, draw, room, bound) in (amount(), amount(), amount(), amount(), amount()),
            (stable, burned, tokens, micro_usd) in (amount(), amount(), amount(), amount()),
        ) -> (u8, Inputs<'static>) {
            (decimals, Inputs {
                parameters: &PARAMETERS[usize::from(decimals)],
                age_epochs,
                budget: budget(scheduled, remintable, draw, room, bound),
                spent: Spent { stable: Credit(stable), burned: Credit(burned) },
                carry: Carry { tokens: Token(tokens), micro_usd: MicroUsd(micro_usd) },
                quote,
                delegated,
            })
        }
    }

    static PARAMETERS: std::sync::LazyLock<Vec<Parameters>> = std::sync::LazyLock::new(|| {
        // Half of them with the floor as high as it may be, where its rounding meets the no-wash limit.
        let floor_bps = |decimals| BasisPoints::new(if decimals % 2 == 0 { 8_000 } else { 9_500 }).expect("a part");
        let parameters = |decimals| Parameters::daily(decimals, Token(1 << 60), Token(0));
        (0..=9)
            .map(|decimals| Parameters {
                floor_bps: floor_bps(decimals),
                ..parameters(decimals)
            })
            .collect()
    });

    proptest! {
        #[test]
        fn what_goes_in_comes_out_and_nobody_can_gain_by_paying_himself((_, inputs) in case()) {
            let pools = close_network_epoch(&inputs).expect("real amounts fit");
            prop_assert_eq!(closing_is_exact(&inputs, &pools), Ok(()));
            prop_assert_eq!(halt_stops_no_dollars(&inputs, &pools), Ok(()));
            // The notes' form of the rule, at the low price, follows.
            let low = inputs.quote.map(|quote| quote.low);
            prop_assert_eq!(leaf_is_no_wash(inputs.parameters, low, pools.cash, pools.usage, pools.customers_paid), Ok(()));
        }

        #[test]
        fn every_leaf_passes_and_all_leaves_stay_within_the_pools(
            (decimals, inputs) in case(),
            weights in prop::collection::vec(prop_oneof![0u64..3, 0u64..1 << 30], 1..30),
        ) {
            prop_assume!(weights.iter().any(|weight| *weight > 0));
            let pools = close_network_epoch(&inputs).expect("real amounts fit");
            let charged = divide(pools.customers_paid.0, &weights).expect("some weight");
            let scale = super::super::Scale::of_decimals(decimals).expect("few decimals");
            let mut paid = UsageShare::default();
            for charged in charged {
                let share = usage::share(&pools, Credit(charged), scale, inputs.parameters).expect("within the pool");
                let leaf = leaf_is_no_wash(inputs.parameters, pools.usage_price, share.cash, share.tokens, Credit(charged));
                prop_assert_eq!(leaf, Ok(()));
                paid.cash = paid.cash.checked_add(share.cash).expect("within the pool");
                paid.tokens = paid.tokens.checked_add(share.tokens).expect("within the pool");
            }
            let paid = totals(pools.availability.0, paid.tokens.0, paid.cash.0, pools.customers_paid.0);
            prop_assert!(pools.remainder(&paid).is_ok());
        }
    }
}
