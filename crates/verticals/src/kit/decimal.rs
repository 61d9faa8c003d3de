//! Decimal text to integers of a fixed number of decimals, without floats.

/// The value of a decimal number with `decimals` places, times `mul / div`, rounded half away from zero. `None` when the
/// text is no number or the result is too large.
pub fn scaled(text: &str, decimals: u8, mul: i64, div: i64) -> Option<i64> {
    let (mantissa, exponent) = parse(text)?;
    let shift = i32::from(decimals).checked_add(exponent)?;
    let (mut above, mut below) = (i128::from(mantissa).checked_mul(mul.into())?, i128::from(div));
    if shift.unsigned_abs() > 24 {
        return (above == 0).then_some(0);
    }
    let power = 10i128.pow(shift.unsigned_abs());
    if shift >= 0 {
        above = above.checked_mul(power)?;
    } else {
        below = below.checked_mul(power)?;
    }
    let half = below / 2;
    let rounded = if above >= 0 {
        above.checked_add(half)?
    } else {
        above.checked_sub(half)?
    };
    i64::try_from(rounded / below).ok()
}

/// Mantissa and power of ten of JSON's form of a number (a leading plus or zeros are allowed too).
fn parse(text: &str) -> Option<(i64, i32)> {
    let text = text.trim();
    let (digits, exponent) = match text.split_once(['e', 'E']) {
        Some((digits, exponent)) if exponent.len() <= 4 => (digits, exponent.parse::<i32>().ok()?),
        Some(_) => return None,
        None => (text, 0),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let fraction = fraction.trim_end_matches('0');
    let unsigned = whole.strip_prefix(['-', '+']).unwrap_or(whole);
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if unsigned.len() + fraction.len() > 18 || unsigned.is_empty() || !all_digits(unsigned) || !all_digits(fraction) {
        return None;
    }
    let magnitude: i64 = format!("{unsigned}{fraction}").parse().ok()?;
    let places = i32::try_from(fraction.len()).ok()?;
    Some((
        if whole.starts_with('-') { -magnitude } else { magnitude },
        exponent.checked_sub(places)?,
    ))
}

/// An integer of so many decimals as text, without trailing zeros.
pub fn text(value: i64, decimals: u8) -> String {
    let scale = 10u64.pow(decimals.into());
    let (whole, fraction) = (value.unsigned_abs() / scale, value.unsigned_abs() % scale);
    let sign = if value < 0 { "-" } else { "" };
    if fraction == 0 {
        return format!("{sign}{whole}");
    }
    let fraction = format!("{fraction:0width$}", width = decimals.into());
    format!("{sign}{whole}.{}", fraction.trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_become_integers_exactly() {
        for (given, decimals, mul, div, value) in [
            ("0.101", 3, 1, 1, Some(101)),
            ("-3", 3, 1, 1, Some(-3_000)),
            ("1e-1", 3, 1, 1, Some(100)),
            ("0.1014", 3, 1, 1, Some(101)),
            ("0.1015", 3, 1, 1, Some(102)),
            ("-0.1015", 3, 1, 1, Some(-102)),
            ("0.04", 3, 254, 10, Some(1_016)),
            ("+7.", 0, 1, 1, Some(7)),
            ("0.1000000000000000000000", 3, 1, 1, Some(100)),
            ("1e9999", 3, 1, 1, None),
            ("99999999999999999999", 3, 1, 1, None),
            ("nan", 3, 1, 1, None),
            ("", 3, 1, 1, None),
            ("-", 3, 1, 1, None),
            ("1.2.3", 3, 1, 1, None),
        ] {
            assert_eq!(scaled(given, decimals, mul, div), value, "{given}");
        }
    }

    #[test]
    fn text_reads_back() {
        for (value, written) in [
            (101, "0.101"),
            (-3_000, "-3"),
            (-50, "-0.05"),
            (0, "0"),
            (19_500, "19.5"),
        ] {
            assert_eq!(text(value, 3), written);
            assert_eq!(scaled(written, 3, 1, 1), Some(value));
        }
    }
}
