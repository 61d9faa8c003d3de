//! A running agent that asks a ledger who has a bond: it turns to others, goes on while nobody answers, and remembers.
#![allow(clippy::unwrap_used, reason = "all of it is a test")]

mod stand;

use cairn_agent::agent::Agent;
use cairn_agent::clock::HandClock;
use cairn_agent::registry::{Asking, Registry};
use cairn_agent::routes::{Bonded, Policy};
use cairn_agent::shell::{Extras, Ports, Shell};
use cairn_types::{AccountId, DeviceId};
use futures::future::BoxFuture;
use stand::*;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Notify;

/// A ledger in memory; `None`: it does not answer. Counts the questions, and wakes who waits for one.
#[derive(Clone, Default)]
struct Ledger(Arc<Mutex<(Option<Vec<Bonded>>, usize)>>, Arc<Notify>);

impl Ledger {
    fn says(&self, bonded: Option<Vec<Bonded>>) {
        self.0.lock().unwrap().0 = bonded;
    }

    fn asked(&self) -> usize {
        self.0.lock().unwrap().1
    }
}

impl Registry for Ledger {
    fn bonded(&self) -> BoxFuture<'_, Result<Vec<Bonded>, String>> {
        let mut inside = self.0.lock().unwrap();
        inside.1 += 1;
        self.1.notify_one();
        let answer = inside.0.clone().ok_or("it is away".to_owned());
        Box::pin(async move { answer })
    }
}

fn bonded(url: &str) -> Bonded {
    let verifier = TestVerifier::as_verifier(url);
    Bonded {
        account: verifier.account,
        key: verifier.key,
        url: url.to_owned(),
    }
}

fn stranger() -> Bonded {
    Bonded {
        account: AccountId([8; 32]),
        ..bonded("")
    }
}

/// A running agent of one device that asks this ledger.
async fn run(stand: &Stand, ledger: &Ledger, every: Duration, pause: Duration) -> Shell {
    let disks = (Box::new(stand.outbox.clone()), Box::new(stand.journal.clone()));
    let mut parts = stand.parts();
    parts.networks[0].readings_max = 1;
    let own = parts.verifiers.clone();
    let agent = Agent::open(parts, &stand.keys(), disks.0, disks.1).unwrap();
    let asking = Asking {
        registry: Arc::new(ledger.clone()),
        policy: Policy {
            own,
            discover: true,
            verifiers_max: 2,
            device: DeviceId([1; 32]),
        },
        file: file(stand),
        every,
        pause,
    };
    let (uplink, clock) = (Arc::new(stand.verifier.clone()), HandClock::default());
    clock.set(NOON);
    let extras = Extras {
        asking: Some(asking),
        carrier: None,
        beaconer: None,
    };
    Shell::start_with(agent, Ports::default(), uplink, Arc::new(clock), extras)
        .await
        .unwrap()
}

fn file(stand: &Stand) -> PathBuf {
    stand.folder.path().join("bonded")
}

async fn until(shell: &Shell, holds: impl Fn(&cairn_agent::status::Status) -> bool) {
    while !holds(&shell.mailbox.status().await.unwrap()) {
        tokio::task::yield_now().await;
    }
}

async fn hear(shell: &Shell, minute: u64) {
    let message = rain(NOON.plus_ms(minute * 60_000), "0.1");
    let taken = shell.mailbox.take("gauge-0", message.into()).await.unwrap();
    taken.await.unwrap();
}

const SHORT: Duration = Duration::from_millis(1);

#[tokio::test]
async fn who_loses_its_bond_gets_nothing_more_and_who_has_one_again_does() {
    let (stand, ledger) = (Stand::new(1), Ledger::default());
    ledger.says(Some(vec![bonded("")]));
    let shell = run(&stand, &ledger, SHORT, SHORT).await;
    hear(&shell, 0).await;
    until(&shell, |status| status.receipted == 1).await;
    ledger.says(Some(vec![stranger()]));
    until(&shell, |status| status.verifiers_skipped == 1).await;
    let before = stand.verifier.batches();
    hear(&shell, 1).await;
    assert_eq!(shell.mailbox.status().await.unwrap().waiting, 1);
    ledger.says(Some(vec![bonded("http://elsewhere")]));
    until(&shell, |status| status.receipted == 2).await;
    assert!(stand.verifier.batches() > before);
    until(&shell, |status| status.verifiers == 2).await;
    shell.stop().await.unwrap();
}

#[tokio::test]
async fn while_no_node_answers_the_last_list_stays_in_force_also_after_a_restart() {
    let (stand, ledger) = (Stand::new(1), Ledger::default());
    let shell = run(&stand, &ledger, SHORT, SHORT).await;
    hear(&shell, 0).await;
    until(&shell, |status| status.receipted == 1).await;
    assert_eq!(
        shell.mailbox.status().await.unwrap().ledger_heard_ms_ago,
        None,
        "never heard: by the settings"
    );
    ledger.says(Some(vec![bonded("http://told")]));
    until(&shell, |status| status.verifiers == 2).await;
    ledger.says(None);
    let asked = ledger.asked();
    until(&shell, |_| ledger.asked() > asked + 2).await;
    assert_eq!(shell.mailbox.status().await.unwrap().verifiers, 2);
    shell.stop().await.unwrap();

    let shell = run(&stand, &ledger, SHORT, SHORT).await;
    assert_eq!(shell.mailbox.status().await.unwrap().verifiers, 2);
    shell.stop().await.unwrap();

    std::fs::write(file(&stand), b"nonsense").unwrap();
    let shell = run(&stand, &ledger, SHORT, SHORT).await;
    assert_eq!(
        shell.mailbox.status().await.unwrap().verifiers,
        1,
        "those of the settings"
    );
    shell.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_verifier_that_fails_makes_the_agent_ask_early_but_not_more_often_than_it_may() {
    let (stand, ledger) = (Stand::new(1), Ledger::default());
    ledger.says(Some(vec![bonded("")]));
    let shell = run(&stand, &ledger, Duration::from_secs(3_600), Duration::from_secs(30)).await;
    until(&shell, |status| status.ledger_heard_ms_ago.is_some()).await;
    let begun = tokio::time::Instant::now();
    stand.verifier.next_moods([Mood::Down]);
    hear(&shell, 0).await;
    while ledger.asked() < 2 {
        ledger.1.notified().await;
    }
    let waited = begun.elapsed();
    assert!(
        (Duration::from_secs(29)..Duration::from_secs(60)).contains(&waited),
        "{waited:?}"
    );
    shell.stop().await.unwrap();
}
