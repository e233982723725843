//! A TCP proxy in front of a server, which can disturb its connections: all of them ([`Mode`]), or at one request ([`Action`]).

mod line;
mod requests;

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};
use shared::config::KafkaConfig;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    sync::{Notify, watch},
    time::timeout,
};

use self::requests::{Protocol, Request};
use crate::upstream::Upstream;

/// The behaviour of the proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Forwards everything.
    Pass,
    /// Closes open and new connections.
    Cut,
    /// Accepts and keeps connections, and forwards nothing.
    Hang,
    /// Keeps connections, and loses everything in one direction, as a network that is broken in that direction. A connection that has
    /// lost something stays so.
    Lose(Direction),
    /// Forwards everything, each piece this much later.
    Delay(Duration),
    /// Forwards everything, in pieces of a few bytes.
    Fragment,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the client to the server.
    Requests,
    /// From the server to the client.
    Answers,
}

/// The message that is held back when the proxy begins to hang during an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    /// The request, so that the server does not receive it.
    Request,
    /// The answer, so that the server has processed the request and the client does not learn that.
    Answer,
}

/// What the proxy does at one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// All connections hang.
    Hang(Held),
    /// Its connection is closed, and the server never receives the request.
    CloseBefore,
    /// Its connection is closed without the answer, while the server has received the request and goes on with it.
    CloseAfter,
    /// All connections are closed, and new ones too, until the mode is set again.
    Cut,
    /// Its connection loses everything in one direction from now on: this request, or its answer, is the first.
    Lose(Direction),
    /// It is forwarded this much later.
    Delay(Duration),
    /// It is forwarded in pieces of a few bytes.
    Fragment,
}

/// The request at which the proxy does something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum At {
    /// The next one that contains this text.
    Text(&'static str),
    /// The n-th one with this label, counted from 1 over all connections.
    Labelled(String, usize),
    /// The n-th one of a connection. Both are counted from 1.
    Connection { connection: usize, nth: usize },
}

struct Trap {
    at: At,
    action: Action,
    /// How many requests with the label have come.
    seen: usize,
}

#[derive(Clone)]
pub struct Proxy {
    /// `127.0.0.1:PORT`
    pub address: String,
    protocol: Protocol,
    mode: Arc<watch::Sender<Mode>>,
    /// Incremented to close all connections.
    closed: Arc<watch::Sender<u64>>,
    rewriting: Arc<Option<Rewriting>>,
    trap: Arc<Mutex<Option<Trap>>>,
    sprung: Arc<Notify>,
    /// The labels of all requests, while they are recorded.
    recorded: Arc<Mutex<Option<Vec<String>>>>,
    most_open: Arc<AtomicUsize>,
}

impl Proxy {
    /// A proxy in front of `upstream` (`host:port`), which does not look into the data: clients and server may use TLS.
    pub async fn to(upstream: &str) -> Self {
        Self::rewriting(Upstream::opaque(upstream), |_| None).await
    }

    /// As [`Self::to`], on another local address than `127.0.0.1`.
    pub async fn at(host: &str, upstream: &str) -> Self {
        Self::listening(host, Upstream::opaque(upstream), Protocol::Opaque, |_| None).await
    }

    /// A proxy in front of the server of a URL, and that URL with the address of the proxy. The proxy speaks TLS to the server,
    /// and not to the client, so that it can look into the data.
    pub async fn before(url: &SecretString) -> (Self, SecretString) {
        let (upstream, plain) = Upstream::of(Url::parse(url.expose_secret()).unwrap());
        let proxy = Self::listening("127.0.0.1", upstream, Protocol::of(plain.scheme()), |_| None).await;
        let url = through(url, proxy.port());
        (proxy, url)
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
        Self::listening("127.0.0.1", upstream, Protocol::Opaque, rewriting).await
    }

    async fn listening(
        host: &str,
        upstream: Upstream,
        protocol: Protocol,
        rewriting: impl FnOnce(&str) -> Option<Rewriting>,
    ) -> Self {
        let listener = TcpListener::bind((host, 0)).await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let proxy = Self {
            rewriting: Arc::new(rewriting(&address)),
            address,
            protocol,
            mode: Arc::new(watch::channel(Mode::Pass).0),
            closed: Arc::default(),
            trap: Arc::default(),
            sprung: Arc::default(),
            recorded: Arc::default(),
            most_open: Arc::default(),
        };
        let copy = proxy.clone();
        tokio::spawn(async move {
            let mut number = 0;
            while let Ok((stream, _)) = listener.accept().await {
                copy.most_open.fetch_max(copy.open(), Ordering::SeqCst);
                number += 1;
                tokio::spawn(line::forward(stream, upstream.clone(), copy.clone(), number));
            }
        });
        proxy
    }

    pub fn port(&self) -> u16 {
        self.address.rsplit_once(':').unwrap().1.parse().unwrap()
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

    /// Closes all connections, with everything that they hold back.
    pub fn close_all(&self) {
        self.closed.send_modify(|closed| *closed += 1);
    }

    /// Does something at one request, once.
    pub fn plan(&self, at: At, action: Action) {
        *self.trap.lock().unwrap() = Some(Trap { at, action, seen: 0 });
    }

    /// Hangs as soon as a client sends unencrypted data that contains `text`.
    pub fn hang_at(&self, text: &'static str, held: Held) {
        self.plan(At::Text(text), Action::Hang(held));
    }

    /// Closes the connection of the first client that sends unencrypted data that contains `text`, after it has sent that to the
    /// server. The server goes on with the request. Other connections are not affected.
    pub fn reset_at(&self, text: &'static str) {
        self.plan(At::Text(text), Action::CloseAfter);
    }

    /// Waits until the planned request has come.
    pub async fn hung(&self) {
        // On a busy machine, a worker may need long until it comes to its request.
        timeout(Duration::from_mins(2), self.sprung.notified()).await.expect("the request never came");
    }

    /// Forgets what was planned. Whether the request had not come yet.
    pub fn disarm(&self) -> bool {
        self.trap.lock().unwrap().take().is_some()
    }

    /// Begins to record requests.
    pub fn record(&self) {
        *self.recorded.lock().unwrap() = Some(Vec::new());
    }

    /// The labels of the requests since [`Self::record`], in their order.
    pub fn recorded(&self) -> Vec<String> {
        self.recorded.lock().unwrap().take().unwrap_or_default()
    }

    /// What to do at a request, the n-th of a connection.
    fn inspect(&self, request: &Request, connection: usize, nth: usize) -> Option<Action> {
        if let (Some(recorded), Some(label)) = (self.recorded.lock().unwrap().as_mut(), &request.label) {
            recorded.push(label.clone());
        }
        let mut trap = self.trap.lock().unwrap();
        let planned = trap.as_mut()?;
        let springs = match &planned.at {
            At::Text(text) => request.bytes.windows(text.len()).any(|part| part == text.as_bytes()),
            At::Labelled(label, nth) => {
                planned.seen += usize::from(request.label.as_ref() == Some(label));
                planned.seen == *nth
            }
            At::Connection { connection: wanted, nth: at } => (connection, nth) == (*wanted, *at),
        };
        springs.then(|| trap.take().map(|trap| trap.action)).flatten()
    }
}

/// The URL of a server, with the port of a proxy on this machine in front of it, to which clients do not speak TLS.
pub fn through(url: &SecretString, port: u16) -> SecretString {
    let (_, mut url) = Upstream::of(Url::parse(url.expose_secret()).unwrap());
    url.set_host(Some("127.0.0.1")).unwrap();
    url.set_port(Some(port)).unwrap();
    String::from(url).into()
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
