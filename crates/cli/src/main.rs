//! `cairn`: the one binary. Every role and every question is a sub-command; nothing is decided here.

mod accounts;
mod commands;
mod consent;
mod demo;
mod describe;
mod error;
mod home;
mod output;
mod params;
mod roles;
mod session;
mod spend;
mod tx_file;
mod units;

use clap::{Parser, Subcommand};
use output::Output;
use std::path::PathBuf;
use std::process::ExitCode;

/// Build, run, pay for and own a physical network.
///
/// Devices sign reports, verifiers judge them by public rules, a ledger pays their owners, customers buy the service with
/// dollar credits, and anyone recomputes any epoch. Start with `cairn demo`.
#[derive(Parser)]
#[command(name = "cairn", version, max_term_width = 100, after_help = EXIT_CODES)]
struct Cli {
    /// Answer with one JSON object on standard output.
    #[arg(long, global = true)]
    json: bool,
    /// Folder of keys and settings.
    #[arg(
        long,
        global = true,
        env = "CAIRN_HOME",
        value_name = "DIR",
        default_value = ".cairn"
    )]
    home: PathBuf,
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 done · 1 an audit found a difference · 2 usage · 3 not found · 4 refused · \
5 not enough token, stablecoin or credits · 6 a service does not answer · 7 files · 70 a defect of this program";

#[derive(Subcommand)]
enum Command {
    Demo(commands::demo::Args),
    Up(commands::up::Args),
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
    Agent(commands::agent::Command),
    #[command(subcommand)]
    Gateway(commands::gateway::Command),
    Query(commands::query::Args),
    Explain(commands::explain::Args),
    Audit(commands::audit::Args),
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
    let done = match cli.command {
        Command::Demo(args) => commands::demo::run(args, out),
        Command::Up(args) => commands::up::run(args, &cli.home, out),
        Command::Key(command) => commands::key::run(command, &cli.home, out),
        Command::Account(command) => commands::account::run(command, &cli.home, out),
        Command::Tx(command) => commands::tx::run(command, &cli.home, out),
        Command::Credits(command) => commands::credits::run(command, &cli.home, out),
        Command::Network(command) => commands::network::run(command, &cli.home, out),
        Command::Device(command) => commands::device::run(command, &cli.home, out),
        Command::Verifier(command) => commands::verifier::run(command, &cli.home, out),
        Command::Agent(command) => commands::agent::run(command, &cli.home, out),
        Command::Gateway(command) => commands::gateway::run(command, &cli.home, out),
        Command::Query(args) => commands::query::run(args, &cli.home, out),
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
