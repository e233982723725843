//! Sockets in front of servers, or in place of them.

use std::{
    path::Path,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy, split},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_rustls::TlsConnector;

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

/// A proxy in front of an HTTP server, which counts requests. Its clients speak plaintext.
pub(crate) struct CountingProxy {
    /// `127.0.0.1:PORT`
    pub(crate) address: String,
    requests: Arc<AtomicU64>,
    server: JoinHandle<()>,
}

impl CountingProxy {
    /// Opens a proxy in front of the server of a URL. `authority` is a PEM file with the authority of an `https` server.
    pub(crate) async fn before(url: &str, authority: Option<&Path>) -> Result<Self> {
        let upstream = HttpServer::of(url, authority)?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        let requests = Arc::new(AtomicU64::new(0));
        let (upstream, counter) = (Arc::new(upstream), Arc::clone(&requests));
        let server = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (upstream, counter) = (Arc::clone(&upstream), Arc::clone(&counter));
                tokio::spawn(async move {
                    let Ok(server) = upstream.connect().await else { return };
                    let _ = client.set_nodelay(true);
                    let (from_client, mut to_client) = split(client);
                    let (mut from_server, to_server) = split(server);
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

/// A server of HTTP or HTTPS.
struct HttpServer {
    /// `host:port`
    address: String,
    tls: Option<TlsConnector>,
}

impl HttpServer {
    fn of(url: &str, authority: Option<&Path>) -> Result<Self> {
        let (scheme, address) = url.split_once("://").ok_or("the address is not a URL")?;
        let tls = match (scheme, authority) {
            ("https", Some(authority)) => Some(connector(authority)?),
            ("https", None) => return Err("AWS_CA_BUNDLE is not set".into()),
            _ => None,
        };
        Ok(Self { address: address.trim_end_matches('/').to_owned(), tls })
    }

    async fn connect(&self) -> Result<Pin<Box<dyn Stream>>> {
        let stream = TcpStream::connect(&self.address).await?;
        stream.set_nodelay(true)?;
        let Some(tls) = &self.tls else { return Ok(Box::pin(stream)) };
        let host = self.address.rsplit_once(':').map_or(self.address.as_str(), |(host, _)| host).to_owned();
        Ok(Box::pin(tls.connect(ServerName::try_from(host)?, stream).await?))
    }
}

trait Stream: AsyncRead + AsyncWrite + Send {}

impl<T: AsyncRead + AsyncWrite + Send> Stream for T {}

fn connector(authority: &Path) -> Result<TlsConnector> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(authority)?)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(TlsConnector::from(Arc::new(config.with_root_certificates(roots).with_no_client_auth())))
}

async fn forward(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, requests: &AtomicU64) {
    let (mut buffer, mut tail) = (vec![0; 64 * 1024], Vec::new());
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        requests.fetch_add(count_first_lines(&mut tail, &buffer[..length]), Ordering::Relaxed);
        if to.write_all(&buffer[..length]).await.is_err() || to.flush().await.is_err() {
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
