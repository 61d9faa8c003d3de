//! What a verifier's answers are worth. A receipt counts only when it names our report, stands under the group's root, and
//! the verifier's own key signed the group: anything else is kept and sent again.

use crate::uplink::Verifier;
use cairn_types::intake::{IntakeAnswer, SequenceError, TEMPORARY_FROM};
use cairn_types::receipt::Group;
use cairn_types::{Receipt, ReportId, Signature};

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
pub fn judge(verifier: &Verifier, reports: &[ReportId], body: &[u8]) -> Result<Vec<Verdict>, SequenceError> {
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
        IntakeAnswer::Receipt(receipt) if receipt.report != *report => Verdict::Wrong("a receipt of another report"),
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
    use cairn_types::{AccountId, SecretKey, TimeMs, receipt};
    use rand_chacha::ChaCha8Rng;
    use rand_core::{Rng, SeedableRng};

    const ACCOUNT: AccountId = AccountId([9; 32]);

    fn key() -> SecretKey {
        SecretKey::ed25519([5; 32])
    }

    fn reports() -> Vec<ReportId> {
        (1..=3).map(|i| ReportId([i; 32])).collect()
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
        judge(&verifier(), &reports(), &IntakeAnswer::encode_sequence(answers))
    }

    fn answers(account: AccountId, key: &SecretKey, of: &[ReportId]) -> Vec<IntakeAnswer> {
        receipt::issue(account, key, TimeMs(7), of)
            .into_iter()
            .map(IntakeAnswer::Receipt)
            .collect()
    }

    #[test]
    fn honest_receipts_count() {
        let verdicts = verdicts(&answers(ACCOUNT, &key(), &reports())).unwrap();
        assert!(verdicts.iter().all(|verdict| matches!(verdict, Verdict::Receipted(_))));
    }

    #[test]
    fn a_lie_is_seen() {
        let other = SecretKey::ed25519([6; 32]);
        let swapped: Vec<ReportId> = reports().into_iter().rev().collect();
        let mut bad_path = answers(ACCOUNT, &key(), &reports());
        if let IntakeAnswer::Receipt(receipt) = &mut bad_path[0] {
            receipt.path.siblings[0].0[0] ^= 1;
        }
        for (answers, at, lie) in [
            (
                answers(ACCOUNT, &other, &reports()),
                0,
                "a receipt with a wrong signature",
            ),
            (
                answers(AccountId([8; 32]), &key(), &reports()),
                0,
                "a receipt of another verifier",
            ),
            (answers(ACCOUNT, &key(), &swapped), 0, "a receipt of another report"),
            (bad_path, 0, "a receipt whose path does not hold"),
        ] {
            assert_eq!(verdicts(&answers).unwrap()[at], Verdict::Wrong(lie));
        }
    }

    #[test]
    fn refusals_are_final_or_not_by_their_number() {
        let mut mixed = answers(ACCOUNT, &key(), &reports());
        mixed[0] = IntakeAnswer::refused(IntakeRefusal::UnknownDevice, "");
        mixed[1] = IntakeAnswer::refused(IntakeRefusal::DeviceBusy, "");
        let verdicts = verdicts(&mixed).unwrap();
        assert!(matches!(verdicts[0], Verdict::Refused { code: 4, .. }));
        assert!(matches!(verdicts[1], Verdict::Later { code: 100, .. }));
        assert!(matches!(verdicts[2], Verdict::Receipted(_)));
    }

    #[test]
    fn too_few_or_too_many_answers_are_none() {
        let all = answers(ACCOUNT, &key(), &reports());
        assert_eq!(verdicts(&all[..2]), Err(SequenceError::Broken(2)));
        assert_eq!(verdicts(&[all.clone(), all].concat()), Err(SequenceError::TooMany(3)));
        assert!(judge(&verifier(), &reports(), b"<html>").is_err());
    }

    #[test]
    fn nonsense_is_an_error_or_a_lie_and_never_a_receipt_of_nothing() {
        let mut random = ChaCha8Rng::from_seed([7; 32]);
        let valid = IntakeAnswer::encode_sequence(&answers(ACCOUNT, &key(), &reports()));
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
            let Ok(verdicts) = judge(&verifier(), &reports(), &bytes) else {
                continue;
            };
            for (verdict, report) in verdicts.iter().zip(reports()) {
                if let Verdict::Receipted(receipt) = verdict {
                    assert!(receipt.report == report && receipt.verify(&key().public()));
                }
            }
        }
    }
}
