//! Requests damaged in every way with a fixed seed: each is answered with a refusal, and none moves money.

use crate::http::{post, serve};
use crate::world::{CUSTOMER, World, account, purchase};
use cairn_gateway::customer;
use cairn_gateway::faces::ErrorFace;
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use reqwest::Client;

const MUTANTS: usize = 400;

/// One or more bytes changed, cut, doubled, or swapped for what JSON makes much of.
fn damage(random: &mut ChaCha8Rng, bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..=random.next_u32() % 3 {
        let at = random.next_u64() as usize % bytes.len().max(1);
        match random.next_u32() % 6 {
            0 => bytes.truncate(at),
            1 => bytes.extend_from_within(at..),
            2 if !bytes.is_empty() => bytes[at] ^= 1 << (random.next_u32() % 8),
            3 if !bytes.is_empty() => drop(bytes.remove(at)),
            4 => bytes.splice(at..at, *b"\"{[}]:,\\u0000").for_each(drop),
            _ => bytes.splice(at..at, *b"-1e999999999999999999").for_each(drop),
        }
        if bytes.is_empty() {
            return bytes;
        }
    }
    bytes
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_requests_are_refused_and_cost_nothing() {
    let world = World::new(1);
    let (agreed, order) = world.agree(&world.gateway(), &world.rain(1));
    let before = world.credits(CUSTOMER);
    let handle = serve(&world).await;
    let good = [
        (
            "/v1/quotes",
            serde_json::to_vec(&customer::ask(&world.rain(1), &account(CUSTOMER))).unwrap(),
        ),
        ("/v1/queries", serde_json::to_vec(&purchase(&agreed, order)).unwrap()),
    ];
    let mut random = ChaCha8Rng::seed_from_u64(20);
    let client = Client::new();
    let mut refused = 0;
    for at in 0..MUTANTS {
        let (path, bytes) = &good[at % good.len()];
        let body = damage(&mut random, bytes);
        if body == *bytes {
            continue;
        }
        let shown = String::from_utf8_lossy(&body).into_owned();
        let answer = client
            .post(format!("{}{path}", handle.url()))
            .body(body)
            .send()
            .await
            .unwrap();
        let status = answer.status();
        // A damaged name of a format or a time may still be a question; it is never a purchase.
        if status.is_success() {
            assert_eq!(*path, "/v1/quotes", "{shown}");
            continue;
        }
        assert!(status.is_client_error(), "{status}: {shown}");
        let face: ErrorFace = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
        assert!(!face.code.is_empty() && !face.message.is_empty() && !face.hint.is_empty());
        refused += 1;
    }
    assert!(refused > MUTANTS * 3 / 4, "{refused}");
    assert_eq!(world.credits(CUSTOMER), before);
    assert_eq!(
        post(&handle, "/v1/queries", &purchase(&agreed, order)).await.status(),
        200
    );
    handle.shutdown().await;
}
