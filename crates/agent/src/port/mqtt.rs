//! MQTT 3.1.1, the part that a device needs: it connects, publishes to `cairn/<device name>/readings` and is acknowledged.
//!
//! A PUBACK means that the message is on disk. What cannot be kept is not acknowledged: the connection ends, as the standard
//! asks of a server that will not take a publish (MQTT-3.3.5-2). QoS 2 ends it too; nobody can subscribe; wills are ignored.

use super::guard::Guard;
use crate::agent::TakeError;
use crate::device::MESSAGE_BYTES_MAX;
use crate::shell::mailbox::Mailbox;
use bytes::BytesMut;
use futures::stream::{FuturesOrdered, StreamExt};
use rumqttc::mqttbytes::v4::{
    ConnAck, Connect, ConnectReturnCode, Packet, PubAck, Publish, SubAck, SubscribeReasonCode, UnsubAck,
};
use rumqttc::mqttbytes::{self, QoS};
use std::future::{Future, pending};
use std::io;
use std::time::Duration;
use thiserror::Error;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

/// Connections at once.
pub const CONNECTIONS_MAX: usize = 4_096;
/// The longest packet: a message and its topic.
pub const PACKET_BYTES_MAX: usize = MESSAGE_BYTES_MAX + 1_024;
/// How long a new connection may take to say who it is, and a client to read an answer.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// How long a client may be silent that promises no keep-alive.
const SILENCE_MAX: Duration = Duration::from_secs(600);
/// Publishes of one connection that wait for the disk; more are not read until some are done.
const WAITING_MAX: usize = 256;
const READ_BYTES: usize = 16 * 1024;

/// Why a connection ends.
#[derive(Debug, Error)]
enum End {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("the client left")]
    Left,
    #[error("nothing came in time")]
    Silent,
    #[error("not MQTT: {0}")]
    Malformed(mqttbytes::Error),
    #[error("a packet that does not belong here")]
    Unexpected,
    #[error("MQTT {0} is not spoken here")]
    Version(u8),
    #[error("QoS 2 is not spoken here")]
    ExactlyOnce,
    #[error("a message was not taken: {0}")]
    NotTaken(TakeError),
    #[error("the agent stops")]
    Stopping,
}

/// Serves until `stop` is done; then connections end once what they wait for is acknowledged.
pub async fn serve<F: Future<Output = ()> + Send + 'static>(
    guard: Guard,
    mailbox: Mailbox,
    stop: impl Fn() -> F + Send + 'static,
) {
    let mut connections = JoinSet::new();
    let stopped = stop();
    tokio::pin!(stopped);
    loop {
        tokio::select! {
            (stream, address, place) = guard.next() => {
                let (mailbox, stop) = (mailbox.clone(), stop());
                connections.spawn(async move {
                    let end = connection(stream, mailbox, stop).await;
                    tracing::debug!(%address, %end, "an MQTT connection ended");
                    drop(place);
                });
            }
            Some(_) = connections.join_next() => {}
            () = &mut stopped => break,
        }
    }
    drop(mailbox);
    while connections.join_next().await.is_some() {}
}

struct Wire {
    stream: TcpStream,
    unread: BytesMut,
}

impl Wire {
    /// A whole packet, if one is there.
    fn parse(&mut self) -> Result<Option<Packet>, End> {
        match Packet::read(&mut self.unread, PACKET_BYTES_MAX) {
            Ok(packet) => Ok(Some(packet)),
            Err(mqttbytes::Error::InsufficientBytes(_)) => Ok(None),
            Err(error) => Err(End::Malformed(error)),
        }
    }

    /// Reads some more bytes. Loses none when it is dropped before it is done.
    async fn fill(&mut self) -> Result<(), End> {
        self.unread.reserve(READ_BYTES);
        match self.stream.read_buf(&mut self.unread).await? {
            0 => Err(End::Left),
            _ => Ok(()),
        }
    }

    async fn send(&mut self, packet: Packet) -> Result<(), End> {
        let mut bytes = BytesMut::new();
        packet.write(&mut bytes, PACKET_BYTES_MAX).map_err(End::Malformed)?;
        self.send_bytes(&bytes).await
    }

    async fn send_bytes(&mut self, bytes: &[u8]) -> Result<(), End> {
        timeout(PATIENCE, self.stream.write_all(bytes))
            .await
            .map_err(|_| End::Silent)??;
        Ok(())
    }
}

async fn connection(stream: TcpStream, mailbox: Mailbox, stop: impl Future<Output = ()>) -> End {
    let mut wire = Wire {
        stream,
        unread: BytesMut::new(),
    };
    let met = timeout(PATIENCE, meet(&mut wire)).await;
    match met.unwrap_or(Err(End::Silent)) {
        Ok(silence_max) => talk(&mut wire, &mailbox, silence_max, stop)
            .await
            .err()
            .unwrap_or(End::Left),
        Err(end) => end,
    }
}

/// The version of MQTT that the first packet speaks, as soon as enough of it is there.
pub fn version(unread: &[u8]) -> Option<u8> {
    let after_length = 1
        + unread
            .iter()
            .skip(1)
            .take(4)
            .take_while(|byte| **byte & 0x80 != 0)
            .count()
        + 1;
    let name_length = unread.get(after_length..after_length + 2)?;
    let name_length = usize::from(u16::from_be_bytes([name_length[0], name_length[1]]));
    unread.get(after_length + 2 + name_length).copied()
}

/// Waits for CONNECT and answers it; says how long the client may be silent.
async fn meet(wire: &mut Wire) -> Result<Duration, End> {
    let connect = loop {
        if wire.unread.first().is_some_and(|first| *first != 0x10) {
            return Err(End::Unexpected);
        }
        match version(&wire.unread) {
            None if wire.unread.len() > PACKET_BYTES_MAX => return Err(End::Unexpected),
            None | Some(4) => {}
            // CONNACK of version 5: reason 0x84, unsupported protocol version, no properties.
            Some(5) => {
                wire.send_bytes(&[0x20, 3, 0, 0x84, 0]).await?;
                return Err(End::Version(5));
            }
            Some(other) => {
                refuse(wire, ConnectReturnCode::RefusedProtocolVersion).await?;
                return Err(End::Version(other));
            }
        }
        match wire.parse()? {
            Some(Packet::Connect(connect)) => break connect,
            Some(_) => return Err(End::Unexpected),
            None => wire.fill().await?,
        }
    };
    if connect.client_id.is_empty() && !connect.clean_session {
        refuse(wire, ConnectReturnCode::BadClientId).await?;
        return Err(End::Unexpected);
    }
    wire.send(Packet::ConnAck(ConnAck::new(ConnectReturnCode::Success, false)))
        .await?;
    Ok(silence_max(&connect))
}

async fn refuse(wire: &mut Wire, code: ConnectReturnCode) -> Result<(), End> {
    wire.send(Packet::ConnAck(ConnAck::new(code, false))).await
}

/// One and a half times what the client promised (MQTT-3.1.2-24).
fn silence_max(connect: &Connect) -> Duration {
    match connect.keep_alive {
        0 => SILENCE_MAX,
        seconds => Duration::from_millis(u64::from(seconds) * 1_500),
    }
}

async fn talk(
    wire: &mut Wire,
    mailbox: &Mailbox,
    silence_max: Duration,
    stop: impl Future<Output = ()>,
) -> Result<(), End> {
    let mut acks = FuturesOrdered::new();
    let mut until = Instant::now() + silence_max;
    let mut stopping = false;
    tokio::pin!(stop);
    loop {
        while acks.len() < WAITING_MAX && !stopping {
            let Some(packet) = wire.parse()? else { break };
            until = Instant::now() + silence_max;
            match packet {
                Packet::Publish(publish) => {
                    let (id, name) = address(&publish)?;
                    let taken = mailbox.take(&name, publish.payload).await.map_err(End::NotTaken)?;
                    acks.push_back(async move { (id, taken.await) });
                }
                Packet::PingReq => wire.send(Packet::PingResp).await?,
                Packet::Subscribe(subscribe) => {
                    let codes = vec![SubscribeReasonCode::Failure; subscribe.filters.len()];
                    wire.send(Packet::SubAck(SubAck::new(subscribe.pkid, codes))).await?;
                }
                Packet::Unsubscribe(unsubscribe) => {
                    wire.send(Packet::UnsubAck(UnsubAck::new(unsubscribe.pkid))).await?;
                }
                Packet::Disconnect => return Err(End::Left),
                _ => return Err(End::Unexpected),
            }
        }
        if stopping && acks.is_empty() {
            return Err(End::Stopping);
        }
        let reading = acks.len() < WAITING_MAX && !stopping;
        tokio::select! {
            (id, taken) = async {
                match acks.next().await {
                    Some(ack) => ack,
                    None => pending().await,
                }
            } => match (id, taken) {
                (Some(id), Ok(_)) => wire.send(Packet::PubAck(PubAck::new(id))).await?,
                (Some(_), Err(error)) => return Err(End::NotTaken(error)),
                // QoS 0 promises nothing, and the agent's status counts what was refused.
                (None, _) => {}
            },
            filled = wire.fill(), if reading => filled?,
            () = sleep_until(until), if reading => return Err(End::Silent),
            () = &mut stop, if !stopping => stopping = true,
        }
    }
}

/// The packet's id, if it wants an acknowledgement, and the device it is for.
fn address(publish: &Publish) -> Result<(Option<u16>, String), End> {
    let id = match publish.qos {
        QoS::AtMostOnce => None,
        QoS::AtLeastOnce => Some(publish.pkid),
        QoS::ExactlyOnce => return Err(End::ExactlyOnce),
    };
    let name = publish
        .topic
        .strip_prefix("cairn/")
        .and_then(|rest| rest.strip_suffix("/readings"));
    match name.filter(|name| crate::keys::is_name(name)) {
        Some(name) => Ok((id, name.to_owned())),
        None => Err(End::NotTaken(TakeError::UnknownDevice)),
    }
}
