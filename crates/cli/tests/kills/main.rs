//! Validators and verifiers as processes of their own, while they are killed, stopped, cut off and run out of disk: every receipt that a
//! device was given is honoured, and blocks go on. A short run as a test; a long one, with its figures, by `cargo xtask kill`.
//!
//! ```text
//! kills [--kills N] [--seed N] [--validators N] [--verifiers N] [--epoch-seconds N] [--devices N] [--data DIR]
//!       [--pause-seconds N] [--cut-seconds N] [--committee-blocks N]
//! ```
#![allow(clippy::unwrap_used, reason = "all of it is a test")]

mod chance;
mod cut;
mod devices;
mod fleet;
#[path = "../stand/mod.rs"]
mod stand;
mod watch;

use chance::Chance;
use devices::{Devices, Honoured};
use fleet::{Fleet, Process};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;
use watch::Watch;

/// Set for the run in a world of its own.
const APART: &str = "CAIRN_KILLS_APART";
/// Between two kills, at most.
const CALM_MAX: Duration = Duration::from_millis(2_000);

struct Options {
    kills: usize,
    seed: u64,
    validators: usize,
    verifiers: usize,
    epoch_seconds: u64,
    devices: usize,
    data: Option<PathBuf>,
    /// How long a validator is stopped, and a disk is full.
    pause: Duration,
    /// Blocks between two renewals of the validators' shares: few, so that processes die in the midst of them.
    committee_blocks: u64,
    /// How long two halves of a chain are cut off from each other.
    cut: Option<Duration>,
}

impl Options {
    /// `None` when the tests that are wanted are others.
    fn read() -> Option<Self> {
        let mut options = Self {
            kills: 2,
            seed: 1,
            validators: 4,
            verifiers: 3,
            epoch_seconds: 4,
            devices: 4,
            data: None,
            pause: Duration::from_secs(1),
            committee_blocks: 16,
            cut: None,
        };
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            let mut number = || words.next().and_then(|text| text.parse().ok()).expect("a number");
            match word.as_str() {
                "--kills" => options.kills = number() as usize,
                "--seed" => options.seed = number(),
                "--validators" => options.validators = number() as usize,
                "--verifiers" => options.verifiers = number() as usize,
                "--epoch-seconds" => options.epoch_seconds = number(),
                "--devices" => options.devices = number() as usize,
                "--pause-seconds" => options.pause = Duration::from_secs(number()),
                "--committee-blocks" => options.committee_blocks = number(),
                "--cut-seconds" => options.cut = Some(Duration::from_secs(number())),
                "--data" => options.data = words.next().map(PathBuf::from),
                "--list" => return None,
                word if !word.starts_with('-') && !"kills".contains(word) => return None,
                _ => {}
            }
        }
        // Fewer have no room for so many validators.
        options.committee_blocks = options.committee_blocks.max(4 * options.validators as u64);
        Some(options)
    }
}

fn main() {
    let Some(options) = Options::read() else { return };
    if let Some(code) = in_a_world_of_its_own() {
        std::process::exit(code);
    }
    let mut chance = Chance(options.seed);
    let fleet = Fleet::start(&options);
    let devices = Devices::register(&fleet, &options);
    println!(
        "seed {}, {} validators, {} verifiers, {} devices, epochs of {} s",
        options.seed,
        options.validators,
        options.verifiers,
        devices.count(),
        options.epoch_seconds
    );
    let watch = Watch::start(&fleet.urls(Process::is_validator));
    let (reporting, talker) = devices.report(&fleet, options.seed);
    let mut recoveries = Vec::new();
    for round in 0..options.kills {
        fleet.calm(chance.up_to(CALM_MAX));
        let processes = fleet.processes();
        let victim = &processes[chance.below(processes.len())];
        let at = watch.elapsed();
        let took = fleet.kill(victim, &watch);
        println!(
            "kill {:>3}  {:<12} at {:>7} ms, back after {:>6} ms",
            round + 1,
            victim.name,
            at.as_millis(),
            took.as_millis()
        );
        recoveries.push((victim.name.clone(), took));
    }
    let calm = watch.halts();
    let validators: Vec<Process> = fleet.processes().into_iter().filter(Process::is_validator).collect();
    let stopped = &validators[chance.below(validators.len())];
    let back = fleet.stop_for(stopped, options.pause, &watch);
    println!(
        "stop      {:<12} for {} s; had all blocks {} ms after it went on",
        stopped.name,
        options.pause.as_secs(),
        back.as_millis()
    );
    let lost = fleet
        .processes()
        .into_iter()
        .find(|process| process.name == "validator-2")
        .unwrap();
    println!(
        "lost      validator-2 its chain; had all blocks {} ms after",
        fleet.lose_chain(&lost, &watch).as_millis()
    );
    let disk = fleet.full_disk(options.pause, &reporting, talker);
    println!("disk      {disk}");
    let sent = reporting.end();
    fleet.one_history();
    let Honoured { receipts, lost, epochs } = sent.honoured(&fleet);
    let renewals = watch.renewals();
    let blocks = watch.end();
    report(&recoveries, &calm, &blocks);
    println!(
        "renewals  of shares every {} blocks: {} of {} came about; from one to the next {} ms at most",
        options.committee_blocks,
        renewals.done,
        renewals.due,
        renewals.longest.as_millis()
    );
    println!(
        "receipts  {receipts} given by {} verifiers in {epochs} epochs, all settled; {} refusals, {lost} reports lost",
        options.verifiers, sent.refused
    );
    fleet.end();
    match (options.cut, std::env::var_os(APART)) {
        (Some(time), Some(_)) => println!("cut       {}", cut::run(time)),
        (Some(_), None) => println!("cut       not tried: this machine lets no process have a network of its own"),
        (None, _) => {}
    }
    assert!(receipts > 0, "devices were heard");
    assert!(renewals.done > 0, "no shares were renewed");
    assert_eq!(lost, 0, "a report with a receipt is not in its verifier's archive");
}

/// Runs this program again where it may mount disks and cut networks without harming anybody, if the machine allows it; answers its
/// exit code.
fn in_a_world_of_its_own() -> Option<i32> {
    let apart = || {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--mount", "--net", "sh", "-c"]);
        command
    };
    let lo = "ip link set lo up";
    let allowed = apart()
        .arg(lo)
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if std::env::var_os(APART).is_some() || !allowed {
        return None;
    }
    let own = std::env::current_exe().unwrap();
    let again = apart()
        .arg(format!("{lo} && exec \"$0\" \"$@\""))
        .arg(own)
        .args(std::env::args().skip(1))
        .env(APART, "1")
        .status();
    Some(again.unwrap().code().unwrap_or(1))
}

fn report(recoveries: &[(String, Duration)], calm: &watch::Blocks, all: &watch::Blocks) {
    for kind in ["validator", "verifier", "gateway"] {
        let mut took: Vec<u128> = recoveries
            .iter()
            .filter(|(name, _)| name.starts_with(kind))
            .map(|(_, took)| took.as_millis())
            .collect();
        took.sort_unstable();
        if let (Some(longest), Some(middle)) = (took.last(), took.get(took.len() / 2)) {
            println!(
                "back      {kind}: {} kills, median {middle} ms, longest {longest} ms",
                took.len()
            );
        }
    }
    println!(
        "blocks    {} final, median {} ms apart; longest without one {} ms while killing, from {} ms on; {} ms in all, from {} ms on",
        all.count,
        all.median.as_millis(),
        calm.longest.as_millis(),
        calm.longest_from.as_millis(),
        all.longest.as_millis(),
        all.longest_from.as_millis()
    );
}
