//! A chain with many devices, whose one verifier says what it likes: findings are made up, their results signed, settled and paid. What
//! the ledger holds of it is real.
#![allow(clippy::unwrap_used, reason = "a bench")]

use cairn_ledger::account::Rule;
use cairn_ledger::economics::Parameters;
use cairn_ledger::records::Settlement;
use cairn_ledger::tx::anchor_epoch::{AnchorEpoch, NetworkAnchor};
use cairn_ledger::tx::register_device::RegisterDevice;
use cairn_ledger::tx::settle_epoch::SettleEpoch;
use cairn_ledger::tx::{Body, create_network, join_network, pay, post_price};
use cairn_ledger::{Transaction, view};
use cairn_node::genesis::{Solo, solo};
use cairn_node::{ManualClock, NodeConfig, NodeHandle, start};
use cairn_types::{
    AccountId, CellId, ChainId, DeviceId, DeviceNumber, EpochNumber, Finding, Hash, MicroUsd, NetworkId, PayoutLeaf,
    Price, Reason, ReportId, SecretKey, Span, TimeMs, Token, codec, hash, merkle,
};
use cairn_verifier::archive::{EpochArchive, FINDINGS, INPUTS, Inputs, PAYOUTS, reports};
use cairn_verifier::attest;
use cairn_verifier::chain::{Basis, Closed};
use cairn_verifier::divide::divide;
use cairn_verifier::objects::{Objects, Remote};
use cairn_verifier::roster::RosterMember;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

const START: TimeMs = TimeMs(1_500_076_800_000);
const EPOCH_MS: u64 = 3_600_000;
const OPERATORS: u32 = 1_000;
/// Devices of one cell.
const IN_CELL: u32 = 4;
/// Entries of a roster asked for at once.
const PAGE: u32 = 1_000;
/// Leaves of a payment: as many as a verifier pays at once.
const CHUNK_LEAVES: usize = 256;

pub struct Chain {
    pub node: Arc<NodeHandle>,
    pub network: NetworkId,
    pub archive: PathBuf,
    /// Closed so far.
    pub epochs: u64,
    clock: Arc<ManualClock>,
    economics: Parameters,
    objects: Arc<dyn Objects>,
    roster: Vec<RosterMember>,
    nonces: BTreeMap<u32, u64>,
    previous: Hash,
}

const FOUNDER: u32 = 1_000_000;
const VERIFIER: u32 = 1_000_001;
const ISSUER: u32 = 1_000_002;

fn secret(number: u32) -> SecretKey {
    SecretKey::ed25519(hash::domain("bench/account", &[&number.to_be_bytes()]).0)
}

fn device_secret(number: u32) -> SecretKey {
    SecretKey::ed25519(hash::domain("bench/device", &[&number.to_be_bytes()]).0)
}

fn account(number: u32) -> AccountId {
    Rule::single(secret(number).public()).account_id()
}

fn chain_id() -> ChainId {
    "cairn-bench".parse().unwrap()
}

fn signed(by: u32, nonce: u64, body: Body) -> Vec<u8> {
    let transaction = Transaction {
        chain: chain_id(),
        account: account(by),
        nonce,
        fee_max: Token(1_000_000_000),
        sponsor: None,
        body,
    };
    transaction.sign(&secret(by)).bytes()
}

/// A place for a device: few of them in one cell, the cells side by side.
fn cell(device: u32) -> CellId {
    let place = device / IN_CELL;
    let (row, column) = (f64::from(place / 400), f64::from(place % 400));
    let place = h3o::LatLng::new(44.0 + row * 0.02, 2.0 + column * 0.03).unwrap();
    CellId::from(place.to_cell(h3o::Resolution::Eight))
}

impl Chain {
    /// A node with everybody on its ledger, in the first epoch.
    pub async fn found(folder: &Path, devices: u32) -> Self {
        let genesis = solo(&Solo {
            chain: chain_id(),
            start: START,
            epoch_ms: EPOCH_MS,
            founder: secret(FOUNDER).public(),
            verifier: secret(VERIFIER).public(),
            issuer: secret(ISSUER).public(),
            others: (0..OPERATORS)
                .map(|number| (secret(number).public(), Token(10_000_000_000), MicroUsd::ZERO))
                .collect(),
        })
        .unwrap();
        let economics = genesis.economics;
        let clock = Arc::new(ManualClock::new(START.0 + 1_000));
        let mut config = NodeConfig {
            listen: "127.0.0.1:0".parse().unwrap(),
            clock: clock.clone(),
            ..NodeConfig::solo(folder.join("node"), genesis)
        };
        // Steps of the clock are longer, and each makes a block.
        config.pace.idle_interval = Duration::from_secs(1_800);
        let archive = folder.join("archive");
        std::fs::create_dir(&archive).unwrap();
        let mut chain = Self {
            node: Arc::new(start(config).await.unwrap()),
            network: NetworkId::of(&chain_id(), &account(FOUNDER), "rain"),
            objects: Arc::new(Remote::folder(&archive).unwrap()),
            archive,
            epochs: 0,
            clock,
            economics,
            roster: Vec::new(),
            nonces: BTreeMap::new(),
            previous: Hash::default(),
        };
        chain.price().await;
        let create = create_network::CreateNetwork {
            name: "rain".into(),
            vertical: "sensors".into(),
            resolution: 8,
            parameters: cairn_verticals::by_name("sensors").unwrap().default_params(),
            price_micro_usd: 2_000,
            bond: Token(1_000_000_000),
            allowance: Token(1_000_000),
            treasurer: account(FOUNDER),
        };
        chain.send(FOUNDER, Body::CreateNetwork(create)).await;
        chain.people(devices).await;
        chain.list(devices).await;
        chain
    }

    async fn send(&mut self, by: u32, body: Body) {
        let nonce = self.nonces.entry(by).or_default();
        *nonce += 1;
        let bytes = signed(by, *nonce, body);
        self.node.submit_and_wait(bytes).await.unwrap();
    }

    async fn price(&mut self) {
        let price = Price(5_000_000);
        self.send(VERIFIER, Body::PostPrice(post_price::PostPrice { price }))
            .await;
    }

    /// Every operator registers its devices and joins with them.
    async fn people(&self, devices: u32) {
        let mut tasks = tokio::task::JoinSet::new();
        for operator in 0..OPERATORS {
            let (node, network) = (self.node.clone(), self.network);
            tasks.spawn(async move {
                let mut nonce = 0;
                for number in (operator..devices).step_by(OPERATORS as usize) {
                    let key = device_secret(number);
                    let register = RegisterDevice::by_device(&chain_id(), &account(operator), &key);
                    let device = key.public().device_id();
                    let cell = cell(number);
                    let join = join_network::JoinNetwork { device, network, cell };
                    for body in [Body::RegisterDevice(register), Body::JoinNetwork(join)] {
                        nonce += 1;
                        node.submit_and_wait(signed(operator, nonce, body)).await.unwrap();
                    }
                }
            });
        }
        tasks.join_all().await;
    }

    /// Who is a member, as the ledger numbers them.
    async fn list(&mut self, devices: u32) {
        let keys: BTreeMap<DeviceId, SecretKey> = (0..devices)
            .map(device_secret)
            .map(|key| (key.public().device_id(), key))
            .collect();
        let network = self.network;
        for start in (0..devices).step_by(PAGE as usize) {
            let looked = self.node.look(|store| view::roster(store, &network, start, PAGE)).await;
            for stay in looked.unwrap().1 {
                self.roster.push(RosterMember {
                    number: stay.device,
                    key: keys[&stay.id].public(),
                    operator: stay.operator,
                    cell: stay.cell,
                    joined: stay.joined,
                    barred_until: None,
                });
            }
        }
        assert_eq!(self.roster.len(), devices as usize);
        self.roster.sort_unstable_by_key(|member| member.number);
    }

    pub fn height(&self) -> u64 {
        self.node.chain().latest().header.height
    }

    pub fn device(&self, draw: usize) -> DeviceId {
        self.roster[draw % self.roster.len()].key.device_id()
    }

    pub fn operator(&self, draw: usize) -> AccountId {
        account(draw as u32 % OPERATORS)
    }

    /// An epoch ends, is judged by nobody, settled and paid.
    pub async fn epoch(&mut self, number: u64) {
        let (epoch, network) = (EpochNumber(number), self.network);
        let end = TimeMs(START.0 + (number + 1) * EPOCH_MS + 1_000);
        self.node.advance(&self.clock, end).await.unwrap();
        self.price().await;
        let nothing = NetworkAnchor {
            network,
            root: merkle::root(Vec::new()),
            count: 0,
            reports_hash: reports::empty_hash(),
        };
        let anchors = vec![nothing];
        self.send(VERIFIER, Body::AnchorEpoch(AnchorEpoch { epoch, anchors }))
            .await;
        let looked = self.node.look(|store| {
            let (pool, closed) = (view::pool(store, &network, epoch)?, view::epoch(store, epoch)?);
            Ok((pool, closed, view::anchor_book(store, &network, epoch)?))
        });
        let (pool, closed, book) = looked.await.unwrap().1;
        let closed = Closed {
            pool: pool.expect("closed"),
            beacon: closed.and_then(|closed| closed.beacon).expect("revealed"),
        };
        let inputs = self.inputs(epoch, &closed);
        let findings = self.findings(epoch, &inputs);
        let (leaves, totals) = divide(&inputs, &findings).unwrap();
        let basis = Basis {
            anchors: book.digest,
            previous: self.previous,
            without: Vec::new(),
        };
        let result = attest::result(&inputs, &[], &findings, &[], &leaves, totals, basis);
        self.previous = result.hash();
        let attestation = attest::attest(result, account(VERIFIER), &secret(VERIFIER));
        let settle = SettleEpoch {
            attestation,
            exchange: None,
        };
        self.send(VERIFIER, Body::SettleEpoch(settle)).await;
        self.pay(epoch, &leaves).await;
        let objects = self.objects.clone();
        let done = tokio::task::spawn_blocking(move || {
            let archive = EpochArchive::of(objects.as_ref(), &network, epoch);
            archive.put(FINDINGS, &codec::encode(&findings)).unwrap();
            archive.put(INPUTS, &codec::encode(&inputs)).unwrap();
            archive.put(PAYOUTS, &codec::encode(&leaves)).unwrap();
        });
        done.await.unwrap();
        self.epochs = number + 1;
    }

    async fn pay(&mut self, epoch: EpochNumber, leaves: &[PayoutLeaf]) {
        let network = self.network;
        let tree = merkle::Tree::new(leaves.iter().map(PayoutLeaf::hash).collect());
        for start in (0..leaves.len()).step_by(CHUNK_LEAVES) {
            let end = leaves.len().min(start + CHUNK_LEAVES);
            let body = pay::Pay {
                network,
                epoch,
                leaves: leaves[start..end].to_vec(),
                proof: tree.prove(start as u64, end as u64).unwrap(),
                choices: None,
            };
            self.send(VERIFIER, Body::Pay(body)).await;
        }
        let looked = self.node.look(|store| view::settlement(store, &network, epoch)).await;
        let settled: Option<Settlement> = looked.unwrap().1;
        assert_eq!(settled.expect("settled").cursor as usize, leaves.len());
    }

    fn inputs(&self, epoch: EpochNumber, closed: &Closed) -> Inputs {
        let members = self.roster.iter().filter(|member| member.joined <= epoch);
        Inputs {
            chain: chain_id(),
            network: self.network,
            epoch,
            start: TimeMs(START.0 + epoch.0 * EPOCH_MS),
            end: TimeMs(START.0 + (epoch.0 + 1) * EPOCH_MS),
            vertical: "sensors".to_owned(),
            parameters: cairn_verticals::by_name("sensors").unwrap().default_params(),
            economics: self.economics,
            pool: closed.fixed_pool(),
            beacon: closed.beacon,
            roster: members.cloned().collect(),
            memory: Vec::new(),
            meters: Vec::new(),
        }
    }

    /// One in a hundred is silent, three in a hundred are refused.
    fn findings(&self, epoch: EpochNumber, inputs: &Inputs) -> Vec<Finding> {
        let of = |device: DeviceNumber| {
            let draw = (u64::from(device.0) * 7_919 + epoch.0 * 104_729) % 1_000;
            let reason = (10..40).contains(&draw).then(|| Reason(104 + (draw % 10) as u16));
            let id = hash::domain("bench/report", &[&epoch.0.to_be_bytes(), &device.0.to_be_bytes()]);
            (draw >= 10).then(|| Finding {
                report: ReportId(id.0),
                device,
                units: if reason.is_none() { 1_000_000 } else { 0 },
                reason,
                spans: vec![Span {
                    start: inputs.start,
                    end: inputs.end,
                    quantity: 0,
                    reason,
                    measured: draw as i64,
                    limit: 5,
                }],
            })
        };
        let mut findings: Vec<Finding> = inputs.roster.iter().filter_map(|member| of(member.number)).collect();
        findings.sort_unstable_by_key(|finding| finding.report);
        findings
    }
}
