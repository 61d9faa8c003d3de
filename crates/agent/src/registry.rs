//! Asking the ledger who has a bond: at the start, every so often, and when a verifier's answers fail. What was heard is kept in a file,
//! so that it stays in force while no node answers. What the list means is decided in `routes`.

use crate::clock::Clock;
use crate::routes::{self, Bonded, KEPT_BYTES_MAX, Policy, Routes};
use crate::shell::mailbox::Mailbox;
use cairn_secrets::{Form, SecretsError};
use futures::future::BoxFuture;
use std::future::Future;
use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

/// What the ledger answers, or why it does not.
pub type Asked<'a> = BoxFuture<'a, Result<Vec<Bonded>, String>>;

/// The ledger, as far as an agent asks it. An answer has at most as many as the asker was told to bring.
pub trait Registry: Send + Sync {
    /// Verifiers that have something at stake: those of the settings, and others where the settings allow them.
    fn bonded(&self) -> Asked<'_>;
}

/// How the ledger is asked, and what its answers are for.
pub struct Asking {
    pub registry: Arc<dyn Registry>,
    pub policy: Policy,
    /// Where the last answer is kept.
    pub file: PathBuf,
    /// Between two questions, while all goes well.
    pub every: Duration,
    /// Between two questions at least, however much fails.
    pub pause: Duration,
}

impl Asking {
    /// The times that suit a chain of hours.
    pub const EVERY: Duration = Duration::from_secs(10 * 60);
    pub const PAUSE: Duration = Duration::from_secs(30);

    /// What the kept list leaves, if there is one.
    pub fn kept(&self) -> Option<Routes> {
        let file = std::fs::File::open(&self.file).ok()?;
        let mut bytes = Vec::new();
        let read = file.take(KEPT_BYTES_MAX + 1).read_to_end(&mut bytes);
        let kept = read.ok().and_then(|_| routes::kept(&bytes));
        if kept.is_none() {
            tracing::warn!(file = %self.file.display(), "the kept list of verifiers cannot be read: those of the settings are sent to");
        }
        Some(self.policy.routes(&kept?))
    }

    async fn keep(&self, bonded: &[Bonded]) -> Result<(), SecretsError> {
        let (file, bytes) = (self.file.clone(), routes::keep(bonded));
        // Whole or not at all. A task that panicked has kept nothing, which is what the next question mends.
        let kept = tokio::task::spawn_blocking(move || Form::Plain.write(&file, &bytes)).await;
        kept.unwrap_or(Ok(()))
    }

    /// Asks until `stop` is done. `failing` wakes it early.
    pub(crate) async fn run(
        self,
        mailbox: Mailbox,
        clock: Arc<dyn Clock>,
        failing: Arc<Notify>,
        stop: impl Future<Output = ()>,
    ) {
        tokio::select! {
            () = stop => {}
            () = self.ask_on(&mailbox, clock.as_ref(), &failing) => {}
        }
    }

    async fn ask_on(&self, mailbox: &Mailbox, clock: &dyn Clock, failing: &Notify) {
        let mut before: Option<Vec<Bonded>> = None;
        let mut silent = false;
        loop {
            let asked = self.registry.bonded().await;
            let wait = match asked {
                Ok(bonded) => {
                    if before.as_ref() != Some(&bonded)
                        && let Err(error) = self.keep(&bonded).await
                    {
                        tracing::warn!(%error, "the list of verifiers could not be kept");
                    }
                    let routes = self.policy.routes(&bonded);
                    if mailbox.set_routes(routes, clock.now()).await.is_none() {
                        return;
                    }
                    before = Some(bonded);
                    silent = false;
                    self.every.saturating_sub(self.pause)
                }
                Err(why) => {
                    if !std::mem::replace(&mut silent, true) {
                        tracing::warn!(
                            why,
                            "the ledger does not say who has a bond: the last list stays in force"
                        );
                    }
                    Duration::ZERO
                }
            };
            sleep(self.pause).await;
            // Woken or not, it is time to ask again.
            let _ = timeout(wait, failing.notified()).await;
        }
    }
}
