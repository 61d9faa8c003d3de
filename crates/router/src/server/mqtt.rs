//! A network server behind an MQTT broker, by the topics of ChirpStack's gateway bridge: `<prefix>/gateway/<eui>/event/up`,
//! `event/stats`, `event/ack` and `state/conn` are published, `command/down` is read. In JSON or protobuf, over TCP or TLS; a broker
//! that is away is tried again.

use super::chirpstack::{self, Downlink, Marshaler, Stats, Status};
use super::{FromServer, ToServer};
use cairn_agent::clock::{Clock, SystemClock};
use rumqttc::{AsyncClient, Event, EventLoop, MqttOptions, Outgoing, Packet, QoS, TlsConfiguration, Transport};
use rustls::ClientConfig;
use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

/// Downlinks whose end is not known; the oldest is given up for a new one.
const PENDING_MAX: usize = 256;
const KEEP_ALIVE: Duration = Duration::from_secs(20);
const RETRY: Duration = Duration::from_secs(5);
const WAITING_MAX: usize = 256;
/// Packets of the broker that wait until they are looked at.
const HEARD_MAX: usize = 16;
/// How long a broker may take to hear that the router stops.
const FAREWELL: Duration = Duration::from_secs(1);
/// How often a server hears that a radio is there; ChirpStack expects it every thirty seconds.
const STATS_EVERY: Duration = Duration::from_secs(30);

/// Who the router is to a broker. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    pub user: String,
    pub password: String,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Login")
    }
}

/// A broker, and where its server looks.
#[derive(Clone)]
pub struct Broker {
    /// A name or an address, one of IPv6 without brackets.
    pub host: String,
    pub port: u16,
    /// The region's name, usually: `eu868`.
    pub prefix: String,
    pub login: Option<Login>,
    /// `None`: in the clear.
    pub tls: Option<Arc<ClientConfig>>,
    pub marshaler: Marshaler,
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

    fn options(&self) -> MqttOptions {
        let mut options = MqttOptions::new(self.client.clone(), self.host.clone(), self.port);
        options.set_keep_alive(KEEP_ALIVE);
        if let Some(Login { user, password }) = &self.login {
            options.set_credentials(user.clone(), password.clone());
        }
        if let Some(tls) = &self.tls {
            options.set_transport(Transport::Tls(TlsConfiguration::Rustls(Arc::clone(tls))));
        }
        options
    }
}

/// Until the channel ends.
pub async fn serve(server: usize, broker: Broker, mut words: mpsc::Receiver<ToServer>, down: mpsc::Sender<FromServer>) {
    let (client, events) = AsyncClient::new(broker.options(), WAITING_MAX);
    let (hear, mut heard) = mpsc::channel(HEARD_MAX);
    let mut line = pin!(line(events, broker.host.clone(), hear));
    let mut talk = Talk {
        server,
        client,
        down,
        broker,
        pending: BTreeMap::new(),
        next: 0,
        online: BTreeMap::new(),
    };
    let mut stats = interval(STATS_EVERY);
    stats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            word = words.recv() => match word {
                None => break,
                Some(word) => talk.told(word),
            },
            _ = stats.tick() => talk.stats(),
            Some(packet) = heard.recv() => talk.heard(&packet),
            () = &mut line => break,
        }
    }
    // What was published last is on its way until the broker hears that nothing more comes.
    talk.offline();
    heard.close();
    let _ = timeout(FAREWELL, line).await;
}

/// The line to a broker, until it is said that nothing more comes. It is never broken off in the middle, as who connects would begin anew.
async fn line(mut events: EventLoop, broker: String, hear: mpsc::Sender<Packet>) {
    loop {
        match events.poll().await {
            Ok(Event::Outgoing(Outgoing::Disconnect)) => return,
            Ok(Event::Incoming(packet @ (Packet::ConnAck(_) | Packet::Publish(_)))) => {
                // Who stops does not listen any more, but has something to say.
                let _ = hear.send(packet).await;
            }
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(broker, %error, "the broker does not answer; it is tried again");
                tokio::select! {
                    () = sleep(RETRY) => {}
                    () = hear.closed() => return,
                }
            }
        }
    }
}

struct Talk {
    server: usize,
    client: AsyncClient,
    down: mpsc::Sender<FromServer>,
    broker: Broker,
    pending: BTreeMap<u64, (u64, Downlink)>,
    next: u64,
    /// Radios, and what they did since it was told last.
    online: BTreeMap<u64, Stats>,
}

impl Talk {
    fn publish(&self, eui: u64, topic: &str, retain: bool, body: Vec<u8>) {
        let topic = self.broker.topic(eui, topic);
        // A full one loses it, as a broker that is away would.
        if let Err(error) = self.client.try_publish(topic, QoS::AtLeastOnce, retain, body) {
            tracing::warn!(%error, "a packet is lost to the broker");
        }
    }

    fn told(&mut self, word: ToServer) {
        let marshaler = self.broker.marshaler;
        match word {
            ToServer::Uplink(uplink) => {
                self.counted(uplink.eui, |stats| stats.received += 1);
                self.publish(uplink.eui, "event/up", false, marshaler.up(&uplink));
            }
            ToServer::Online(eui) => {
                self.online.insert(eui, Stats::default());
                self.greet(eui);
            }
            ToServer::Offline(eui) => {
                self.online.remove(&eui);
                self.gone(eui);
            }
            ToServer::Told { token, error } => {
                let Some((eui, mut downlink)) = self.pending.remove(&token) else {
                    return;
                };
                downlink.statuses.push(Status::of(&error));
                if error.is_empty() {
                    self.counted(eui, |stats| stats.sent += 1);
                }
                match error.is_empty() || downlink.tries.is_empty() {
                    true => self.publish(eui, "event/ack", false, marshaler.ack(eui, &downlink)),
                    // The next window.
                    false => self.try_next(eui, downlink),
                }
            }
        }
    }

    fn counted(&mut self, eui: u64, count: impl FnOnce(&mut Stats)) {
        if let Some(stats) = self.online.get_mut(&eui) {
            count(stats);
        }
    }

    /// That a radio is there, in both words that servers look for.
    fn greet(&self, eui: u64) {
        let marshaler = self.broker.marshaler;
        self.publish(eui, "state/conn", true, marshaler.connection(eui, true));
        let stats = marshaler.stats(eui, SystemClock.now(), Stats::default());
        self.publish(eui, "event/stats", false, stats);
    }

    fn gone(&self, eui: u64) {
        let state = self.broker.marshaler.connection(eui, false);
        self.publish(eui, "state/conn", true, state);
    }

    /// The router stops: no radio is there any more.
    fn offline(&self) {
        self.online.keys().for_each(|eui| self.gone(*eui));
        // A full one loses it, as it did the rest.
        let _ = self.client.try_disconnect();
    }

    fn stats(&mut self) {
        for (eui, stats) in std::mem::take(&mut self.online) {
            let said = self.broker.marshaler.stats(eui, SystemClock.now(), stats);
            self.publish(eui, "event/stats", false, said);
            self.online.insert(eui, Stats::default());
        }
    }

    fn heard(&mut self, packet: &Packet) {
        match packet {
            Packet::ConnAck(_) => self.connected(),
            Packet::Publish(said) => self.asked(&said.topic, &said.payload),
            _ => {}
        }
    }

    fn connected(&self) {
        let topic = format!("{}/gateway/+/command/down", self.broker.prefix);
        if let Err(error) = self.client.try_subscribe(topic, QoS::AtLeastOnce) {
            tracing::warn!(%error, "downlinks are not asked for");
        }
        self.online.keys().for_each(|eui| self.greet(*eui));
    }

    /// A command of the server.
    fn asked(&mut self, topic: &str, payload: &[u8]) {
        let Some(eui) = self.broker.radio(topic) else { return };
        let Some(downlink) = chirpstack::down(payload) else {
            tracing::warn!(topic, "a downlink cannot be read");
            return;
        };
        self.counted(eui, |stats| stats.asked += 1);
        self.try_next(eui, downlink);
        if self.pending.len() > PENDING_MAX {
            self.pending.pop_first();
        }
    }

    fn try_next(&mut self, eui: u64, mut downlink: Downlink) {
        self.next += 1;
        let json = downlink.tries.remove(0);
        self.pending.insert(self.next, (eui, downlink));
        let ask = FromServer {
            server: self.server,
            eui,
            token: self.next,
            json,
        };
        // A full one loses it: it would be too late.
        let _ = self.down.try_send(ask);
    }
}
