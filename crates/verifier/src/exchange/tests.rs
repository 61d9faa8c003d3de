//! Who exchanges what, on the real ledger: hours with choosers of every kind, whose accounts are held against what was computed.

use crate::archive::EpochArchive;
use crate::audit::audit;
use crate::chain::ChainView;
use crate::collector::Collector;
use crate::epochs::Epochs;
use crate::exchange;
use crate::meters::MeterEntry;
use crate::world::{HOUR, START, World, after, device_key};
use cairn_ledger::economics::netting::{Earned, Exchange};
use cairn_ledger::records::{ExchangeBook, PoolState};
use cairn_ledger::view;
use cairn_types::{AccountNumber, Credit, DeviceNumber, EpochNumber, MicroUsd, PayoutLeaf, Token};

const ALL: Option<u16> = Some(10_000);
const NONE: Option<u16> = Some(0);
/// The devices whose operators customers pay, and so have dollars.
const SERVES: [u32; 3] = [0, 3, 5];

/// What an hour came to.
struct Hour {
    leaves: Vec<PayoutLeaf>,
    steps: Vec<Exchange>,
    book: Option<ExchangeBook>,
}

impl Hour {
    /// What sellers gave and what buyers got for it.
    fn exchanged(&self) -> (u64, u64) {
        let tokens = self.steps.iter().map(|step| step.tokens_given.0).sum();
        let cash = self.steps.iter().map(|step| step.cash_received.0).sum();
        (tokens, cash)
    }
}

fn holds(world: &World, operator: AccountNumber) -> Earned {
    let account = world.chain.read(|store| view::account_by_number(store, operator));
    let (_, account) = account.unwrap().unwrap();
    Earned {
        cash: account.stable,
        tokens: account.token,
    }
}

fn entry(device: u32, credits: u64) -> MeterEntry {
    MeterEntry {
        device: DeviceNumber(device),
        credits: Credit(credits),
    }
}

/// Plays an hour in which customers pay for some devices; what it changed in the operators' accounts is what was computed.
fn play(world: &World, epochs: &mut Epochs, collector: &mut Collector, hour: u64, meters: Vec<MeterEntry>) -> Hour {
    world.feed(collector, hour);
    if !meters.is_empty() {
        world.sell(collector, after(hour), meters);
    }
    let operators: Vec<AccountNumber> = (0..40).map(AccountNumber).collect();
    let there = |number: &AccountNumber| world.chain.read(|store| view::account_by_number(store, *number));
    let operators: Vec<AccountNumber> = operators
        .into_iter()
        .filter(|number| there(number).unwrap().is_some())
        .collect();
    let before: Vec<Earned> = operators.iter().map(|number| holds(world, *number)).collect();
    let advanced = world.close(epochs, collector, hour);
    assert!(advanced.failed.is_empty(), "hour {hour}: {:?}", advanced.failed);
    let epoch = EpochNumber(hour);
    assert_eq!(advanced.paid, [(world.network, epoch)]);

    let archive = EpochArchive::of(&world.objects, &world.network, epoch);
    let (inputs, leaves) = (archive.inputs().unwrap(), archive.payouts().unwrap());
    let price = inputs.pool.exchange_price;
    let scale = inputs.economics.scale().unwrap();
    let steps = exchange::steps(scale, price, &leaves, &archive.choices().unwrap()).unwrap();
    let closed = world.chain.closed(&world.network, epoch).unwrap().unwrap();
    assert_eq!(closed.pool.state, PoolState::Paid);
    assert_eq!(
        audit(&world.objects, &world.chain, &world.network, epoch)
            .unwrap()
            .difference,
        None
    );
    let paid = leaves.iter().zip(&steps);
    let paid: Vec<_> = paid
        .map(|(leaf, step)| (leaf.operator, step.apply(Earned::of(leaf).unwrap()).unwrap()))
        .collect();
    for (number, before) in operators.iter().zip(before) {
        let got = paid.iter().find(|(operator, _)| operator == number);
        let got = got.map_or(Earned::default(), |(_, got)| *got);
        // The verifier's and the provider's accounts are no operators of devices; they move otherwise.
        if got != Earned::default() {
            let expected = Earned {
                cash: MicroUsd(before.cash.0 + got.cash.0),
                tokens: Token(before.tokens.0 + got.tokens.0),
            };
            assert_eq!(holds(world, *number), expected, "operator {number} in hour {hour}");
        }
    }
    let sum = |of: fn(&Exchange) -> u64| steps.iter().map(of).sum::<u64>();
    assert_eq!(sum(|step| step.tokens_given.0), sum(|step| step.tokens_received.0));
    assert_eq!(sum(|step| step.cash_given.0), sum(|step| step.cash_received.0));
    let book = world.chain.exchange(&world.network, epoch).unwrap();
    let settlement = world.chain.settlement(&world.network, epoch).unwrap().unwrap();
    assert_eq!(settlement.exchanged, book.is_some());
    Hour { leaves, steps, book }
}

fn meters() -> Vec<MeterEntry> {
    SERVES.iter().map(|device| entry(*device, 300_000)).collect()
}

#[test]
fn everybody_gets_what_the_choices_that_stood_come_to() {
    let world = World::new(12);
    let (mut collector, mut epochs) = (world.collector(), world.epochs());
    let now = START.plus_ms(HOUR / 2);
    epochs.advance(now, &mut collector);
    // Choices made in an hour hold from the next one on.
    type Wants = &'static [(usize, Option<u16>)];
    type Case = (&'static str, Wants, fn(&Hour));
    let hours: [Case; 7] = [
        ("nobody chose", &[(2, ALL), (6, ALL), (8, ALL)], |hour| {
            assert_eq!((hour.book, hour.exchanged()), (None, (0, 0)));
        }),
        (
            "all who chose sell",
            &[(0, NONE), (3, NONE), (2, None), (6, None), (8, None)],
            |hour| {
                assert!(hour.book.unwrap().offers.tokens.0 > 0);
                assert_eq!(hour.exchanged(), (0, 0));
            },
        ),
        ("all who chose buy", &[(2, ALL), (6, Some(5_000))], |hour| {
            assert!(hour.book.unwrap().offers.cash.0 > 0);
            assert_eq!(hour.exchanged(), (0, 0));
        }),
        (
            "two sell, two buy",
            &[(0, None), (2, None), (6, None), (3, None)],
            |hour| {
                let (tokens, cash) = hour.exchanged();
                let offered = hour.book.unwrap().offers;
                assert!(tokens > 0 && tokens < offered.tokens.0, "{tokens} of {offered:?}");
                assert!(
                    offered.cash.0 - cash < 2,
                    "all dollars found somebody: {cash} of {offered:?}"
                );
                assert_eq!(hour.steps.iter().filter(|step| step.cash_received.0 > 0).count(), 2);
            },
        ),
        (
            "all took it back",
            &[(0, NONE), (3, NONE), (5, NONE), (2, Some(1))],
            |hour| {
                assert_eq!((hour.book, hour.exchanged()), (None, (0, 0)));
            },
        ),
        (
            "one sells a little, three buy",
            &[(0, Some(1)), (3, Some(9_999)), (5, None)],
            |hour| {
                let (tokens, _) = hour.exchanged();
                assert_eq!(tokens, hour.book.unwrap().offers.tokens.0, "all of it found somebody");
                assert!(tokens > 0);
            },
        ),
        (
            "a buyer that has little to buy with, and a seller that has more",
            &[],
            |hour| {
                assert!(hour.book.is_some());
            },
        ),
    ];
    for (at, (name, next, check)) in hours.into_iter().enumerate() {
        for (device, wants) in next {
            world.choose(*device, *wants);
        }
        let hour = play(&world, &mut epochs, &mut collector, at as u64, meters());
        assert!(hour.leaves.len() > 5, "{name}");
        check(&hour);
    }
}

#[test]
fn while_prices_are_halted_nobody_exchanges_and_choices_are_kept() {
    let world = World::new(3);
    let (mut collector, mut epochs) = (world.collector(), world.epochs_with(None));
    epochs.advance(START.plus_ms(HOUR / 2), &mut collector);
    world.choose(0, NONE);
    world.choose(2, ALL);
    for hour in 0..2 {
        let hour = play(&world, &mut epochs, &mut collector, hour, meters());
        assert_eq!((hour.book, hour.exchanged()), (None, (0, 0)));
    }
    let archive = EpochArchive::of(&world.objects, &world.network, EpochNumber(1));
    let chosen = archive.choices().unwrap().into_iter().flatten().count();
    assert_eq!(chosen, 2);
}

#[test]
fn an_operator_of_many_devices_offers_once_for_all_of_them() {
    let world = World::new(3);
    let more = 3;
    (0..more).for_each(|at| world.join(&world.operator(0), &device_key(900 + at)));
    let first = world.city.devices().len() as u32;
    let (mut collector, mut epochs) = (world.collector(), world.epochs());
    epochs.advance(START.plus_ms(HOUR / 2), &mut collector);
    world.choose(0, NONE);
    world.choose(2, ALL);
    play(&world, &mut epochs, &mut collector, 0, Vec::new());
    let own = [0, first, first + 1, first + 2];
    let meters = own.iter().map(|device| entry(*device, 200_000)).collect();
    let hour = play(&world, &mut epochs, &mut collector, 1, meters);
    let served: Vec<&PayoutLeaf> = hour.leaves.iter().filter(|leaf| leaf.customers_paid.0 > 0).collect();
    assert_eq!((served.len(), served[0].customers_paid), (1, Credit(800_000)));
    // All its dollars were for sale, and all found the one who wanted them.
    let offered = hour.book.unwrap().offers.cash;
    assert!(served[0].cash.0 - offered.0 < 2, "{offered} of {}", served[0].cash);
    assert!(offered.0 - hour.exchanged().1 < 2);
}

#[test]
fn what_was_chosen_before_the_hour_closed_counts_whatever_is_chosen_later() {
    let world = World::new(3);
    let (mut collector, mut epochs) = (world.collector(), world.epochs());
    epochs.advance(START.plus_ms(HOUR / 2), &mut collector);
    world.choose(0, NONE);
    world.choose(2, ALL);
    play(&world, &mut epochs, &mut collector, 0, meters());
    // In the hour and right after it everybody wants the contrary: twice changed, and not settled yet.
    world.feed(&mut collector, 1);
    world.sell(&mut collector, after(1), meters());
    world.choose(0, ALL);
    world.choose(2, NONE);
    world.chain.advance(after(1));
    world.choose(0, None);
    world.choose(2, None);
    assert_eq!(world.close(&mut epochs, &mut collector, 1).paid.len(), 1);
    let archive = EpochArchive::of(&world.objects, &world.network, EpochNumber(1));
    let choices = archive.choices().unwrap().into_iter().flatten();
    assert_eq!(choices.map(|part| part.get()).collect::<Vec<_>>(), [0, 10_000]);
    // Nor does an audit of long ago hear of later changes.
    for hour in 2..6 {
        world.choose(0, Some(hour as u16));
        world.close(&mut epochs, &mut collector, hour);
    }
    for hour in 0..6 {
        let audited = audit(&world.objects, &world.chain, &world.network, EpochNumber(hour)).unwrap();
        assert_eq!(audited.difference, None, "hour {hour}");
    }
}

/// Choices drawn from a seed, hour after hour.
#[test]
fn whatever_is_chosen_both_assets_are_conserved() {
    let world = World::new(12);
    let (mut collector, mut epochs) = (world.collector(), world.epochs());
    epochs.advance(START.plus_ms(HOUR / 2), &mut collector);
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut drawn = || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed >> 8
    };
    let mut exchanges = 0;
    for hour in 0..10 {
        for device in 0..12 {
            match drawn() % 4 {
                0 => world.choose(device, None),
                1 => world.choose(device, Some((drawn() % 10_001) as u16)),
                2 => world.choose(device, [NONE, ALL][(drawn() % 2) as usize]),
                _ => {}
            }
        }
        let served: Vec<u32> = (0..12).filter(|_| drawn() % 2 == 0).collect();
        let meters: Vec<MeterEntry> = served
            .into_iter()
            .map(|device| entry(device, drawn() % 300_000))
            .collect();
        let hour = play(&world, &mut epochs, &mut collector, hour, meters);
        exchanges += u32::from(hour.exchanged().0 > 0);
    }
    assert!(exchanges > 4, "{exchanges} hours had an exchange");
}
