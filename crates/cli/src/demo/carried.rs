//! Packets as a customer pays them: of each frame the copies it wants, the clearest first, each device once. The network's router,
//! which is the provider of the order, shows the customer's voucher to the ledger and says to the verifiers whose packets it is for.
//! The customer signs when the hour is judged, and signs for nothing that is not believed.

use super::findings::Verdict;
use super::world::World;
use crate::error::{Failure, Kind, OrFail};
use cairn_gateway::meters::{HttpMeters, Meters};
use cairn_ledger::account::Rule;
use cairn_ledger::tx::Body;
use cairn_ledger::tx::buy_credits::{BuyCredits, Payment};
use cairn_ledger::tx::close_order::CloseOrder;
use cairn_ledger::tx::open_order::{OpenOrder, order_id};
use cairn_ledger::tx::settle_order::Voucher;
use cairn_types::{Credit, DeviceNumber, MicroUsd, TimeMs, Token, hash};
use cairn_verifier::meters::{self, MeterEntry, MeterRecord};
use cairn_verticals::wireless::params::Params;
use cairn_verticals::wireless::service::{self, Bought, Copy};
use std::collections::BTreeMap;

/// Copies of a frame the customer wants: more than ever heard one of the records.
const COPIES: usize = 16;
/// The tag of stream orders on the ledger.
const SHAPE_STREAM: u8 = 1;
/// How long an order may stay open, in milliseconds of data time.
const ORDER_MS: u64 = 86_400_000;
/// What the customer buys credits with at a time: stablecoin, and tokens burned.
const STABLE: MicroUsd = MicroUsd(2_000_000);
const TOKENS: Token = Token(20_000_000);
/// Times it buys for one order at most.
const PURCHASES_MAX: u32 = 64;

/// What an epoch's packets came to.
#[derive(Clone, Debug, Default)]
pub struct Carried {
    pub copies: u64,
    /// Believed, but more than the customer asked for.
    pub unwanted: u64,
    pub pieces: u64,
    pub credits: Credit,
    /// By station: copies and credits.
    pub by_station: BTreeMap<usize, (u64, Credit)>,
}

/// What the customer takes of an epoch's believed receptions.
pub fn choose(params: &Params, verdicts: &[Verdict<'_>]) -> Carried {
    let mut frames: BTreeMap<u64, Vec<&Verdict<'_>>> = BTreeMap::new();
    for said in verdicts
        .iter()
        .filter(|said| said.reason.is_none() && said.heard.source.is_some())
    {
        frames.entry(said.heard.frame).or_default().push(said);
    }
    let mut carried = Carried::default();
    let mut pieces: BTreeMap<usize, u64> = BTreeMap::new();
    for said in frames.values() {
        let copy = |said: &&Verdict<'_>| Copy {
            device: DeviceNumber(u32::try_from(said.station).unwrap_or(u32::MAX)),
            snr_ddb: said.heard.snr_ddb,
            rssi_ddbm: said.heard.rssi_ddbm,
            received: said.heard.time,
        };
        let copies: Vec<Copy> = said.iter().map(copy).collect();
        let first = copies.iter().map(|copy| copy.received).min().unwrap_or(TimeMs(0));
        // The judge has refused what came late; a frame that its sender repeats may be bought again.
        let answers = service::choose(&copies, COPIES, first, u64::from(params.repeat_ms));
        for (said, answer) in said.iter().zip(answers) {
            if answer != Bought::Yes {
                carried.unwanted += 1;
                continue;
            }
            carried.copies += 1;
            *pieces.entry(said.station).or_default() += service::pieces(said.heard.size.into());
            carried.by_station.entry(said.station).or_default().0 += 1;
        }
    }
    for (station, pieces) in pieces {
        let credits = service::meter(params, pieces).credits;
        carried.pieces += pieces;
        carried.credits = Credit(carried.credits.0 + credits.0);
        carried.by_station.entry(station).or_default().1 = credits;
    }
    carried
}

/// Pays for it: credits, an escrow, a voucher that the router settles.
pub async fn pay(world: &World, carried: &Carried, now: TimeMs) -> Result<(), Failure> {
    let entry = |(station, (_, credits)): (&usize, &(u64, Credit))| MeterEntry {
        device: DeviceNumber(u32::try_from(*station).unwrap_or(u32::MAX)),
        credits: *credits,
    };
    let entries: Vec<MeterEntry> = carried
        .by_station
        .iter()
        .map(entry)
        .filter(|entry| entry.credits > Credit::ZERO)
        .collect();
    if entries.is_empty() {
        return Ok(());
    }
    let (customer, router, chain) = (&world.people.customer, &world.people.gateway, &world.genesis.chain);
    buy(world, carried.credits).await?;
    let root = meters::root(&entries);
    let open = OpenOrder {
        network: world.network,
        provider: router.account,
        shape: SHAPE_STREAM,
        terms: hash::domain("cairn/demo-stream/1", &[&now.0.to_be_bytes()]),
        hold: carried.credits,
        expires: now.plus_ms(ORDER_MS),
        voucher_key: customer.key.public(),
    };
    let signed = world.wallet.sign(&customer.key, None, Body::OpenOrder(open)).await?;
    world.wallet.submit(&signed).await?;
    let order = order_id(&signed);
    let record = MeterRecord {
        network: world.network,
        order,
        entries,
    };
    let record = record.sign_by(
        chain,
        &Rule::single(router.key.public()),
        std::slice::from_ref(&router.key),
    );
    let door = HttpMeters::new(vec![world.verifier.url()], tokio::runtime::Handle::current());
    let posted = tokio::task::spawn_blocking(move || door.post(&record)).await;
    posted
        .or_fail(Kind::Internal, "the meters")?
        .or_fail(Kind::Unreachable, "the verifier does not take the meters")?;
    let voucher = Voucher {
        order,
        credits: carried.credits,
        meters: root,
    };
    let settle = voucher.sign(chain, &customer.key);
    world.wallet.send(&router.key, None, Body::SettleOrder(settle)).await?;
    world
        .wallet
        .send(&router.key, None, Body::CloseOrder(CloseOrder { order }))
        .await
        .map(drop)
}

/// Buys credits until there are so many: by stablecoin and by burning.
async fn buy(world: &World, need: Credit) -> Result<(), Failure> {
    let customer = &world.people.customer;
    for _ in 0..PURCHASES_MAX {
        let account = customer.account;
        let found = world
            .node
            .look(move |store| cairn_ledger::view::account(store, &account))
            .await;
        let (_, found) = found.or_fail(Kind::Internal, "the customer's account")?;
        let have = found.map_or(0, |account| account.credits.stable.0 + account.credits.burned.0);
        if have >= need.0 {
            return Ok(());
        }
        let send = |payment| {
            let body = Body::BuyCredits(BuyCredits { payment });
            world.wallet.send(&customer.key, None, body)
        };
        send(Payment::Stable(STABLE)).await?;
        // Before the first price is posted nobody burns.
        match send(Payment::Burn(TOKENS, Credit::ZERO)).await {
            Err(failure) if failure.kind != Kind::Refused => return Err(failure),
            _ => {}
        }
    }
    Err(Failure::new(
        Kind::Insufficient,
        format!("{need} credits for one epoch's packets"),
    ))
}
