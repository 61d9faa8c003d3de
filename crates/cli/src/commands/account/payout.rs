//! `cairn account payout`: what part of its income an operator wants in dollars. Sets the choice and nothing else; the ledger does
//! the exchanging.

use crate::error::Done;
use crate::output::{Output, decimal};
use crate::session::Session;
use crate::spend::{Spender, Spending, merge};
use crate::units::Decimal;
use cairn_ledger::Event;
use cairn_ledger::records::PayoutChoice;
use cairn_ledger::tx::Body;
use cairn_ledger::tx::set_payout_choice::SetPayoutChoice;
use cairn_types::{BasisPoints, EpochNumber};
use serde_json::{Value, json};

/// Say what part of your income you want in US dollars of stablecoin; operators who want the contrary take the other side.
///
/// A network pays token for being there, and token and stablecoin for what customers used. With 100 you offer the token you earn for
/// the stablecoin others earn; with 0 you offer your stablecoin for their token; with as-earned you offer nothing. The exchange is
/// part of the payment of each epoch, at the middle price at which the ledger closed the epoch: there is no order, no spread, no
/// counterparty to trust and nothing to wait for. What finds nobody on the other side is paid as earned, and so is everything while
/// the ledger has no price.
///
/// The choice holds for every network you earn in, from the next epoch on; the open epoch is paid by the choice before.
/// `cairn account show` shows it, `cairn export income` lists what was exchanged.
///
/// Example: cairn account payout --dollars 75
#[derive(clap::Args)]
#[command(after_help = examples![
    "cairn account payout --dollars 60",
    "cairn account payout --dollars as-earned",
])]
pub struct Args {
    /// Percent of the value of the income, 0 to 100 with at most two decimals; or as-earned, to exchange nothing.
    #[arg(long, value_name = "PERCENT|as-earned", value_parser = part)]
    dollars: Part,
    #[command(flatten)]
    spending: Spending,
}

/// A choice as an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Part(Option<BasisPoints>);

fn part(text: &str) -> Result<Part, String> {
    if text == "as-earned" {
        return Ok(Part(None));
    }
    let percent: Option<Decimal> = text.parse().ok();
    let points = percent.and_then(|percent| u16::try_from(percent.units(2).ok()?).ok());
    let points = points.and_then(BasisPoints::new);
    points
        .map(|points| Part(Some(points)))
        .ok_or_else(|| "a part is 0 to 100 percent with at most two decimals, like 75 or 12.5, or as-earned".to_owned())
}

/// A choice in words.
pub fn words(wants: Option<BasisPoints>) -> String {
    match wants.map(BasisPoints::get) {
        None => "as earned".to_owned(),
        Some(0) => "all in token".to_owned(),
        Some(10_000) => "all in US dollars of stablecoin".to_owned(),
        Some(part) => format!(
            "{} % in US dollars of stablecoin, the rest in token",
            decimal(part.into(), 2)
        ),
    }
}

/// What `cairn account show` says of an account's choice.
pub fn face(choice: &PayoutChoice) -> Value {
    json!({
        "wants_stable_bps": choice.wants.map(BasisPoints::get),
        "wants_stable_from_epoch": choice.from.0,
        "wanted_stable_bps_before": choice.before.map(BasisPoints::get),
    })
}

/// The same in a line; `open` is the epoch that runs.
pub fn line(choice: &PayoutChoice, open: EpochNumber) -> String {
    let now = words(choice.wants);
    if choice.from <= open {
        return format!("payout      {now}");
    }
    let before = words(choice.before);
    format!("payout      {now}, from epoch {} on; until then {before}", choice.from)
}

pub async fn run(session: &Session, args: &Args, out: Output) -> Done {
    let Part(wants) = args.dollars;
    let open = session.chain().await?.epoch;
    let facts = json!({ "wants_stable_bps": wants.map(BasisPoints::get), "from_epoch": open.next().0 });
    let spender = Spender::new(session, &args.spending).await?;
    let body = Body::SetPayoutChoice(SetPayoutChoice { wants });
    let sent = spender.send("set_payout_choice", facts, body).await?;
    let mut answer = sent.answer;
    // The epoch may have ended on the way.
    for event in sent.confirmed.iter().flat_map(|confirmed| &confirmed.events) {
        if let Event::PayoutChoiceSet { from, .. } = event {
            merge(&mut answer, json!({ "from_epoch": from.0 }));
        }
    }
    let says = format!(
        "have the income paid {}, from epoch {} on",
        words(wants),
        answer["from_epoch"]
    );
    spender.answer(out, &answer, &says);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_exact_or_refused() {
        for (text, points) in [
            ("0", 0),
            ("100", 10_000),
            ("12.5", 1_250),
            ("0.01", 1),
            ("99.99", 9_999),
        ] {
            assert_eq!(part(text), Ok(Part(BasisPoints::new(points))), "{text}");
        }
        assert_eq!(part("as-earned"), Ok(Part(None)));
        for odd in [
            "",
            "100.01",
            "101",
            "0.001",
            "-1",
            "50%",
            "all",
            "99999999999999999999",
            "as earned",
        ] {
            assert!(part(odd).is_err(), "{odd}");
        }
    }

    #[test]
    fn a_choice_is_shown_with_when_it_holds() {
        let open = EpochNumber(5);
        let (choice, _) = PayoutChoice::default().changed(BasisPoints::new(1_250), open);
        let dollars = "12.5 % in US dollars of stablecoin, the rest in token";
        assert_eq!(
            line(&choice, open),
            format!("payout      {dollars}, from epoch 6 on; until then as earned")
        );
        assert_eq!(line(&choice, open.next()), format!("payout      {dollars}"));
        assert_eq!(line(&PayoutChoice::default(), open), "payout      as earned");
        assert_eq!(face(&choice)["wants_stable_from_epoch"], 6);
    }
}
