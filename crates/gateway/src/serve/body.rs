//! A file on its way: written on a thread that may block, in pieces, no faster than the caller reads. A caller that goes away ends
//! the writing.

use crate::export::{self, Format};
use crate::limits::CHUNK_BYTES;
use crate::rows::Answer;
use axum::body::Body;
use bytes::Bytes;
use futures::stream;
use std::io::{self, BufWriter, Write};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::task::spawn_blocking;

/// Pieces that wait for the caller.
const PIECES_MAX: usize = 4;

type Piece = io::Result<Bytes>;

/// The body; `place` is given back when all is written.
pub fn stream(answer: Answer, format: Format, place: OwnedSemaphorePermit) -> Body {
    let (pieces, received) = mpsc::channel::<Piece>(PIECES_MAX);
    spawn_blocking(move || {
        let mut out = BufWriter::with_capacity(CHUNK_BYTES, Pieces(pieces.clone()));
        let written = export::write(format, &answer, &mut out).and_then(|()| out.flush());
        if let Err(error) = written {
            // Cuts the transfer short, so that half a file is not taken for a whole one.
            let _ = pieces.blocking_send(Err(error));
        }
        drop(place);
    });
    Body::from_stream(stream::unfold(received, |mut received| async {
        received.recv().await.map(|piece| (piece, received))
    }))
}

struct Pieces(mpsc::Sender<Piece>);

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let gone = |_| io::Error::from(io::ErrorKind::BrokenPipe);
        self.0.blocking_send(Ok(Bytes::copy_from_slice(bytes))).map_err(gone)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
