//! A real verifier's door: meters are taken, refused for good, or taken later.

use crate::world::{START, VERIFIER, World, account, key};
use cairn_gateway::meters::{HttpMeters, MeterPostError, Meters};
use cairn_ledger::account::Rule;
use cairn_types::{Credit, DeviceNumber, OrderId};
use cairn_verifier::clock::ManualClock;
use cairn_verifier::meters::{MeterEntry, MeterRecord, SignedMeters};
use cairn_verifier::submit::Submitter;
use cairn_verifier::{Config, start};
use std::sync::Arc;
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;

fn signed(world: &World, order: OrderId, role: u8) -> SignedMeters {
    let record = MeterRecord {
        network: world.network,
        order,
        entries: vec![MeterEntry {
            device: DeviceNumber(1),
            credits: Credit(1),
        }],
    };
    let secret = key(role);
    record.sign_by(
        &"gateway-test".parse().unwrap(),
        &Rule::single(secret.public()),
        &[secret],
    )
}

async fn post(meters: &Arc<HttpMeters>, record: SignedMeters) -> Result<(), MeterPostError> {
    let meters = meters.clone();
    spawn_blocking(move || meters.post(&record)).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn meters_reach_a_verifier_that_knows_the_order_from_its_provider() {
    let world = World::new(1);
    let (_, order) = world.agree(&world.gateway(), &world.rain(1));
    let provider = world.order(&order).provider;
    assert_eq!(provider, account(crate::world::PROVIDER));
    let folder = tempfile::tempdir().unwrap();
    let submitter = Submitter::single(key(VERIFIER));
    let config = Config::new(
        folder.path().to_owned(),
        key(VERIFIER),
        submitter,
        vec![world.network],
        [3; 32],
    );
    let clock = Arc::new(ManualClock::at(START));
    let verifier = start(config, Arc::new(world.chain.clone()), clock, None).await.unwrap();
    let meters = Arc::new(HttpMeters::new(vec![verifier.url()], Handle::current()));
    let good = signed(&world, order, crate::world::PROVIDER);
    assert_eq!(post(&meters, good.clone()).await, Ok(()));
    assert_eq!(post(&meters, good.clone()).await, Ok(()), "the same again");
    let forged = signed(&world, order, crate::world::POOR);
    assert!(matches!(post(&meters, forged).await, Err(MeterPostError::Refused(_))));
    let early = signed(&world, OrderId([5; 32]), crate::world::PROVIDER);
    assert!(matches!(post(&meters, early).await, Err(MeterPostError::Later(_))));
    verifier.shutdown().await.unwrap();
    assert!(matches!(post(&meters, good).await, Err(MeterPostError::Later(_))));
}
