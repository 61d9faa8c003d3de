//! A verifier whose archive is a real S3 server, from the first report to the audit.

use super::*;
use crate::archive::{FILES, MANIFEST};
use crate::audit::{Audited, audit};
use crate::clock::ManualClock;
use crate::http::tests::{Running, answers, run};
use crate::objects::moto;
use crate::world::{self, WINDOWS, account, after, key};
use cairn_types::intake::IntakeAnswer;
use std::process::Command;

/// Tells the process that plays the verifier where the store is.
const ENDPOINT: &str = "CAIRN_TEST_S3";
const NAME: &str =
    "verifier::tests::an_hour_archived_on_an_s3_server_is_paid_audited_equal_there_and_no_byte_can_change";
const HOUR_0: EpochNumber = EpochNumber(0);

/// The keys of a store come from the environment, so the verifier gets a process of its own.
#[test]
fn an_hour_archived_on_an_s3_server_is_paid_audited_equal_there_and_no_byte_can_change() {
    if let Ok(endpoint) = std::env::var(ENDPOINT) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        return runtime.block_on(hour(S3 {
            endpoint: Some(endpoint),
            bucket: moto::BUCKET.to_owned(),
            region: "us-east-1".to_owned(),
        }));
    }
    let Some(server) = moto::start("a verifier's archive on an S3 server") else {
        return;
    };
    let mut verifier = Command::new(std::env::current_exe().unwrap());
    verifier
        .args([NAME, "--exact", "--nocapture"])
        .env(ENDPOINT, server.place.endpoint.as_ref().unwrap())
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test");
    let output = verifier.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

async fn hour(place: S3) {
    let archive = ArchivePlace::S3(place.clone());
    let running = run(|config| config.archive = archive.clone()).await;
    running.clock.set(TimeMs(after(0).0 - 1));
    let sent = running.world.envelopes(0);
    let given = answers(running.post(sent.concat()).await).await;
    let receipts = given.iter().filter(|answer| matches!(answer, IntakeAnswer::Receipt(_)));
    let receipts = receipts.count();
    assert!(receipts > 12, "{receipts} receipts");
    let now = after(0).plus_ms(WINDOWS.grace_ms);
    running.clock.set(now);
    running.world.chain.advance(now);
    let advanced = running.handle.advance(now).await;
    assert_eq!(
        advanced.paid,
        [(running.world.network, HOUR_0)],
        "{:?}",
        advanced.failed
    );
    let names = |folder: &std::path::Path| {
        let entries = std::fs::read_dir(folder).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.collect::<std::collections::BTreeSet<String>>()
    };
    let local = names(running.folder.path());
    assert!(
        local.iter().eq(["log", "log.fetched", "log.handed"])
            && ["log.fetched", "log.handed"].map(|folder| names(&running.folder.path().join(folder)).is_empty())
                == [true; 2],
        "nothing of the archive stays here: {local:?}"
    );
    let served = running
        .get(&format!("/v1/archive/{}/0/{MANIFEST}", running.world.network))
        .await;
    assert_eq!(served.status(), 200);

    let running = begun_again(running, archive).await;
    tokio::task::spawn_blocking(move || {
        let Running { world, .. } = running;
        let objects = Remote::s3(&place).unwrap();
        let audited = || audit(&objects, &world.chain, &world.network, HOUR_0).unwrap();
        let Audited {
            reports, difference, ..
        } = audited();
        assert_eq!((reports, difference), (receipts, None));
        for file in FILES.into_iter().chain([MANIFEST]) {
            let path = format!("{}/{file}", crate::archive::folder(&world.network, HOUR_0));
            let whole = objects.get(&path).unwrap().unwrap();
            for at in [0, whole.len() / 2, whole.len() - 1] {
                let mut changed = whole.clone();
                changed[at] ^= 1;
                objects.put(&path, &changed).unwrap();
                let found = audited().difference;
                let found = found.unwrap_or_else(|| panic!("{file}: byte {at} flipped and not found"));
                assert!(
                    found.file == file || found.file == "ledger",
                    "{file}, byte {at}: {found}"
                );
            }
            objects.put(&path, &whole).unwrap();
        }
        assert_eq!(audited().difference, None);
    })
    .await
    .unwrap();
}

/// The process ends, and another finds in the store where it stands.
async fn begun_again(running: Running, archive: ArchivePlace) -> Running {
    let Running {
        world,
        clock,
        handle,
        folder,
    } = running;
    handle.shutdown().await.unwrap();
    let mut config = Config::new(
        folder.path().to_owned(),
        key(world::VERIFIER),
        account(world::VERIFIER),
        vec![world.network],
        [1; 32],
    );
    config.archive = archive;
    let chain: Arc<dyn Chain> = Arc::new(world.chain.clone());
    let again: Arc<ManualClock> = Arc::new(clock.clone());
    let handle = start(config, chain, again, None).await.unwrap();
    let running = Running {
        world,
        clock,
        handle,
        folder,
    };
    let status: serde_json::Value = running.get("/v1/status").await.json().await.unwrap();
    assert_eq!(
        (&status["networks"][0]["epoch"], &status["networks"][0]["stage"]),
        (&1.into(), &"open".into())
    );
    running
}
