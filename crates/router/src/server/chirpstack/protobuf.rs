//! The messages in protobuf: of each the fields that are said or looked at, by the numbers of `gw.proto`. What else comes is passed
//! over. Pure.

use super::{CodeRate, Downlink, ITEMS_MAX, Item, Stats, gateway};
use crate::server::Uplink;
use cairn_types::TimeMs;
use prost::Message;

/// `CRCStatus.CRC_OK`, `CodeRate.CR_4_5`.
const CRC_OK: i32 = 2;
const CR_4_5: i32 = 1;

#[derive(Clone, PartialEq, Message)]
struct UplinkFrame {
    #[prost(bytes = "vec", tag = "1")]
    phy_payload: Vec<u8>,
    #[prost(message, optional, tag = "4")]
    tx_info: Option<UplinkTxInfo>,
    #[prost(message, optional, tag = "5")]
    rx_info: Option<UplinkRxInfo>,
}

#[derive(Clone, PartialEq, Message)]
struct UplinkTxInfo {
    #[prost(uint32, tag = "1")]
    frequency: u32,
    #[prost(message, optional, tag = "2")]
    modulation: Option<Modulation>,
}

/// One of them.
#[derive(Clone, PartialEq, Message)]
struct Modulation {
    #[prost(message, optional, tag = "3")]
    lora: Option<Lora>,
    #[prost(message, optional, tag = "4")]
    fsk: Option<Fsk>,
}

#[derive(Clone, PartialEq, Message)]
struct Lora {
    #[prost(uint32, tag = "1")]
    bandwidth: u32,
    #[prost(uint32, tag = "2")]
    spreading_factor: u32,
    #[prost(bool, tag = "4")]
    polarization_inversion: bool,
    #[prost(int32, tag = "5")]
    code_rate: i32,
}

#[derive(Clone, PartialEq, Message)]
struct Fsk {
    #[prost(uint32, tag = "1")]
    frequency_deviation: u32,
    #[prost(uint32, tag = "2")]
    datarate: u32,
}

#[derive(Clone, PartialEq, Message)]
struct UplinkRxInfo {
    #[prost(string, tag = "1")]
    gateway_id: String,
    #[prost(uint32, tag = "2")]
    uplink_id: u32,
    #[prost(message, optional, tag = "3")]
    gw_time: Option<Time>,
    #[prost(int32, tag = "6")]
    rssi: i32,
    #[prost(float, tag = "7")]
    snr: f32,
    #[prost(bytes = "vec", tag = "13")]
    context: Vec<u8>,
    #[prost(int32, tag = "16")]
    crc_status: i32,
}

/// A `Timestamp` or a `Duration`.
#[derive(Clone, PartialEq, Message)]
struct Time {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

impl Time {
    fn at(time: TimeMs) -> Self {
        Self {
            seconds: i64::try_from(time.0 / 1_000).unwrap_or(i64::MAX),
            nanos: (time.0 % 1_000) as i32 * 1_000_000,
        }
    }

    fn microseconds(&self) -> Option<u64> {
        let nanos = u64::try_from(self.nanos).ok().filter(|nanos| *nanos < 1_000_000_000)?;
        let seconds = u64::try_from(self.seconds).ok()?;
        seconds.checked_mul(1_000_000)?.checked_add(nanos / 1_000)
    }
}

#[derive(Clone, PartialEq, Message)]
struct GatewayStats {
    #[prost(message, optional, tag = "2")]
    time: Option<Time>,
    #[prost(uint32, tag = "5")]
    rx_packets_received: u32,
    #[prost(uint32, tag = "6")]
    rx_packets_received_ok: u32,
    #[prost(uint32, tag = "7")]
    tx_packets_received: u32,
    #[prost(uint32, tag = "8")]
    tx_packets_emitted: u32,
    #[prost(string, tag = "17")]
    gateway_id: String,
}

#[derive(Clone, PartialEq, Message)]
struct ConnState {
    #[prost(int32, tag = "2")]
    state: i32,
    #[prost(string, tag = "3")]
    gateway_id: String,
}

#[derive(Clone, PartialEq, Message)]
struct DownlinkTxAck {
    #[prost(uint32, tag = "2")]
    downlink_id: u32,
    #[prost(message, repeated, tag = "5")]
    items: Vec<DownlinkTxAckItem>,
    #[prost(string, tag = "6")]
    gateway_id: String,
}

#[derive(Clone, PartialEq, Message)]
struct DownlinkTxAckItem {
    #[prost(int32, tag = "1")]
    status: i32,
}

#[derive(Clone, PartialEq, Message)]
struct DownlinkFrame {
    #[prost(uint32, tag = "3")]
    downlink_id: u32,
    #[prost(message, repeated, tag = "5")]
    items: Vec<DownlinkFrameItem>,
}

#[derive(Clone, PartialEq, Message)]
struct DownlinkFrameItem {
    #[prost(bytes = "vec", tag = "1")]
    phy_payload: Vec<u8>,
    #[prost(message, optional, tag = "3")]
    tx_info: Option<DownlinkTxInfo>,
}

#[derive(Clone, PartialEq, Message)]
struct DownlinkTxInfo {
    #[prost(uint32, tag = "1")]
    frequency: u32,
    #[prost(int32, tag = "2")]
    power: i32,
    #[prost(message, optional, tag = "3")]
    modulation: Option<Modulation>,
    #[prost(message, optional, tag = "6")]
    timing: Option<Timing>,
    #[prost(bytes = "vec", tag = "7")]
    context: Vec<u8>,
}

/// One of them.
#[derive(Clone, PartialEq, Message)]
struct Timing {
    #[prost(message, optional, tag = "1")]
    immediately: Option<Nothing>,
    #[prost(message, optional, tag = "2")]
    delay: Option<Length>,
    #[prost(message, optional, tag = "3")]
    gps_epoch: Option<Length>,
}

#[derive(Clone, PartialEq, Message)]
struct Nothing {}

#[derive(Clone, PartialEq, Message)]
struct Length {
    #[prost(message, optional, tag = "1")]
    time: Option<Time>,
}

impl Length {
    fn microseconds(&self) -> Option<u64> {
        self.time.as_ref().map_or(Some(0), Time::microseconds)
    }
}

pub fn up(uplink: &Uplink) -> Vec<u8> {
    let offer = &uplink.offer;
    let lora = Lora {
        bandwidth: offer.bandwidth_hz,
        spreading_factor: offer.spreading.into(),
        polarization_inversion: false,
        code_rate: CR_4_5,
    };
    let modulation = Modulation {
        lora: Some(lora),
        fsk: None,
    };
    let tx_info = UplinkTxInfo {
        frequency: offer.frequency_hz,
        modulation: Some(modulation),
    };
    let rx_info = UplinkRxInfo {
        gateway_id: gateway(uplink.eui),
        uplink_id: uplink.id(),
        gw_time: Some(Time::at(offer.heard)),
        rssi: uplink.rssi_dbm(),
        snr: f32::from(offer.snr_ddb) / 10.0,
        context: uplink.counter_us().to_be_bytes().to_vec(),
        crc_status: CRC_OK,
    };
    let frame = UplinkFrame {
        phy_payload: uplink.frame.clone(),
        tx_info: Some(tx_info),
        rx_info: Some(rx_info),
    };
    frame.encode_to_vec()
}

pub fn stats(eui: u64, time: TimeMs, stats: Stats) -> Vec<u8> {
    let stats = GatewayStats {
        time: Some(Time::at(time)),
        rx_packets_received: stats.received,
        rx_packets_received_ok: stats.received,
        tx_packets_received: stats.asked,
        tx_packets_emitted: stats.sent,
        gateway_id: gateway(eui),
    };
    stats.encode_to_vec()
}

pub fn connection(eui: u64, online: bool) -> Vec<u8> {
    let state = ConnState {
        state: online.into(),
        gateway_id: gateway(eui),
    };
    state.encode_to_vec()
}

pub fn ack(eui: u64, downlink: &Downlink) -> Vec<u8> {
    let all = downlink.all().into_iter();
    let ack = DownlinkTxAck {
        downlink_id: downlink.id,
        items: all.map(|status| DownlinkTxAckItem { status: status as i32 }).collect(),
        gateway_id: gateway(eui),
    };
    ack.encode_to_vec()
}

pub fn down(bytes: &[u8]) -> Option<(u32, Vec<Item>)> {
    let frame = DownlinkFrame::decode(bytes).ok()?;
    let items: Option<Vec<_>> = frame.items.into_iter().take(ITEMS_MAX).map(item).collect();
    Some((frame.downlink_id, items?))
}

fn item(item: DownlinkFrameItem) -> Option<Item> {
    let info = item.tx_info?;
    let said = info.modulation?;
    let modulation = match (said.lora, said.fsk) {
        (Some(lora), None) => super::Modulation::Lora {
            bandwidth_hz: lora.bandwidth,
            spreading: lora.spreading_factor,
            code_rate: CodeRate::numbered(lora.code_rate),
            inverted: lora.polarization_inversion,
        },
        (None, Some(fsk)) => super::Modulation::Fsk {
            deviation_hz: fsk.frequency_deviation,
            bits_a_second: fsk.datarate,
        },
        _ => return None,
    };
    let said = info.timing?;
    let timing = match (said.immediately, said.delay, said.gps_epoch) {
        (Some(_), None, None) => super::Timing::Immediately,
        (None, Some(delay), None) => super::Timing::Delay {
            us: delay.microseconds()?,
        },
        (None, None, Some(since)) => super::Timing::GpsEpoch {
            us: since.microseconds()?,
        },
        _ => return None,
    };
    Some(Item {
        frame: item.phy_payload,
        frequency_hz: info.frequency,
        power_dbm: info.power,
        modulation,
        timing,
        context: info.context,
    })
}
