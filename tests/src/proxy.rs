//! A TCP proxy in front of a server, that can cut it off or let it hang.

use std::sync::Arc;

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
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
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (mode, _) = watch::channel(Mode::Pass);
        let mode = Arc::new(mode);
        let (upstream, changes) = (upstream.to_owned(), Arc::clone(&mode));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(connection(stream, upstream.clone(), changes.subscribe()));
            }
        });
        Self { address, mode }
    }

    /// Changes what it does, at once and for open connections too.
    pub fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }
}

async fn connection(mut client: TcpStream, upstream: String, mut mode: watch::Receiver<Mode>) {
    let mut server = None;
    loop {
        let now = *mode.borrow_and_update();
        match now {
            Mode::Cut => return,
            Mode::Hang => {
                if mode.changed().await.is_err() {
                    return;
                }
            }
            Mode::Pass => {
                let stream = match &mut server {
                    Some(stream) => stream,
                    none => match TcpStream::connect(&upstream).await {
                        Ok(stream) => none.insert(stream),
                        Err(_) => return,
                    },
                };
                tokio::select! {
                    _ = copy_bidirectional(&mut client, stream) => return,
                    _ = mode.changed() => {}
                }
            }
        }
    }
}
