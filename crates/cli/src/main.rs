//! `cairn`: the one binary. Every role and every question is a sub-command; nothing is decided here.

/// The end of a command's help: lines that can be pasted. A test reads each as the program would.
macro_rules! examples {
    ($($line:literal),+ $(,)?) => { concat!("Examples:", $("\n  ", $line),+) };
}

mod accounts;
mod commands;
mod consent;
mod demo;
mod describe;
mod epoch_files;
mod error;
mod exchanged;
mod home;
mod output;
mod params;
mod roles;
mod session;
mod spend;
mod tx_file;
mod units;
mod unlock;

use clap::{Parser, Subcommand};
use output::Output;
use std::path::PathBuf;
use std::process::ExitCode;

/// Build, run, pay for and own a physical network.
///
/// Devices sign reports, verifiers judge them by public rules, a ledger pays their owners, customers buy the service with
/// dollar credits, and anyone recomputes any epoch. Start with `cairn demo`.
#[derive(Parser)]
#[command(name = "cairn", version, max_term_width = 100, after_help = EXIT_CODES, after_long_help = FIRST_HOUR)]
struct Cli {
    /// Answer with one JSON object on standard output; remarks and questions go to standard error.
    #[arg(long, global = true, help_heading = EVERYWHERE)]
    json: bool,
    /// Folder of keys and settings; made when something is first kept.
    #[arg(
        long,
        global = true,
        env = "CAIRN_HOME",
        value_name = "DIR",
        default_value = ".cairn",
        help_heading = EVERYWHERE
    )]
    home: PathBuf,
    /// File with the passphrase of sealed key files, readable by its owner only; a person at a terminal is asked instead.
    #[arg(
        long,
        global = true,
        env = unlock::VARIABLE,
        value_name = "FILE",
        help_heading = EVERYWHERE
    )]
    passphrase_file: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

/// Where the options of every command stand in its help.
const EVERYWHERE: &str = "With every command";

const FIRST_HOUR: &str = "\
A first hour, on one computer:
  cairn up                                           a chain and a network; leave it running
  cairn key new                                      your key, in another window
  cairn account open                                 your account; the network pays the fee
  cairn device register gauge --lat 52.37 --lng 4.9  a device of yours
  cairn agent init                                   what its agent must know
  cairn agent run                                    signs and delivers reports; leave it running
  curl -d 'rain=0.2' http://127.0.0.1:7080/v1/devices/gauge/readings
  cairn account show                                 what it earned, once the epoch is paid

Words:
  device      signs reports; its operator owns it and is paid
  network     one community's programme: what is measured, what it pays, who may join
  vertical    the kind of network, with the rules by which reports are judged: sensors, …
  verifier    collects reports, judges them and attests the result, with token at stake
  gateway     sells what was attested
  epoch       the time that is judged and paid together: an hour, unless the chain says otherwise
  token       the chain's own asset: bonds, fees, and part of what operators earn
  stablecoin  US dollars, as the chain's issuer promised them
  credit      a millionth of a US dollar of service, bought with either; spent, never given away
  cell        a hexagon of the H3 grid: all that is public of where a device stands

Exit codes:
  0  done                             5  not enough token, stablecoin or credits
  1  a check found a difference       6  a service does not answer
  2  usage                            7  files
  3  not found                        8  the chain needs another version of this program
  4  refused                          70 a defect of this program";

const EXIT_CODES: &str = "Exit codes: 0 done · 1 an audit found a difference · 2 usage · 3 not found · 4 refused · \
5 not enough token, stablecoin or credits · 6 a service does not answer · 7 files · \
8 the chain needs another version of this program · 70 a defect of this program";

#[derive(Subcommand)]
enum Command {
    Demo(commands::demo::Args),
    Up(commands::up::Args),
    #[command(subcommand)]
    Genesis(commands::genesis::Command),
    #[command(subcommand)]
    Node(commands::node::Command),
    #[command(subcommand)]
    State(commands::state::Command),
    #[command(subcommand)]
    Key(commands::key::Command),
    #[command(subcommand)]
    Account(commands::account::Command),
    #[command(subcommand)]
    Tx(commands::tx::Command),
    #[command(subcommand)]
    Credits(commands::credits::Command),
    #[command(subcommand)]
    Network(commands::network::Command),
    #[command(subcommand)]
    Device(commands::device::Command),
    #[command(subcommand)]
    Verifier(commands::verifier::Command),
    #[command(subcommand)]
    Validator(commands::validator::Command),
    #[command(subcommand)]
    Agent(commands::agent::Command),
    #[command(subcommand)]
    Gateway(commands::gateway::Command),
    #[command(subcommand)]
    Router(commands::router::Command),
    #[command(subcommand)]
    Explorer(commands::explorer::Command),
    Query(commands::query::Args),
    #[command(subcommand)]
    ApiKey(commands::api_key::Command),
    #[command(subcommand)]
    Coverage(commands::coverage::Command),
    Explain(commands::explain::Args),
    Audit(commands::audit::Args),
    #[command(subcommand)]
    Dispute(commands::dispute::Command),
    #[command(subcommand)]
    Verify(commands::verify::Command),
    #[command(subcommand)]
    Export(commands::export::Command),
    #[command(subcommand)]
    Config(commands::config::Command),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let out = Output { json: cli.json };
    unlock::begin(cli.passphrase_file);
    let done = match cli.command {
        Command::Demo(args) => commands::demo::run(args, out),
        Command::Up(args) => commands::up::run(args, &cli.home, out),
        Command::Genesis(command) => commands::genesis::run(command, &cli.home, out),
        Command::Node(command) => commands::node::run(command, out),
        Command::State(command) => commands::state::run(command, &cli.home, out),
        Command::Key(command) => commands::key::run(command, &cli.home, out),
        Command::Account(command) => commands::account::run(command, &cli.home, out),
        Command::Tx(command) => commands::tx::run(command, &cli.home, out),
        Command::Credits(command) => commands::credits::run(command, &cli.home, out),
        Command::Network(command) => commands::network::run(command, &cli.home, out),
        Command::Device(command) => commands::device::run(command, &cli.home, out),
        Command::Verifier(command) => commands::verifier::run(command, &cli.home, out),
        Command::Dispute(command) => commands::dispute::run(command, &cli.home, out),
        Command::Validator(command) => commands::validator::run(command, &cli.home, out),
        Command::Agent(command) => commands::agent::run(command, &cli.home, out),
        Command::Gateway(command) => commands::gateway::run(command, &cli.home, out),
        Command::Router(command) => commands::router::run(command, &cli.home, out),
        Command::Explorer(command) => commands::explorer::run(command, &cli.home, out),
        Command::Query(args) => commands::query::run(args, &cli.home, out),
        Command::ApiKey(command) => commands::api_key::run(command, &cli.home, out),
        Command::Coverage(command) => commands::coverage::run(command, out),
        Command::Explain(args) => commands::explain::run(args, &cli.home, out),
        Command::Audit(args) => commands::audit::run(args, &cli.home, out),
        Command::Verify(command) => commands::verify::run(command, &cli.home, out),
        Command::Export(command) => commands::export::run(command, &cli.home, out),
        Command::Config(command) => commands::config::run(command, &cli.home, out),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if out.json {
                println!("{}", failure.json());
            } else {
                eprintln!("{failure}");
            }
            ExitCode::from(failure.kind as u8)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    /// What a shell makes of a line: words, and quoted ones.
    fn words(line: &str) -> Vec<String> {
        let quoted = line.split('\'').enumerate();
        let words = quoted.flat_map(|(at, part)| match at % 2 {
            0 => part.split_whitespace().map(str::to_owned).collect(),
            _ => vec![part.to_owned()],
        });
        let placed = words.map(|word| match word.as_str() {
            "ID" => "0".repeat(64),
            // Of the first example of RFC 8032.
            "KEY" => "ed25519:d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a".to_owned(),
            _ => word,
        });
        placed.collect()
    }

    /// The lines of a help that name this program, without the remarks behind them.
    fn examples(help: &str) -> Vec<&str> {
        let lines = help.lines().filter_map(|line| line.strip_prefix("  "));
        let commands = lines.filter(|line| line.starts_with("cairn "));
        commands.filter_map(|line| line.split("  ").next()).collect()
    }

    fn read(help: &str) -> usize {
        let examples = examples(help);
        for line in &examples {
            if let Err(error) = Cli::try_parse_from(words(line)) {
                panic!("{line}: {error}");
            }
        }
        examples.len()
    }

    /// Of a command and all below it; a group's examples count for those below.
    fn check(command: &clap::Command, name: &str, above: usize) {
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        let shown = above + read(&help);
        let below: Vec<&clap::Command> = command.get_subcommands().collect();
        assert!(shown > 0 || !below.is_empty(), "{name} shows no example");
        for command in below {
            check(command, &format!("{name} {}", command.get_name()), shown);
        }
    }

    #[test]
    fn every_command_shows_an_example_and_takes_it() {
        assert!(read(FIRST_HOUR) > 5);
        let cli = Cli::command();
        cli.clone().debug_assert();
        for command in cli.get_subcommands() {
            check(command, command.get_name(), 0);
        }
    }
}
