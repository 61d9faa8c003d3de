//! A network server, or anything else, that takes uplinks over HTTP: ChirpStack's uplink as JSON, one request each, in order. Downlinks
//! do not come this way.

use super::ToServer;
use super::chirpstack::Marshaler;
use std::time::Duration;
use tokio::sync::mpsc;

const ANSWER_WAIT_MAX: Duration = Duration::from_secs(10);

/// Posts to `url` until the channel ends. What is not taken is lost: it would be too late.
pub async fn serve(url: String, mut words: mpsc::Receiver<ToServer>) {
    let client = reqwest::Client::builder().timeout(ANSWER_WAIT_MAX).build();
    let client = client.expect("a client without files or proxies of its own can be built");
    while let Some(word) = words.recv().await {
        let ToServer::Uplink(uplink) = word else { continue };
        let body = Marshaler::Json.up(&uplink);
        let request = client.post(&url);
        let posted = request
            .header("content-type", "application/json")
            .body(body)
            .send()
            .await;
        match posted.and_then(reqwest::Response::error_for_status) {
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "a packet is lost to the server"),
        }
    }
}
