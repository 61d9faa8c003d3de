//! A queue that is full says so at once, and what waited in it is decided together.

use super::*;
use crate::clock::ManualClock;
use crate::collector::Collector;
use crate::disk::{Disk, SimulatedDisk, Syncing};
use crate::world::{HOUR, SENSORS, START, World, sealed};
use cairn_types::TimeMs;
use std::sync::mpsc;

/// A disk whose syncs say that they began and wait to be let through.
fn gate(disk: &SimulatedDisk, began: mpsc::Sender<()>, go: mpsc::Receiver<()>) -> Box<dyn Disk> {
    let sync = move |disk: &mut dyn Disk, name: &str| {
        began.send(()).unwrap();
        go.recv().unwrap();
        disk.sync(name)
    };
    Box::new(Syncing::new(Box::new(disk.clone()), sync))
}

fn request(world: &World, now: TimeMs, sequences: std::ops::Range<u64>) -> Envelopes {
    let envelopes: Vec<Vec<u8>> = sequences
        .map(|sequence| sealed(world.network, 0, now, sequence))
        .collect();
    let mut from = 0;
    let place = |envelope: &Vec<u8>| {
        let place = from..from + envelope.len();
        from = place.end;
        place
    };
    let places = envelopes.iter().map(place).collect();
    Envelopes {
        body: envelopes.concat().into(),
        places,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_is_said_at_once_and_what_waits_shares_one_sync() {
    let world = World::new(1);
    let now = START.plus_ms(HOUR / 2);
    let (began, begins) = mpsc::channel();
    let (goes, go) = mpsc::channel();
    let disk = gate(&world.disk, began, go);
    let networks: [(NetworkId, &'static dyn cairn_verticals::Vertical, EpochNumber); 1] =
        [(world.network, &SENSORS, EpochNumber(0))];
    let collector = Collector::open(world.settings(), Arc::new(world.chain.clone()), disk, &networks).unwrap();
    let (mailbox, thread) = spawn(collector, Arc::new(ManualClock::at(now)), Metrics::default(), 5).unwrap();

    let ask = |sequences| {
        let (mailbox, envelopes) = (mailbox.clone(), request(&world, now, sequences));
        tokio::spawn(async move { mailbox.take(envelopes).await })
    };
    let first = ask(1..3);
    let begins = tokio::task::spawn_blocking(move || begins.recv().map(|()| begins))
        .await
        .unwrap()
        .unwrap();
    // The thread is inside its first sync; two of five places are taken.
    let (second, third) = (ask(3..4), ask(4..6));
    while mailbox.waiting.load(Ordering::SeqCst) < 5 {
        tokio::task::yield_now().await;
    }
    assert_eq!(mailbox.take(request(&world, now, 6..7)).await, Err(Busy));
    goes.send(()).unwrap();
    goes.send(()).unwrap();
    for waited in [first, second, third] {
        let answers = waited.await.unwrap().unwrap();
        assert!(
            answers.iter().all(|answer| matches!(answer, IntakeAnswer::Receipt(_))),
            "{answers:?}"
        );
    }
    assert_eq!(begins.try_iter().count(), 1, "the two that waited were synced together");
    assert_eq!(mailbox.waiting.load(Ordering::SeqCst), 0);
    mailbox.stop();
    thread.join().unwrap();
    assert_eq!(mailbox.take(request(&world, now, 7..8)).await, Err(Busy));
}
