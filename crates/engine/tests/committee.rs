//! Four validators take a fifth in and let the first go, by transactions, without a stop and under one key; one of them is killed
//! while shares are renewed. Five processes on TCP: this program starts itself as each of them.
#![allow(clippy::unwrap_used, reason = "a test may")]

#[expect(dead_code, reason = "the other test files use the rest")]
mod toy;

use cairn_engine::{
    Applied, BlockContext, Config, Identity, Key, Missing, StateMachine, SystemClock, Tx, Validator, View, deal,
    light::verify_finality, start_tokio,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    io::{BufRead as _, BufReader, Write as _},
    net::{SocketAddr, TcpListener},
    num::NonZeroU64,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};
use toy::{Counters, Pool, block_key};

const FOLDER: &str = "CAIRN_COMMITTEE_FOLDER";
const NUMBER: &str = "CAIRN_COMMITTEE_NUMBER";
const PORTS: &str = "CAIRN_COMMITTEE_PORTS";
const EPOCH_BLOCKS: u64 = 20;
/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(120);

fn main() {
    match env::var_os(FOLDER) {
        Some(folder) => run_validator(Path::new(&folder)),
        None => change_the_validators(),
    }
}

/// The counters, and validators whom a transaction names: `elect ‖ (key 32 ‖ port 2) …`.
struct Elected;

const ELECT: &[u8] = b"elect-the-validators";

fn elected_key() -> Key {
    let mut key = block_key();
    key[0] = 9;
    key
}

impl StateMachine for Elected {
    fn genesis_digest(&self) -> [u8; 32] {
        Counters.genesis_digest()
    }

    fn begin(&self, block: &BlockContext, view: &mut dyn View) -> Result<Vec<u8>, Missing> {
        Counters.begin(block, view)
    }

    fn check(&self, transactions: &[&[u8]]) -> Vec<Result<(), u32>> {
        transactions.iter().map(|_| Ok(())).collect()
    }

    fn reads(&self, _: &[u8]) -> Vec<Key> {
        Vec::new()
    }

    fn validators(&self, view: &mut dyn View) -> Result<Vec<Validator>, Missing> {
        let Some(value) = view.get(&elected_key())? else {
            return Ok(Vec::new());
        };
        let validator = |line: &[u8]| Validator {
            key: line[..32].try_into().unwrap(),
            address: SocketAddr::from(([127, 0, 0, 1], u16::from_be_bytes([line[32], line[33]]))).into(),
        };
        Ok(value[1..].chunks(34).take(value[0].into()).map(validator).collect())
    }

    fn apply(&self, _: &BlockContext, transaction: &[u8], view: &mut dyn View) -> Result<Applied, Missing> {
        let lines = transaction.strip_prefix(ELECT).unwrap();
        let mut value = [0; 256];
        value[0] = u8::try_from(lines.len() / 34).unwrap();
        value[1..=lines.len()].copy_from_slice(lines);
        view.put(elected_key(), value);
        Ok(Applied::Accepted(Vec::new()))
    }
}

fn key_file(dir: &Path, number: usize) -> PathBuf {
    dir.join(format!("{number}.keys"))
}

fn key(dir: &Path, number: usize) -> [u8; 32] {
    Identity::open(&key_file(dir, number)).unwrap().key()
}

/// One block as a validator shows it.
struct Seen {
    who: usize,
    height: u64,
    epoch: u64,
    digest: String,
    leader: usize,
}

/// All processes, and what they showed.
struct Net {
    dir: tempfile::TempDir,
    ports: Vec<u16>,
    running: BTreeMap<usize, Child>,
    shows: mpsc::Sender<Seen>,
    shown: mpsc::Receiver<Seen>,
    /// Digest, epoch and leader by height: one history.
    history: BTreeMap<u64, (String, u64, usize)>,
    /// The last height that each showed.
    at: BTreeMap<usize, u64>,
}

impl Net {
    fn start(&mut self, number: usize) {
        let ports: Vec<String> = self.ports.iter().map(u16::to_string).collect();
        let mut child = Command::new(env::current_exe().unwrap())
            .env(FOLDER, self.dir.path())
            .env(NUMBER, number.to_string())
            .env(PORTS, ports.join(","))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (out, shows) = (child.stdout.take().unwrap(), self.shows.clone());
        thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                let mut words = line.split(' ');
                let mut word = || words.next().unwrap();
                let seen = Seen {
                    who: number,
                    height: word().parse().unwrap(),
                    epoch: word().parse().unwrap(),
                    leader: word().parse().unwrap(),
                    digest: word().to_owned(),
                };
                // Nobody listens any more once the test is over.
                if shows.send(seen).is_err() {
                    return;
                }
            }
        });
        self.running.insert(number, child);
    }

    /// Killed as by `kill -9`.
    fn kill(&mut self, number: usize) {
        let mut child = self.running.remove(&number).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    fn elect(&mut self, numbers: &[usize]) {
        let numbers: Vec<String> = numbers.iter().map(usize::to_string).collect();
        let input = self.running.get_mut(&1).unwrap().stdin.as_mut().unwrap();
        writeln!(input, "{}", numbers.join(",")).unwrap();
    }

    /// Reads on until something is so.
    fn until(&mut self, what: &str, is_so: impl Fn(&Self) -> bool) {
        while !is_so(self) {
            let seen = self.shown.recv_timeout(PATIENCE);
            let Ok(seen) = seen else {
                let last = self.history.last_key_value();
                panic!("waited in vain until {what}: {last:?}, {:?}", self.at)
            };
            let shown = (seen.digest, seen.epoch, seen.leader);
            let first = self.history.entry(seen.height).or_insert_with(|| shown.clone());
            assert_eq!(
                *first, shown,
                "validator {} has another block {}",
                seen.who, seen.height
            );
            self.at.insert(seen.who, seen.height);
        }
    }

    fn epoch(&self) -> u64 {
        self.history.last_key_value().map_or(0, |(_, (_, epoch, _))| *epoch)
    }

    fn leaders(&self, of: u64) -> BTreeSet<usize> {
        let blocks = self.history.values().filter(|(_, epoch, _)| *epoch == of);
        blocks.map(|(.., leader)| *leader).collect()
    }

    /// The first epoch in which exactly these led, if it came yet.
    fn led_by(&self, numbers: &[usize]) -> Option<u64> {
        let wanted: BTreeSet<usize> = numbers.iter().copied().collect();
        (0..self.epoch()).find(|epoch| self.leaders(*epoch) == wanted)
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        for child in self.running.values_mut() {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn change_the_validators() {
    let dir = tempfile::tempdir().unwrap();
    deal(&(0..4).map(|number| key_file(dir.path(), number)).collect::<Vec<_>>()).unwrap();
    Identity::make(&key_file(dir.path(), 4)).unwrap();
    let listeners: Vec<TcpListener> = (0..5).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    let ports = listeners.iter().map(|listener| listener.local_addr().unwrap().port());
    let (shows, shown) = mpsc::channel();
    let mut net = Net {
        ports: ports.collect(),
        dir,
        running: BTreeMap::new(),
        shows,
        shown,
        history: BTreeMap::new(),
        at: BTreeMap::new(),
    };
    drop(listeners);
    let key_bytes = |net: &Net| std::fs::read(key_file(net.dir.path(), 1)).unwrap().len();
    let with_share = key_bytes(&net);
    (0..4).for_each(|number| net.start(number));
    net.until("there are blocks", |net| net.history.len() > 3);
    net.elect(&[0, 1, 2, 3, 4]);
    net.start(4);
    let chosen = net.epoch();
    // Written down in the next epoch, announced at its end, and dealt its share in the one after the next.
    net.until("the fifth gets its share", |net| {
        net.epoch() >= chosen + 3 && net.history.len() as u64 % EPOCH_BLOCKS > 2
    });
    net.kill(2);
    net.start(2);
    net.until("all five lead", |net| net.led_by(&[0, 1, 2, 3, 4]).is_some());
    net.elect(&[1, 2, 3, 4]);
    net.until("the first leads no more", |net| net.led_by(&[1, 2, 3, 4]).is_some());
    let now = *net.history.last_key_value().unwrap().0;
    net.until("all follow, the first too", |net| {
        (0..5).all(|number| net.at.get(&number).is_some_and(|at| *at >= now))
    });
    assert!(key_bytes(&net) < with_share, "the first share is gone");
    let files = std::fs::read_dir(net.dir.path().join("1").join("chain")).unwrap();
    let names = files.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let votes: Vec<String> = names.filter(|name| name.contains("consensus")).collect();
    assert!((1..=3).contains(&votes.len()), "votes of before are gone: {votes:?}");
    println!("two validators changed in {} blocks ... ok", net.history.len());
}

/// Runs a validator and prints each final block; elects whom the parent names.
#[tokio::main(flavor = "current_thread")]
async fn run_validator(dir: &Path) {
    let number: usize = env::var(NUMBER).unwrap().parse().unwrap();
    let ports: Vec<u16> = env::var(PORTS)
        .unwrap()
        .split(',')
        .map(|port| port.parse().unwrap())
        .collect();
    let keys: Vec<[u8; 32]> = (0..5).map(|number| key(dir, number)).collect();
    let address = |number: usize| SocketAddr::from(([127, 0, 0, 1], ports[number]));
    let mut config = Config::alone(dir.join(number.to_string()), "cairn-committee");
    config.keys = key_file(dir, number);
    config.validators = (0..4)
        .map(|number| Validator {
            key: keys[number],
            address: address(number).into(),
        })
        .collect();
    config.sharing = Identity::open(&key_file(dir, 0))
        .unwrap()
        .group()
        .unwrap()
        .sharing
        .clone();
    config.listen = address(number);
    config.epoch_blocks = NonZeroU64::new(EPOCH_BLOCKS).unwrap();
    config.pace.idle_interval = Duration::from_millis(100);
    let pool = Pool::new(Some(0));
    let (source, observer) = (pool.clone(), pool.clone());
    let chain = start_tokio(config, Arc::new(Elected), source, observer, Arc::new(SystemClock));
    let chain = chain.await.unwrap();
    let (lines, keys_read) = (pool.clone(), keys.clone());
    thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            let mut tx = ELECT.to_vec();
            for number in line.split(',').map(|number| number.parse::<usize>().unwrap()) {
                tx.extend(keys_read[number]);
                tx.extend(ports[number].to_be_bytes());
            }
            lines.announce(Tx::new(tx));
        }
        // Whoever started this process is gone.
        std::process::exit(0);
    });
    let mut told = pool.told.subscribe();
    let mut printed = 0;
    loop {
        let blocks = told.wait_for(|blocks| blocks.len() > printed).await.unwrap().clone();
        for block in &blocks[printed..] {
            let header = &block.header;
            let leader = keys.iter().position(|key| *key == header.leader).unwrap();
            let digest = cairn_types::hash::Hash(block.digest);
            println!("{} {} {leader} {digest}", header.height, header.epoch);
            if let Ok(finality) = chain.finality(header.height).await {
                verify_finality(chain.anchor(), &finality).unwrap();
            }
        }
        printed = blocks.len();
    }
}
