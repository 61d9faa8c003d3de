//! A network's parameters between their bytes on the ledger and JSON that people edit. Knows no vertical: the vertical checks them.

use crate::error::{Failure, Kind, OrFail};
use cairn_verticals::Vertical;
use minicbor::data::Type;
use minicbor::{Decoder, Encoder};
use serde_json::Value;

/// Nested deeper than this is nobody's parameters.
const DEPTH_MAX: u8 = 8;

/// The bytes of a JSON array of whole numbers, texts and arrays, as the vertical wants them.
pub fn encode(vertical: &dyn Vertical, json: &Value) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let written = write(&mut Encoder::new(&mut bytes), json, DEPTH_MAX);
    written.ok_or_else(|| {
        Failure::new(
            Kind::Usage,
            "parameters are arrays of whole numbers, texts, true, false and null",
        )
        .hint("`cairn network show` prints those of a network in this form")
    })?;
    check(vertical, &bytes)?;
    Ok(bytes)
}

pub fn check(vertical: &dyn Vertical, bytes: &[u8]) -> Result<(), Failure> {
    let checked = vertical.check_params(bytes);
    checked.or_fail(
        Kind::Usage,
        format!("the vertical {} refuses the parameters", vertical.name()),
    )
}

fn write(encoder: &mut Encoder<&mut Vec<u8>>, value: &Value, depth: u8) -> Option<()> {
    let depth = depth.checked_sub(1)?;
    match value {
        Value::Null => encoder.null().ok().map(drop),
        Value::Bool(yes) => encoder.bool(*yes).ok().map(drop),
        Value::Number(number) => match (number.as_u64(), number.as_i64()) {
            (Some(number), _) => encoder.u64(number).ok().map(drop),
            (None, Some(number)) => encoder.i64(number).ok().map(drop),
            (None, None) => None,
        },
        Value::String(text) => encoder.str(text).ok().map(drop),
        Value::Array(values) => {
            encoder.array(values.len() as u64).ok()?;
            values.iter().try_for_each(|value| write(encoder, value, depth))
        }
        Value::Object(_) => None,
    }
}

/// The JSON of parameter bytes; `None` for bytes that are not of this form.
pub fn decode(bytes: &[u8]) -> Option<Value> {
    let mut decoder = Decoder::new(bytes);
    let value = read(&mut decoder, DEPTH_MAX)?;
    (decoder.position() == bytes.len()).then_some(value)
}

fn read(decoder: &mut Decoder<'_>, depth: u8) -> Option<Value> {
    let depth = depth.checked_sub(1)?;
    match decoder.datatype().ok()? {
        Type::Null => decoder.null().ok().map(|()| Value::Null),
        Type::Bool => decoder.bool().ok().map(Value::from),
        Type::U8 | Type::U16 | Type::U32 | Type::U64 => decoder.u64().ok().map(Value::from),
        Type::I8 | Type::I16 | Type::I32 | Type::I64 => decoder.i64().ok().map(Value::from),
        Type::String => decoder.str().ok().map(Value::from),
        Type::Array => {
            let count = decoder.array().ok()??;
            (0..count)
                .map(|_| read(decoder, depth))
                .collect::<Option<Vec<_>>>()
                .map(Value::Array)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_of_every_vertical_read_back_from_json() {
        for vertical in cairn_verticals::ALL {
            let bytes = vertical.default_params();
            let json = decode(&bytes).unwrap();
            assert_eq!(encode(*vertical, &json).unwrap(), bytes, "{}", vertical.name());
        }
    }

    #[test]
    fn what_the_vertical_does_not_want_is_refused() {
        for odd in ["[]", "{}", "[1.5]", "7", "[[[[[[[[[1]]]]]]]]]"] {
            let json: Value = serde_json::from_str(odd).unwrap();
            for vertical in cairn_verticals::ALL {
                assert_eq!(encode(*vertical, &json).unwrap_err().kind, Kind::Usage, "{odd}");
            }
        }
        assert_eq!(decode(&[0x81]), None);
        assert_eq!(decode(&[0x01, 0x02]), None);
    }
}
