//! The door: accepts connections up to a limit, and ends those that dawdle over their request or never read their answer.
//! Knows nothing of what is asked.

use axum::Router;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::Sleep;

/// What one server grants its callers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HttpLimits {
    /// Connections at once; more wait in the system's queue.
    pub connections_max: usize,
    /// For a request's head, also on a connection kept alive.
    pub head_wait_max: Duration,
    /// For a request's body and its answer's head, waiting for finality included.
    pub answer_wait_max: Duration,
    /// For a caller to read on while an answer is written.
    pub write_wait_max: Duration,
    /// Bytes of a request's head.
    pub head_bytes_max: usize,
    /// Bytes of a request's body.
    pub body_bytes_max: usize,
    /// Event streams at once.
    pub streams_max: usize,
    /// For open requests to end at a shutdown.
    pub drain_wait_max: Duration,
}

impl Default for HttpLimits {
    fn default() -> Self {
        Self {
            connections_max: 1_024,
            head_wait_max: Duration::from_secs(15),
            answer_wait_max: Duration::from_secs(60),
            write_wait_max: Duration::from_secs(30),
            head_bytes_max: 16 * 1024,
            // A transaction in hexadecimal digits, and the JSON around it.
            body_bytes_max: 2 * cairn_engine::limits::TX_BYTES_MAX + 1_024,
            streams_max: 128,
            drain_wait_max: Duration::from_secs(5),
        }
    }
}

/// Where a request comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller(pub IpAddr);

/// Serves until `stop` turns true, then lets open requests end.
pub async fn run(listener: TcpListener, router: Router, limits: HttpLimits, mut stop: watch::Receiver<bool>) {
    let places = Arc::new(Semaphore::new(limits.connections_max));
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let place = tokio::select! {
            _ = stop.wait_for(|stop| *stop) => break,
            place = places.clone().acquire_owned() => place.expect("the semaphore is never closed"),
        };
        let accepted = tokio::select! {
            _ = stop.wait_for(|stop| *stop) => break,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, caller)) = accepted else {
            // Out of file descriptors, mostly: others must end first.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let (router, stop) = (router.clone(), stop.clone());
        connections.spawn(async move {
            // A caller that breaks the protocol or goes away ends its own connection only.
            let _ = connection(stream, Caller(caller.ip()), router, limits, stop).await;
            drop(place);
        });
    }
    let drained = async { while connections.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(limits.drain_wait_max, drained).await;
    connections.shutdown().await;
}

async fn connection(
    stream: TcpStream,
    caller: Caller,
    router: Router,
    limits: HttpLimits,
    mut stop: watch::Receiver<bool>,
) -> Result<(), hyper::Error> {
    let _ = stream.set_nodelay(true);
    let io = TokioIo::new(Impatient::new(stream, limits.write_wait_max));
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(caller);
        router.call(request)
    });
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_wait_max)
        .max_buf_size(limits.head_bytes_max)
        .serve_connection(io, service);
    tokio::pin!(serving);
    tokio::select! {
        served = serving.as_mut() => return served,
        _ = stop.wait_for(|stop| *stop) => {}
    }
    serving.as_mut().graceful_shutdown();
    serving.await
}

/// A stream that fails when the other side has not read for too long.
struct Impatient<S> {
    stream: S,
    patience: Duration,
    deadline: Option<Pin<Box<Sleep>>>,
}

impl<S> Impatient<S> {
    fn new(stream: S, patience: Duration) -> Self {
        Self {
            stream,
            patience,
            deadline: None,
        }
    }

    /// Starts waiting at the first write that is pending and stops at the first that is not.
    fn watch<T>(&mut self, written: Poll<io::Result<T>>, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.deadline = None;
            return written;
        }
        let patience = self.patience;
        let deadline = self
            .deadline
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(patience)));
        match deadline.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Impatient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Impatient<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.watch(written, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.watch(written, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        self.watch(flushed, context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.stream).poll_shutdown(context);
        self.watch(shut, context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::get;
    use std::net::SocketAddr;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    async fn serve(limits: HttpLimits) -> (SocketAddr, watch::Sender<bool>, tokio::task::JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new()
            .route("/", get(|| async { "well" }))
            .route("/much", get(|| async { vec![b'x'; 64 * 1024 * 1024] }));
        let (stop, stopped) = watch::channel(false);
        (address, stop, tokio::spawn(run(listener, router, limits, stopped)))
    }

    fn quick() -> HttpLimits {
        HttpLimits {
            head_wait_max: Duration::from_millis(50),
            write_wait_max: Duration::from_millis(50),
            drain_wait_max: Duration::from_millis(50),
            ..HttpLimits::default()
        }
    }

    async fn ask(address: SocketAddr, request: &[u8]) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request).await.unwrap();
        let mut answer = Vec::new();
        // A connection that is cut may end with a reset.
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).into_owned()
    }

    #[tokio::test]
    async fn a_half_sent_head_ends_the_connection_and_others_go_on() {
        let (address, _stop, _server) = serve(quick()).await;
        assert!(
            !ask(address, b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow")
                .await
                .contains("well")
        );
        assert!(!ask(address, b"").await.contains("well"));
        let whole = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        assert!(ask(address, whole).await.ends_with("well"));
    }

    #[tokio::test]
    async fn what_is_not_http_or_too_long_is_refused() {
        let (address, _stop, _server) = serve(quick()).await;
        assert!(
            ask(address, b"\x16\x03\x01 hello\r\n\r\n")
                .await
                .starts_with("HTTP/1.1 400")
        );
        let long = format!("GET / HTTP/1.1\r\nX-Long: {}\r\n\r\n", "y".repeat(64 * 1024));
        assert!(ask(address, long.as_bytes()).await.starts_with("HTTP/1.1 431"));
    }

    #[tokio::test]
    async fn a_caller_that_never_reads_loses_its_place() {
        let limits = HttpLimits {
            connections_max: 1,
            ..quick()
        };
        let (address, _stop, _server) = serve(limits).await;
        let mut silent = TcpStream::connect(address).await.unwrap();
        silent
            .write_all(b"GET /much HTTP/1.1\r\nHost: x\r\n\r\n")
            .await
            .unwrap();
        // The only place is taken until the server gives up on the silent one.
        let whole = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        assert!(ask(address, whole).await.ends_with("well"));
        drop(silent);
    }

    #[tokio::test]
    async fn a_stop_ends_idle_connections() {
        let limits = HttpLimits {
            head_wait_max: Duration::from_secs(3_600),
            ..quick()
        };
        let (address, stop, server) = serve(limits).await;
        let _idle = TcpStream::connect(address).await.unwrap();
        stop.send_replace(true);
        server.await.unwrap();
    }
}
