//! Reports, readings and refusals in words, out of the vertical's own lists: a new vertical needs nothing here.

use super::figures::signed_decimal;
use cairn_types::{Finding, Reason, Span};
use cairn_verticals::Vertical;
use cairn_verticals::kit::reasons::{self, ReasonText, STANDING};
use cairn_verticals::kit::vertical::{Draw, QuantityText};

/// What is said of a reason; one that this program does not know is said so.
pub fn reason(vertical: Option<&dyn Vertical>, reason: Reason) -> ReasonText {
    let known = vertical.and_then(|vertical| reasons::text(vertical, reason));
    let kit = || reasons::REASONS.iter().find(|text| text.reason == reason);
    known.or_else(kit).copied().unwrap_or(ReasonText {
        reason,
        name: "unknown",
        sentence: "this program does not know the reason: it is of a newer version",
        unit: "",
        blame: 0,
        mend: "",
    })
}

/// What is said of a quantity.
pub fn quantity(vertical: Option<&dyn Vertical>, number: u16) -> QuantityText {
    let known = vertical.and_then(|vertical| vertical.quantities().iter().find(|text| text.quantity == number));
    known.copied().unwrap_or(QuantityText {
        quantity: number,
        name: if number == STANDING { "standing" } else { "unknown" },
        unit: "",
        decimals: 0,
        sentence: "",
        draw: Draw::No,
    })
}

/// What a quantity is, in a sentence.
pub fn quantity_sentence(text: &QuantityText) -> String {
    match text.unit {
        "" => format!("{}.", text.sentence),
        unit => format!("{}, in {unit}.", text.sentence),
    }
}

/// How a quantity is drawn.
pub fn chart(text: &QuantityText) -> &'static str {
    match text.draw {
        Draw::Line => "line",
        Draw::Bars => "bar",
        Draw::Points => "points",
        Draw::Events => "events",
        Draw::No => "none",
    }
}

/// Why a run of readings was refused, with what was measured and the limit.
pub fn span_sentence(vertical: Option<&dyn Vertical>, span: &Span) -> String {
    let of = quantity(vertical, span.quantity);
    let Some(why) = span.reason else {
        return format!("{} was accepted.", of.name);
    };
    let text = reason(vertical, why);
    let of = if of.name == "standing" { "the device" } else { of.name };
    let limits = match (text.unit, span.measured, span.limit) {
        ("", 0, 0) => String::new(),
        (unit, measured, limit) => format!(
            " (measured {}, limit {})",
            with_unit(measured, unit),
            with_unit(limit, unit)
        ),
    };
    format!("{of}: {}{limits}.", text.sentence)
}

fn with_unit(amount: i64, unit: &str) -> String {
    format!("{} {unit}", signed_decimal(amount, 0)).trim_end().to_owned()
}

/// What became of a report.
pub fn finding_sentence(vertical: Option<&dyn Vertical>, finding: &Finding) -> String {
    match finding.reason {
        None => {
            let unit = vertical.map_or("units", |vertical| vertical.unit());
            format!("Accepted: {} × {unit}.", super::figures::decimal(finding.units, 6))
        }
        Some(why) => match finding.spans.iter().find(|span| span.reason == Some(why)) {
            Some(span) => format!("Refused: {}", span_sentence(vertical, span)),
            None => format!("Refused: {}.", reason(vertical, why).sentence),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cairn_types::TimeMs;

    #[test]
    fn every_reason_and_quantity_of_every_vertical_has_words() {
        for vertical in cairn_verticals::ALL {
            for text in vertical.reasons().iter().chain(reasons::REASONS) {
                let span = Span {
                    start: TimeMs(0),
                    end: TimeMs(1),
                    quantity: 0,
                    reason: Some(text.reason),
                    measured: 7,
                    limit: 3,
                };
                let said = span_sentence(Some(*vertical), &span);
                assert!(said.contains(text.sentence) && said.contains('7'), "{said}");
            }
            for text in vertical.quantities() {
                assert_eq!(quantity(Some(*vertical), text.quantity).name, text.name);
            }
        }
        assert_eq!(reason(None, Reason(65_000)).name, "unknown");
    }
}
