//! CBOR as JSON, to be looked at: lists and maps, numbers, text, bytes in hexadecimal. Bounded in depth; never decides anything.

use minicbor::data::Type;
use minicbor::decode::Error;
use minicbor::{Decoder, data};
use serde_json::{Map, Value};

/// Lists within lists.
const DEPTH_MAX: usize = 16;

pub fn value(decoder: &mut Decoder<'_>, depth: usize) -> Result<Value, Error> {
    if depth > DEPTH_MAX {
        return Err(Error::message("too deep"));
    }
    Ok(match decoder.datatype()? {
        Type::Bool => decoder.bool()?.into(),
        Type::Null | Type::Undefined => {
            decoder.skip()?;
            Value::Null
        }
        Type::U8 | Type::U16 | Type::U32 | Type::U64 => number(decoder.u64()?),
        Type::I8 | Type::I16 | Type::I32 | Type::I64 => decoder.i64()?.into(),
        Type::Bytes => hex::encode(decoder.bytes()?).into(),
        Type::String => decoder.str()?.into(),
        Type::Array => {
            let count = decoder.array()?.unwrap_or(0);
            let items = (0..count).map(|_| value(decoder, depth + 1));
            Value::Array(items.collect::<Result<_, _>>()?)
        }
        Type::Map => {
            let count = decoder.map()?.unwrap_or(0);
            let mut map = Map::new();
            for _ in 0..count {
                let key = match value(decoder, depth + 1)? {
                    Value::String(text) => text,
                    other => other.to_string(),
                };
                map.insert(key, value(decoder, depth + 1)?);
            }
            Value::Object(map)
        }
        Type::Tag => {
            let _: data::Tag = decoder.tag()?;
            value(decoder, depth + 1)?
        }
        _ => return Err(Error::message("not of a transaction")),
    })
}

/// Numbers that JavaScript cannot count are text.
fn number(number: u64) -> Value {
    match number > 1 << 53 {
        true => number.to_string().into(),
        false => number.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_a_transaction_holds_can_be_looked_at_and_depth_has_an_end() {
        let bytes = [0x83, 0x01, 0x42, 0xab, 0xcd, 0x81, 0xf6];
        assert_eq!(
            value(&mut Decoder::new(&bytes), 0).ok(),
            Some(json!([1, "abcd", [null]]))
        );
        assert!(value(&mut Decoder::new(&[0x81; 64]), 0).is_err());
    }
}
