//! Which version of the ledger's rules holds, which is announced, and whether this program speaks it: known as soon as a block is final,
//! and told in the log at once. Stops nothing: the engine does that, see [`LedgerMachine`](crate::LedgerMachine).

use crate::state::State;
use cairn_engine::Latest;
use cairn_ledger::records::Protocol;
use cairn_ledger::view;
use std::ops::RangeInclusive;
use tokio::sync::watch;

/// What is known of the rules, after the newest final block that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    pub protocol: Protocol,
    /// The versions this program speaks.
    pub speaks: RangeInclusive<u16>,
}

impl Rules {
    /// What is announced, if this program does not speak it: the version and its first block.
    pub fn needs(&self) -> Option<(u16, u64)> {
        self.protocol
            .announced()
            .filter(|(version, _)| !self.speaks.contains(version))
    }
}

/// Why a program that speaks these versions does not execute a block.
pub fn needed(version: u16, height: u64, speaks: &RangeInclusive<u16>) -> String {
    let (first, last) = (speaks.start(), speaks.end());
    let age = if version > *last { "a newer" } else { "an older" };
    format!(
        "from block {height} on the ledger's rules are of version {version}, and this program speaks {first} to {last}: \
         install {age} cairn that speaks version {version} and start it on the same folder, all data stays"
    )
}

/// Looks at the rules after every final block, until it is stopped or the chain ends.
pub(crate) async fn follow(
    state: State,
    latest: watch::Receiver<Latest>,
    rules: watch::Sender<Rules>,
    mut stop: watch::Receiver<bool>,
) {
    tokio::select! {
        () = look(state, latest, rules) => {}
        _ = stop.wait_for(|stop| *stop) => {}
    }
}

async fn look(state: State, mut latest: watch::Receiver<Latest>, rules: watch::Sender<Rules>) {
    loop {
        let height = latest.borrow_and_update().header.height;
        // An answer that does not come now comes with the next block.
        if let Ok((_, protocol)) = state.look([], view::protocol).await {
            let before = rules.borrow().clone();
            if before.protocol != protocol {
                let now = Rules { protocol, ..before };
                tell(&before.protocol, &now, height);
                rules.send_replace(now);
            }
        }
        if latest.changed().await.is_err() {
            return;
        }
    }
}

/// What whoever runs the node should know.
fn tell(before: &Protocol, now: &Rules, height: u64) {
    let protocol = &now.protocol;
    if protocol.version != before.version {
        tracing::info!(
            version = protocol.version,
            since = protocol.since,
            "the ledger's rules are of this version"
        );
    }
    if protocol.next == before.next {
        return;
    }
    match (protocol.announced(), now.needs()) {
        (Some((version, at)), None) => {
            tracing::info!(
                version,
                at,
                height,
                "an upgrade of the ledger's rules is announced, which this program speaks"
            );
        }
        (_, Some((version, at))) => {
            tracing::warn!(
                version,
                at,
                height,
                "an upgrade of the ledger's rules is announced, and this program will stop before it: {}",
                needed(version, at, &now.speaks)
            );
        }
        (None, None) if protocol.version == before.version => {
            tracing::info!(height, "the upgrade of the ledger's rules was withdrawn");
        }
        (None, None) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_needs_another_one_for_what_it_does_not_speak() {
        let announced = Protocol {
            next: Some(50),
            ..Protocol::default()
        };
        let needs = |speaks| {
            Rules {
                protocol: announced,
                speaks,
            }
            .needs()
        };
        assert_eq!(needs(1..=1), Some((2, 50)));
        assert_eq!(needs(1..=2), None);
        assert!(needed(2, 50, &(1..=1)).contains("install a newer cairn that speaks version 2"));
        assert!(needed(2, 50, &(3..=4)).contains("install an older cairn"));
        let nothing = Rules {
            protocol: Protocol::default(),
            speaks: 1..=1,
        };
        assert_eq!(nothing.needs(), None);
    }
}
