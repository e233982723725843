//! Sockets in front of servers, or in place of them.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    task::JoinHandle,
};

use crate::error::Result;

/// The end of the first line of an HTTP/1.1 request.
const FIRST_LINE: &[u8] = b" HTTP/1.1\r\n";

/// A server that accepts connections and never sends a byte.
pub(crate) struct SilentServer {
    /// `127.0.0.1:PORT`
    pub(crate) address: String,
    server: JoinHandle<()>,
}

impl SilentServer {
    pub(crate) async fn open() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        let server = tokio::spawn(async move {
            let mut held = Vec::new();
            while let Ok((stream, _)) = listener.accept().await {
                held.push(stream);
            }
        });
        Ok(Self { address, server })
    }
}

impl Drop for SilentServer {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// A TCP proxy in front of an HTTP server, which counts requests.
pub(crate) struct CountingProxy {
    /// `127.0.0.1:PORT`
    pub(crate) address: String,
    requests: Arc<AtomicU64>,
    server: JoinHandle<()>,
}

impl CountingProxy {
    /// Opens a proxy in front of `upstream` (`host:port`).
    pub(crate) async fn before(upstream: &str) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        let requests = Arc::new(AtomicU64::new(0));
        let (upstream, counter) = (upstream.to_owned(), Arc::clone(&requests));
        let server = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (upstream, counter) = (upstream.clone(), Arc::clone(&counter));
                tokio::spawn(async move {
                    let Ok(server) = TcpStream::connect(&upstream).await else { return };
                    let _ = (client.set_nodelay(true), server.set_nodelay(true));
                    let (from_client, mut to_client) = client.into_split();
                    let (mut from_server, to_server) = server.into_split();
                    tokio::select! {
                        () = forward(from_client, to_server, &counter) => {}
                        _ = copy(&mut from_server, &mut to_client) => {}
                    }
                });
            }
        });
        Ok(Self { address, requests, server })
    }

    pub(crate) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }
}

impl Drop for CountingProxy {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn forward(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, requests: &AtomicU64) {
    let (mut buffer, mut tail) = (vec![0; 64 * 1024], Vec::new());
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        requests.fetch_add(count_first_lines(&mut tail, &buffer[..length]), Ordering::Relaxed);
        if to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}

/// Counts the first lines that end in `chunk`. `tail` carries the end of the previous chunks, where such a line may begin.
fn count_first_lines(tail: &mut Vec<u8>, chunk: &[u8]) -> u64 {
    tail.extend_from_slice(chunk);
    let found = tail.windows(FIRST_LINE.len()).filter(|window| *window == FIRST_LINE).count();
    let kept = tail.len().saturating_sub(FIRST_LINE.len() - 1);
    tail.drain(..kept);
    found as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_request_is_counted_once_for_any_size_of_chunk() {
        let text = b"GET /?list-type=2 HTTP/1.1\r\nhost: a\r\n\r\nGET / HTTP/1.1\r\n\r\n";
        for size in 1..text.len() {
            let mut tail = Vec::new();
            assert_eq!(text.chunks(size).map(|chunk| count_first_lines(&mut tail, chunk)).sum::<u64>(), 2, "{size}");
        }
    }
}
