//! `cairn key`: keys of accounts and devices in this folder. Shows public keys and ids; a secret never.

use crate::accounts::{Accounts, NEXT};
use crate::error::{Done, Failure, Kind};
use crate::home::{Home, keys_failed};
use crate::output::{Output, table};
use cairn_agent::keys::{KeyKind, Keys};
use cairn_ledger::account::Rule;
use cairn_node::{Identity, KeysError as NodeKeysError};
use cairn_types::PublicKey;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Make, show and seal keys of accounts and devices.
///
/// Keys are kept in the home folder, in files that only their owner can read: account.keys, and agent/keys for devices. Whoever has
/// the file has the account, unless it is sealed under a passphrase: keep a copy of it where nobody else gets it. No command prints
/// a secret. A sealed file asks for its passphrase at the terminal; a service names a file that holds it with --passphrase-file or
/// CAIRN_PASSPHRASE_FILE.
#[derive(clap::Subcommand)]
pub enum Command {
    #[command(alias = "generate")]
    New(New),
    Show(Show),
    List(List),
    Encrypt(Encrypt),
    Decrypt(Decrypt),
}

/// Make a key; a name that has one keeps it. Asks no network and costs nothing: `cairn account open` opens the account.
#[derive(clap::Args)]
#[command(after_help = examples!["cairn key new", "cairn key new me --passphrase"])]
pub struct New {
    /// Its name here.
    #[arg(default_value = "me")]
    name: String,
    /// For a device instead of an account.
    #[arg(long)]
    device: bool,
    /// The kind of key: p256 is what secure elements have.
    #[arg(long, value_enum, default_value = "ed25519")]
    kind: Kinds,
    /// Seal the file of keys under a passphrase, unless it is sealed already.
    #[arg(long)]
    passphrase: bool,
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

/// Seal a file of keys under a passphrase; one that is sealed gets a new passphrase. Asks no network.
///
/// For account.keys and agent/keys of the home folder, and for a node's key file. The passphrase is asked for twice at the terminal, or
/// comes from --passphrase-file. Whoever forgets it has lost the keys. The disk may still hold the plain bytes of before: where that
/// matters, make new keys with --passphrase instead.
#[derive(clap::Args)]
#[command(after_help = examples![
    "cairn key encrypt",
    "cairn key encrypt validator.keys",
    "cairn key encrypt --passphrase-file old --new-passphrase-file new",
])]
pub struct Encrypt {
    /// The file; account.keys of the home folder, unless told otherwise.
    file: Option<PathBuf>,
    /// File with the passphrase to come, of a file that is sealed already.
    #[arg(long, value_name = "FILE")]
    new_passphrase_file: Option<PathBuf>,
}

/// Keep a file of keys plain: readable by whoever gets the disk. Asks no network.
#[derive(clap::Args)]
#[command(after_help = examples!["cairn key decrypt", "cairn key decrypt validator.keys"])]
pub struct Decrypt {
    /// The file; account.keys of the home folder, unless told otherwise.
    file: Option<PathBuf>,
}

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
            if args.passphrase {
                crate::unlock::seal(&if args.device {
                    home.device_keys_path()
                } else {
                    home.account_keys_path()
                })?;
            }
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
        Command::Encrypt(args) => encrypt(&args, &home, out),
        Command::Decrypt(args) => decrypt(&args, &home, out),
    }
}

/// A file of keys that is there: of a node, or of accounts and devices.
fn named(file: Option<&Path>, home: &Home) -> Result<PathBuf, Failure> {
    let path = file.map_or_else(|| home.account_keys_path(), Path::to_owned);
    if !path.is_file() {
        let failure = Failure::new(Kind::NotFound, format!("there is no file {}", path.display()));
        return Err(failure.hint(
            "`cairn key new --passphrase` and `cairn node key --passphrase` make keys that are sealed from the start",
        ));
    }
    match Identity::open(&path) {
        Ok(_) | Err(NodeKeysError::Absent) => {}
        Err(NodeKeysError::Secrets(error)) => return Err(crate::unlock::failed(error)),
        Err(_) => drop(Keys::open(&path).map_err(keys_failed)?),
    }
    Ok(path)
}

fn encrypt(args: &Encrypt, home: &Home, out: Output) -> Done {
    let path = named(args.file.as_deref(), home)?;
    let fresh = crate::unlock::seal(&path)?;
    if !fresh {
        crate::unlock::seal_anew(&path, args.new_passphrase_file.as_deref())?;
    }
    let fact = if fresh { "is sealed" } else { "has a new passphrase" };
    say(&path, true, fact, out)
}

fn decrypt(args: &Decrypt, home: &Home, out: Output) -> Done {
    let path = named(args.file.as_deref(), home)?;
    let fact = if crate::unlock::unseal(&path)? {
        "is plain now"
    } else {
        "was plain"
    };
    say(&path, false, fact, out)
}

fn say(path: &Path, sealed: bool, fact: &str, out: Output) -> Done {
    let file = path.display().to_string();
    out.answer(&json!({ "file": file, "sealed": sealed }), || {
        vec![format!("{file} {fact}")]
    });
    Ok(())
}

fn file(home: &Home, device: bool) -> Result<Keys, Failure> {
    if device {
        home.device_keys()
    } else {
        home.account_keys()
    }
}

/// What the public may know of a key. An account whose keys were changed keeps its id.
fn face(name: &str, keys: &Keys, key: &PublicKey, device: bool, accounts: &Accounts) -> Result<Value, Failure> {
    let (of, id) = if device {
        ("device", key.device_id().to_string())
    } else {
        let known = accounts.get(name)?.map(|known| known.id);
        let id = known.unwrap_or_else(|| Rule::single(*key).account_id());
        ("account", id.to_string())
    };
    Ok(json!({ "name": name, "of": of, "id": id, "public_key": key.to_string(), "sealed": keys.is_sealed() }))
}

fn show(home: &Home, keys: &Keys, name: &str, device: bool, out: Output) -> Done {
    let key = keys.get(name).ok_or_else(|| {
        let flag = if device { " --device" } else { "" };
        Failure::new(Kind::NotFound, format!("there is no key called {name}"))
            .hint(format!("make it with `cairn key new {name}{flag}`"))
    })?;
    let answer = face(name, keys, &key.public(), device, &Accounts::of(home)?)?;
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
            keys.push(face(name, &file, &key.public(), device, &accounts)?);
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
