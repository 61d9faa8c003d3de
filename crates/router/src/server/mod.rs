//! Network servers that a router brings packets to, each a task with two channels. They know no money.

pub mod chirpstack;
pub mod gwmp;
pub mod http;
pub mod mqtt;
pub mod tls;

use cairn_agent::carry::wire::Offer;

/// Packets on their way to one server; more are lost to it.
pub const TO_SERVER_MAX: usize = 1_024;
/// Downlinks of all servers that wait.
pub const FROM_SERVERS_MAX: usize = 1_024;

/// A bought packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uplink {
    /// The radio it came by.
    pub eui: u64,
    pub offer: Offer,
    pub frame: Vec<u8>,
}

impl Uplink {
    /// The radio's counter when the frame ended; one of the device's clock where it has none.
    pub fn counter_us(&self) -> u32 {
        let of_clock = self.offer.heard.0.wrapping_mul(1_000) as u32;
        self.offer.counter_us.unwrap_or(of_clock)
    }

    /// In whole decibels, rounded down.
    pub fn rssi_dbm(&self) -> i32 {
        i32::from(self.offer.rssi_ddbm).div_euclid(10)
    }

    /// Unique enough for a server that tells copies apart.
    pub fn id(&self) -> u32 {
        let hash = &self.offer.frame.0;
        u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]]) ^ self.counter_us() ^ self.eui as u32
    }
}

/// What a server is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToServer {
    Uplink(Uplink),
    /// What became of its downlink: nothing, or the word for what hindered it.
    Told {
        token: u64,
        error: String,
    },
    Online(u64),
    Offline(u64),
}

/// A server's downlink.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FromServer {
    /// Its place among the servers.
    pub server: usize,
    pub eui: u64,
    /// Its own name for it.
    pub token: u64,
    /// As in a PULL_RESP.
    pub json: Vec<u8>,
}
