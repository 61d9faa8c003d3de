//! `cairn device leave | move | retire`: where a device stands, changed or ended. What the device reported before counts as before.

use super::Place;
use crate::consent::must_agree;
use crate::error::{Done, Failure, Kind};
use crate::output::Output;
use crate::session::{Session, device_id, failed};
use crate::spend::{Sent, Spender, Spending, merge, sponsor};
use cairn_ledger::Event;
use cairn_ledger::records::{Device, Network, NetworkIndex};
use cairn_ledger::tx::Body;
use cairn_ledger::tx::leave_network::LeaveNetwork;
use cairn_ledger::tx::move_device::MoveDevice;
use cairn_ledger::tx::retire_device::RetireDevice;
use cairn_types::{CellId, DeviceId, NetworkId};
use serde_json::json;

/// Let a device leave a network; the epoch that runs is its last there.
///
/// It can join again later with `cairn device register`. Costs the ledger's base fee, which the network's allowance pays. Afterwards
/// write the agent's configuration anew with `cairn agent init --force`, so that it sends no more reports there.
#[derive(clap::Args)]
#[command(after_help = examples!["cairn device leave gauge"])]
pub struct Leave {
    #[command(flatten)]
    stay: Stay,
    #[command(flatten)]
    spending: Spending,
}

/// Give a device another public place in a network, from the next epoch on.
///
/// Costs the ledger's base fee and its fee for moving, which the network's allowance pays: who moves in every epoch is not where he
/// says. The device's key, its owner and its other networks stay.
#[derive(clap::Args)]
#[command(after_help = examples!["cairn device move gauge --lat 52.36 --lng 4.88"])]
pub struct Move {
    #[command(flatten)]
    stay: Stay,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    spending: Spending,
}

/// Give a device up, for ever: it leaves every network, and its key never registers again.
///
/// For a device that is broken, sold or stolen. On a terminal the question is asked; elsewhere say --yes. Costs the ledger's base fee,
/// paid by its owner's account.
#[derive(clap::Args)]
#[command(after_help = examples!["cairn device retire gauge --yes"])]
pub struct Retire {
    /// Its name here, or its id.
    device: String,
    /// Retire it without being asked.
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    spending: Spending,
}

/// A device in a network.
#[derive(clap::Args)]
pub struct Stay {
    /// Its name here, or its id.
    device: String,
    /// The network: name, number or id; the only one the device is in, unless told otherwise.
    #[arg(long)]
    network: Option<String>,
    /// The network that pays the fee: name, number or id, or `none` if the account pays; the one named, unless told otherwise.
    #[arg(long, value_name = "NETWORK")]
    sponsor: Option<String>,
}

/// What a command is about.
struct Found {
    id: DeviceId,
    network: NetworkId,
    record: Network,
    payer: Option<NetworkId>,
}

impl Stay {
    async fn find(&self, session: &Session) -> Result<Found, Failure> {
        let (id, device) = known(session, &self.device).await?;
        let (network, record) = match (&self.network, device.networks.as_slice()) {
            (None, [number]) => {
                let index = session.client.record::<NetworkIndex>(number).await.map_err(failed)?;
                let index = index.value.map(|index| index.id.to_string());
                session.network(index.as_deref()).await?
            }
            (None, []) => {
                let failure = Failure::new(Kind::NotFound, format!("device {} is in no network", self.device));
                return Err(failure.hint("let it join one with `cairn device register`"));
            }
            (None, several) => {
                let fact = format!("device {} is in {} networks", self.device, several.len());
                return Err(Failure::new(Kind::Usage, fact).hint("say which one with --network"));
            }
            (Some(wanted), _) => session.network(Some(wanted)).await?,
        };
        let payer = match &self.sponsor {
            None => Some(network),
            Some(named) => sponsor(session, Some(named)).await?,
        };
        Ok(Found {
            id,
            network,
            record,
            payer,
        })
    }
}

/// A device that the ledger knows.
async fn known(session: &Session, name: &str) -> Result<(DeviceId, Device), Failure> {
    let id = device_id(&session.home, name)?;
    let device = session.client.device(&id).await.map_err(failed)?.value;
    let device = device.ok_or_else(|| {
        Failure::new(Kind::NotFound, format!("the ledger knows no device {id}"))
            .hint("register it with `cairn device register`")
    })?;
    Ok((id, device))
}

pub async fn leave(session: &Session, args: &Leave, out: Output) -> Done {
    let found = args.stay.find(session).await?;
    let spender = Spender::new(session, &args.spending).await?.sponsored_by(found.payer);
    let body = LeaveNetwork {
        device: found.id,
        network: found.network,
    };
    let facts = json!({ "device": found.id.to_string(), "network": found.network.to_string() });
    let mut sent = spender.send("leave_network", facts, Body::LeaveNetwork(body)).await?;
    let mut last = "the epoch that runs".to_owned();
    tell(&mut sent, |event| match event {
        Event::NetworkLeft { last: epoch, .. } => {
            last = format!("epoch {epoch}");
            Some(json!({ "last_epoch": epoch.0 }))
        }
        _ => None,
    });
    let words = format!(
        "let device {} leave network {}; {last} is its last",
        args.stay.device, found.record.name
    );
    spender.answer(out, &sent.answer, &words);
    Ok(())
}

pub async fn relocate(session: &Session, args: &Move, out: Output) -> Done {
    let found = args.stay.find(session).await?;
    let cell: CellId = args.place.cell(found.record.resolution)?;
    let spender = Spender::new(session, &args.spending).await?.sponsored_by(found.payer);
    let body = MoveDevice {
        device: found.id,
        network: found.network,
        cell,
    };
    let facts = json!({
        "device": found.id.to_string(), "network": found.network.to_string(), "cell": cell.to_string(),
    });
    let mut sent = spender.send("move_device", facts, Body::MoveDevice(body)).await?;
    let mut from = "the next epoch".to_owned();
    tell(&mut sent, |event| match event {
        Event::DeviceMoved { from: epoch, .. } => {
            from = format!("epoch {epoch}");
            Some(json!({ "from_epoch": epoch.0 }))
        }
        _ => None,
    });
    let words = format!(
        "move device {} to cell {cell} of network {}, from {from} on",
        args.stay.device, found.record.name
    );
    spender.answer(out, &sent.answer, &words);
    Ok(())
}

pub async fn retire(session: &Session, args: &Retire, out: Output) -> Done {
    let (id, device) = known(session, &args.device).await?;
    let spender = Spender::new(session, &args.spending).await?;
    let fact = format!("to retire device {} is for ever", args.device);
    if !spender.is_dry_run() {
        must_agree(args.yes, &fact, "Retire it?")?;
    }
    let facts = json!({ "device": id.to_string(), "networks_left": device.networks.len() });
    let body = Body::RetireDevice(RetireDevice { device: id });
    let sent = spender.send("retire_device", facts, body).await?;
    let words = format!(
        "retire device {} ({id}), which was in {} networks",
        args.device,
        device.networks.len()
    );
    spender.answer(out, &sent.answer, &words);
    Ok(())
}

/// Adds what the ledger announced to the answer.
fn tell(sent: &mut Sent, mut fact: impl FnMut(&Event) -> Option<serde_json::Value>) {
    let events = sent.confirmed.iter().flat_map(|confirmed| &confirmed.events);
    for told in events.filter_map(&mut fact).collect::<Vec<_>>() {
        merge(&mut sent.answer, told);
    }
}
