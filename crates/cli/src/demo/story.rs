//! What happens in the demo, epoch by epoch: stations speak, the agent signs and sends, the epoch ends, the verifier judges and the
//! ledger pays; a customer buys credits, and with them each day yesterday's rain, or each epoch its packets. Some operators would rather have dollars, some rather token: those
//! exchange as they are paid. At the end an auditor recomputes everything.

use super::carried::{self, Carried};
use super::city::HOUR_MS;
use super::findings::{self, FindingsFile};
use super::scene::{Saying, Scene};
use super::tally::{DayOrder, Tally};
use super::world::World;
use crate::epoch_files::EpochFiles;
use crate::error::{Failure, Kind, OrFail};
use cairn_agent::agent::DeviceIndex;
use cairn_agent::uplink::HttpUplink;
use cairn_ledger::records::PoolState;
use cairn_ledger::tx::Body;
use cairn_ledger::tx::buy_credits::{BuyCredits, Payment};
use cairn_ledger::tx::set_payout_choice::SetPayoutChoice;
use cairn_types::{BasisPoints, Credit, EpochNumber, MicroUsd, TimeMs, Token};
use cairn_verifier::archive::EpochArchive;
use cairn_verifier::{audit, exchange};
use cairn_verticals::wireless::params::Params;
use indicatif::ProgressBar;

/// Times the agent's uplink may fail in a row before the demo gives up.
const FAILURES_MAX: u32 = 5;
/// Times the chain is moved on for a verifier that waits for it.
const WAITS_MAX: u32 = 50;
const DAY_HOURS: u64 = 24;
/// What the customer spends on credits each day: stablecoin, and tokens burned.
const DAY_STABLE: MicroUsd = MicroUsd(2_000_000);
const DAY_TOKENS: Token = Token(20_000_000);

/// Plays so many epochs.
pub async fn play(
    world: &mut World,
    scene: &mut Scene,
    epochs: u64,
    findings: &mut FindingsFile,
    bar: &ProgressBar,
) -> Result<Tally, Failure> {
    let uplink = HttpUplink::new().or_fail(Kind::Internal, "the agent's HTTP client")?;
    let devices: Vec<DeviceIndex> = scene
        .stations()
        .iter()
        .map(|station| {
            world
                .agent
                .find(&station.name)
                .expect("the agent was opened with all stations")
        })
        .collect();
    let mut tally = Tally::new(scene.vertical(), scene.stations());
    let epoch_ms = scene.epoch_ms();
    let mut seed = [0; 32];
    // Packets of an epoch are paid in the next one: there is one more, whose own packets nobody buys.
    let more = u64::from(matches!(scene, Scene::Hotspots(_)));
    bar.set_length(epochs + more);
    for epoch in 0..epochs + more {
        let is_more = epoch >= epochs;
        let sayings = scene.epoch(epoch, &seed)?;
        let Some(sayings) = sayings.or_else(|| is_more.then(Vec::new)) else {
            break;
        };
        let start = scene.start().plus_ms(epoch * epoch_ms);
        let end = start.plus_ms(epoch_ms);
        say(world, &devices, &sayings, (start, end), &mut tally)?;
        let flushed = world.agent.flush(&uplink, &world.time.agent, FAILURES_MAX).await;
        let flushed = flushed.or_fail(Kind::Unreachable, "reports do not reach the verifier")?;
        tally.sent(&flushed);
        end_epoch(world, end).await?;
        let settled = collect(world, EpochNumber(epoch), &mut tally).await?;
        match scene {
            Scene::Gauges(city) => {
                findings.write(&settled.findings)?;
                if epoch == 0 {
                    // With the first token they earned they can pay the fee.
                    choose(world, city.choosers()).await?;
                }
                if (epoch + 1) % DAY_HOURS == 0 {
                    let order = buy_yesterday(world, end).await?;
                    tally.order(order);
                }
            }
            Scene::Hotspots(hotspots) => {
                seed = settled.inputs.beacon.0;
                let said = settled.said()?;
                let verdicts = findings::verdicts(hotspots, epoch, &said);
                findings.write_verdicts(hotspots, &verdicts)?;
                let params = Params::decode(&settled.inputs.parameters).or_fail(Kind::Internal, "parameters")?;
                let bought = if is_more {
                    Carried::default()
                } else {
                    carried::choose(&params, &verdicts)
                };
                if !is_more {
                    carried::pay(world, &bought, end).await?;
                }
                tally.heard(&verdicts, &said, &bought);
            }
        }
        bar.inc(1);
    }
    Ok(tally)
}

/// Some operators say what part of their income they want in dollars, from the next epoch on.
async fn choose(world: &World, choosers: &[(usize, Option<BasisPoints>)]) -> Result<(), Failure> {
    for (station, wants) in choosers {
        let body = Body::SetPayoutChoice(SetPayoutChoice { wants: *wants });
        world
            .wallet
            .send(&world.people.operators[*station].key, None, body)
            .await?;
    }
    Ok(())
}

/// The stations' words of an epoch, through the agent's driver into its outbox, signed at its end.
fn say(
    world: &mut World,
    devices: &[DeviceIndex],
    sayings: &[Saying],
    (start, end): (TimeMs, TimeMs),
    tally: &mut Tally,
) -> Result<(), Failure> {
    world.time.agent.set(start);
    for saying in sayings {
        let taken = world.agent.submit(devices[saying.station], &saying.message, saying.at);
        match taken {
            Ok(readings) => tally.readings += readings as u64,
            // What a driver does not understand never becomes a report; a disk that fails ends the demo.
            Err(error) if !error.is_temporary() => tally.not_understood += 1,
            Err(error) => {
                return Err(Failure::new(
                    Kind::Files,
                    format!("a message of the epoch from {start}: {error}"),
                ));
            }
        }
    }
    // The last moment of the epoch: the verifier still has it open.
    let last = TimeMs(end.0 - 1);
    world.time.agent.set(last);
    world.time.verifier.set(last);
    world.agent.seal_all(last).or_fail(Kind::Files, "the agent's outbox")
}

/// Moves every clock to the end of the epoch; returns when it is judged, settled and paid.
async fn end_epoch(world: &World, end: TimeMs) -> Result<(), Failure> {
    world.time.verifier.set(end);
    world.time.agent.set(end);
    world
        .node
        .advance(&world.time.chain, end)
        .await
        .or_fail(Kind::Internal, "the chain stands")?;
    for _ in 0..WAITS_MAX {
        let advanced = world.verifier.advance(end).await;
        if let Some((_, epoch, error)) = advanced.failed.first() {
            return Err(Failure::new(
                Kind::Internal,
                format!("epoch {epoch} does not go on: {error}"),
            ));
        }
        if !advanced.paid.is_empty() {
            return Ok(());
        }
        // The beacon comes with a block after the one that closed the epoch; any transaction makes one.
        tick(world).await?;
    }
    Err(Failure::new(
        Kind::Internal,
        format!("the epoch before {end} is not paid"),
    ))
}

/// A transaction without consequence, so that there is a block.
async fn tick(world: &World) -> Result<(), Failure> {
    use cairn_ledger::tx::{Asset, transfer::Transfer};
    let founder = &world.people.founder;
    let body = Body::Transfer(Transfer {
        to: world.people.issuer.account,
        amount: Asset::Token(Token(1)),
    });
    world.wallet.send(&founder.key, None, body).await.map(drop)
}

/// What the epoch came to, from the ledger and the archive.
async fn collect(world: &World, epoch: EpochNumber, tally: &mut Tally) -> Result<EpochFiles, Failure> {
    let at = (world.network, epoch);
    let read = world.node.look(|store| {
        let pool = cairn_ledger::view::pool(store, &at.0, at.1);
        let settlement = cairn_ledger::view::settlement(store, &at.0, at.1);
        let roots = cairn_ledger::view::roots(store, &at.0, at.1);
        Ok((pool?, settlement?, roots?))
    });
    let (_, (pool, settlement, roots)) = read.await.or_fail(Kind::Internal, "the epoch's records")?;
    let (Some(pool), Some(settlement), Some(roots)) = (pool, settlement, roots) else {
        return Err(Failure::new(Kind::Internal, format!("epoch {epoch} is not settled")));
    };
    if pool.state != PoolState::Paid {
        return Err(Failure::new(Kind::Internal, format!("epoch {epoch} is not paid")));
    }
    let archive = EpochArchive::of(world.objects.as_ref(), &world.network, epoch);
    let files = EpochFiles::read(&archive)?;
    let leaves = archive.payouts().or_fail(Kind::Files, "the archive")?;
    let choices = archive.choices().or_fail(Kind::Files, "the archive")?;
    let scale = world.genesis.economics.scale().or_fail(Kind::Internal, "the scale")?;
    let steps = exchange::steps(scale, pool.exchange_price, &leaves, &choices);
    tally.epoch(&pool, &settlement, &roots, &files.findings, &leaves);
    tally.earned(&files.inputs.roster, &leaves);
    tally.exchanged(&leaves, &steps.or_fail(Kind::Internal, "the exchange")?);
    Ok(files)
}

/// The customer's day: credits by stablecoin and by burning, then every reading of the last day over HTTP.
async fn buy_yesterday(world: &World, now: TimeMs) -> Result<DayOrder, Failure> {
    let customer = &world.people.customer;
    for payment in [Payment::Stable(DAY_STABLE), Payment::Burn(DAY_TOKENS, Credit::ZERO)] {
        let body = Body::BuyCredits(BuyCredits { payment });
        world.wallet.send(&customer.key, None, body).await?;
    }
    let from = TimeMs(now.0 - DAY_HOURS * HOUR_MS);
    let bought = super::purchase::day(world, from, now).await?;
    Ok(bought)
}

/// Recomputes every settled epoch from the archive and what a node says; the number of epochs and of those that match.
pub async fn audit_all(world: &World, bar: &ProgressBar) -> Result<(u64, u64, Vec<String>), Failure> {
    let (view, objects, network) = (world.view(), world.objects.clone(), world.network);
    let bar = bar.clone();
    let audited = tokio::task::spawn_blocking(move || {
        let epochs = audit::settled_epochs(view.as_ref(), &network)?;
        bar.set_length(epochs.len() as u64);
        let mut differences = Vec::new();
        for epoch in &epochs {
            let audited = audit::audit(objects.as_ref(), view.as_ref(), &network, *epoch)?;
            differences.extend(
                audited
                    .difference
                    .map(|difference| format!("epoch {epoch}: {difference}")),
            );
            bar.inc(1);
        }
        Ok::<_, audit::AuditError>((epochs.len() as u64, differences))
    });
    let (epochs, differences) = audited
        .await
        .or_fail(Kind::Internal, "the audit")?
        .or_fail(Kind::Files, "the audit")?;
    Ok((epochs, epochs - differences.len() as u64, differences))
}
