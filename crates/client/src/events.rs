//! A node's event stream, message by message, with a limit on each. What it says are notices, not proofs.

use crate::error::ClientError;
use crate::http::broken;
use crate::verify;
use cairn_ledger::Event;
use cairn_types::{Hash, TimeMs};
use reqwest::Response;
use serde::Deserialize;

/// Bytes of one message.
const MESSAGE_BYTES_MAX: usize = 1024 * 1024;

/// What the stream tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// The ledger announced something; of no transaction when the block's beginning did.
    Event {
        height: u64,
        time: TimeMs,
        transaction: Option<Hash>,
        event: Event,
    },
    /// All events of this block were told.
    Block { height: u64, time: TimeMs },
    /// The last message: why the node ends the stream, and how to go on.
    Cut {
        code: String,
        message: String,
        hint: String,
    },
}

/// An open stream.
#[derive(Debug)]
pub struct Events {
    response: Response,
    buffer: Vec<u8>,
}

#[derive(Deserialize)]
struct EventData {
    height: u64,
    time: String,
    transaction: Option<String>,
    cbor: String,
}

#[derive(Deserialize)]
struct BlockData {
    height: u64,
    time: String,
}

#[derive(Deserialize)]
struct CutData {
    code: String,
    message: String,
    hint: String,
}

impl Events {
    pub(crate) fn new(response: Response) -> Self {
        let buffer = Vec::new();
        Self { response, buffer }
    }

    /// The next message; `None` when the node has closed the stream.
    pub async fn next(&mut self) -> Result<Option<Told>, ClientError> {
        loop {
            while let Some(message) = take(&mut self.buffer) {
                if let Some(told) = parse(&message)? {
                    return Ok(Some(told));
                }
            }
            if self.buffer.len() > MESSAGE_BYTES_MAX {
                return Err(ClientError::Nonsense("a message without end"));
            }
            match self.response.chunk().await.map_err(broken)? {
                Some(chunk) => self.buffer.extend_from_slice(&chunk),
                None => return Ok(None),
            }
        }
    }
}

/// Cuts the first whole message off: what stands before an empty line.
fn take(buffer: &mut Vec<u8>) -> Option<Vec<u8>> {
    let end = buffer.windows(2).position(|pair| pair == b"\n\n")?;
    let message = buffer.drain(..end + 2).collect();
    Some(message)
}

/// `None` for comments, which keep the connection alive.
fn parse(message: &[u8]) -> Result<Option<Told>, ClientError> {
    let text = std::str::from_utf8(message).map_err(|_| ClientError::Nonsense("a message not in UTF-8"))?;
    let field = |name: &str| {
        let mut lines = text
            .lines()
            .filter_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        lines.next().map(str::trim_start)
    };
    let (Some(kind), Some(data)) = (field("event"), field("data")) else {
        return Ok(None);
    };
    let told = match kind {
        "block" => serde_json::from_str(data).ok().and_then(|BlockData { height, time }| {
            let time = time.parse().ok()?;
            Some(Told::Block { height, time })
        }),
        "cut" => serde_json::from_str(data)
            .ok()
            .map(|CutData { code, message, hint }| Told::Cut { code, message, hint }),
        _ => serde_json::from_str(data).ok().and_then(event),
    };
    told.map(Some)
        .ok_or(ClientError::Nonsense("not a message of a node's events"))
}

fn event(data: EventData) -> Option<Told> {
    Some(Told::Event {
        height: data.height,
        time: data.time.parse().ok()?,
        transaction: match data.transaction {
            Some(id) => Some(id.parse().ok()?),
            None => None,
        },
        event: verify::read(&hex::decode(data.cbor).ok()?).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_cut_at_empty_lines_and_comments_are_passed_over() {
        let mut buffer =
            b": keep-alive\n\nevent: block\ndata: {\"height\":3,\"time\":\"2017-07-15T00:00:00Z\"}\nid: 3\n\nevent: cu"
                .to_vec();
        assert_eq!(parse(&take(&mut buffer).unwrap()), Ok(None));
        let told = parse(&take(&mut buffer).unwrap()).unwrap();
        let time = "2017-07-15T00:00:00Z".parse().unwrap();
        assert_eq!(told, Some(Told::Block { height: 3, time }));
        assert_eq!(take(&mut buffer), None);
        assert_eq!(buffer, b"event: cu");
    }

    #[test]
    fn nonsense_is_an_error_and_never_a_panic() {
        for bad in [
            "event: block\ndata: {}\n\n",
            "event: fee_paid\ndata: 7\n\n",
            "event: cut\ndata: \n\n",
        ] {
            assert!(parse(bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(parse(&[0xff, 0xfe]).is_err());
    }
}
