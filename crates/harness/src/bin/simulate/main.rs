//! The simulator as a program: `simulate --seeds N [--from S] [--plant NAME]`, or `simulate --seed S --verbose` for the story of one
//! run. Ends with 1 when something is broken; with a planted bug, when nothing is.

use cairn_harness::simulate::plants::Plant;
use cairn_harness::simulate::sweep::{self, Sweep};
use cairn_harness::simulate::watch::PROPERTIES;
use cairn_harness::simulate::{Run, Way, play};
use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::time::Instant;

const HELP: &str = "\
simulate [--seeds N] [--from S] [--threads N] [--consensus | --plant NAME]    plays N seeds (40) beginning with S (0)
simulate --seed S [--verbose] [--consensus | --plant NAME]                    plays one; with --verbose it tells what happened

  --consensus    four validators agree on the ledger in every seed, under faults of their own, not only in each fortieth
  --plant NAME   with a bug planted: no-fsync, chunk-twice, quorum-by-count, no-window, no-hand-over,
                 voucher-again; ends at the first seed that finds it

  simulate --seeds 2000
  simulate --seeds 100 --consensus
  simulate --seed 17 --verbose

Exit codes: 0 well, 1 a property does not hold (or a planted bug was not found), 2 the arguments are wrong.
";

/// What was asked for.
struct Asked {
    seeds: u64,
    from: u64,
    one: Option<u64>,
    threads: usize,
    way: Way,
    verbose: bool,
}

fn main() -> ExitCode {
    match asked(std::env::args().skip(1)) {
        Ok(Some(asked)) => match asked.one {
            Some(seed) => one(seed, &asked),
            None => many(&asked),
        },
        Ok(None) => {
            print!("{HELP}");
            ExitCode::SUCCESS
        }
        Err(what) => {
            eprint!("{what}\n\n{HELP}");
            ExitCode::from(2)
        }
    }
}

fn asked(mut arguments: impl Iterator<Item = String>) -> Result<Option<Asked>, String> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut asked = Asked {
        seeds: 40,
        from: 0,
        one: None,
        threads,
        way: Way::default(),
        verbose: false,
    };
    while let Some(name) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{name} needs a value"));
        let number = |text: String| text.parse::<u64>().map_err(|_| format!("`{text}` is not a number"));
        match name.as_str() {
            "--seeds" => asked.seeds = number(value()?)?,
            "--from" => asked.from = number(value()?)?,
            "--seed" => asked.one = Some(number(value()?)?),
            "--threads" => asked.threads = number(value()?)? as usize,
            "--plant" => {
                let name = value()?;
                asked.way.plant = Some(Plant::by_name(&name).ok_or(format!("no bug is called `{name}`"))?);
            }
            "--consensus" => asked.way.all_agree = true,
            "--verbose" => asked.verbose = true,
            "--help" | "-h" | "help" => return Ok(None),
            other => return Err(format!("`{other}` is not known here")),
        }
    }
    if asked.way.all_agree && asked.way.plant.is_some() {
        return Err("planted bugs are looked for without validators".to_owned());
    }
    Ok(Some(asked))
}

fn one(seed: u64, asked: &Asked) -> ExitCode {
    let run = play(seed, asked.way, asked.verbose);
    run.story.iter().for_each(|line| println!("{line}"));
    if let Some(agreed) = &run.agreed {
        println!(
            "four validators: {} blocks, the first after the faults within {} s",
            agreed.blocks,
            agreed.resumed_ms.div_ceil(1_000)
        );
    }
    println!(
        "seed {seed}: {} steps of simulated time in hours: {}, records {}",
        run.simulated_ms / cairn_harness::STEP_MS,
        run.simulated_ms / cairn_harness::HOUR_MS,
        run.digest
    );
    tell(&run, asked.way);
    verdict(!run.broken.is_empty(), asked.way.plant)
}

fn many(asked: &Asked) -> ExitCode {
    let begun = Instant::now();
    let sweep = Sweep {
        from: asked.from,
        seeds: asked.seeds,
        threads: asked.threads,
        way: asked.way,
        until_broken: asked.way.plant.is_some(),
    };
    let shows = std::io::stderr().is_terminal();
    let every = if shows { 1 } else { 100 };
    let tally = sweep::run(sweep, |tally| {
        if tally.seeds.is_multiple_of(every) {
            let end = if shows { "\r" } else { "\n" };
            eprint!(
                "{} of {} seeds, {} simulated hours, {} broken, {} s{end}",
                tally.seeds,
                asked.seeds,
                tally.simulated_ms / cairn_harness::HOUR_MS,
                tally.broken.len(),
                begun.elapsed().as_secs()
            );
            // Progress that cannot be shown is none.
            let _ = std::io::stderr().flush();
        }
    });
    print!("{tally}");
    println!("looked at: {}", PROPERTIES.join("; "));
    println!("{:.1} s on {} threads", begun.elapsed().as_secs_f64(), asked.threads);
    tally.broken.values().for_each(|run| tell(run, asked.way));
    verdict(!tally.broken.is_empty(), asked.way.plant)
}

fn tell(run: &Run, way: Way) {
    for broken in &run.broken {
        println!("seed {}: {broken}", run.seed);
    }
    if !run.broken.is_empty() {
        let plant = way
            .plant
            .map_or(String::new(), |plant| format!(" --plant {}", plant.name()));
        let consensus = if way.all_agree { " --consensus" } else { "" };
        println!(
            "  again: cargo xtask simulate --seed {} --verbose{plant}{consensus}",
            run.seed
        );
    }
}

fn verdict(is_broken: bool, plant: Option<Plant>) -> ExitCode {
    match (is_broken, plant) {
        (false, None) | (true, Some(_)) => ExitCode::SUCCESS,
        (false, Some(plant)) => {
            println!("the planted bug {} was not found", plant.name());
            ExitCode::FAILURE
        }
        (true, None) => ExitCode::FAILURE,
    }
}
