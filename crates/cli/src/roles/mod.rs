//! The roles of a network, started in this process with what each asks of the others.

pub mod bonded;
pub mod broker;
pub mod chain;
pub mod challenge;
pub mod explorer;
mod first_run;
pub mod fleet;
pub mod gateway;
pub mod logs;
pub mod market;
pub mod shop;
pub mod up;
pub mod verifier;
pub mod wallet;
pub mod watch;

use crate::error::{Failure, Kind, OrFail};
use cairn_node::{NodeEnded, NodeError};

/// Set for a process that another keeps: it ends when that one is gone, which closes its standard input.
pub const SUPERVISED: &str = "CAIRN_SUPERVISED";

/// Ready when the process is asked to end: Ctrl-C, SIGTERM, or the end of whoever keeps it. Listens from now on, not only once it is
/// waited for: call it before anybody is told that the process is ready.
pub fn until_stopped() -> impl Future<Output = ()> {
    use tokio::signal::unix::{SignalKind, signal};
    let signals = [SignalKind::terminate(), SignalKind::interrupt()].map(signal);
    async move {
        let [Ok(mut term), Ok(mut interrupt)] = signals else {
            return;
        };
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = term.recv() => {}
            () = until_alone() => {}
        }
    }
}

/// Returns when whoever keeps this process is gone; never, when nobody does.
async fn until_alone() {
    if std::env::var_os(SUPERVISED).is_none() {
        return std::future::pending().await;
    }
    let (gone, alone) = tokio::sync::oneshot::channel();
    // A thread of its own: it may wait for ever, and ends with the process.
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
        let _ = gone.send(());
    });
    let _ = alone.await;
}

/// A node that did not start.
pub fn node_failed(error: NodeError) -> Failure {
    match error {
        NodeError::Ended(ended) => node_ended(&ended),
        error => {
            let hint = error.hint();
            Failure::new(Kind::Files, error).hint(hint)
        }
    }
}

/// A node that ended by itself.
pub fn node_ended(ended: &NodeEnded) -> Failure {
    let kind = match ended {
        NodeEnded::Failed(_) => Kind::Internal,
        NodeEnded::Unfit(_) => Kind::Upgrade,
    };
    Failure::new(kind, ended).hint(ended.hint())
}

/// The threads of a command.
pub fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    let built = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    built.or_fail(Kind::Internal, "threads cannot be started")
}

/// The service that stands so many ports after a node: verifier 1, gateway 2, as `up` and `demo` start them.
pub fn beside(node: &str, places: u16) -> Result<String, Failure> {
    let odd = || {
        let failure = Failure::new(Kind::Usage, format!("{node} is not http://HOST:PORT"));
        failure.hint("name the verifier with --verifier URL")
    };
    let (host, port) = node.trim_end_matches('/').rsplit_once(':').ok_or_else(odd)?;
    let port: u16 = port.parse().map_err(|_| odd())?;
    Ok(format!("{host}:{}", port.checked_add(places).ok_or_else(odd)?))
}

/// Where node, verifier, gateway and explorer listen: the first of as many free ports in a row, from a port upwards.
pub fn ports_in_a_row(from: u16) -> Option<u16> {
    let free = |port: u16| std::net::TcpListener::bind(("127.0.0.1", port)).is_ok();
    (from..from.saturating_add(400))
        .step_by(4)
        .find(|first| (*first..first.saturating_add(4)).all(free))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_beside_a_node_is_found_by_its_port() {
        assert_eq!(
            beside("http://127.0.0.1:8640", 1).ok().as_deref(),
            Some("http://127.0.0.1:8641")
        );
        assert_eq!(
            beside("http://127.0.0.1:8640/", 2).ok().as_deref(),
            Some("http://127.0.0.1:8642")
        );
        for odd in ["http://node", "http://node:x", "http://node:65535"] {
            assert!(beside(odd, 1).is_err(), "{odd}");
        }
    }
}
