//! Connections that cannot be held open for nothing: their number is limited, and each must get its request through in time. Knows
//! nothing of HTTP but that an answer follows a request.
//!
//! A connection that waits for a request may be idle for `idle`; from the first byte of a request to the first byte of its answer it
//! has `request`, however slowly it drips, and what the handler allows it beyond that, once; an answer must be taken piece by piece,
//! each within `idle`.

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep, sleep};

/// How long a connection may take.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    pub idle: Duration,
    pub request: Duration,
}

/// A listener that gives out guarded connections.
pub struct Guarded {
    listener: TcpListener,
    timeouts: Timeouts,
    places: Arc<Semaphore>,
}

/// Who is at the other end.
#[derive(Clone, Debug)]
pub struct Peer {
    pub address: IpAddr,
    /// Milliseconds beyond the time of a request.
    more_ms: Arc<AtomicU64>,
}

impl Peer {
    /// The request under way may take so much longer, once.
    pub fn allow(&self, more: Duration) {
        let more_ms = u64::try_from(more.as_millis()).unwrap_or(u64::MAX);
        self.more_ms.store(more_ms, Ordering::Relaxed);
    }
}

/// A connection with a deadline.
pub struct Connection {
    stream: TcpStream,
    timeouts: Timeouts,
    deadline: Pin<Box<Sleep>>,
    /// Whether a request has begun that is not answered.
    asked: bool,
    more_ms: Arc<AtomicU64>,
    _place: OwnedSemaphorePermit,
}

impl Guarded {
    pub fn new(listener: TcpListener, timeouts: Timeouts, connections_max: usize) -> Self {
        let places = Arc::new(Semaphore::new(connections_max));
        Self {
            listener,
            timeouts,
            places,
        }
    }
}

impl Listener for Guarded {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        let place = self
            .places
            .clone()
            .acquire_owned()
            .await
            .expect("the semaphore is never closed");
        loop {
            match self.listener.accept().await {
                Ok((stream, address)) => {
                    // Answers are written whole; waiting to fill a packet only delays them.
                    let _ = stream.set_nodelay(true);
                    let connection = Connection {
                        stream,
                        timeouts: self.timeouts,
                        deadline: Box::pin(sleep(self.timeouts.idle)),
                        asked: false,
                        more_ms: Arc::default(),
                        _place: place,
                    };
                    return (connection, address);
                }
                // Too many open files, or a connection gone before it was accepted: both pass.
                Err(_) => sleep(Duration::from_millis(50)).await,
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

impl Connected<IncomingStream<'_, Guarded>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Guarded>) -> Self {
        Self {
            address: stream.remote_addr().ip(),
            more_ms: stream.io().more_ms.clone(),
        }
    }
}

impl Connection {
    fn is_late(&mut self, context: &mut Context<'_>) -> bool {
        while self.deadline.as_mut().poll(context).is_ready() {
            let more_ms = self.more_ms.swap(0, Ordering::Relaxed);
            if more_ms == 0 {
                return true;
            }
            self.allow(Duration::from_millis(more_ms));
        }
        false
    }

    fn allow(&mut self, time: Duration) {
        self.deadline.as_mut().reset(Instant::now() + time);
    }
}

fn late() -> io::Error {
    io::ErrorKind::TimedOut.into()
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        if let Poll::Ready(read) = Pin::new(&mut self.stream).poll_read(context, buffer) {
            if buffer.filled().len() > before && !self.asked {
                self.asked = true;
                let time = self.timeouts.request;
                self.allow(time);
            }
            if !self.is_late(context) {
                return Poll::Ready(read);
            }
            return Poll::Ready(Err(late()));
        }
        if self.is_late(context) {
            Poll::Ready(Err(late()))
        } else {
            Poll::Pending
        }
    }
}

impl Connection {
    /// After bytes of an answer went out: the next request may take its time again.
    fn wrote(&mut self, bytes: usize) {
        if bytes > 0 {
            self.asked = false;
            self.more_ms.store(0, Ordering::Relaxed);
            let time = self.timeouts.idle;
            self.allow(time);
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match Pin::new(&mut self.stream).poll_write(context, bytes) {
            Poll::Ready(written) => {
                self.wrote(*written.as_ref().unwrap_or(&0));
                Poll::Ready(written)
            }
            Poll::Pending if self.is_late(context) => Poll::Ready(Err(late())),
            Poll::Pending => Poll::Pending,
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match Pin::new(&mut self.stream).poll_write_vectored(context, slices) {
            Poll::Ready(written) => {
                self.wrote(*written.as_ref().unwrap_or(&0));
                Poll::Ready(written)
            }
            Poll::Pending if self.is_late(context) => Poll::Ready(Err(late())),
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let closed = ready!(Pin::new(&mut self.stream).poll_shutdown(context));
        Poll::Ready(closed)
    }
}
