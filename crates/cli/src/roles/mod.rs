//! The roles of a network, started in this process with what each asks of the others.

pub mod chain;
pub mod gateway;
pub mod wallet;

/// Returns when the process is asked to end: Ctrl-C, or SIGTERM.
pub async fn until_stopped() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut term) = signal(SignalKind::terminate()) else {
        return;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = term.recv() => {}
    }
}
