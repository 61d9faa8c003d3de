//! A network server behind an MQTT broker, by the topics of ChirpStack's gateway bridge: `<prefix>/gateway/<eui>/event/up`, `event/ack`
//! and `state/conn` are published, `command/down` is read. JSON; a broker that is away is tried again.

use super::chirpstack::{self, Downlink};
use super::{FromServer, ToServer};
use rumqttc::{AsyncClient, Event, MqttOptions, Packet, QoS};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

/// Downlinks whose end is not known; the oldest is given up for a new one.
const PENDING_MAX: usize = 256;
const KEEP_ALIVE: Duration = Duration::from_secs(20);
const RETRY: Duration = Duration::from_secs(5);
const WAITING_MAX: usize = 256;

/// A broker, and where its server looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broker {
    pub host: String,
    pub port: u16,
    /// The region's name, usually: `eu868`.
    pub prefix: String,
    pub login: Option<(String, String)>,
    /// Names this router to the broker.
    pub client: String,
}

impl Broker {
    fn topic(&self, eui: u64, rest: &str) -> String {
        format!("{}/gateway/{eui:016x}/{rest}", self.prefix)
    }

    /// Whose command a topic is.
    fn radio(&self, topic: &str) -> Option<u64> {
        let rest = topic.strip_prefix(self.prefix.as_str())?.strip_prefix("/gateway/")?;
        let digits = rest.strip_suffix("/command/down")?;
        u64::from_str_radix(digits, 16).ok().filter(|_| digits.len() == 16)
    }
}

/// Until the channel ends.
pub async fn serve(server: usize, broker: Broker, mut words: mpsc::Receiver<ToServer>, down: mpsc::Sender<FromServer>) {
    let mut options = MqttOptions::new(broker.client.clone(), broker.host.clone(), broker.port);
    options.set_keep_alive(KEEP_ALIVE);
    if let Some((user, password)) = &broker.login {
        options.set_credentials(user.clone(), password.clone());
    }
    let (client, mut events) = AsyncClient::new(options, WAITING_MAX);
    let mut pending: BTreeMap<u64, (u64, Downlink)> = BTreeMap::new();
    let mut next = 0;
    let mut online: BTreeSet<u64> = BTreeSet::new();
    let mut rest: Option<Instant> = None;
    let publish = |eui: u64, topic: &str, retain: bool, body: &Value| {
        // A full one loses it, as a broker that is away would.
        if let Err(error) = client.try_publish(broker.topic(eui, topic), QoS::AtLeastOnce, retain, body.to_string()) {
            tracing::warn!(%error, "a packet is lost to the broker");
        }
    };
    loop {
        tokio::select! {
            word = words.recv() => match word {
                None => return,
                Some(ToServer::Uplink(uplink)) => publish(uplink.eui, "event/up", false, &chirpstack::up(&uplink)),
                Some(ToServer::Online(eui)) => {
                    online.insert(eui);
                    publish(eui, "state/conn", true, &chirpstack::connection(eui, true));
                }
                Some(ToServer::Offline(eui)) => {
                    online.remove(&eui);
                    publish(eui, "state/conn", true, &chirpstack::connection(eui, false));
                }
                Some(ToServer::Told { token, error }) => {
                    let Some((eui, mut downlink)) = pending.remove(&token) else { continue };
                    downlink.statuses.push(chirpstack::status(&error));
                    if error.is_empty() || downlink.tries.is_empty() {
                        publish(eui, "event/ack", false, &chirpstack::ack(eui, &downlink));
                        continue;
                    }
                    // The next window.
                    next += 1;
                    let json = downlink.tries.remove(0);
                    pending.insert(next, (eui, downlink));
                    let _ = down.try_send(FromServer { server, eui, token: next, json });
                }
            },
            event = events.poll(), if rest.is_none() => match event {
                Ok(Event::Incoming(Packet::ConnAck(_))) => {
                    let topic = format!("{}/gateway/+/command/down", broker.prefix);
                    if let Err(error) = client.try_subscribe(topic, QoS::AtLeastOnce) {
                        tracing::warn!(%error, "downlinks are not asked for");
                    }
                    for eui in &online {
                        publish(*eui, "state/conn", true, &chirpstack::connection(*eui, true));
                    }
                }
                Ok(Event::Incoming(Packet::Publish(said))) => {
                    let topic = said.topic.clone();
                    let Some(eui) = broker.radio(&topic) else { continue };
                    let Some(mut downlink) = chirpstack::down(&said.payload) else {
                        tracing::warn!(topic, "a downlink cannot be read");
                        continue;
                    };
                    next += 1;
                    let json = downlink.tries.remove(0);
                    pending.insert(next, (eui, downlink));
                    if pending.len() > PENDING_MAX {
                        pending.pop_first();
                    }
                    let _ = down.try_send(FromServer { server, eui, token: next, json });
                }
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(broker = broker.host, %error, "the broker does not answer; it is tried again");
                    rest = Some(Instant::now() + RETRY);
                }
            },
            () = async { sleep_until(rest.expect("it is there")).await }, if rest.is_some() => rest = None,
        }
    }
}
