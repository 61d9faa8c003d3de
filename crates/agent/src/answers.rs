//! What a verifier's answers are worth. A receipt counts only when it promises our report's own network and epoch, stands under the
//! group's root, and the verifier's own key signed the group: anything else is kept and sent again.

use crate::uplink::Verifier;
use cairn_types::intake::{IntakeAnswer, SequenceError, TEMPORARY_FROM};
use cairn_types::receipt::Group;
use cairn_types::{EpochNumber, NetworkId, Receipt, ReportId, Signature};

/// What a receipt must promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Awaited {
    pub report: ReportId,
    pub network: NetworkId,
    /// `None` for a network whose clock the agent does not know: an envelope it only carries.
    pub epoch: Option<EpochNumber>,
}

/// What is to become of one envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The receipt holds: the report needs no more sending.
    Receipted(Box<Receipt>),
    /// It will never be taken.
    Refused { code: u16, text: String },
    /// It may be taken later.
    Later { code: u16, text: String },
    /// The verifier lies or errs.
    Wrong(&'static str),
}

/// Judges the answer to a batch of these reports, one verdict each.
pub fn judge(verifier: &Verifier, reports: &[Awaited], body: &[u8]) -> Result<Vec<Verdict>, SequenceError> {
    let answers = IntakeAnswer::decode_sequence(body, reports.len())?;
    if answers.len() < reports.len() {
        return Err(SequenceError::Broken(answers.len()));
    }
    let mut checked: Option<(Group, Signature, bool)> = None;
    let mut is_signed = |receipt: &Receipt| match &checked {
        Some((group, signature, holds)) if *group == receipt.group && *signature == receipt.signature => *holds,
        _ => {
            let holds = receipt.group.is_signed(&verifier.key, &receipt.signature);
            checked = Some((receipt.group.clone(), receipt.signature, holds));
            holds
        }
    };
    let verdicts = answers.into_iter().zip(reports).map(|(answer, report)| match answer {
        IntakeAnswer::Refused { code, text } if code >= TEMPORARY_FROM => Verdict::Later { code, text },
        IntakeAnswer::Refused { code, text } => Verdict::Refused { code, text },
        IntakeAnswer::Receipt(receipt) if receipt.report != report.report => {
            Verdict::Wrong("a receipt of another report")
        }
        IntakeAnswer::Receipt(receipt) if receipt.network != report.network => {
            Verdict::Wrong("a receipt for another network")
        }
        IntakeAnswer::Receipt(receipt) if report.epoch.is_some_and(|epoch| receipt.epoch != epoch) => {
            Verdict::Wrong("a receipt for another epoch")
        }
        IntakeAnswer::Receipt(receipt) if receipt.group.verifier != verifier.account => {
            Verdict::Wrong("a receipt of another verifier")
        }
        IntakeAnswer::Receipt(receipt) if !receipt.is_in_group() => {
            Verdict::Wrong("a receipt whose path does not hold")
        }
        IntakeAnswer::Receipt(receipt) if !is_signed(&receipt) => Verdict::Wrong("a receipt with a wrong signature"),
        IntakeAnswer::Receipt(receipt) => Verdict::Receipted(Box::new(receipt)),
    });
    Ok(verdicts.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use cairn_types::intake::IntakeRefusal;
    use cairn_types::receipt::Promise;
    use cairn_types::{AccountId, SecretKey, TimeMs, receipt};
    use rand_chacha::ChaCha8Rng;
    use rand_core::{Rng, SeedableRng};

    const ACCOUNT: AccountId = AccountId([9; 32]);

    fn key() -> SecretKey {
        SecretKey::ed25519([5; 32])
    }

    fn promises() -> Vec<Promise> {
        let promise = |i| Promise {
            report: ReportId([i; 32]),
            network: NetworkId([3; 32]),
            epoch: EpochNumber(7),
        };
        (1..=3).map(promise).collect()
    }

    fn awaited() -> Vec<Awaited> {
        let awaited = |promise: Promise| Awaited {
            report: promise.report,
            network: promise.network,
            epoch: Some(promise.epoch),
        };
        promises().into_iter().map(awaited).collect()
    }

    fn verifier() -> Verifier {
        Verifier {
            url: String::new(),
            account: ACCOUNT,
            key: key().public(),
        }
    }

    /// The verdicts over answers to the three reports.
    fn verdicts(answers: &[IntakeAnswer]) -> Result<Vec<Verdict>, SequenceError> {
        judge(&verifier(), &awaited(), &IntakeAnswer::encode_sequence(answers))
    }

    fn answers(account: AccountId, key: &SecretKey, of: &[Promise]) -> Vec<IntakeAnswer> {
        receipt::issue(account, key, TimeMs(7), of)
            .into_iter()
            .map(IntakeAnswer::Receipt)
            .collect()
    }

    #[test]
    fn honest_receipts_count() {
        let verdicts = verdicts(&answers(ACCOUNT, &key(), &promises())).unwrap();
        assert!(verdicts.iter().all(|verdict| matches!(verdict, Verdict::Receipted(_))));
    }

    #[test]
    fn a_lie_is_seen() {
        let other = SecretKey::ed25519([6; 32]);
        let swapped: Vec<Promise> = promises().into_iter().rev().collect();
        let changed = |change: fn(&mut Promise)| {
            let mut promises = promises();
            change(&mut promises[0]);
            answers(ACCOUNT, &key(), &promises)
        };
        let elsewhere = changed(|promise| promise.network = NetworkId([4; 32]));
        let another_time = changed(|promise| promise.epoch = EpochNumber(u64::MAX));
        let mut bad_path = answers(ACCOUNT, &key(), &promises());
        if let IntakeAnswer::Receipt(receipt) = &mut bad_path[0] {
            receipt.path.siblings[0].0[0] ^= 1;
        }
        for (answers, at, lie) in [
            (
                answers(ACCOUNT, &other, &promises()),
                0,
                "a receipt with a wrong signature",
            ),
            (
                answers(AccountId([8; 32]), &key(), &promises()),
                0,
                "a receipt of another verifier",
            ),
            (answers(ACCOUNT, &key(), &swapped), 0, "a receipt of another report"),
            (elsewhere, 0, "a receipt for another network"),
            (another_time, 0, "a receipt for another epoch"),
            (bad_path, 0, "a receipt whose path does not hold"),
        ] {
            assert_eq!(verdicts(&answers).unwrap()[at], Verdict::Wrong(lie));
        }
    }

    #[test]
    fn of_a_network_without_a_known_clock_the_network_must_still_be_right() {
        let mut awaited = awaited();
        awaited.iter_mut().for_each(|one| one.epoch = None);
        awaited[1].network = NetworkId([4; 32]);
        let body = IntakeAnswer::encode_sequence(&answers(ACCOUNT, &key(), &promises()));
        let verdicts = judge(&verifier(), &awaited, &body).unwrap();
        assert!(matches!(verdicts[0], Verdict::Receipted(_)));
        assert_eq!(verdicts[1], Verdict::Wrong("a receipt for another network"));
    }

    #[test]
    fn refusals_are_final_or_not_by_their_number() {
        let mut mixed = answers(ACCOUNT, &key(), &promises());
        mixed[0] = IntakeAnswer::refused(IntakeRefusal::UnknownDevice, "");
        mixed[1] = IntakeAnswer::refused(IntakeRefusal::DeviceBusy, "");
        let verdicts = verdicts(&mixed).unwrap();
        assert!(matches!(verdicts[0], Verdict::Refused { code: 4, .. }));
        assert!(matches!(verdicts[1], Verdict::Later { code: 100, .. }));
        assert!(matches!(verdicts[2], Verdict::Receipted(_)));
    }

    #[test]
    fn too_few_or_too_many_answers_are_none() {
        let all = answers(ACCOUNT, &key(), &promises());
        assert_eq!(verdicts(&all[..2]), Err(SequenceError::Broken(2)));
        assert_eq!(verdicts(&[all.clone(), all].concat()), Err(SequenceError::TooMany(3)));
        assert!(judge(&verifier(), &awaited(), b"<html>").is_err());
    }

    #[test]
    fn nonsense_is_an_error_or_a_lie_and_never_a_receipt_of_nothing() {
        let mut random = ChaCha8Rng::from_seed([7; 32]);
        let valid = IntakeAnswer::encode_sequence(&answers(ACCOUNT, &key(), &promises()));
        for _ in 0..3_000 {
            let mut bytes = valid.clone();
            for _ in 0..1 + random.next_u32() % 4 {
                let at = random.next_u32() as usize % bytes.len();
                match random.next_u32() % 3 {
                    0 => bytes[at] = random.next_u32() as u8,
                    1 => bytes.truncate(at.max(1)),
                    _ => bytes.insert(at, random.next_u32() as u8),
                }
            }
            let Ok(verdicts) = judge(&verifier(), &awaited(), &bytes) else {
                continue;
            };
            for (verdict, promise) in verdicts.iter().zip(promises()) {
                if let Verdict::Receipted(receipt) = verdict {
                    assert!(receipt.promise() == promise && receipt.verify(&key().public()));
                }
            }
        }
    }
}
