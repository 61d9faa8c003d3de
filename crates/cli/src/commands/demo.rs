//! `cairn demo`: the whole network in one process, told as a story.

use crate::demo::city::City;
use crate::demo::findings::FindingsFile;
use crate::demo::hotspots::Hotspots;
use crate::demo::scene::Scene;
use crate::demo::tally::Tally;
use crate::demo::world::{self, RESOLUTION, World};
use crate::demo::{screen, story};
use crate::error::{Done, Failure, Kind, OrFail};
use crate::output::{Output, decimal, table};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Days of what is made unless told otherwise.
const DAYS_DEFAULT: u64 = 3;
const DAY_MS: u64 = 86_400_000;
/// Where the demo's node listens if the port is free; verifier, gateway and explorer follow.
const FIRST_PORT: u16 = 8640;

/// Play a whole network in this process: a city of rain gauges or a town of radio hotspots, paid by a real ledger.
///
/// Devices sign what they measure and hear and send it over HTTP, a verifier judges it, a Byzantine-fault-tolerant ledger pays their
/// owners, a customer buys data or packets with dollar credits, and an auditor recomputes every epoch. An epoch is one hour of data
/// time, and one day of recorded receptions; data time runs as fast as the machine allows. Keys are the demo's own and public.
#[derive(clap::Args)]
#[command(after_help = examples!["cairn demo", "cairn demo --days 1 --once --keep out", "cairn demo --vertical wireless --once"])]
pub struct Args {
    /// What kind of network: sensors, wireless.
    #[arg(long, value_name = "NAME", default_value = "sensors", value_parser = ["sensors", "wireless"])]
    vertical: String,
    /// Folder with ams_pws_stations.csv and ams_pws_rain_5min.csv.gz; for wireless, with *.ndjson.gz of recorded receptions (Helium's
    /// hotspots, ChirpStack's rxInfo). Without it a made city or town plays.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Days to play: all of the data, or 3 of what is made, unless told otherwise.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=3_660))]
    days: Option<u64>,
    /// End when the data ends, instead of serving on until Ctrl-C.
    #[arg(long)]
    once: bool,
    /// Write a CSV line for each run of readings, or each reception: device, start_utc, end_utc, quantity, verdict, reason, measured,
    /// limit; of receptions also sender, counter, taken_utc, file, line.
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
    let days = args.days.unwrap_or(DAYS_DEFAULT);
    let mut scene = match (args.vertical.as_str(), &args.data) {
        ("wireless", Some(folder)) => Scene::Hotspots(Box::new(Hotspots::recorded(folder, RESOLUTION)?)),
        ("wireless", None) => Scene::Hotspots(Box::new(Hotspots::made(days))),
        (_, Some(folder)) => Scene::Gauges(City::measured(folder, RESOLUTION)?),
        (_, None) => Scene::Gauges(City::made(days)),
    };
    let per_day = (DAY_MS / scene.epoch_ms()).max(1);
    let epochs_max = args.days.map_or(u64::MAX, |days| days.saturating_mul(per_day));
    let epochs = scene.epochs()?.min(epochs_max);
    let mut findings = FindingsFile::create(args.findings.as_deref(), &scene)?;
    let folder = Folder::new(args.keep.as_deref())?;
    out.say(scene.title(epochs));
    let first_port = crate::roles::ports_in_a_row(FIRST_PORT);
    let first_port = first_port.ok_or_else(|| Failure::new(Kind::Files, "no four ports in a row are free"))?;
    let bar = out.progress(0, "register");
    let mut world = world::start(&scene, folder.path(), first_port, &bar).await?;
    bar.finish_and_clear();
    // Nobody looks at what ends with the data.
    let explorer = match args.once {
        true => None,
        false => Some(world.explorer(folder.path(), first_port).await?),
    };
    let home = match args.once {
        true => None,
        false => Some(world.home(folder.path())?.display().to_string()),
    };
    let explorer_url = explorer.as_ref().map(|explorer| explorer.url().to_owned());
    for (role, url) in urls(&world, explorer_url.as_deref()) {
        out.say(format!("  {role:<9} {url}"));
    }
    let bar = out.progress(epochs, "epochs");
    let tally = story::play(&mut world, &mut scene, epochs, &mut findings, &bar).await?;
    bar.finish_and_clear();
    findings.finish()?;
    let bar = out.progress(epochs, "audit");
    let (epochs, matching, differences) = story::audit_all(&world, &bar).await?;
    bar.finish_and_clear();

    let seconds = started.elapsed().as_secs_f64();
    let supply = supply(&world).await?;
    let mut answer = tally.json();
    let is_wireless = matches!(scene, Scene::Hotspots(_));
    if is_wireless {
        answer["wireless"] = screen::json(&tally);
    }
    answer["credits"] = supply;
    answer["audit"] = json!({ "epochs": epochs, "matching": matching });
    answer["seconds"] = json!((seconds * 1_000.0).round() / 1_000.0);
    answer["reports_per_second"] = json!((tally.received as f64 / seconds * 10.0).round() / 10.0);
    answer["urls"] = urls(&world, explorer_url.as_deref())
        .into_iter()
        .map(|(role, url)| (role.to_owned(), Value::from(url)))
        .collect();
    answer["network"] = world.network.to_string().into();
    answer["home"] = home.clone().into();
    answer["archive"] = args
        .keep
        .as_ref()
        .map_or(Value::Null, |_| world.archive.display().to_string().into());
    out.answer(&answer, || summary(&answer, &tally, is_wireless));
    if matching != epochs {
        return Err(Failure::new(Kind::Differs, differences.join("\n")));
    }
    if let Some(home) = home {
        let program = std::env::current_exe().map_or("cairn".to_owned(), |path| path.display().to_string());
        out.say(format!(
            "\nStill serving; Ctrl-C ends it. Try, in another window:\n  {program} explain {} --epoch {} --from {}\n  {program} audit --archive {} --from {}\n  {program} --home {home} account transfer ID --token 5 --key founder",
            tally.stations[0].device,
            epochs.saturating_sub(1),
            world.node.url(),
            world.archive.display(),
            world.node.url(),
        ));
        crate::roles::until_stopped().await;
    }
    if let Some(explorer) = explorer {
        explorer.shutdown().await;
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

fn urls(world: &World, explorer: Option<&str>) -> Vec<(&'static str, String)> {
    let mut urls = vec![
        ("node", world.node.url()),
        ("verifier", world.verifier.url()),
        ("gateway", world.gateway.url().to_owned()),
    ];
    urls.extend(explorer.map(|url| ("explorer", url.to_owned())));
    urls
}

/// The story's end, for people.
fn summary(answer: &Value, tally: &Tally, is_wireless: bool) -> Vec<String> {
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
    let spent = decimal(credits["spent"].as_u64().unwrap_or_default(), 6);
    if is_wireless {
        lines.extend(screen::lines(tally));
        lines.push(String::new());
    } else {
        lines.push(format!(
            "customer  {} rows for {spent} US dollars of credits; operators got {} US dollars of it in stablecoin",
            answer["rows_bought"],
            decimal(tally.cash_paid, 6),
        ));
    }
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
            "An honest device earned {} cell-hours; the cheats:",
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
