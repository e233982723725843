//! A TCP proxy in front of a server, that can cut it off or let it hang.

use std::sync::Arc;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
};

/// What the proxy does with connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Passes everything on.
    Pass,
    /// Refuses new connections, and cuts those that are open.
    Cut,
    /// Accepts, keeps open, and passes nothing on.
    Hang,
}

/// A proxy; it ends with the test.
#[derive(Clone)]
pub struct Proxy {
    /// `127.0.0.1:PORT`
    pub address: String,
    mode: Arc<watch::Sender<Mode>>,
}

impl Proxy {
    /// A proxy in front of `upstream` (`host:port`).
    pub async fn to(upstream: &str) -> Self {
        Self::rewriting(upstream, |_| None).await
    }

    /// A proxy in front of a Kafka broker. Where the broker says its own address, the proxy's is said instead: clients ask
    /// for it, and would go there.
    pub async fn to_kafka(broker: &str) -> Self {
        let said = said_address(broker);
        Self::rewriting(broker, move |own| Some(Rewriting { from: said.clone(), to: said_address(own) })).await
    }

    async fn rewriting(upstream: &str, rewriting: impl FnOnce(&str) -> Option<Rewriting>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (mode, _) = watch::channel(Mode::Pass);
        let mode = Arc::new(mode);
        let (upstream, changes, rewriting) = (upstream.to_owned(), Arc::clone(&mode), Arc::new(rewriting(&address)));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(connection(stream, upstream.clone(), changes.subscribe(), Arc::clone(&rewriting)));
            }
        });
        Self { address, mode }
    }

    /// Changes what it does, at once and for open connections too.
    pub fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }
}

/// What is said instead of something else, of the same length.
struct Rewriting {
    from: Vec<u8>,
    to: Vec<u8>,
}

/// An address as Kafka's protocol has it: the host's text, and the port in four bytes.
fn said_address(address: &str) -> Vec<u8> {
    let (host, port) = address.rsplit_once(':').unwrap();
    [host.as_bytes(), &port.parse::<i32>().unwrap().to_be_bytes()].concat()
}

async fn connection(
    client: TcpStream,
    upstream: String,
    mode: watch::Receiver<Mode>,
    rewriting: Arc<Option<Rewriting>>,
) {
    if !passes(&mut mode.clone()).await {
        return;
    }
    let Ok(server) = TcpStream::connect(&upstream).await else { return };
    let (client_reader, client_writer) = client.into_split();
    let (server_reader, server_writer) = server.into_split();
    let mut cut = mode.clone();
    tokio::select! {
        () = pump(client_reader, server_writer, mode.clone(), None) => {}
        () = pump(server_reader, client_writer, mode, rewriting.as_ref().as_ref()) => {}
        _ = cut.wait_for(|mode| *mode == Mode::Cut) => {}
    }
}

/// Passes on what comes, in whole and in order; what comes while the proxy hangs is late, never lost.
async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut mode: watch::Receiver<Mode>,
    rewriting: Option<&Rewriting>,
) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let Ok(length @ 1..) = from.read(&mut buffer).await else { return };
        if let Some(Rewriting { from, to }) = rewriting {
            while let Some(at) = buffer[..length].windows(from.len()).position(|window| window == from) {
                buffer[at..at + to.len()].copy_from_slice(to);
            }
        }
        if !passes(&mut mode).await || to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}

/// Waits as long as the proxy hangs; `false` when it cuts.
async fn passes(mode: &mut watch::Receiver<Mode>) -> bool {
    mode.wait_for(|mode| *mode != Mode::Hang).await.is_ok_and(|mode| *mode == Mode::Pass)
}
