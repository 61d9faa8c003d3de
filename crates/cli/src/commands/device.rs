//! `cairn device`: registering a device, letting it join, move and leave networks, and looking at devices. A place finer than the
//! network's cells never leaves this program.

mod stays;

use crate::error::{Done, Failure, Kind, OrFail};
use crate::home::keys_failed;
use crate::output::{Output, table};
use crate::session::{Session, device_id, failed};
use crate::spend::{Spender, Spending, merge, sponsor};
use cairn_agent::keys::KeyKind;
use cairn_ledger::records::{Device, Membership, NetworkIndex, RosterEntry};
use cairn_ledger::tx::Body;
use cairn_ledger::tx::join_network::JoinNetwork;
use cairn_ledger::tx::register_device::RegisterDevice;
use cairn_types::{CellId, DeviceId, NetworkId, SecretKey};
use serde_json::{Value, json};
use std::path::Path;

/// Register devices, say where they stand, and look at them.
#[derive(clap::Subcommand)]
pub enum Command {
    Register(Register),
    Move(stays::Move),
    Leave(stays::Leave),
    Retire(stays::Retire),
    Show(Show),
    List(List),
}

/// Register a device as yours and let it join a network at a public place.
///
/// The device's key is made in the agent's key file if it is not there; the device signs that it is yours. What was done before is
/// not done again, so a second run lets the device join a second network. Costs the ledger's base fee twice and its fees for
/// registering and joining, which the network's allowance pays: you need no token.
#[derive(clap::Args)]
#[command(after_help = examples!["cairn device register gauge --lat 52.37 --lng 4.9"])]
pub struct Register {
    /// The device's name here, as its agent calls it.
    name: String,
    /// The network to join: name, number or id; the only one there is, unless told otherwise.
    #[arg(long)]
    network: Option<String>,
    #[command(flatten)]
    place: Place,
    /// The kind of key to make.
    #[arg(long, value_enum, default_value = "ed25519")]
    kind: super::key::Kinds,
    /// The network that pays the fees: name, number or id, or `none`; the one joined, unless told otherwise.
    #[arg(long, value_name = "NETWORK")]
    sponsor: Option<String>,
    #[command(flatten)]
    spending: Spending,
}

/// A public place: all that anybody will know of where the device stands.
#[derive(clap::Args)]
#[command(group(clap::ArgGroup::new("where").required(true).args(["cell", "lat"])))]
pub struct Place {
    /// Its place as an H3 cell; a finer one than the network's is made coarser before it is sent.
    #[arg(long, value_name = "H3")]
    cell: Option<CellId>,
    /// Its place as degrees north; made a cell of the network's size here, and never sent.
    #[arg(long, value_name = "DEGREES", allow_negative_numbers = true, requires = "lng")]
    lat: Option<f64>,
    /// Degrees east.
    #[arg(long, value_name = "DEGREES", allow_negative_numbers = true, requires = "lat")]
    lng: Option<f64>,
}

/// Show a device: whose it is and where it stands, proven against the chain's key. Costs nothing.
#[derive(clap::Args)]
#[command(after_help = examples!["cairn device show gauge"])]
pub struct Show {
    /// Its name here, or its id.
    device: String,
}

/// List the devices of a network, those that left among them, as the node tells them. Costs nothing.
#[derive(clap::Args)]
#[command(after_help = examples!["cairn device list --network sensors"])]
pub struct List {
    /// Name, number or id; the only one there is, unless told otherwise.
    #[arg(long)]
    network: Option<String>,
    /// Begin at this entry of the roster.
    #[arg(long, value_name = "N", default_value_t = 0)]
    start: u32,
    /// So many entries at most.
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    count: u32,
}

pub fn run(command: Command, home: &Path, out: Output) -> Done {
    crate::roles::runtime()?.block_on(async {
        let session = Session::open(home).await?;
        match command {
            Command::Register(args) => register(&session, &args, out).await,
            Command::Move(args) => stays::relocate(&session, &args, out).await,
            Command::Leave(args) => stays::leave(&session, &args, out).await,
            Command::Retire(args) => stays::retire(&session, &args, out).await,
            Command::Show(args) => show(&session, &args, out).await,
            Command::List(args) => list(&session, &args, out).await,
        }
    })
}

impl Place {
    /// A cell of exactly the network's resolution.
    fn cell(&self, resolution: u8) -> Result<CellId, Failure> {
        let cell = match (self.cell, self.lat.zip(self.lng)) {
            (Some(cell), _) => cell,
            (None, Some((lat, lng))) => cell_at(lat, lng, resolution)?,
            (None, None) => {
                return Err(Failure::new(
                    Kind::Usage,
                    "a device stands somewhere: --cell, or --lat and --lng",
                ));
            }
        };
        cell.parent(resolution).ok_or_else(|| {
            let fact = format!("the cell {cell} is coarser than the network's, of resolution {resolution}");
            Failure::new(Kind::Usage, fact).hint("name a cell of that resolution, or --lat and --lng")
        })
    }
}

fn cell_at(lat: f64, lng: f64, resolution: u8) -> Result<CellId, Failure> {
    if !(-90.0..=90.0).contains(&lat) || !(-180.0..=180.0).contains(&lng) {
        return Err(Failure::new(
            Kind::Usage,
            "latitudes go from -90 to 90, longitudes from -180 to 180",
        ));
    }
    let point = h3o::LatLng::new(lat, lng).or_fail(Kind::Usage, "the place")?;
    let resolution = h3o::Resolution::try_from(resolution).or_fail(Kind::Internal, "the network's resolution")?;
    Ok(point.to_cell(resolution).into())
}

/// The device's key; `None` when it is not there and this is a dry run.
fn key(session: &Session, args: &Register) -> Result<Option<SecretKey>, Failure> {
    let mut keys = session.home.device_keys()?;
    if !args.spending.sending.dry_run {
        let kind: KeyKind = args.kind.into();
        keys.make_missing([(args.name.as_str(), kind)]).map_err(keys_failed)?;
    }
    Ok(keys.get(&args.name).cloned())
}

async fn register(session: &Session, args: &Register, out: Output) -> Done {
    let (network, record) = session.network(args.network.as_deref()).await?;
    let cell = args.place.cell(record.resolution)?;
    let payer = match &args.sponsor {
        None => Some(network),
        Some(named) => sponsor(session, Some(named)).await?,
    };
    let spender = Spender::new(session, &args.spending).await?.sponsored_by(payer);
    let device = match key(session, args)? {
        Some(key) => key,
        // In a dry run the fees are the same whatever the key.
        None => SecretKey::ed25519([0; 32]),
    };
    let id = device.public().device_id();
    let known = session.client.device(&id).await.map_err(failed)?.value;
    let mut answer = json!({ "device": id.to_string(), "name": args.name, "network": network.to_string() });
    if args.spending.sending.dry_run && session.home.device_keys()?.get(&args.name).is_none() {
        merge(&mut answer, json!({ "device": null }));
    }
    let mut steps = Vec::new();
    if known.is_none() {
        let body = RegisterDevice::by_device(&session.genesis.chain, &spender.account(), &device);
        steps.push(("register_device", Body::RegisterDevice(body)));
    }
    if known.is_none_or(|known| known.networks.binary_search(&record.number).is_err()) {
        let body = JoinNetwork {
            device: id,
            network,
            cell,
        };
        steps.push(("join_network", Body::JoinNetwork(body)));
    }
    if steps.is_empty() {
        let failure = Failure::new(Kind::Refused, format!("device {} is in the network already", args.name));
        return Err(failure.hint(format!("`cairn device show {}` says where it stands", args.name)));
    }
    let mut fee = 0u64;
    let mut done = Vec::new();
    for (action, body) in steps {
        let facts = if action == "join_network" {
            json!({ "cell": cell.to_string() })
        } else {
            json!({})
        };
        let sent = spender.send(action, facts, body).await?;
        fee = fee.saturating_add(sent.answer["fee_token"].as_u64().unwrap_or_default());
        done.push(sent.answer);
        if spender.exports() {
            // A file holds one transaction: the next step is exported when this one is final.
            break;
        }
    }
    let last = done.last().cloned().unwrap_or_default();
    merge(
        &mut answer,
        json!({ "cell": cell.to_string(), "steps": done, "dry_run": args.spending.sending.dry_run }),
    );
    // The line of costs shows the sum of the steps and the place of the last one.
    let mut told = last;
    merge(&mut told, answer);
    merge(&mut told, json!({ "fee_token": fee, "action": "register" }));
    let words = format!(
        "register device {} ({id}) in network {} at cell {cell}",
        args.name, record.name
    );
    spender.answer(out, &told, &words);
    Ok(())
}

async fn show(session: &Session, args: &Show, out: Output) -> Done {
    let id = device_id(&session.home, &args.device)?;
    let device = session.client.device(&id).await.map_err(failed)?.value;
    let device = device.ok_or_else(|| {
        Failure::new(Kind::NotFound, format!("the ledger knows no device {id}"))
            .hint("register it with `cairn device register`")
    })?;
    let mut stays = Vec::new();
    for number in &device.networks {
        let index = session
            .client
            .record::<NetworkIndex>(number)
            .await
            .map_err(failed)?
            .value;
        if let Some(index) = index {
            stays.extend(stay(session, &id, &index.id).await?);
        }
    }
    let answer = face(&id, &device, &stays);
    out.answer(&answer, || {
        let mut lines = vec![
            format!("device   {id} (number {})", device.number),
            format!("owner    {} (number {})", device.owner, device.owner_number),
        ];
        lines.extend(device.retired.map(|epoch| format!("retired  in epoch {epoch}")));
        let row = |(network, entry): &(NetworkId, RosterEntry)| {
            vec![network.to_string(), entry.cell.to_string(), entry.joined.to_string()]
        };
        let rows: Vec<Vec<String>> = stays.iter().map(row).collect();
        lines.extend(table(&["network", "cell", "from epoch"], &rows));
        lines
    });
    Ok(())
}

/// Where a device stands in a network.
async fn stay(
    session: &Session,
    device: &DeviceId,
    network: &NetworkId,
) -> Result<Option<(NetworkId, RosterEntry)>, Failure> {
    let membership = session.client.record::<Membership>(&(*device, *network)).await;
    let Some(membership) = membership.map_err(failed)?.value else {
        return Ok(None);
    };
    let entry = session
        .client
        .record::<RosterEntry>(&(*network, membership.entry))
        .await;
    Ok(entry.map_err(failed)?.value.map(|entry| (*network, entry)))
}

fn face(id: &DeviceId, device: &Device, stays: &[(NetworkId, RosterEntry)]) -> Value {
    json!({
        "device": id.to_string(),
        "number": device.number.0,
        "key": device.key.to_string(),
        "owner": device.owner.to_string(),
        "owner_number": device.owner_number.0,
        "registered": device.registered.0,
        "retired": device.retired.map(|epoch| epoch.0),
        "networks": stays.iter().map(|(network, entry)| json!({
            "network": network.to_string(), "cell": entry.cell.to_string(), "joined": entry.joined.0,
        })).collect::<Vec<_>>(),
        "proven": true,
    })
}

async fn list(session: &Session, args: &List, out: Output) -> Done {
    let (id, network) = session.network(args.network.as_deref()).await?;
    let entries = session.told.roster(&id, args.start, args.count).await.map_err(failed)?;
    let face = |entry: &RosterEntry| {
        json!({
            "device": entry.id.to_string(), "number": entry.device.0, "operator": entry.operator.0,
            "cell": entry.cell.to_string(), "joined": entry.joined.0, "left": entry.left.map(|epoch| epoch.0),
        })
    };
    let answer = json!({
        "network": id.to_string(),
        "roster": network.roster,
        "start": args.start,
        "devices": entries.iter().map(face).collect::<Vec<_>>(),
        "proven": false,
    });
    out.answer(&answer, || {
        let row = |entry: &RosterEntry| {
            vec![
                entry.id.to_string(),
                entry.operator.to_string(),
                entry.cell.to_string(),
                entry.joined.to_string(),
                entry.left.map_or(String::new(), |epoch| epoch.to_string()),
            ]
        };
        let rows: Vec<Vec<String>> = entries.iter().map(row).collect();
        table(&["device", "operator", "cell", "from epoch", "to epoch"], &rows)
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_becomes_a_cell_of_the_networks_size() {
        let cell = cell_at(52.37, 4.9, 8).unwrap();
        assert_eq!(cell.resolution(), 8);
        for (lat, lng) in [(91.0, 0.0), (0.0, 181.0), (f64::NAN, 0.0), (0.0, f64::INFINITY)] {
            assert_eq!(cell_at(lat, lng, 8).unwrap_err().kind, Kind::Usage);
        }
    }
}
