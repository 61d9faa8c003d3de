//! Who is in a fleet, where each listens, and with which command line it is started. Written at the first run: ports and numbers stay.

use super::process::Spec;
use super::{Options, program};
use crate::error::{Failure, Kind, OrFail};
use crate::home::Home;
use serde::{Deserialize, Serialize};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;

const FILE: &str = "fleet.json";
/// From a place to the next; a node, its verifier and the gateway are beside each other within one.
const STRIDE: u16 = 10;
const PEERS: u16 = 9;
const WATCH: u16 = 3;
const EXPLORER: u16 = 4;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    pub validators: Vec<Ports>,
    pub verifiers: Vec<u16>,
    pub gateway: u16,
    /// 0: none, in plans of old.
    #[serde(default)]
    pub explorer: u16,
}

/// Where a validator listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ports {
    pub api: u16,
    /// For the other validators; it stands in the genesis file.
    pub peers: u16,
    /// Where the watcher of disputes beside it tells how it goes; 0: any, in plans of old.
    #[serde(default)]
    pub watch: u16,
}

impl Plan {
    /// Whether a folder has one.
    pub fn is_in(home: &Home) -> bool {
        home.join(FILE).exists()
    }

    /// The plan of the folder, made at the first run.
    pub fn of(home: &Home, options: &Options) -> Result<Self, Failure> {
        if Self::is_in(home) {
            let plan: Self = home.read(FILE, "bring the file back from a backup")?;
            let (validators, verifiers) = (plan.validators.len(), plan.verifiers.len());
            let asked = (usize::from(options.validators), usize::from(options.verifiers));
            // One of each is what `cairn up` says without being told anything.
            if asked == (1, 1) || asked == (validators, verifiers) {
                return Ok(plan);
            }
            let fact = format!("this folder has {validators} validators and {verifiers} verifiers");
            return Err(
                Failure::new(Kind::Usage, fact).hint("leave the numbers out, or name another folder with --home")
            );
        }
        let plan = Self::new(options)?;
        plan.check_free()?;
        home.write_json(FILE, &plan)?;
        Ok(plan)
    }

    fn new(options: &Options) -> Result<Self, Failure> {
        // Held until all are chosen, so that none is chosen twice.
        let mut held = Vec::new();
        let mut port = |place: u16, offset: u16| {
            if options.port == 0 {
                let listener = TcpListener::bind("127.0.0.1:0").or_fail(Kind::Files, "a free port")?;
                let port = listener.local_addr().or_fail(Kind::Files, "a free port")?.port();
                held.push(listener);
                return Ok(port);
            }
            let port = place
                .checked_mul(STRIDE)
                .and_then(|steps| options.port.checked_add(steps)?.checked_add(offset));
            port.ok_or_else(|| {
                Failure::new(Kind::Usage, "there are not so many ports above the first")
                    .hint("name a lower one with --port")
            })
        };
        let validators: Result<Vec<Ports>, Failure> = (0..options.validators)
            .map(|at| {
                Ok(Ports {
                    api: port(at, 0)?,
                    peers: port(at, PEERS)?,
                    watch: port(at, WATCH)?,
                })
            })
            .collect();
        let verifiers: Result<Vec<u16>, Failure> = (0..options.verifiers).map(|at| port(at, 1)).collect();
        Ok(Self {
            validators: validators?,
            verifiers: verifiers?,
            gateway: port(0, 2)?,
            explorer: port(0, EXPLORER)?,
        })
    }

    /// Refuses ports that others have: a plan keeps its ports for ever.
    fn check_free(&self) -> Result<(), Failure> {
        let nodes = self.validators.iter().flat_map(|one| [one.api, one.peers, one.watch]);
        let all = nodes
            .chain(self.verifiers.iter().copied())
            .chain([self.gateway, self.explorer]);
        let mut taken = all.filter(|port| TcpListener::bind(("127.0.0.1", *port)).is_err());
        match taken.next() {
            None => Ok(()),
            Some(port) => {
                let failure = Failure::new(Kind::Files, format!("something else listens on 127.0.0.1:{port}"));
                Err(failure.hint("name another first port with --port, or 0 for any"))
            }
        }
    }

    pub fn validator_name(at: usize) -> String {
        format!("validator-{}", at + 1)
    }

    pub fn watch_name(at: usize) -> String {
        format!("watch-{}", at + 1)
    }

    pub fn verifier_name(at: usize) -> String {
        format!("verifier-{}", at + 1)
    }

    /// The node beside a verifier, or beside nobody when there are more of those.
    pub fn node_url(&self, at: usize) -> String {
        url(self.validators[at % self.validators.len()].api)
    }

    pub fn verifier_url(&self, at: usize) -> String {
        url(self.verifiers[at % self.verifiers.len()])
    }

    pub fn gateway_url(&self) -> String {
        url(self.gateway)
    }

    pub fn validator(&self, folder: &Path, at: usize, options: &Options) -> Spec {
        let name = Self::validator_name(at);
        let own = folder.join(&name);
        let mut line = words(&[
            "node",
            "run",
            "--genesis",
            "genesis.json",
            "--key",
            "validator.keys",
            "--data",
            "node",
        ]);
        line.extend(["--listen".to_owned(), address(self.validators[at].api)]);
        if at == 0 {
            // Whoever audits reads vouchers from old blocks.
            line.push("--archive".to_owned());
        }
        self.spec(name, &own, self.node_url(at), line, options)
    }

    pub fn verifier(&self, folder: &Path, at: usize, options: &Options) -> Spec {
        let name = Self::verifier_name(at);
        let own = folder.join(&name);
        let mut line = words(&[
            "verifier",
            "run",
            "--key",
            "verifier",
            "--token-price",
            &options.token_price,
        ]);
        line.extend(["--listen".to_owned(), address(self.verifiers[at])]);
        self.spec(name, &own, self.verifier_url(at), line, options)
    }

    /// Judges disputes with the key of a validator's account.
    pub fn watch(&self, folder: &Path, at: usize, options: &Options) -> Spec {
        let own = folder.join(Self::validator_name(at));
        let port = self.validators[at].watch;
        let mut line = words(&["dispute", "watch", "--key", "validator"]);
        line.extend(["--listen".to_owned(), address(port)]);
        self.spec(Self::watch_name(at), &own, url(port), line, options)
    }

    pub fn gateway(&self, folder: &Path, options: &Options) -> Spec {
        let mut line = words(&["gateway", "run", "--key", "gateway"]);
        line.extend(["--listen".to_owned(), address(self.gateway)]);
        self.spec("gateway".to_owned(), folder, self.gateway_url(), line, options)
    }

    /// Where its page is.
    pub fn explorer_url(&self) -> Option<String> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.explorer));
        (self.explorer != 0).then(|| cairn_explorer::page_url(address))
    }

    /// Follows the first node, which keeps all blocks.
    pub fn explorer(&self, folder: &Path, options: &Options) -> Option<Spec> {
        let mut line = words(&["explorer", "run", "--near"]);
        line.extend(["--listen".to_owned(), address(self.explorer)]);
        let url = self.explorer_url()?;
        Some(self.spec("explorer".to_owned(), folder, url, line, options))
    }

    fn spec(&self, name: String, folder: &Path, url: String, mut line: Vec<String>, options: &Options) -> Spec {
        line.extend(["--log-format".to_owned(), options.log_format.to_owned()]);
        Spec {
            name,
            url,
            folder: folder.to_owned(),
            line,
            program: program(),
        }
    }
}

fn words(line: &[&str]) -> Vec<String> {
    line.iter().map(|word| (*word).to_owned()).collect()
}

fn address(port: u16) -> String {
    format!("127.0.0.1:{port}")
}

fn url(port: u16) -> String {
    format!("http://{}", address(port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(port: u16, validators: u16, verifiers: u16) -> Options {
        Options {
            chain: "x".to_owned(),
            epoch_ms: None,
            port,
            validators,
            verifiers,
            token_price: "0.05".to_owned(),
            dispute_ms: None,
            committee_blocks: None,
            log_format: "text",
        }
    }

    #[test]
    fn a_plan_keeps_its_ports_and_numbers() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(&folder.path().join("home"));
        let plan = Plan::of(&home, &options(0, 4, 3)).unwrap();
        assert_eq!((plan.validators.len(), plan.verifiers.len()), (4, 3));
        for again in [options(8_640, 1, 1), options(0, 4, 3)] {
            assert_eq!(Plan::of(&home, &again).unwrap(), plan);
        }
        let other = Plan::of(&home, &options(0, 7, 3)).unwrap_err();
        assert_eq!(other.kind, Kind::Usage);
    }

    #[test]
    fn a_port_that_somebody_has_is_no_part_of_a_plan() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(&folder.path().join("home"));
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        let refused = Plan::of(&home, &options(port, 1, 1)).unwrap_err();
        assert_eq!(refused.kind, Kind::Files, "{refused:?}");
        assert!(!Plan::is_in(&home), "the next try may name another");
    }

    #[test]
    fn a_verifier_is_beside_its_node() {
        let plan = Plan::new(&options(8_640, 2, 3)).unwrap();
        let ports: Vec<u16> = plan
            .validators
            .iter()
            .flat_map(|one| [one.api, one.watch, one.peers])
            .collect();
        assert_eq!(ports, [8_640, 8_643, 8_649, 8_650, 8_653, 8_659]);
        assert_eq!(
            (plan.verifiers.as_slice(), plan.gateway, plan.explorer),
            (&[8_641, 8_651, 8_661][..], 8_642, 8_644)
        );
        assert_eq!(plan.node_url(2), "http://127.0.0.1:8640");
        assert!(Plan::new(&options(65_000, 60, 1)).is_err());
    }
}
