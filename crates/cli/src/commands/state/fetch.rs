//! The newest final state of a node that runs, fetched part by part into a state file. Writes nothing that is not proven, and nothing under
//! the file's name before all is there. Goes on with what an earlier run left.

use super::{moves, moving_failed};
use crate::error::{Failure, Kind};
use crate::home::{AnchorText, Home};
use crate::session::failed;
use cairn_client::{Anchor, ClientError, NodeClient};
use cairn_node::moving::{Download, Header, MovingError};
use indicatif::ProgressBar;
use std::path::Path;
use std::time::Duration;

/// Times a file is begun: a node that makes blocks fast may let go of the log of a state before all of it was read.
const BEGINS_MAX: u32 = 5;
/// Times a part is asked for while the node does not answer.
const TRIES_MAX: u32 = 10;
const TRY_AGAIN: Duration = Duration::from_secs(1);

/// A state that was fetched.
pub struct Fetched {
    pub header: Header,
    /// Operations that an earlier run had fetched already.
    pub kept: u64,
}

/// Fetches the state of the node at `url` into `out`.
pub async fn fetch(url: &str, home: &Path, out: &Path, bar: &ProgressBar) -> Result<Fetched, Failure> {
    let client = NodeClient::new(url).map_err(failed)?;
    let anchor = anchor(&client, home).await?;
    let mut last = None;
    for _ in 0..BEGINS_MAX {
        match once(&client, &anchor, out, bar).await {
            Err(Broken::Pruned(error)) => last = Some(error),
            Err(Broken::Failed(failure)) => return Err(failure),
            Ok(fetched) => return Ok(fetched),
        }
    }
    let failure = last.map_or_else(|| Failure::new(Kind::Internal, "no file was begun"), failed);
    Err(failure
        .hint("this node lets go of its log faster than it can be read: stop it, and export its folder with --data"))
}

/// The chain trusted in the home folder, if the node is of it; otherwise the node is believed this once in what it says of its own key.
/// Whoever imports the file holds it against the key of the genesis file.
async fn anchor(client: &NodeClient, home: &Path) -> Result<Anchor, Failure> {
    let status = client.status().await.map_err(failed)?;
    let kept = Home::at(home).settings()?.anchor;
    let kept = kept.as_ref().map(AnchorText::anchor).transpose()?;
    match kept.filter(|anchor| anchor.chain == status.chain) {
        Some(anchor) => Ok(anchor),
        None => status.anchor_as_told().map_err(failed),
    }
}

enum Broken {
    /// The node does not have the log of that state any more.
    Pruned(ClientError),
    Failed(Failure),
}

impl From<ClientError> for Broken {
    fn from(error: ClientError) -> Self {
        match &error {
            ClientError::Unreachable(_) | ClientError::TooSlow => Self::Failed(
                failed(error).hint("run the command again: what was fetched is kept, and it goes on from there"),
            ),
            error_of if error_of.code() == "pruned" => Self::Pruned(error),
            _ => Self::Failed(failed(error)),
        }
    }
}

async fn once(client: &NodeClient, anchor: &Anchor, out: &Path, bar: &ProgressBar) -> Result<Fetched, Broken> {
    let wrong = |error| Broken::Failed(moving_failed(out, MovingError::State(error)));
    let offer = client.state_offer().await?;
    let head = hex::decode(&offer.head).map_err(|_| ClientError::Nonsense("a head not in hexadecimal"))?;
    let mut download = match Download::resume(out, &head, anchor).map_err(wrong)? {
        Some(download) => download,
        None => Download::begin(out, &head, anchor).map_err(wrong)?,
    };
    let (kept, height) = (download.progress().0, download.header().height);
    let mut moved = moves(bar);
    while let Some(part) = download.wants() {
        let taken = match patiently(client, height, part).await {
            Ok(bytes) => download
                .take(&bytes)
                .map_err(|error| (!error.is_of_files(), wrong(error))),
            Err(error) => {
                let broken = Broken::from(error);
                Err((matches!(broken, Broken::Pruned(_)), broken))
            }
        };
        if let Err((is_useless, broken)) = taken {
            if is_useless {
                download.abandon().map_err(wrong)?;
            }
            return Err(broken);
        }
        let (done, of) = download.progress();
        moved(done, of);
    }
    let header = download.finish().map_err(wrong)?;
    Ok(Fetched { header, kept })
}

/// A part; asked for again when the connection broke or the node is away for a moment.
async fn patiently(client: &NodeClient, height: u64, part: u64) -> Result<Vec<u8>, ClientError> {
    let mut tries = 1;
    loop {
        match client.state_part(height, part).await {
            Err(ClientError::Unreachable(_) | ClientError::TooSlow) if tries < TRIES_MAX => tries += 1,
            answer => return answer,
        }
        tokio::time::sleep(TRY_AGAIN).await;
    }
}
