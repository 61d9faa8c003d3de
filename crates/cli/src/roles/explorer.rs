//! The explorer, started in this process: beside a node that runs here, or on its own.

use crate::error::{Failure, Kind};
use cairn_client::Anchor;
use cairn_explorer::db::Location;
use cairn_explorer::{Clock, Handle, Settings, StartError};
use std::net::SocketAddr;

/// What an explorer is to follow and serve.
pub type Wanted = Settings;

/// Starts it; returns when it takes requests.
pub async fn start(wanted: Wanted) -> Result<Handle, Failure> {
    cairn_explorer::start(wanted).await.map_err(failed)
}

fn failed(error: StartError) -> Failure {
    let kind = match &error {
        StartError::Node(_) | StartError::Follow(_) => Kind::Unreachable,
        StartError::Db(_) | StartError::Listen(..) | StartError::Thread(_) => Kind::Files,
    };
    let hint = error.hint().to_owned();
    Failure::new(kind, error).hint(hint)
}

/// Beside a node, a verifier and a gateway of this process: of a network that is on this computer.
pub fn beside(
    [node, verifier, gateway]: [&str; 3],
    anchor: &Anchor,
    database: Location,
    listen: SocketAddr,
    clock: Clock,
) -> Wanted {
    Wanted {
        gateway: Some(gateway.to_owned()),
        verifiers: vec![verifier.to_owned()],
        clock,
        near: true,
        ..Wanted::of(node, anchor.clone(), database, listen)
    }
}
