//! Three verifiers as services over loopback, with sockets of their own and one ledger: each hears the others at their addresses.

use super::*;
use crate::archive::{EpochArchive, MANIFEST, sealed_name};
use crate::audit::audit;
use crate::chain::ChainView;
use crate::clock::ManualClock;
use crate::http::tests::answers;
use crate::peers::word::Words;
use crate::world::{THREE, WINDOWS, World, account, after, genesis_of, key};
use cairn_ledger::tx::Body;
use cairn_ledger::tx::set_verifier_url::SetVerifierUrl;
use cairn_types::Envelope;
use cairn_types::intake::IntakeAnswer;

struct Service {
    config: Config,
    handle: Option<Handle>,
    _folder: tempfile::TempDir,
}

struct Services {
    world: World,
    clock: ManualClock,
    all: Vec<Service>,
}

/// An address that was free a moment ago.
fn free() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

impl Services {
    async fn start(bonds: [u64; 3]) -> Self {
        let of: Vec<(u8, u64)> = THREE.into_iter().zip(bonds).collect();
        let world = tokio::task::spawn_blocking(move || World::on(genesis_of(&of), 2))
            .await
            .unwrap();
        let places: Vec<SocketAddr> = THREE.iter().map(|_| free()).collect();
        for (role, place) in THREE.iter().zip(&places) {
            let url = format!("http://{place}");
            let body = Body::SetVerifierUrl(SetVerifierUrl { url });
            account(*role).submit(&world.chain, body).unwrap();
        }
        let clock = ManualClock::at(TimeMs(after(0).0 - 1));
        let mut services = Self {
            world,
            clock,
            all: Vec::new(),
        };
        for (role, place) in THREE.into_iter().zip(places) {
            let folder = tempfile::tempdir().unwrap();
            let networks = vec![services.world.network];
            let data = folder.path().to_owned();
            let mut config = Config::new(data, key(role), account(role), networks, [1; 32]);
            config.listen = place;
            config.windows = WINDOWS;
            config.patience.rest = Duration::ZERO;
            services.all.push(Service {
                config,
                handle: None,
                _folder: folder,
            });
        }
        for at in 0..3 {
            services.open(at).await;
        }
        services
    }

    async fn open(&mut self, at: usize) {
        let (config, clock) = (self.all[at].config.clone(), Arc::new(self.clock.clone()));
        let chain: Arc<dyn Chain> = Arc::new(self.world.chain.clone());
        self.all[at].handle = Some(start(config, chain, clock, None).await.unwrap());
    }

    async fn stop(&mut self, at: usize) {
        self.all[at].handle.take().unwrap().shutdown().await.unwrap();
    }

    async fn advance(&self, at: usize) -> Advanced {
        let now = after(0).plus_ms(WINDOWS.grace_ms);
        self.all[at].handle.as_ref().unwrap().advance(now).await
    }

    fn url(&self, at: usize, path: &str) -> String {
        let epoch = format!("{}/0", self.world.network);
        format!(
            "http://{}/v1/{}",
            self.all[at].config.listen,
            path.replace("EPOCH", &epoch)
        )
    }

    async fn get(&self, at: usize, path: &str) -> Vec<u8> {
        let got = reqwest::get(self.url(at, path)).await.unwrap();
        assert_eq!(got.status(), 200, "{path}");
        got.bytes().await.unwrap().to_vec()
    }

    /// Posts each device's reports to one of the three.
    async fn feed(&self) {
        let mut sent: [Vec<u8>; 3] = Default::default();
        for envelope in self.world.envelopes(0) {
            let device = Envelope::parse(&envelope).unwrap().device;
            sent[usize::from(device.0[0]) % 3].extend(envelope);
        }
        for (at, body) in sent.into_iter().enumerate() {
            let post = reqwest::Client::new().post(self.url(at, "reports")).body(body);
            let given = answers(post.send().await.unwrap()).await;
            assert!(given.iter().any(|answer| matches!(answer, IntakeAnswer::Receipt(_))));
        }
    }

    async fn end(&self) {
        let (chain, now) = (self.world.chain.clone(), after(0).plus_ms(WINDOWS.grace_ms));
        self.clock.set(now);
        tokio::task::spawn_blocking(move || chain.advance(now)).await.unwrap();
    }

    fn assert_audited(&self, of: &[usize]) {
        let (chain, network, epoch) = (&self.world.chain, &self.world.network, EpochNumber(0));
        let settled = chain.settlement(network, epoch).unwrap().unwrap();
        for at in of {
            let ArchivePlace::Folder(folder) = &self.all[*at].config.archive else {
                panic!("a folder")
            };
            let objects = Remote::folder(folder).unwrap();
            let audited = audit(&objects, chain, network, epoch).unwrap();
            assert_eq!((audited.difference, audited.result), (None, settled.result), "{at}");
            assert!(
                EpochArchive::of(&objects, network, epoch)
                    .get(MANIFEST)
                    .unwrap()
                    .is_some()
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn three_services_settle_one_result_though_each_is_started_anew_between_the_stages() {
    let mut services = Services::start([30_000; 3]).await;
    services.feed().await;
    services.end().await;
    // Each is stopped after it anchored, then after it attested, or was the last that was waited for.
    let mut paid = [0; 3];
    for _ in 0..3 {
        for (at, paid) in paid.iter_mut().enumerate() {
            let advanced = services.advance(at).await;
            assert!(advanced.failed.is_empty(), "{:?}", advanced.failed);
            *paid += advanced.paid.len();
            services.stop(at).await;
            services.open(at).await;
        }
    }
    assert_eq!(paid, [1; 3]);
    services.assert_audited(&[0, 1, 2]);

    let words = Words::read(&services.get(1, "attestations/EPOCH").await);
    assert!(words.len() > 1 && words.iter().all(|word| word.agrees(&words[0])));
    let differences: serde_json::Value = serde_json::from_slice(&services.get(1, "differences/EPOCH").await).unwrap();
    assert_eq!(differences["differences"], serde_json::json!([]));
    let anchoring = services
        .world
        .chain
        .anchoring(&services.world.network, EpochNumber(0))
        .unwrap();
    for anchor in &anchoring.anchors {
        let path = format!("archive/EPOCH/{}", sealed_name(&anchor.reports_hash));
        let whole = services.get(2, &path).await;
        assert_eq!(cairn_types::hash::sha256(&whole), anchor.reports_hash);
        let rest = reqwest::Client::new()
            .get(services.url(2, &path))
            .header("range", "bytes=100-");
        let rest = rest.send().await.unwrap();
        assert_eq!(rest.status(), 206);
        assert_eq!(rest.bytes().await.unwrap(), whole[100..]);
        let past = reqwest::Client::new()
            .get(services.url(2, &path))
            .header("range", format!("bytes={}-", whole.len()));
        assert_eq!(past.send().await.unwrap().status(), 416);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_dies_before_all_fetched_its_file_does_not_hold_those_who_can_have_it_from_another() {
    let mut services = Services::start([40_000, 40_000, 20_000]).await;
    services.feed().await;
    services.end().await;
    for at in [2, 0, 1] {
        services.advance(at).await;
    }
    // The last to anchor fetched at once; now the third is gone for good.
    services.stop(2).await;
    for at in [0, 1, 0] {
        services.advance(at).await;
    }
    services.assert_audited(&[0, 1]);
}
