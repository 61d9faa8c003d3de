//! `cairn key`: keys of accounts and devices in this folder. Shows public keys and ids; a secret never.

use crate::accounts::{Accounts, NEXT};
use crate::error::{Done, Failure, Kind};
use crate::home::{Home, keys_failed};
use crate::output::{Output, table};
use cairn_agent::keys::{KeyKind, Keys};
use cairn_ledger::account::Rule;
use cairn_types::PublicKey;
use serde_json::{Value, json};
use std::path::Path;

/// Make and show keys of accounts and devices.
///
/// Keys are kept in the home folder, in files that only their owner can read: account.keys, and agent/keys for devices. Whoever has
/// the file has the account: keep a copy of it where nobody else gets it. No command prints a secret.
#[derive(clap::Subcommand)]
pub enum Command {
    New(New),
    Show(Show),
    List(List),
}

/// Make a key; a name that has one keeps it. Asks no network and costs nothing: `cairn account open` opens the account.
#[derive(clap::Args)]
#[command(after_help = examples!["cairn key new"])]
pub struct New {
    /// Its name here.
    #[arg(default_value = "me")]
    name: String,
    /// For a device instead of an account.
    #[arg(long)]
    device: bool,
    /// The kind of key: p256 is what secure elements and passkeys have.
    #[arg(long, value_enum, default_value = "ed25519")]
    kind: Kinds,
}

/// Show a key's public part and the id that follows from it. Asks no network.
///
/// The public part is what other owners need to name the key; the id is the account's or the device's.
#[derive(clap::Args)]
#[command(after_help = examples!["cairn key show", "cairn key show gauge --device"])]
pub struct Show {
    /// Its name here.
    #[arg(default_value = "me")]
    name: String,
    /// A device's key instead of an account's.
    #[arg(long)]
    device: bool,
}

/// List the keys of this folder, by name. Asks no network.
#[derive(clap::Args)]
#[command(after_help = examples!["cairn key list"])]
pub struct List {}

#[derive(Clone, Copy, clap::ValueEnum)]
pub enum Kinds {
    Ed25519,
    P256,
}

impl From<Kinds> for KeyKind {
    fn from(kind: Kinds) -> Self {
        match kind {
            Kinds::Ed25519 => Self::Ed25519,
            Kinds::P256 => Self::P256,
        }
    }
}

pub fn run(command: Command, home: &Path, out: Output) -> Done {
    let home = Home::at(home);
    match command {
        Command::New(args) => {
            if args.name.ends_with(NEXT) {
                let failure = Failure::new(Kind::Usage, format!("names that end in {NEXT} are for keys to be"));
                return Err(failure.hint("choose another name; `cairn account rotate` makes such keys"));
            }
            home.make()?;
            let mut keys = file(&home, args.device)?;
            let made = keys
                .make_missing([(args.name.as_str(), args.kind.into())])
                .map_err(keys_failed)?;
            if made == 0 {
                out.say(format!("{} has a key already; it keeps it", args.name));
            }
            show(&home, &keys, &args.name, args.device, out)
        }
        Command::Show(args) => show(&home, &file(&home, args.device)?, &args.name, args.device, out),
        Command::List(List {}) => list(&home, out),
    }
}

fn file(home: &Home, device: bool) -> Result<Keys, Failure> {
    if device {
        home.device_keys()
    } else {
        home.account_keys()
    }
}

/// What the public may know of a key. An account whose keys were changed keeps its id.
fn face(name: &str, key: &PublicKey, device: bool, accounts: &Accounts) -> Result<Value, Failure> {
    let (of, id) = if device {
        ("device", key.device_id().to_string())
    } else {
        let known = accounts.get(name)?.map(|known| known.id);
        let id = known.unwrap_or_else(|| Rule::single(*key).account_id());
        ("account", id.to_string())
    };
    Ok(json!({ "name": name, "of": of, "id": id, "public_key": key.to_string() }))
}

fn show(home: &Home, keys: &Keys, name: &str, device: bool, out: Output) -> Done {
    let key = keys.get(name).ok_or_else(|| {
        let flag = if device { " --device" } else { "" };
        Failure::new(Kind::NotFound, format!("there is no key called {name}"))
            .hint(format!("make it with `cairn key new {name}{flag}`"))
    })?;
    let answer = face(name, &key.public(), device, &Accounts::of(home)?)?;
    out.answer(&answer, || {
        let text = |field: &str| answer[field].as_str().unwrap_or_default().to_owned();
        vec![
            format!("{:<11} {}", text("of"), text("id")),
            format!("public key  {}", text("public_key")),
        ]
    });
    Ok(())
}

fn list(home: &Home, out: Output) -> Done {
    let accounts = Accounts::of(home)?;
    let mut keys = Vec::new();
    for device in [false, true] {
        let file = file(home, device)?;
        for (name, key) in file.names().filter_map(|name| Some((name, file.get(name)?))) {
            keys.push(face(name, &key.public(), device, &accounts)?);
        }
    }
    let answer = json!({ "keys": keys });
    out.answer(&answer, || {
        let text = |key: &Value, field: &str| key[field].as_str().unwrap_or_default().to_owned();
        let rows: Vec<Vec<String>> = keys
            .iter()
            .map(|key| vec![text(key, "name"), text(key, "of"), text(key, "id")])
            .collect();
        table(&["name", "of", "id"], &rows)
    });
    Ok(())
}
