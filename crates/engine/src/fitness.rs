//! Looks after every final block whether this program can execute the next one. A chain that it cannot go on with ends here, whether or
//! not the others go on; never executes anything.

use crate::{
    Latest, Missing, StateMachine, engine_types::StateKey, execute::Databases, overlay::Overlay, service::record,
};
use commonware_runtime::{Clock, Spawner};
use commonware_storage::Context as StorageContext;
use std::{sync::Arc, time::Duration};
use tokio::sync::watch;

/// How long until the state is looked at again that was moving.
const TRY_AGAIN: Duration = Duration::from_millis(2);

pub(crate) struct Fitness<E: Spawner + StorageContext> {
    pub(crate) runtime: E,
    pub(crate) machine: Arc<dyn StateMachine>,
    pub(crate) databases: Databases<E>,
    pub(crate) latest: watch::Receiver<Latest>,
    /// Changes with `latest`; only this task waits for it.
    pub(crate) finals: watch::Receiver<u64>,
    pub(crate) unfit: watch::Sender<Option<String>>,
}

/// The state is of another block by now.
struct Moved;

impl<E: Spawner + StorageContext + Clock> Fitness<E> {
    /// Runs until the chain ends.
    pub(crate) async fn run(mut self) {
        loop {
            self.finals.mark_unchanged();
            let latest = self.latest.borrow().clone();
            let found = match latest.header.is_genesis() || latest.header.is_over() {
                true => Ok(None),
                false => self.look(&latest).await,
            };
            match found {
                Ok(Some(reason)) => drop(self.unfit.send_replace(Some(reason))),
                Ok(None) => {}
                Err(Moved) => {
                    self.runtime.sleep(TRY_AGAIN).await;
                    continue;
                }
            }
            if self.finals.changed().await.is_err() {
                return;
            }
        }
    }

    /// Why the block after this one cannot be executed.
    async fn look(&self, latest: &Latest) -> Result<Option<String>, Moved> {
        let mut overlay = Overlay::default();
        loop {
            match self.machine.unfit(latest.header.height.saturating_add(1), &mut overlay) {
                Ok(reason) => return Ok(reason),
                Err(Missing(key)) => {
                    let state = self.databases.read().await;
                    if state.ops_root().0 != latest.header.ops_root {
                        return Err(Moved);
                    }
                    let value = state.get(&StateKey::new(key)).await;
                    let value = value.expect("the state is readable");
                    overlay.load(key, value.map(|value| record(&value)));
                }
            }
        }
    }
}

/// Resolves with the reason when the next block cannot be executed here.
pub(crate) async fn unfit(mut unfit: watch::Receiver<Option<String>>) -> String {
    let reason = unfit
        .wait_for(Option::is_some)
        .await
        .ok()
        .and_then(|reason| reason.clone());
    match reason {
        Some(reason) => reason,
        None => std::future::pending().await,
    }
}
