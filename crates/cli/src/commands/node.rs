//! `cairn node`: one node of a chain that several founded. Ends at Ctrl-C or SIGTERM; killed at any moment it loses nothing final.

use crate::commands::genesis::founding_failed;
use crate::error::{Done, Failure, Kind};
use crate::home::AnchorText;
use crate::output::Output;
use crate::roles::logs::Logs;
use crate::roles::{node_ended, node_failed, until_stopped};
use cairn_node::founding::Founding;
use cairn_node::{FORESEEN, Identity, KeysError, LISTEN_DEFAULT, NodeConfig};
use cairn_types::PublicKey;
use serde_json::json;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The longest time without a block, where several validators wait for each other.
const IDLE_MAX: Duration = Duration::from_secs(2);

/// Run a node of a chain that several validators founded.
#[derive(clap::Subcommand)]
#[command(after_help = examples![
    "cairn node run --genesis genesis.json --key validator.keys --data node",
    "cairn node key follower.keys",
])]
pub enum Command {
    Run(Run),
    Key(Key),
}

/// Run a validator, or a follower.
///
/// A node whose key is among the validators of the genesis file votes, until they vote it out; one that they voted in votes as soon as it
/// has its share: `cairn validator list`. Any other follows: it serves reads and passes transactions on, if the validators let it in with
/// --follower. A node that is new, or was away for long, fetches the newest state first. Ends at Ctrl-C or SIGTERM; killed at any moment
/// it loses nothing final.
///
/// Example: cairn node run --genesis genesis.json --key validator.keys --data node
#[derive(clap::Args)]
pub struct Run {
    /// The file that the ceremony came to.
    #[arg(long, value_name = "FILE", default_value = "genesis.json")]
    genesis: PathBuf,
    /// This node's keys.
    #[arg(long, value_name = "FILE", default_value = "validator.keys")]
    key: PathBuf,
    /// Folder of the chain's data.
    #[arg(long, value_name = "DIR", default_value = "node")]
    data: PathBuf,
    /// Where the HTTP API listens.
    #[arg(long, value_name = "ADDR", default_value_t = LISTEN_DEFAULT)]
    listen: SocketAddr,
    /// Where other nodes reach this one; the port of its address in the genesis file, unless told otherwise.
    #[arg(long, value_name = "ADDR")]
    peer_listen: Option<SocketAddr>,
    /// Key of a node that may follow this one; may be given again.
    #[arg(long = "follower", value_name = "KEY")]
    followers: Vec<PublicKey>,
    /// Keep all blocks, and fetch them all when they are missing, instead of the newest state.
    #[arg(long)]
    archive: bool,
    #[command(flatten)]
    logs: Logs,
}

/// Show the public key in a key file; made there if there is no file.
///
/// Example: cairn node key follower.keys
#[derive(clap::Args)]
pub struct Key {
    /// The file.
    #[arg(value_name = "FILE", default_value = "validator.keys")]
    file: PathBuf,
    /// Seal the file under a passphrase, unless it is sealed already.
    #[arg(long)]
    passphrase: bool,
}

pub fn run(command: Command, out: Output) -> Done {
    match command {
        Command::Run(args) => run_node(args, out),
        Command::Key(args) => key(&args, out),
    }
}

fn key(args: &Key, out: Output) -> Done {
    if args.passphrase {
        crate::unlock::seal(&args.file)?;
    }
    let identity = Identity::make(&args.file).map_err(|error| keys_failed(&args.file, error))?;
    let key = PublicKey::Ed25519(identity.key()).to_string();
    let answer = json!({ "key": key, "has_share": identity.group().is_some() });
    out.answer(&answer, || vec![key]);
    Ok(())
}

pub fn keys_failed(path: &Path, error: KeysError) -> Failure {
    match error {
        KeysError::Secrets(error) => crate::unlock::failed(error),
        error => Failure::new(Kind::Files, format!("{}: {error}", path.display())).hint(error.hint()),
    }
}

/// Where a node listens for others: everywhere, at the port of its address; on this computer only, if its address is there.
pub fn peer_listen(address: &str) -> SocketAddr {
    let port = address
        .rsplit_once(':')
        .and_then(|(_, port)| port.parse().ok())
        .unwrap_or(0);
    match address.parse::<SocketAddr>() {
        Ok(address) if address.ip().is_loopback() => address,
        Ok(SocketAddr::V6(_)) => SocketAddr::from((std::net::Ipv6Addr::UNSPECIFIED, port)),
        _ => SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)),
    }
}

fn config(args: &Run, founding: &Founding) -> Result<(NodeConfig, [u8; 32]), Failure> {
    let me = Identity::open(&args.key)
        .map_err(|error| keys_failed(&args.key, error))?
        .key();
    let own = founding.validators.iter().find(|validator| validator.key == me);
    let mut config = NodeConfig::founded(&args.data, founding, args.key.clone()).map_err(node_failed)?;
    config.listen = args.listen;
    config.peers_listen = match (args.peer_listen, own) {
        (Some(address), _) => address,
        (None, Some(own)) => peer_listen(&own.address.to_string()),
        (None, None) => SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0),
    };
    config.followers = args.followers.iter().map(ed25519).collect::<Result<_, _>>()?;
    if args.archive {
        config.retain.blocks = None;
        config.catch_up.views_max = None;
    }
    // An epoch shall end when it is over, and not a block's while later.
    let idle_max = IDLE_MAX.min(Duration::from_millis(config.genesis.epoch_ms / 4));
    config.pace.idle_interval = config.pace.idle_interval.min(idle_max);
    Ok((config, me))
}

fn ed25519(key: &PublicKey) -> Result<[u8; 32], Failure> {
    match key {
        PublicKey::Ed25519(key) => Ok(*key),
        PublicKey::P256(_) | PublicKey::Passkey(_) => {
            let failure = Failure::new(Kind::Usage, format!("{key} is not the key of a node"));
            Err(failure.hint("`cairn node key` shows it on the follower's machine"))
        }
    }
}

fn run_node(args: Run, out: Output) -> Done {
    args.logs.start();
    let founding = Founding::read_file(&args.genesis).map_err(|error| founding_failed(&args.genesis, error))?;
    let (config, me) = config(&args, &founding)?;
    crate::roles::runtime()?.block_on(async {
        out.say("starting; a node waits for the others …");
        let stopped = until_stopped();
        tokio::pin!(stopped);
        let node = tokio::select! {
            started = cairn_node::start(config) => started.map_err(node_failed)?,
            () = &mut stopped => return Ok(()),
        };
        let anchor = AnchorText::from(node.chain().anchor());
        // Right after its start a node may not know yet who signs now; then it is told who founded the chain.
        let members: Vec<[u8; 32]> = match node.chain().committee().await {
            Ok(committee) => committee.members,
            Err(_) => founding.validators.iter().map(|validator| validator.key).collect(),
        };
        let votes = members.contains(&me);
        let answer = json!({
            "node": node.url(),
            "chain": anchor.chain,
            "votes": votes,
            "height": node.chain().latest().header.height,
            "validators": members.len(),
            "group_key": anchor.group_key,
            "genesis": anchor.genesis,
            "era": anchor.era,
            "beacon_note": (members.len() == 1).then_some(FORESEEN),
        });
        out.answer(&answer, || {
            let role = if votes { "votes" } else { "follows" };
            let mut lines = vec![
                format!(
                    "chain     {}, {} validators; this node {role}",
                    anchor.chain,
                    members.len()
                ),
                format!("node      {}", node.url()),
                format!("height    {}", answer["height"]),
            ];
            lines.extend(answer["beacon_note"].as_str().map(|note| format!("beacons   {note}")));
            lines
        });
        let mut latest = node.chain().follow();
        let over = async {
            if let Ok(last) = latest.wait_for(|latest| latest.header.is_over()).await {
                out.say(format!(
                    "the era ended at height {}: stop this node, and run `cairn state export`",
                    last.header.height
                ));
            }
            std::future::pending::<()>().await
        };
        tokio::select! {
            () = &mut stopped => {}
            () = over => {}
            ended = node.failed() => return Err(node_ended(&ended)),
        }
        node.shutdown().await;
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_listens_where_its_address_leads() {
        for (address, listen) in [
            ("127.0.0.1:9000", "127.0.0.1:9000"),
            ("203.0.113.7:9000", "0.0.0.0:9000"),
            ("node.example.org:9001", "0.0.0.0:9001"),
            ("[2001:db8::1]:9000", "[::]:9000"),
        ] {
            assert_eq!(peer_listen(address), listen.parse().unwrap(), "{address}");
        }
    }
}
