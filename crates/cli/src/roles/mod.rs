//! The roles of a network, started in this process with what each asks of the others.

pub mod archive;
pub mod chain;
mod first_run;
pub mod gateway;
pub mod logs;
pub mod shop;
pub mod up;
pub mod verifier;
pub mod wallet;

use crate::error::{Failure, Kind, OrFail};

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

/// The first of three free ports in a row, from a port upwards: where node, verifier and gateway listen.
pub fn three_ports(from: u16) -> Option<u16> {
    let free = |port: u16| std::net::TcpListener::bind(("127.0.0.1", port)).is_ok();
    (from..from.saturating_add(300))
        .step_by(3)
        .find(|first| (*first..first.saturating_add(3)).all(free))
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
