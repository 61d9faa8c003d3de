//! When a question ends: after a time, or when nobody waits for it any more. What was asked stops then, in the middle of a statement too.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// What ends a statement from outside.
type End = Box<dyn FnOnce() + Send>;

/// Of one question. Clones share it.
#[derive(Clone, Default)]
pub struct Limit(Arc<Inner>);

#[derive(Default)]
struct Inner {
    /// None: no time is set.
    until: Option<Instant>,
    stopped: AtomicBool,
    end: Mutex<Option<End>>,
}

impl Limit {
    pub fn after(time: Duration) -> Self {
        Self(Arc::new(Inner {
            until: Some(Instant::now() + time),
            ..Inner::default()
        }))
    }

    /// What is left of the time; none where none is set.
    pub fn left(&self) -> Option<Duration> {
        self.0
            .until
            .map(|until| until.saturating_duration_since(Instant::now()))
    }

    pub fn is_over(&self) -> bool {
        self.0.stopped.load(Ordering::Acquire) || self.0.until.is_some_and(|until| until <= Instant::now())
    }

    fn end(&self) -> MutexGuard<'_, Option<End>> {
        self.0.end.lock().expect("no holder of the lock panics")
    }

    /// How a statement that runs is ended from outside, for a database that cannot look here itself.
    pub fn ends_by(&self, end: impl FnOnce() + Send + 'static) {
        *self.end() = Some(Box::new(end));
        // Whoever stopped it before found nothing to end.
        if self.0.stopped.load(Ordering::Acquire) {
            self.stop();
        }
    }

    /// Nobody waits any more.
    pub fn stop(&self) {
        self.0.stopped.store(true, Ordering::Release);
        let end = self.end().take();
        if let Some(end) = end {
            end();
        }
    }

    /// Answered: there is nothing to end.
    pub fn done(&self) {
        self.end().take();
    }
}

/// Stops a question when it is dropped before the question was answered.
pub struct Waiting(pub Limit);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.stop();
    }
}
