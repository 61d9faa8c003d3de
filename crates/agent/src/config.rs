//! The agent's configuration: a TOML file that people write by hand, so that it can hold comments. Reading it opens no socket
//! and makes no key; see `examples/agent.toml`.

use crate::agent::Parts;
use crate::backoff::Backoff;
use crate::beacon::schedule::{Hotspot, Net};
use crate::carry::carrier::Radio;
use crate::device::Network;
use crate::gwmp::mux::{self, Forwarder, Mux};
use crate::keys::{KeyKind, Keys, is_name};
use crate::outbox::Limits;
use crate::routes::{Policy, VERIFIERS_DEFAULT, VERIFIERS_MAX, is_address};
use crate::shell::Ports;
use crate::uplink::Verifier;
use cairn_types::{AccountId, CellId, DeviceId, EpochClock, NetworkId, PublicKey, TimeMs};
use cairn_verticals::Vertical;
use cairn_verticals::wireless::Wireless;
use cairn_verticals::wireless::params::Params;
use cairn_verticals::wireless::region;
use serde::Deserialize;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use thiserror::Error;

/// The longest configuration that is read.
pub const CONFIG_BYTES_MAX: usize = 64 << 20;

/// The smallest outbox that makes sense: a few of the longest messages.
pub const OUTBOX_BYTES_MIN: u64 = 4 << 20;

/// Gateways that are asked for customers.
const GATEWAYS_MAX: usize = 8;

/// Bytes of a chain's key.
const GROUP_KEY_BYTES: usize = 96;

#[derive(Debug, Error)]
pub enum ConfigError {
    #[error("the configuration has more than {CONFIG_BYTES_MAX} bytes")]
    TooLong,
    #[error("{0}")]
    Toml(#[from] toml::de::Error),
    #[error("{field}: {what}")]
    Bad { field: String, what: String },
}

fn bad(field: impl Into<String>, what: impl Into<String>) -> ConfigError {
    ConfigError::Bad {
        field: field.into(),
        what: what.into(),
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The folder of keys, outbox and journal.
    pub data: PathBuf,
    #[serde(default)]
    pub ports: PortsConfig,
    #[serde(default)]
    pub outbox: OutboxConfig,
    /// Where the ledger is asked who has a bond. Without it every verifier here is sent to, and nobody else.
    pub ledger: Option<LedgerConfig>,
    #[serde(rename = "verifier")]
    pub verifiers: Vec<VerifierConfig>,
    #[serde(rename = "network")]
    pub networks: Vec<NetworkConfig>,
    /// Packet forwarders of radios, each a device of a network.
    #[serde(rename = "forwarder", default)]
    pub forwarders: Vec<ForwarderConfig>,
    /// Whether packets are carried for customers of gateways. It needs the ledger.
    pub carry: Option<CarryConfig>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PortsConfig {
    pub http: Option<SocketAddr>,
    pub mqtt: Option<SocketAddr>,
    /// Where packet forwarders send their datagrams to. It opens only where there are forwarders.
    pub gwmp: SocketAddr,
    /// Whether ports may listen on other addresses than this machine's own loopback. They ask nobody for a password.
    pub exposed: bool,
}

impl Default for PortsConfig {
    fn default() -> Self {
        Self {
            http: Some(SocketAddr::from(([127, 0, 0, 1], 7080))),
            mqtt: Some(SocketAddr::from(([127, 0, 0, 1], 1883))),
            gwmp: SocketAddr::from(([127, 0, 0, 1], 1680)),
            exposed: false,
        }
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OutboxConfig {
    pub bytes_max: u64,
    /// Bytes of receipts that are kept after their reports have gone.
    pub receipts_bytes_max: u64,
}

impl Default for OutboxConfig {
    fn default() -> Self {
        Self {
            bytes_max: Limits::default().bytes_max,
            receipts_bytes_max: 64 << 20,
        }
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VerifierConfig {
    pub url: String,
    /// The verifier's account on the ledger, 64 hexadecimal digits.
    pub account: String,
    /// The key that signs its receipts: `ed25519:…` or `p256:…`.
    pub key: String,
}

/// A node, and what its answers are held against: the chain's own key.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LedgerConfig {
    /// `http://host:port`
    pub node: String,
    pub chain: String,
    /// In hex, as are the next.
    pub group_key: String,
    pub genesis: String,
    #[serde(default)]
    pub era: u32,
    /// Whether reports may go to verifiers that are not named here.
    #[serde(default = "discover")]
    pub discover: bool,
    /// To how many verifiers they may go, together with those named here.
    #[serde(default = "verifiers_max")]
    pub verifiers_max: usize,
}

fn discover() -> bool {
    true
}

fn verifiers_max() -> usize {
    VERIFIERS_DEFAULT
}

impl LedgerConfig {
    fn check(&self) -> Result<(), ConfigError> {
        let digits = |text: &str, bytes: usize| text.len() == 2 * bytes && hex::decode(text).is_ok();
        if !is_address(&self.node) {
            return Err(bad("ledger.node", "an address is like http://host:8640"));
        }
        if !digits(&self.group_key, GROUP_KEY_BYTES) || !digits(&self.genesis, 32) {
            let what =
                "the chain's key and the digest of its genesis are hexadecimal, as `cairn agent init` writes them";
            return Err(bad("ledger", what));
        }
        if !(1..=VERIFIERS_MAX).contains(&self.verifiers_max) {
            return Err(bad("ledger.verifiers_max", format!("use 1 to {VERIFIERS_MAX}")));
        }
        Ok(())
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkConfig {
    pub name: String,
    /// 64 hexadecimal digits.
    pub id: String,
    pub vertical: String,
    /// The network's parameters as the ledger has them, in hex; the vertical's own where there are none.
    pub params: Option<String>,
    /// The start of epoch 0.
    pub genesis: String,
    pub epoch_ms: u64,
    #[serde(default = "readings_max")]
    pub readings_max: u32,
    #[serde(default = "grace_ms")]
    pub grace_ms: u64,
    /// Which keys are made for devices that have none.
    #[serde(default)]
    pub key: KeyKind,
    pub devices: Vec<String>,
}

/// Carrying packets for money.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CarryConfig {
    /// Where customers say what they want: `http://host:port`.
    pub gateways: Vec<String>,
    /// The most any customer may owe a device before it signs, in credits.
    #[serde(default = "exposure_max")]
    pub exposure_max: u64,
}

fn exposure_max() -> u64 {
    10_000
}

/// A radio with a packet forwarder.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ForwarderConfig {
    /// The radio's number, as its forwarder says it (`gateway_ID`): 16 hexadecimal digits.
    pub eui: String,
    /// The device whose reports its receptions are.
    pub device: String,
    /// EU868, US915, …
    pub region: String,
    /// Where the antenna stands, as an H3 cell; metres above the sea; what it gains, in dBi.
    pub cell: Option<String>,
    pub height: Option<i16>,
    pub gain: Option<f64>,
    /// The longest transmission in milliseconds, where the country has another limit than the region; 0: any.
    pub dwell_ms: Option<u16>,
    /// Other servers that get its uplinks too, and may ask for downlinks: `host:port`.
    #[serde(default)]
    pub upstreams: Vec<String>,
    /// Whether it sends the beacons that prove coverage. They need the ledger.
    #[serde(default = "beacons")]
    pub beacons: bool,
    /// The most they radiate (EIRP), in dBm; what the region allows, unless told otherwise.
    pub beacon_power: Option<i16>,
}

fn beacons() -> bool {
    true
}

fn readings_max() -> u32 {
    512
}

fn grace_ms() -> u64 {
    60_000
}

impl Config {
    /// Reads a configuration and checks what can be checked without a disk or a socket.
    pub fn read(text: &str) -> Result<Self, ConfigError> {
        if text.len() > CONFIG_BYTES_MAX {
            return Err(ConfigError::TooLong);
        }
        let config: Self = toml::from_str(text)?;
        let gwmp = Some(config.ports.gwmp);
        let listens = [
            ("ports.http", config.ports.http),
            ("ports.mqtt", config.ports.mqtt),
            ("ports.gwmp", gwmp),
        ];
        for (field, address) in listens {
            if address.is_some_and(|address| !address.ip().is_loopback()) && !config.ports.exposed {
                let hint = "anybody who reaches it can speak for the devices; say `exposed = true` if that is meant";
                return Err(bad(field, hint));
            }
        }
        if config.outbox.bytes_max < OUTBOX_BYTES_MIN {
            return Err(bad(
                "outbox.bytes_max",
                format!("it must be at least {OUTBOX_BYTES_MIN}"),
            ));
        }
        if let Some(ledger) = &config.ledger {
            ledger.check()?;
        }
        config.parts([0; 32])?;
        let gateways = config.carry.as_ref().map(|carry| carry.gateways.as_slice());
        let gateways = gateways.unwrap_or_default();
        if gateways.len() > GATEWAYS_MAX || !gateways.iter().all(|gateway| is_address(gateway)) {
            let what = format!("at most {GATEWAYS_MAX} addresses like http://host:8642");
            return Err(bad("carry.gateways", what));
        }
        let forwarders = config.forwarders()?;
        Mux::new(forwarders).map_err(|error| bad("forwarder", error.to_string()))?;
        Ok(config)
    }

    pub fn keys_path(&self) -> PathBuf {
        self.data.join("keys")
    }

    pub fn outbox_path(&self) -> PathBuf {
        self.data.join("outbox")
    }

    pub fn journal_path(&self) -> PathBuf {
        self.data.join("journal")
    }

    /// Where the list of verifiers of a chain is kept, by the digest of its genesis.
    pub fn bonded_path(&self, genesis: &[u8; 32]) -> PathBuf {
        self.data.join(format!("bonded-{}", hex::encode(&genesis[..8])))
    }

    /// Where it is kept which beacon each radio was last handed.
    pub fn beacons_path(&self) -> PathBuf {
        self.data.join("beacons")
    }

    /// Which verifiers may be sent to, for an agent of which this is the first device.
    pub fn policy(&self, device: DeviceId, discover: bool, verifiers_max: usize) -> Result<Policy, ConfigError> {
        Ok(Policy {
            own: self.verifiers.iter().map(verifier).collect::<Result<_, _>>()?,
            discover,
            verifiers_max,
            device,
        })
    }

    pub fn ports(&self) -> Result<Ports, ConfigError> {
        let forwarders = self.forwarders()?;
        Ok(Ports {
            http: self.ports.http,
            mqtt: self.ports.mqtt,
            gwmp: (!forwarders.is_empty()).then_some((self.ports.gwmp, forwarders)),
        })
    }

    /// The radios that may carry packets, with the keys of their devices; none where nothing is carried.
    pub fn radios(&self, keys: &Keys) -> Result<Vec<Radio>, ConfigError> {
        let mut radios = Vec::new();
        if self.carry.is_none() {
            return Ok(radios);
        }
        for (place, forwarder) in self.forwarders()?.into_iter().enumerate() {
            let of_device = |config: &&NetworkConfig| config.devices.contains(&forwarder.device);
            let Some(config) = self.networks.iter().find(of_device) else {
                continue;
            };
            let network = network(config)?;
            let params = Params::decode(&network.params).map_err(|error| bad("params", error.to_string()))?;
            let Some(key) = keys.get(&forwarder.device) else {
                continue;
            };
            radios.push(Radio {
                forwarder: place,
                device: key.public().device_id(),
                key: key.clone(),
                name: forwarder.device,
                eui: forwarder.eui.0,
                network: network.id,
                params,
            });
        }
        Ok(radios)
    }

    /// The radios that beacon, with the devices of these keys, and their networks.
    pub fn hotspots(&self, keys: &Keys) -> Result<(Vec<Net>, Vec<Hotspot>), ConfigError> {
        let (mut nets, mut hotspots): (Vec<Net>, Vec<Hotspot>) = Default::default();
        let configs = self.forwarders.iter();
        for (place, (config, forwarder)) in configs.zip(self.forwarders()?).enumerate() {
            let of_device = |network: &&NetworkConfig| network.devices.contains(&forwarder.device);
            let (Some(of), Some(key)) = (self.networks.iter().find(of_device), keys.get(&forwarder.device)) else {
                continue;
            };
            let Some(region) = region::number(&forwarder.region).and_then(region::by_number) else {
                continue;
            };
            if !config.beacons {
                continue;
            }
            let network = network(of)?;
            let known = nets.iter().position(|net| net.id == network.id);
            let at = match known {
                Some(at) => at,
                None => {
                    let params = Params::decode(&network.params).map_err(|error| bad("params", error.to_string()))?;
                    nets.push(Net {
                        id: network.id,
                        clock: network.clock,
                        params,
                    });
                    nets.len() - 1
                }
            };
            hotspots.push(Hotspot {
                forwarder: place,
                network: at,
                device: key.public().device_id(),
                region,
                station: mux::station(&forwarder),
                power_dbm: config.beacon_power,
                name: forwarder.device,
            });
        }
        Ok((nets, hotspots))
    }

    /// The forwarders, each of a device that is here and in a network of radios.
    fn forwarders(&self) -> Result<Vec<Forwarder>, ConfigError> {
        let mut taken = BTreeSet::new();
        let mut forwarders = Vec::new();
        for config in &self.forwarders {
            let field = |name: &str| format!("forwarder {}: {name}", config.eui);
            let network = |network: &&NetworkConfig| network.devices.contains(&config.device);
            match self.networks.iter().find(network) {
                None => return Err(bad(field("device"), "no network here has a device of this name")),
                Some(network) if network.vertical != Wireless.name() => {
                    let what = format!(
                        "the device's network is of the vertical {}, not wireless",
                        network.vertical
                    );
                    return Err(bad(field("device"), what));
                }
                Some(_) if !taken.insert(&config.device) => {
                    return Err(bad(field("device"), "a device has one radio; register another one"));
                }
                Some(_) => {}
            }
            let cell = config.cell.as_ref().map(|cell| cell.parse::<CellId>());
            if cell.is_some_and(|cell| cell.is_err()) {
                return Err(bad(field("cell"), "an H3 cell is like 881969c9b7fffff"));
            }
            if config.gain.is_some_and(|gain| !(-30.0..=60.0).contains(&gain)) {
                return Err(bad(field("gain"), "antennas gain -30 to 60 dBi"));
            }
            if config.beacon_power.is_some_and(|power| !(0..=36).contains(&power)) {
                return Err(bad(field("beacon_power"), "beacons are sent with 0 to 36 dBm"));
            }
            forwarders.push(Forwarder {
                eui: config.eui.parse().map_err(|what| bad(field("eui"), what))?,
                device: config.device.clone(),
                region: config.region.clone(),
                cell: config.cell.clone(),
                height: config.height,
                gain: config.gain,
                dwell_ms: config.dwell_ms,
                upstreams: config.upstreams.clone(),
            });
        }
        Ok(forwarders)
    }

    /// Every device with the kind of key to make for it when it has none.
    pub fn devices(&self) -> impl Iterator<Item = (&str, KeyKind)> {
        let of = |network: &'_ NetworkConfig| network.key;
        self.networks
            .iter()
            .flat_map(move |network| network.devices.iter().map(move |name| (name.as_str(), of(network))))
    }

    /// What `Agent::open` needs. `seed` is where jitter comes from.
    pub fn parts(&self, seed: [u8; 32]) -> Result<Parts, ConfigError> {
        let networks = self.networks.iter().map(network).collect::<Result<Vec<_>, _>>()?;
        let mut devices = Vec::new();
        for (place, network) in self.networks.iter().enumerate() {
            for name in &network.devices {
                if !is_name(name) {
                    return Err(bad(
                        format!("network {}: devices", network.name),
                        format!("{name:?} is no name"),
                    ));
                }
                devices.push((name.clone(), place));
            }
        }
        Ok(Parts {
            networks,
            devices,
            verifiers: self.verifiers.iter().map(verifier).collect::<Result<_, _>>()?,
            limits: Limits {
                bytes_max: self.outbox.bytes_max,
                file_bytes: (self.outbox.bytes_max / 16).min(Limits::default().file_bytes),
            },
            backoff: Backoff::default(),
            receipts_bytes_max: self.outbox.receipts_bytes_max,
            seed,
        })
    }
}

fn network(config: &NetworkConfig) -> Result<Network, ConfigError> {
    let field = |name: &str| format!("network {}: {name}", config.name);
    let id: NetworkId = config
        .id
        .parse()
        .map_err(|error| bad(field("id"), format!("{error}")))?;
    let vertical = cairn_verticals::by_name(&config.vertical).ok_or_else(|| {
        let names: Vec<_> = cairn_verticals::ALL.iter().map(|vertical| vertical.name()).collect();
        bad(field("vertical"), format!("use one of: {}", names.join(", ")))
    })?;
    let params = match &config.params {
        None => vertical.default_params(),
        Some(digits) => hex::decode(digits).map_err(|error| bad(field("params"), error.to_string()))?,
    };
    vertical
        .check_params(&params)
        .map_err(|error| bad(field("params"), error.to_string()))?;
    let genesis: TimeMs = config
        .genesis
        .parse()
        .map_err(|error| bad(field("genesis"), format!("{error}")))?;
    if config.epoch_ms == 0 {
        return Err(bad(field("epoch_ms"), "an epoch has a length"));
    }
    Ok(Network {
        name: config.name.clone(),
        id,
        vertical,
        params,
        clock: EpochClock {
            genesis,
            epoch_ms: config.epoch_ms,
        },
        readings_max: config.readings_max,
        grace_ms: config.grace_ms,
    })
}

fn verifier(config: &VerifierConfig) -> Result<Verifier, ConfigError> {
    let field = |name: &str| format!("verifier {}: {name}", config.url);
    if !config.url.starts_with("http://") {
        return Err(bad(field("url"), "an address starts with http://"));
    }
    let account: AccountId = config
        .account
        .parse()
        .map_err(|error| bad(field("account"), format!("{error}")))?;
    let key: PublicKey = config
        .key
        .parse()
        .map_err(|error| bad(field("key"), format!("{error}")))?;
    Ok(Verifier {
        url: config.url.clone(),
        account,
        key,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = include_str!("../examples/agent.toml");

    #[test]
    fn the_example_is_a_configuration() {
        let config = Config::read(EXAMPLE).unwrap();
        let parts = config.parts([0; 32]).unwrap();
        assert_eq!(
            (parts.networks.len(), parts.devices.len(), parts.verifiers.len()),
            (2, 3, 1)
        );
        let ports = config.ports().unwrap();
        assert_eq!(ports.mqtt, PortsConfig::default().mqtt);
        let (address, forwarders) = ports.gwmp.unwrap();
        assert_eq!((address.port(), forwarders[0].upstreams.len()), (1680, 1));
        assert_eq!(config.devices().next(), Some(("gauge-1", KeyKind::Ed25519)));
    }

    #[test]
    fn mistakes_are_named() {
        for (from, to, named) in [
            ("[outbox]", "[outbux]", "outbux"),
            ("sensors", "sensor", "use one of: sensors"),
            ("127.0.0.1:7080", "0.0.0.0:7080", "exposed"),
            ("bytes_max = 536870912", "bytes_max = 1000", "outbox.bytes_max"),
            ("epoch_ms = 3600000", "epoch_ms = 0", "epoch_ms"),
            ("[\"gauge-1", "[\"gauge/1", "gauge/1"),
            ("http://127", "ftp://127", "http://"),
            ("key = \"ed25519:", "key = \"rsa:", "key"),
            ("http://127.0.0.1:8640", "https://127.0.0.1:8640", "ledger.node"),
            ("group_key = \"00", "group_key = \"0x", "hexadecimal"),
            ("genesis = \"07", "genesis = \"7", "hexadecimal"),
            ("verifiers_max = 8", "verifiers_max = 0", "ledger.verifiers_max"),
            ("127.0.0.1:1680", "0.0.0.0:1680", "exposed"),
            ("device = \"hotspot-1", "device = \"gauge-1", "not wireless"),
            ("device = \"hotspot-1", "device = \"hotspot-2", "no network here"),
            ("EU868", "MOON", "no plan here"),
            ("eui = \"00", "eui = \"0", "16 hexadecimal digits"),
            (
                "eu1.cloud.thethings.network:1700",
                "eu1.cloud.thethings.network",
                "like host:1700",
            ),
            ("cell = \"88", "cell = \"8", "H3 cell"),
            ("http://127.0.0.1:8642", "127.0.0.1:8642", "carry.gateways"),
            ("gain = 3.0", "gain = 300.0", "dBi"),
        ] {
            assert!(EXAMPLE.contains(from), "{from}");
            let error = Config::read(&EXAMPLE.replacen(from, to, 1)).unwrap_err().to_string();
            assert!(error.contains(named), "{error}");
        }
    }
}
