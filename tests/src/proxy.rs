//! A TCP proxy in front of a server, which can cut or hang its connections.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};
use shared::config::KafkaConfig;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split},
    net::{TcpListener, TcpStream},
    sync::{Notify, watch},
    time::timeout,
};

use crate::upstream::Upstream;

/// Within this time, a request that was read from the client has been written to the server on the same machine.
const FORWARDING_TIME: std::time::Duration = std::time::Duration::from_millis(100);

/// The behaviour of the proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Forwards everything.
    Pass,
    /// Closes open and new connections.
    Cut,
    /// Accepts and keeps connections, and forwards nothing.
    Hang,
}

/// The message that is held back when the proxy begins to hang during an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    /// The request, so that the server does not receive it.
    Request,
    /// The answer, so that the server has processed the request and the client does not learn that.
    Answer,
}

/// What the proxy does when a client sends a certain text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trap {
    /// All connections hang.
    Hang(Held),
    /// The client's connection is reset, while the server has received the request and goes on with it.
    Reset,
}

#[derive(Clone)]
pub struct Proxy {
    /// `127.0.0.1:PORT`
    pub address: String,
    mode: Arc<watch::Sender<Mode>>,
    rewriting: Arc<Option<Rewriting>>,
    trap: Arc<Mutex<Option<(&'static str, Trap)>>>,
    sprung: Arc<Notify>,
    most_open: Arc<AtomicUsize>,
}

impl Proxy {
    /// A proxy in front of `upstream` (`host:port`), which does not look into the data: clients and server may use TLS.
    pub async fn to(upstream: &str) -> Self {
        Self::rewriting(Upstream::opaque(upstream), |_| None).await
    }

    /// As [`Self::to`], on another local address than `127.0.0.1`.
    pub async fn at(host: &str, upstream: &str) -> Self {
        Self::listening(host, Upstream::opaque(upstream), |_| None).await
    }

    /// A proxy in front of the server of a URL, and that URL with the address of the proxy. The proxy speaks TLS to the server,
    /// and not to the client, so that it can look into the data.
    pub async fn before(url: &SecretString) -> (Self, SecretString) {
        let (upstream, mut url) = Upstream::of(Url::parse(url.expose_secret()).unwrap());
        let proxy = Self::rewriting(upstream, |_| None).await;
        let (host, port) = proxy.address.split_once(':').unwrap();
        url.set_host(Some(host)).unwrap();
        url.set_port(Some(port.parse().unwrap())).unwrap();
        (proxy, String::from(url).into())
    }

    /// A proxy in front of a Kafka broker, and the configuration for it. It replaces the broker's advertised address by its own,
    /// because clients connect to the advertised address. The proxy speaks TLS to the broker, and not to the client.
    pub async fn before_kafka(config: &KafkaConfig) -> (Self, KafkaConfig) {
        let advertised = encoded_address(&config.brokers);
        let upstream = match &config.ca_file {
            Some(authority) => Upstream::tls(&config.brokers, authority.clone()),
            None => Upstream::opaque(&config.brokers),
        };
        let rewriting = move |own: &str| Some(Rewriting { from: advertised.clone(), to: encoded_address(own) });
        let proxy = Self::rewriting(upstream, rewriting).await;
        let security_protocol = config.security_protocol.replace("ssl", "plaintext");
        let config = KafkaConfig { brokers: proxy.address.clone(), security_protocol, ..config.clone() };
        (proxy, config)
    }

    async fn rewriting(upstream: Upstream, rewriting: impl FnOnce(&str) -> Option<Rewriting>) -> Self {
        Self::listening("127.0.0.1", upstream, rewriting).await
    }

    async fn listening(host: &str, upstream: Upstream, rewriting: impl FnOnce(&str) -> Option<Rewriting>) -> Self {
        let listener = TcpListener::bind((host, 0)).await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let proxy = Self {
            rewriting: Arc::new(rewriting(&address)),
            address,
            mode: Arc::new(watch::channel(Mode::Pass).0),
            trap: Arc::default(),
            sprung: Arc::default(),
            most_open: Arc::default(),
        };
        let copy = proxy.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                copy.most_open.fetch_max(copy.open(), Ordering::SeqCst);
                tokio::spawn(connection(stream, upstream.clone(), copy.clone()));
            }
        });
        proxy
    }

    /// The number of sockets that clients on this machine have open to the proxy, as the kernel counts them: one that a client
    /// has closed does not count, even if neither the proxy nor the server has noticed yet.
    pub fn open(&self) -> usize {
        let SocketAddr::V4(address) = self.address.parse().unwrap() else { unreachable!("the proxy listens on IPv4") };
        let remote = format!("{:08X}:{:04X}", u32::from_ne_bytes(address.ip().octets()), address.port());
        let sockets = std::fs::read_to_string("/proc/self/net/tcp").unwrap();
        // Columns: number, local address, remote address, state; 01 is ESTABLISHED.
        let is_open = |line: &&str| line.split_whitespace().skip(2).take(2).eq([remote.as_str(), "01"]);
        sockets.lines().filter(is_open).count()
    }

    /// The greatest number of open sockets so far. It is updated with every new connection, so that no peak is missed.
    pub fn most_open(&self) -> usize {
        self.most_open.load(Ordering::SeqCst)
    }

    /// Changes the behaviour immediately, also of open connections.
    pub fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }

    /// Hangs as soon as a client sends unencrypted data that contains `text`.
    pub fn hang_at(&self, text: &'static str, held: Held) {
        *self.trap.lock().unwrap() = Some((text, Trap::Hang(held)));
    }

    /// Resets the connection of the first client that sends unencrypted data that contains `text`, after it has sent that to the
    /// server. The server goes on with the request. Other connections are not affected.
    pub fn reset_at(&self, text: &'static str) {
        *self.trap.lock().unwrap() = Some((text, Trap::Reset));
    }

    /// Waits until a client has sent the text of [`Self::hang_at`] or [`Self::reset_at`].
    pub async fn hung(&self) {
        timeout(std::time::Duration::from_secs(30), self.sprung.notified()).await.expect("the text was never sent");
    }

    /// Inspects data from a client. The trap that it springs, if any.
    fn spring(&self, sent: &[u8]) -> Option<Trap> {
        let mut trap = self.trap.lock().unwrap();
        let (_, sprung) = trap.take_if(|(text, _)| sent.windows(text.len()).any(|part| part == text.as_bytes()))?;
        if let Trap::Hang(held) = sprung {
            self.set(Mode::Hang);
            if held == Held::Request {
                self.sprung.notify_one();
            }
        }
        Some(sprung)
    }
}

/// The address of a server that answers every message by a refusal of TLS, as an attacker would: `N` is PostgreSQL's own.
pub async fn plaintext_server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut buffer = [0; 4096];
                while let Ok(1..) = stream.read(&mut buffer).await {
                    if stream.write_all(b"NNNNNNNN").await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}

/// A replacement of bytes by others of the same length.
struct Rewriting {
    from: Vec<u8>,
    to: Vec<u8>,
}

impl Rewriting {
    fn apply(&self, bytes: &mut [u8]) {
        while let Some(at) = bytes.windows(self.from.len()).position(|window| window == self.from) {
            bytes[at..at + self.to.len()].copy_from_slice(&self.to);
        }
    }
}

/// An address in Kafka's protocol: the host as text, and the port in four bytes.
fn encoded_address(address: &str) -> Vec<u8> {
    let (host, port) = address.rsplit_once(':').unwrap();
    [host.as_bytes(), &port.parse::<i32>().unwrap().to_be_bytes()].concat()
}

async fn connection(client: TcpStream, upstream: Upstream, proxy: Proxy) {
    let mode = proxy.mode.subscribe();
    if !passes(&mut mode.clone()).await {
        return;
    }
    let Some(server) = upstream.connect().await else { return };
    let (client_reader, client_writer) = split(client);
    let (server_reader, server_writer) = split(server);
    let mut cut = mode.clone();
    let awaited = AtomicBool::new(false);
    let (reset, mut is_reset) = watch::channel(false);
    let requests = pump(client_reader, server_writer, mode.clone(), |sent| {
        let trap = proxy.spring(sent);
        awaited.fetch_or(trap == Some(Trap::Hang(Held::Answer)), Ordering::SeqCst);
        reset.send_replace(trap == Some(Trap::Reset));
        trap.is_some_and(|trap| trap != Trap::Hang(Held::Request))
    });
    let answers = pump(server_reader, client_writer, mode, |data| {
        if let Some(rewriting) = proxy.rewriting.as_ref() {
            rewriting.apply(data);
        }
        if awaited.swap(false, Ordering::SeqCst) {
            proxy.sprung.notify_one();
        }
        false
    });
    tokio::select! {
        () = requests => {}
        () = answers => {}
        _ = cut.wait_for(|mode| *mode == Mode::Cut) => {}
        _ = after_forwarding(&mut is_reset) => proxy.sprung.notify_one(),
    }
}

/// Waits until a request after which the connection is reset has been forwarded.
async fn after_forwarding(is_reset: &mut watch::Receiver<bool>) -> bool {
    let was_reset = is_reset.wait_for(|reset| *reset).await.is_ok();
    // The other branch of the connection writes what it has read.
    tokio::time::sleep(FORWARDING_TIME).await;
    was_reset
}

/// Forwards data in order. Data that arrives while the proxy hangs is delayed, never lost. `inspect` may change the data; if it
/// returns `true`, the data is forwarded even if the proxy hangs.
async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut mode: watch::Receiver<Mode>,
    inspect: impl Fn(&mut [u8]) -> bool,
) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let Ok(length @ 1..) = from.read(&mut buffer).await else { return };
        let through = inspect(&mut buffer[..length]) || passes(&mut mode).await;
        if !through || to.write_all(&buffer[..length]).await.is_err() || to.flush().await.is_err() {
            return;
        }
    }
}

/// Waits while the proxy hangs; `false` if it cuts.
async fn passes(mode: &mut watch::Receiver<Mode>) -> bool {
    mode.wait_for(|mode| *mode != Mode::Hang).await.is_ok_and(|mode| *mode == Mode::Pass)
}
