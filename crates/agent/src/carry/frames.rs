//! Messages on a TCP connection: a length of four bytes, then deterministic CBOR. Bounded on both ways, and safe to be interrupted
//! between two bytes. It knows no message.

use super::wire::MESSAGE_BYTES_MAX;
use bytes::{Buf, BytesMut};
use cairn_types::codec;
use minicbor::{Decode, Encode};
use std::io;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long the other side may take to read what is written.
const WRITE_WAIT_MAX: Duration = Duration::from_secs(10);

pub struct Frames {
    stream: TcpStream,
    unread: BytesMut,
}

impl Frames {
    pub fn new(stream: TcpStream) -> Self {
        // What is said is small and waited for; without it all is only slower.
        let _ = stream.set_nodelay(true);
        Self {
            stream,
            unread: BytesMut::new(),
        }
    }

    /// The next message. Dropped halfway it loses nothing.
    pub async fn next<T: Encode<()> + for<'b> Decode<'b, ()>>(&mut self) -> io::Result<T> {
        loop {
            if let Some(message) = self.take()? {
                return Ok(message);
            }
            if self.stream.read_buf(&mut self.unread).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    fn take<T: Encode<()> + for<'b> Decode<'b, ()>>(&mut self) -> io::Result<Option<T>> {
        let Some(length) = self
            .unread
            .first_chunk::<4>()
            .map(|bytes| u32::from_be_bytes(*bytes) as usize)
        else {
            return Ok(None);
        };
        if length > MESSAGE_BYTES_MAX {
            return Err(io::Error::other("a message is longer than any"));
        }
        if self.unread.len() < 4 + length {
            return Ok(None);
        }
        let message = codec::decode_canonical(&self.unread[4..4 + length]);
        let message = message.map_err(|error| io::Error::other(format!("no message: {error}")))?;
        self.unread.advance(4 + length);
        Ok(Some(message))
    }

    pub async fn send<T: Encode<()>>(&mut self, message: &T) -> io::Result<()> {
        let body = codec::encode(message);
        let length = u32::try_from(body.len()).map_err(io::Error::other)?;
        let bytes = [&length.to_be_bytes()[..], &body].concat();
        match timeout(WRITE_WAIT_MAX, self.stream.write_all(&bytes)).await {
            Ok(written) => written,
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        }
    }
}
