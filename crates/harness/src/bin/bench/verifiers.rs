//! What it costs several verifiers to come to one result: each seals and anchors what it was given, fetches and checks what the others
//! anchored, judges the union, and hears the others' words, until the ledger has taken the result. On one thread, one verifier after the
//! other, over a ledger in memory; what the wire and waiting cost is not here.

use crate::assess::{Hour, judge, reports, roster};
use crate::method::{Section, Spent, median, spent, whole};
use cairn_harness::line::Line;
use cairn_harness::people::{self, device_key, network_id, secret};
use cairn_harness::simulate::scene::opening;
use cairn_harness::verifier::Verifier;
use cairn_harness::{CLOCK, HOUR_MS, VERTICAL, WINDOWS};
use cairn_ledger::account::Rule;
use cairn_ledger::genesis::{Allocation, GenesisVerifier};
use cairn_ledger::{Genesis, Signed};
use cairn_types::intake::IntakeAnswer;
use cairn_types::{AccountId, Envelope, EpochNumber, MicroUsd, NetworkId, Report, Token, hash};
use cairn_verifier::chain::local::LocalChain;
use cairn_verifier::chain::{Chain, ChainView, VerifierAt};
use cairn_verifier::objects::Memory;
use cairn_verifier::peers::{Peers, Wanted, What, answer};
use cairn_verifier::submit::Submitter;
use cairn_verticals::Vertical;
use cairn_verticals::sensors::cast;
use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

const DEVICES: [usize; 2] = [5_000, 20_000];
const VERIFIERS: [usize; 2] = [1, 3];
const ALONE: usize = 5;
/// Reports that a verifier is given at once.
const BATCH: usize = 128;
const DISK_BYTES: u64 = 1 << 30;
const BOND: u64 = 10_000_000_000;
const PURSE: u64 = 1_000_000_000;
/// Between two looks of the verifiers at the ledger and each other.
const LOOK_MS: u64 = 10_000;
const LOOKS_MAX: u64 = 1_000;
const HOUR: EpochNumber = EpochNumber(0);

pub fn run() -> Section {
    let mut text = String::from(
        "### Several verifiers, from an hour's end to its settlement\n\n\
         One report of 12 readings a device, each given to one verifier. From the block that ends the hour on each verifier seals and anchors \
         what it has, fetches by hash and checks (every signature) what the others anchored, judges the union, divides, signs, hears the \
         others; the last step is the ledger taking the result. All on one thread, one after the other, the ledger and all disks in memory, \
         nothing waited for: *one after the other* is the wall's time of all, *each on its own core* adds the slowest verifier of each step. \
         Limit: `kit::assess` of the same reports, once, alone. *Fetched* is what all got from each other.\n\n\
         | devices | readings | verifiers | core seconds, all | core seconds, each | assess alone | alone to each | one after the other, s | \
         each on its own core, s | fetched, MB |\n|---|---|---|---|---|---|---|---|---|---|\n",
    );
    for devices in DEVICES {
        let town = Town::of(devices)?;
        for verifiers in VERIFIERS {
            eprintln!("verifiers: {verifiers} over {devices} devices");
            text.push_str(&town.row(verifiers)?);
        }
    }
    Ok(text)
}

/// Devices, what they say in an hour, and what it costs to judge that.
struct Town {
    opening: Vec<Signed>,
    envelopes: Vec<Vec<u8>>,
    readings: usize,
    alone: f64,
}

impl Town {
    fn of(devices: usize) -> Result<Self, Box<dyn Error>> {
        let city = cast::city(7, devices, false, 1);
        let (admitted, rain) = reports(&VERTICAL, &city, &CLOCK, HOUR)?;
        let seal = |report: &cairn_verticals::kit::Admitted| {
            let said = Report {
                network: network_id(),
                time: report.time,
                sequence: report.sequence + 1,
                body: report.body.clone(),
            };
            Envelope::seal(&said, &device_key(report.device.0 as usize))
        };
        let envelopes = admitted.iter().map(seal).collect();
        let mut readings = Vec::new();
        for report in &admitted {
            assert!(
                VERTICAL.read_body(&report.body, &mut readings).is_ok(),
                "a cast speaks well"
            );
        }
        let (roster, params) = (roster(city.devices()), VERTICAL.default_params());
        let hour = Hour {
            clock: CLOCK,
            epoch: HOUR,
            reports: admitted,
            memory: Vec::new(),
            rain,
        };
        let mut alone = Vec::new();
        for _ in 0..ALONE {
            let (judged, spent) = spent(|| judge(&VERTICAL, &params, &roster, &hour));
            judged?;
            alone.push(spent.core);
        }
        Ok(Self {
            opening: opening(city.devices()),
            envelopes,
            readings: readings.len(),
            alone: median(alone.into_iter()),
        })
    }

    fn row(&self, count: usize) -> Section {
        let parties: Vec<Submitter> = (0..count as u64)
            .map(|place| Submitter::single(secret("house", place)))
            .collect();
        let chain = LocalChain::start(genesis(&parties), CLOCK.genesis)?;
        for signed in &self.opening {
            chain.submit(signed)?;
        }
        let fetched = Arc::new(AtomicU64::new(0));
        let mut houses = open(&parties, &chain, &fetched);
        let end = CLOCK.end(HOUR);
        for (at, batch) in self.envelopes.chunks(BATCH).enumerate() {
            let batch: Vec<&[u8]> = batch.iter().map(Vec::as_slice).collect();
            let answers = houses[at % count]
                .take(end.plus_ms(60_000), &batch)
                .ok_or("a verifier died")?;
            let refused = answers.iter().find(|said| !matches!(said, IntakeAnswer::Receipt(_)));
            if let Some(refused) = refused {
                return Err(format!("a report was refused: {refused:?}").into());
            }
        }
        let mut each = vec![0.0; count];
        let (mut all, mut apart) = (Spent::default(), 0.0);
        let mut now = end.plus_ms(WINDOWS.grace_ms);
        let last = now.plus_ms(LOOK_MS * LOOKS_MAX);
        while ChainView::settlement(&chain, &network_id(), HOUR)?.is_none() {
            if now > last {
                return Err("the hour is not settled".into());
            }
            chain.advance(now);
            let mut slowest: f64 = 0.0;
            for (house, core) in houses.iter_mut().zip(&mut each) {
                let (advanced, spent) = spent(|| house.advance(now));
                let advanced = advanced.ok_or("a verifier died")?;
                if let Some((_, _, error)) = advanced.failed.first() {
                    return Err(error.to_string().into());
                }
                *core += spent.core;
                all = all + spent;
                slowest = slowest.max(spent.wall);
            }
            apart += slowest;
            now = now.plus_ms(LOOK_MS);
        }
        let one = median(each.into_iter());
        Ok(format!(
            "| {} | {} | {count} | {:.3} | {one:.3} | {:.3} | {:.2} | {:.3} | {apart:.3} | {:.1} |\n",
            whole(self.envelopes.len() as f64),
            whole(self.readings as f64),
            all.core,
            self.alone,
            self.alone / one,
            all.wall,
            fetched.load(Ordering::Relaxed) as f64 / 1e6,
        ))
    }
}

/// A ledger on which these verifiers are bonded, and whose results wait for disputes before anything is paid.
fn genesis(parties: &[Submitter]) -> Genesis {
    let mut genesis = people::genesis();
    let old: u64 = genesis.verifiers.iter().map(|verifier| verifier.bond.0).sum();
    let mut premine = genesis.economics.premine.0 - old;
    genesis.verifiers.clear();
    for party in parties {
        let key = party.keys[0].public();
        genesis.allocations.push(Allocation {
            rule: Rule::single(key),
            token: Token(PURSE),
            stable: MicroUsd::ZERO,
        });
        genesis.verifiers.push(GenesisVerifier {
            account: party.account,
            key,
            bond: Token(BOND),
        });
        premine += BOND + PURSE;
    }
    genesis.economics.premine = Token(premine);
    genesis.limits.dispute_window_ms = HOUR_MS;
    genesis
}

/// Verifiers that reach each other without a wire.
fn open(parties: &[Submitter], chain: &LocalChain, fetched: &Arc<AtomicU64>) -> Vec<Verifier> {
    let mut houses: Vec<Verifier> = parties
        .iter()
        .map(|party| Verifier::new(party.clone(), Line::to(chain), DISK_BYTES, |disk| Box::new(disk)))
        .collect();
    let archives: Vec<(AccountId, Memory)> = parties
        .iter()
        .zip(&houses)
        .map(|(party, house)| (party.account, house.objects.clone()))
        .collect();
    for house in &mut houses {
        house.others = parties.iter().map(|party| party.account).collect();
        house.peers = Arc::new(Others {
            archives: archives.clone(),
            fetched: fetched.clone(),
        });
        assert!(house.open(), "a verifier opens on an empty disk");
    }
    houses
}

/// The others' archives, and how much was taken from them.
struct Others {
    archives: Vec<(AccountId, Memory)>,
    fetched: Arc<AtomicU64>,
}

impl Peers for Others {
    fn get(&self, wanted: &Wanted, from: &[VerifierAt]) -> Option<Vec<u8>> {
        let of = |peer: &VerifierAt| self.archives.iter().find(|(account, _)| *account == peer.account);
        let mut given = from
            .iter()
            .filter_map(|peer| answer(&of(peer)?.1, wanted).ok().flatten());
        let bytes = given.find(|bytes| match &wanted.what {
            What::Hashed { hash, .. } => hash::sha256(bytes) == *hash,
            _ => true,
        })?;
        self.fetched.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        Some(bytes)
    }

    fn forget(&self, _: &NetworkId, _: EpochNumber) {}
}
