//! What a transfer costs beside its signature: decoding, checking and applying a block of them, against bare batch verification of the
//! same signatures. The ledger runs on records in memory; a state root and consensus come on top.

use crate::method::{self, Row, Section, Turns, median, spent, whole};
use cairn_ledger::fixture::{City, OPERATORS_FROM, account};
use cairn_ledger::tx::{Asset, transfer};
use cairn_ledger::{Body, Signed, check};
use cairn_types::batch::{self, Signed as Signature};
use cairn_types::{Token, hash};
use std::error::Error;

const BATCH: u32 = 1_024;
const ACCOUNTS: u32 = 32_768;
const TURNS: u32 = 96;
const WARM: u32 = 4;
const MS: u64 = 1_000;

pub const PART: &str = "transfers-part";

pub fn run() -> Section {
    let rows = method::in_processes(PART)?.concat();
    Ok(format!(
        "### Ledger transfers\n\n\
         Blocks of {BATCH} transfers between {} accounts, each sender and recipient another one: `check` (decode, one \
         form, batch verification), `begin_block`, `apply`; records in memory. Limit: `batch::verify` of the same signatures in the same \
         batch. n = {TURNS}.\n\n\
         | bytes each | transfers/s per core | check alone | apply alone | limit/s per core | check alone to limit | ratio (aim 0.70) | range |\n\
         |---|---|---|---|---|---|---|---|\n{}",
        whole(ACCOUNTS.into()),
        rows.trim_end()
    ))
}

/// The row once.
pub fn part() -> Section {
    let mut city = City::new();
    city.write_operators(ACCOUNTS);
    for n in 0..ACCOUNTS {
        let signed = city.sign(0, u64::from(n) + 2, give(OPERATORS_FROM + n, 1_000));
        applied(&mut city, &signed)?;
    }
    let mut turns = Turns::default();
    let (mut checks, mut applies, mut bytes_each) = (Vec::new(), Vec::new(), 0);
    for turn in 0..TURNS + WARM {
        if turn == WARM {
            turns = Turns::default();
            checks.clear();
            applies.clear();
        }
        let made: Vec<Signed> = (0..BATCH).map(|at| made(&city, turn * BATCH + at)).collect();
        let bytes: Vec<Vec<u8>> = made.iter().map(Signed::bytes).collect();
        let slices: Vec<&[u8]> = bytes.iter().map(Vec::as_slice).collect();
        bytes_each = slices.concat().len() / slices.len();
        let messages: Vec<[u8; 32]> = made.iter().map(|signed| signed.transaction.id().0).collect();
        let bare: Vec<Signature<'_>> = made
            .iter()
            .zip(&messages)
            .flat_map(|(signed, message)| signed.witness.signed(message))
            .collect();
        let done: Result<(), Box<dyn Error>> = turns.turn(
            || assert!(batch::verify(&bare).into_iter().all(|holds| holds), "rightly signed"),
            || {
                let (checked, of_check) = spent(|| check(&slices));
                let (done, of_apply) = spent(|| {
                    city.advance(MS);
                    checked
                        .into_iter()
                        .try_for_each(|signed| applied(&mut city, &signed.map_err(|reject| reject.sentence())?))
                });
                checks.push(of_check.core);
                applies.push(of_apply.core);
                done
            },
        );
        done?;
    }
    let per_core = |seconds: f64| whole(f64::from(BATCH) / seconds);
    let text = format!(
        "| {bytes_each} | {} | {} | {} | {} | {:.2}",
        per_core(turns.work_core()),
        per_core(median(checks.iter().copied())),
        per_core(median(applies.into_iter())),
        per_core(turns.limit_core()),
        turns.limit_core() / median(checks.into_iter()),
    );
    let ratio = turns.ratio();
    Ok(method::rows(vec![Row { ratio, text }]))
}

fn give(to: u32, amount: u64) -> Body {
    Body::Transfer(transfer::Transfer {
        to: account(to),
        amount: Asset::Token(Token(amount)),
    })
}

/// The `n`-th transfer: senders in turn, recipients anywhere.
fn made(city: &City, n: u32) -> Signed {
    let sender = n % ACCOUNTS;
    let random = hash::domain("bench/recipient", &[&n.to_be_bytes()]).0;
    let hop = 1 + u32::from_be_bytes([0, random[0], random[1], random[2]]) % (ACCOUNTS - 1);
    let recipient = (sender + hop) % ACCOUNTS;
    let nonce = u64::from(n / ACCOUNTS) + 1;
    city.sign(OPERATORS_FROM + sender, nonce, give(OPERATORS_FROM + recipient, 1))
}

fn applied(city: &mut City, signed: &Signed) -> Result<(), Box<dyn Error>> {
    let mut events = Vec::new();
    let done = city.ledger.apply(&mut city.store, &city.block, signed, &mut events);
    let answer = done.map_err(|missing| format!("{:?} is not in memory", missing.0))?;
    answer.map_err(|reject| reject.sentence())?;
    Ok(())
}
