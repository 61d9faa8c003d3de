//! A small check of JSON against the part of JSON Schema that `openapi.json` uses; a word it does not know is an error.

use serde_json::{Map, Value};

/// Words without force.
const NOTES: [&str; 3] = ["description", "title", "examples"];

pub fn check(document: &Value, schema: &Value, value: &Value) -> Result<(), String> {
    let schema = schema.as_object().ok_or("a schema is an object")?;
    for (word, rule) in schema {
        let holds = match word.as_str() {
            "$ref" => {
                let path = rule
                    .as_str()
                    .and_then(|path| path.strip_prefix('#'))
                    .ok_or("a reference begins with #")?;
                let target = document.pointer(path).ok_or(format!("{path} is missing"))?;
                check(document, target, value)?;
                true
            }
            "type" => match rule {
                Value::Array(kinds) => kinds.iter().any(|kind| is(kind, value)),
                kind => is(kind, value),
            },
            "enum" => rule.as_array().is_some_and(|list| list.contains(value)),
            "const" => rule == value,
            "oneOf" => {
                let list = rule.as_array().ok_or("oneOf has a list")?;
                list.iter()
                    .filter(|schema| check(document, schema, value).is_ok())
                    .count()
                    == 1
            }
            "properties" => {
                properties(document, schema, value)?;
                true
            }
            "items" => {
                for (at, item) in value.as_array().into_iter().flatten().enumerate() {
                    check(document, rule, item).map_err(|error| format!("[{at}]: {error}"))?;
                }
                true
            }
            "format" => value.as_str().is_none_or(|text| has_format(rule, text)),
            "required" | "additionalProperties" => true,
            word if NOTES.contains(&word) => true,
            word => return Err(format!("the check does not know `{word}`")),
        };
        if !holds {
            return Err(format!("{word} {rule} does not hold for {value}"));
        }
    }
    Ok(())
}

fn is(kind: &Value, value: &Value) -> bool {
    match kind.as_str() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("number") => value.is_number(),
        Some("boolean") => value.is_boolean(),
        Some("null") => value.is_null(),
        _ => false,
    }
}

fn has_format(format: &Value, text: &str) -> bool {
    let hex = text.len().is_multiple_of(2) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    match format.as_str() {
        Some("hex") => hex,
        Some("id") => hex && text.len() == 64,
        Some("amount") => text.parse::<u64>().is_ok(),
        Some("signed") => text.parse::<i128>().is_ok(),
        Some("cell") => text.parse::<cairn_types::CellId>().is_ok(),
        Some("date-time") => text.parse::<cairn_types::TimeMs>().is_ok(),
        _ => false,
    }
}

/// Every property fits; required ones are there; no others, unless they are allowed.
fn properties(document: &Value, schema: &Map<String, Value>, value: &Value) -> Result<(), String> {
    let (Some(known), Some(object)) = (schema["properties"].as_object(), value.as_object()) else {
        return Ok(());
    };
    let open = schema
        .get("additionalProperties")
        .is_some_and(|allowed| allowed == true);
    for (name, value) in object {
        match known.get(name) {
            Some(schema) => check(document, schema, value).map_err(|error| format!("{name}: {error}"))?,
            None if open => {}
            None => return Err(format!("{name} is not described")),
        }
    }
    let required = schema.get("required").and_then(Value::as_array);
    for name in required.into_iter().flatten().filter_map(Value::as_str) {
        if !object.contains_key(name) {
            return Err(format!("{name} is missing"));
        }
    }
    Ok(())
}

#[test]
fn the_check_finds_what_does_not_fit() {
    let document = serde_json::json!({ "Id": { "type": "string", "format": "id" } });
    let schema = serde_json::json!({
        "type": "object", "required": ["id"],
        "properties": { "id": { "$ref": "#/Id" }, "count": { "type": ["integer", "null"] } },
    });
    let id = "07".repeat(32);
    let fits = |value: Value| check(&document, &schema, &value).is_ok();
    assert!(fits(serde_json::json!({ "id": id, "count": null })));
    assert!(!fits(serde_json::json!({ "count": 1 })), "required");
    assert!(!fits(serde_json::json!({ "id": "07" })), "format");
    assert!(!fits(serde_json::json!({ "id": id, "count": "1" })), "type");
    assert!(!fits(serde_json::json!({ "id": id, "more": 1 })), "not described");
}
