//! What a service logs: errors of all, warnings of ours, to standard error; as lines for people, or as one JSON object a line for
//! whoever collects them. Never a secret.

use std::io::IsTerminal;
use tracing_subscriber::EnvFilter;

/// The engine warns of every folder that is new.
const LOG_DEFAULT: &str = "error,cairn_node=warn,cairn_verifier=warn,cairn_gateway=warn,cairn_agent=warn,cairn=warn";

/// How logs are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Form {
    /// Lines for people.
    #[default]
    Text,
    /// One JSON object a line: timestamp, level, target, fields.
    Json,
}

/// How much and in which form a service logs.
#[derive(clap::Args)]
pub struct Logs {
    /// Form of the log on standard error; RUST_LOG says how much is logged.
    #[arg(long, value_enum, default_value = "text", env = "CAIRN_LOG_FORMAT")]
    log_format: Form,
}

impl Logs {
    /// The form, as it is written on a command line.
    pub fn form(&self) -> &'static str {
        match self.log_format {
            Form::Text => "text",
            Form::Json => "json",
        }
    }

    /// Begins to log. Only the first of a process counts.
    pub fn start(&self) {
        let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(LOG_DEFAULT));
        let logs = tracing_subscriber::fmt()
            .with_env_filter(filter)
            // Colours are for people at a terminal, not for files.
            .with_ansi(std::io::stderr().is_terminal())
            .with_writer(std::io::stderr);
        let _ = match self.log_format {
            Form::Text => logs.try_init(),
            Form::Json => logs.json().flatten_event(true).try_init(),
        };
    }
}
