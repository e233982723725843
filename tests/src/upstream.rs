//! Connections of the proxy to the real servers, which speak TLS.

use std::{path::PathBuf, pin::Pin, sync::Arc};

use reqwest::Url;
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

/// A connection, encrypted or not.
pub(crate) type Connection = Pin<Box<dyn Stream>>;

pub(crate) trait Stream: AsyncRead + AsyncWrite + Send {}

impl<T: AsyncRead + AsyncWrite + Send> Stream for T {}

/// A server, and how it is reached.
#[derive(Clone)]
pub(crate) struct Upstream {
    /// `host:port`
    pub(crate) address: String,
    encryption: Option<Encryption>,
}

#[derive(Clone)]
struct Encryption {
    connector: TlsConnector,
    /// Whether the client asks for TLS in PostgreSQL's protocol first.
    asks_first: bool,
}

impl Upstream {
    /// A server whose data is passed on as it is, encrypted or not.
    pub(crate) fn opaque(address: &str) -> Self {
        Self { address: address.to_owned(), encryption: None }
    }

    /// A server that speaks TLS from the first byte on, with a certificate of an authority in the file.
    pub(crate) fn tls(address: &str, authority: PathBuf) -> Self {
        let encryption = Encryption { connector: connector(authority), asks_first: false };
        Self { address: address.to_owned(), encryption: Some(encryption) }
    }

    /// The server of a URL, and the URL without what concerns encryption.
    pub(crate) fn of(mut url: Url) -> (Self, Url) {
        let address = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap());
        let options: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        let option = |name: &str| options.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
        let authority = match url.scheme() {
            "postgres" | "postgresql" => option("sslrootcert").map(PathBuf::from),
            "mongodb" => option("tlsCAFile").map(PathBuf::from),
            "rediss" => Some(crate::variable("REDIS_CA_FILE").into()),
            "https" => Some(crate::variable("AWS_CA_BUNDLE").into()),
            _ => None,
        };
        let Some(authority) = authority else { return (Self::opaque(&address), url) };
        let mut upstream = Self::tls(&address, authority);
        if let Some(encryption) = &mut upstream.encryption {
            encryption.asks_first = url.scheme().starts_with("postgres");
        }
        let removed = ["sslmode", "sslrootcert", "tls", "tlsCAFile"];
        let kept = options.iter().filter(|(name, _)| !removed.contains(&name.as_str()));
        let mut kept: Vec<String> = kept.map(|(name, value)| format!("{name}={value}")).collect();
        if url.scheme().starts_with("postgres") {
            // Otherwise the client would ask the proxy for TLS.
            kept.push("sslmode=disable".to_owned());
        }
        url.set_query((!kept.is_empty()).then(|| kept.join("&")).as_deref());
        let url = url.as_str().replacen("rediss://", "redis://", 1).replacen("https://", "http://", 1);
        let url = Url::parse(&url).unwrap();
        (upstream, url)
    }

    pub(crate) async fn connect(&self) -> Option<Connection> {
        /// `SSLRequest`, and the answer of a server that speaks TLS.
        const REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];
        const YES: u8 = b'S';
        let mut stream = TcpStream::connect(&self.address).await.ok()?;
        let Some(Encryption { connector, asks_first }) = &self.encryption else { return Some(Box::pin(stream)) };
        if *asks_first {
            stream.write_all(&REQUEST).await.ok()?;
            assert_eq!(stream.read_u8().await.ok()?, YES, "the server does not speak TLS");
        }
        let host = self.address.rsplit_once(':').unwrap().0.to_owned();
        let stream = connector.connect(ServerName::try_from(host).unwrap(), stream).await;
        Some(Box::pin(stream.expect("the server's certificate is valid")))
    }
}

fn connector(authority: PathBuf) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(authority).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}
