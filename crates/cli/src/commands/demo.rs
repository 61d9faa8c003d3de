//! `cairn demo`: the whole network in one process, told as a story.

use crate::demo::city::City;
use crate::demo::findings::FindingsFile;
use crate::demo::story;
use crate::demo::tally::Tally;
use crate::demo::world::{self, RESOLUTION, World};
use crate::error::{Done, Failure, Kind, OrFail};
use crate::output::{Output, decimal, table};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Days of the made city unless told otherwise.
const DAYS_DEFAULT: u64 = 3;
/// Where the demo's node listens if the port is free; verifier and gateway follow.
const FIRST_PORT: u16 = 8640;

/// Play a whole network in this process: a city of rain gauges, paid by a real ledger.
///
/// Gauges sign their readings and send them over HTTP, a verifier judges them, a Byzantine-fault-tolerant ledger pays their owners,
/// a customer buys the data with dollar credits, and an auditor recomputes every epoch. An epoch is one hour of data time; data time
/// runs as fast as the machine allows. Keys are the demo's own and public.
#[derive(clap::Args)]
#[command(after_help = examples!["cairn demo", "cairn demo --days 1 --once --keep out"])]
pub struct Args {
    /// Folder with ams_pws_stations.csv and ams_pws_rain_5min.csv.gz; without it a made city plays.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Days to play: all of the data, or 3 of the made city, unless told otherwise.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=3_660))]
    days: Option<u64>,
    /// End when the data ends, instead of serving on until Ctrl-C.
    #[arg(long)]
    once: bool,
    /// Write a CSV line for each run of readings: device, start_utc, end_utc, quantity, verdict, reason, measured, limit.
    #[arg(long, value_name = "FILE")]
    findings: Option<PathBuf>,
    /// Keep everything in this folder: archive, ledger, keys. It must be empty or new.
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
}

pub fn run(args: Args, out: Output) -> Done {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    let runtime = runtime.or_fail(Kind::Internal, "threads")?;
    runtime.block_on(demo(args, out))
}

async fn demo(args: Args, out: Output) -> Done {
    let started = Instant::now();
    let mut city = match &args.data {
        Some(folder) => City::measured(folder, RESOLUTION)?,
        None => City::made(args.days.unwrap_or(DAYS_DEFAULT)),
    };
    let hours = city
        .hours()?
        .min(args.days.map_or(u64::MAX, |days| days.saturating_mul(24)));
    let mut findings = FindingsFile::create(args.findings.as_deref(), city.stations())?;
    let folder = Folder::new(args.keep.as_deref())?;
    out.say(format!(
        "A city of {} rain gauges, {} hours of data time from {}.",
        city.stations().len(),
        hours,
        city.start()
    ));
    let first_port = crate::roles::three_ports(FIRST_PORT);
    let first_port = first_port.ok_or_else(|| Failure::new(Kind::Files, "no three ports in a row are free"))?;
    let bar = out.progress(0, "register");
    let mut world = world::start(&city, folder.path(), first_port, &bar).await?;
    bar.finish_and_clear();
    for (role, url) in urls(&world) {
        out.say(format!("  {role:<9} {url}"));
    }
    let bar = out.progress(hours, "hours");
    let tally = story::play(&mut world, &mut city, hours, &mut findings, &bar).await?;
    bar.finish_and_clear();
    findings.finish()?;
    let bar = out.progress(hours, "audit");
    let (epochs, matching, differences) = story::audit_all(&world, &bar).await?;
    bar.finish_and_clear();

    let seconds = started.elapsed().as_secs_f64();
    let supply = supply(&world).await?;
    let mut answer = tally.json();
    answer["credits"] = supply;
    answer["audit"] = json!({ "epochs": epochs, "matching": matching });
    answer["seconds"] = json!((seconds * 1_000.0).round() / 1_000.0);
    answer["reports_per_second"] = json!((tally.received as f64 / seconds * 10.0).round() / 10.0);
    answer["urls"] = urls(&world)
        .into_iter()
        .map(|(role, url)| (role.to_owned(), Value::from(url)))
        .collect();
    answer["network"] = world.network.to_string().into();
    answer["archive"] = args
        .keep
        .as_ref()
        .map_or(Value::Null, |_| world.archive.display().to_string().into());
    out.answer(&answer, || summary(&answer, &tally));
    if matching != epochs {
        return Err(Failure::new(Kind::Differs, differences.join("\n")));
    }
    if !args.once {
        let program = std::env::current_exe().map_or("cairn".to_owned(), |path| path.display().to_string());
        out.say(format!(
            "\nStill serving; Ctrl-C ends it. Try, in another window:\n  {program} explain {} --epoch {} --from {}\n  {program} audit --archive {} --from {}",
            tally.stations[0].device,
            epochs.saturating_sub(1),
            world.node.url(),
            world.archive.display(),
            world.node.url(),
        ));
        crate::roles::until_stopped().await;
    }
    world.stop().await;
    folder.close()
}

/// What the ledger says of credits: the customer's purchases and what was spent of them.
async fn supply(world: &World) -> Result<Value, Failure> {
    let found = world.node.look(|store| cairn_ledger::view::credits(store)).await;
    let (_, credits) = found.or_fail(Kind::Internal, "the supply of credits")?;
    let credits = credits.unwrap_or_default();
    Ok(json!({
        "minted": credits.stable_bought.0 + credits.burned_bought.0,
        "spent": credits.stable_spent.0 + credits.burned_spent.0,
        "burned_token": credits.tokens_burned.0,
    }))
}

fn urls(world: &World) -> [(&'static str, String); 3] {
    [
        ("node", world.node.url()),
        ("verifier", world.verifier.url()),
        ("gateway", world.gateway.url().to_owned()),
    ]
}

/// The story's end, for people.
fn summary(answer: &Value, tally: &Tally) -> Vec<String> {
    let token = |amount: u64| decimal(amount, 6);
    let mut lines = vec![
        String::new(),
        format!(
            "reports   {} received with {} readings, {} paid, {} refused",
            tally.received,
            tally.readings,
            tally.accepted,
            tally.refused.values().sum::<u64>()
        ),
    ];
    let reasons: Vec<String> = tally
        .refused
        .iter()
        .map(|(reason, count)| format!("{reason} {count}"))
        .collect();
    lines.push(format!("          {}", reasons.join(" · ")));
    lines.push(format!(
        "payouts   {} of {} tokens to {} operators in {} epochs, {} carried on",
        token(tally.paid),
        token(tally.pool),
        tally.operators.len(),
        tally.epochs,
        token(tally.unpaid)
    ));
    if tally.exchange.epochs > 0 {
        lines.push(format!(
            "exchange  {} tokens for {} US dollars of stablecoin, between {} operators who chose how they are paid, in {} epochs",
            token(tally.exchange.token_given),
            decimal(tally.exchange.cash_received, 6),
            tally.exchange.operators.len(),
            tally.exchange.epochs
        ));
    }
    let credits = &answer["credits"];
    lines.push(format!(
        "customer  {} rows for {} US dollars of credits; operators got {} US dollars of it in stablecoin",
        answer["rows_bought"],
        decimal(credits["spent"].as_u64().unwrap_or_default(), 6),
        decimal(tally.cash_paid, 6),
    ));
    lines.push("          (the stablecoin is the promise of the demo's issuer, not money)".to_owned());
    lines.push(format!(
        "audit     {} epochs recomputed, {} equal",
        answer["audit"]["epochs"], answer["audit"]["matching"]
    ));
    lines.push(format!(
        "roots     last {}, history {}",
        answer["last_root"], answer["history_root"]
    ));
    lines.push(format!(
        "speed     {} s, {} reports a second, all of it",
        answer["seconds"], answer["reports_per_second"]
    ));
    let cheats: Vec<Vec<String>> = tally
        .stations
        .iter()
        .filter_map(|station| {
            let cheat = station.cheat?;
            let reasons: Vec<String> = station
                .reasons
                .iter()
                .map(|(reason, count)| format!("{reason} {count}"))
                .collect();
            Some(vec![
                cheat.to_owned(),
                station.reports.to_string(),
                decimal(station.units, 6),
                reasons.join(", "),
            ])
        })
        .collect();
    if !cheats.is_empty() {
        let honest: Vec<_> = tally
            .stations
            .iter()
            .filter(|station| station.cheat.is_none())
            .collect();
        let units: u64 = honest.iter().map(|station| station.units).sum();
        lines.push(String::new());
        lines.push(format!(
            "An honest gauge earned {} cell-hours; the cheats:",
            decimal(units / honest.len().max(1) as u64, 6)
        ));
        lines.extend(table(&["cheat", "reports", "cell-hours", "refused for"], &cheats));
    }
    lines
}

/// The demo's folder: kept where asked, else gone at the end.
enum Folder {
    Kept(PathBuf),
    Passing(tempfile::TempDir),
}

impl Folder {
    fn new(keep: Option<&Path>) -> Result<Self, Failure> {
        let Some(path) = keep else {
            return tempfile::tempdir()
                .map(Self::Passing)
                .or_fail(Kind::Files, "a folder for the demo");
        };
        std::fs::create_dir_all(path).or_fail(Kind::Files, path.display())?;
        let mut entries = std::fs::read_dir(path).or_fail(Kind::Files, path.display())?;
        if entries.next().is_some() {
            let failure = Failure::new(Kind::Files, format!("{} is not empty", path.display()));
            return Err(failure.hint("name a new folder for --keep: a demo begins at the beginning"));
        }
        std::fs::canonicalize(path)
            .map(Self::Kept)
            .or_fail(Kind::Files, path.display())
    }

    fn path(&self) -> &Path {
        match self {
            Self::Kept(path) => path,
            Self::Passing(folder) => folder.path(),
        }
    }

    fn close(self) -> Done {
        match self {
            Self::Kept(_) => Ok(()),
            Self::Passing(folder) => folder.close().or_fail(Kind::Files, "the demo's folder"),
        }
    }
}
