//! One renewal of the shares by its single steps: what an old share is worth after it, and when it comes to nothing.

use crate::engine_types::{Bls, Digest, PublicKey, Scheme};
use commonware_consensus::{
    simplex::types::{Finalize, Proposal},
    types::{Epoch, Round, View},
};
use commonware_cryptography::{
    Signer as _,
    bls12381::{
        dkg::feldman_desmedt::{Dealer, Info, Logs, Output, Player, Reveal, deal},
        primitives::{group::Share, sharing::Mode},
    },
    ed25519::PrivateKey,
};
use commonware_parallel::Sequential;
use commonware_utils::{N3f1, ordered::Set};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use std::collections::BTreeMap;

const CHAIN: &[u8] = b"renewal";

type Shares = BTreeMap<PublicKey, Share>;

fn rng() -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(3)
}

fn keys(seeds: std::ops::Range<u64>) -> Vec<PrivateKey> {
    seeds.map(PrivateKey::from_seed).collect()
}

fn names(keys: &[PrivateKey]) -> Set<PublicKey> {
    Set::from_iter_dedup(keys.iter().map(|key| key.public_key()))
}

/// The shares of four, as a ceremony leaves them.
fn founding() -> (Output<Bls, PublicKey>, Shares) {
    let (output, shares) = deal::<Bls, _, N3f1>(rng(), Mode::NonZeroCounter, names(&keys(0..4))).unwrap();
    (output, shares.into_iter().collect())
}

/// Renews the shares: these deal, to all who are there.
fn renew(
    before: &Output<Bls, PublicKey>,
    dealing: Vec<(PrivateKey, Share)>,
    to: &[PrivateKey],
    is_there: impl Fn(&PrivateKey) -> bool,
) -> Option<(Output<Bls, PublicKey>, Shares)> {
    let dealers = before.players().clone();
    let mode = (Mode::NonZeroCounter, Reveal::V1);
    let info = Info::new::<N3f1>(CHAIN, 1, Some(before.clone()), mode.0, mode.1, dealers, names(to)).unwrap();
    let there = to.iter().filter(|key| is_there(key));
    let mut players: BTreeMap<PublicKey, Player<Bls, PrivateKey>> = there
        .map(|key| (key.public_key(), Player::new(info.clone(), key.clone()).unwrap()))
        .collect();
    let mut logs = Logs::<Bls, PublicKey, N3f1>::new(info.clone());
    for (key, share) in dealing {
        let me = key.public_key();
        let (mut dealer, public, private) = Dealer::start::<N3f1>(rng(), info.clone(), key, Some(share)).unwrap();
        for (name, private) in private {
            let Some(player) = players.get_mut(&name) else { continue };
            let ack = player.dealer_message::<N3f1>(me.clone(), public.clone(), private);
            dealer.receive_player_ack(name, ack.unwrap().unwrap()).unwrap();
        }
        let (name, log) = dealer.finalize::<N3f1>().check(&info).unwrap();
        logs.record(name, log);
    }
    let mut shares = Shares::new();
    let mut output = None;
    for (name, player) in players {
        let (made, share) = player.finalize::<N3f1>(&mut rng(), logs.clone(), &Sequential).ok()?;
        shares.insert(name, share);
        output = Some(made);
    }
    Some((output?, shares))
}

/// The shares of those with these seeds, beside their keys.
fn held(shares: &Shares, seeds: std::ops::Range<u64>) -> Vec<(PrivateKey, Share)> {
    let held = |key: PrivateKey| (key.clone(), shares[&key.public_key()].clone());
    keys(seeds).into_iter().map(held).collect()
}

fn vote(scheme: &Scheme) -> Finalize<Scheme, Digest> {
    let round = Round::new(Epoch::new(1), View::new(5));
    let proposal = Proposal::new(round, View::new(4), Digest::from([7; 32]));
    Finalize::sign(scheme, proposal).unwrap()
}

#[test]
fn under_the_same_group_key_an_old_share_votes_no_more() {
    let (before, old) = founding();
    // The first goes, a fifth comes, three stay.
    let members = keys(1..5);
    let (after, new) = renew(&before, held(&old, 0..4), &members, |_| true).unwrap();
    assert_eq!(after.public().public(), before.public().public());
    let now = Scheme::verifier(CHAIN, names(&members), after.public().clone());
    for (name, share) in &new {
        let scheme = Scheme::signer(CHAIN, names(&members), after.public().clone(), share.clone()).unwrap();
        assert!(vote(&scheme).verify(&mut rng(), &now, &Sequential), "{name}");
    }
    for (name, share) in &old {
        let scheme = Scheme::signer(CHAIN, names(&members), after.public().clone(), share.clone());
        assert!(scheme.is_none(), "{name}: the share is of another sharing");
        let then = Scheme::signer(CHAIN, before.players().clone(), before.public().clone(), share.clone()).unwrap();
        assert!(!vote(&then).verify(&mut rng(), &now, &Sequential), "{name}");
    }
}

#[test]
fn three_of_four_are_enough_to_renew_and_two_are_not() {
    let (before, old) = founding();
    assert!(renew(&before, held(&old, 0..3), &keys(0..4), |_| true).is_some());
    assert!(renew(&before, held(&old, 0..2), &keys(0..4), |_| true).is_none());
}

#[test]
fn a_renewal_comes_to_nothing_when_more_than_a_third_of_those_who_get_shares_are_away() {
    let (before, old) = founding();
    let players = keys(0..7);
    let without = |away: usize| {
        let away = names(&players[7 - away..]);
        renew(&before, held(&old, 0..4), &players, |key| {
            away.position(&key.public_key()).is_none()
        })
    };
    assert!(without(2).is_some());
    assert!(without(3).is_none());
}
