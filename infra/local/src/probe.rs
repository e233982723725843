//! Checks whether servers answer, by the smallest request of each protocol, so that no driver has to be compiled.

use std::{
    fs,
    io::{ErrorKind, Read, Write},
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use bson::{Document, doc};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use ureq::{
    config::ConfigBuilder,
    tls::{Certificate, RootCerts, TlsConfig},
    typestate::AgentScope,
};

/// Limit for connecting and for each read and write.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(3);

/// The error is a reason, such as "the connection was refused".
pub(crate) type ProbeResult<T> = Result<T, String>;

pub(crate) const MALFORMED: &str = "the answer is malformed";

/// A local server, which speaks TLS.
pub(crate) struct Endpoint {
    pub(crate) port: u16,
    /// The file of the authority that issued the server's certificate.
    pub(crate) authority: PathBuf,
}

impl Endpoint {
    pub(crate) fn connect(&self) -> ProbeResult<StreamOwned<ClientConnection, TcpStream>> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        let stream = TcpStream::connect_timeout(&address, TIMEOUT).map_err(|error| io(&error))?;
        stream.set_read_timeout(Some(TIMEOUT)).map_err(text)?;
        stream.set_write_timeout(Some(TIMEOUT)).map_err(text)?;
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(&self.authority).map_err(text)?).map_err(text)?;
        let config = ClientConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
            .with_safe_default_protocol_versions()
            .map_err(text)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::from(IpAddr::from(Ipv4Addr::LOCALHOST));
        Ok(StreamOwned::new(ClientConnection::new(Arc::new(config), name).map_err(text)?, stream))
    }

    /// Sends `GET` and returns the status and the body.
    pub(crate) fn get(&self, path: &str) -> ProbeResult<(u16, String)> {
        let pem = fs::read(&self.authority).map_err(text)?;
        let authority = Certificate::from_pem(&pem).map_err(text)?;
        let tls = TlsConfig::builder().root_certs(RootCerts::new_with_certs(&[authority])).build();
        let agent: ureq::Agent = settings(TIMEOUT).tls_config(tls).build().into();
        fetch(&agent, &format!("https://127.0.0.1:{}{path}", self.port))
    }
}

pub(crate) fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

pub(crate) fn io(error: &std::io::Error) -> String {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => format!("no answer in {} s", TIMEOUT.as_secs()),
        ErrorKind::ConnectionRefused => "the connection was refused".to_owned(),
        _ => error.to_string(),
    }
}

pub(crate) fn sized(stream: &mut impl Read, size: usize) -> ProbeResult<Vec<u8>> {
    const LONGEST: usize = 16 << 20;
    let mut answer = vec![0; Some(size).filter(|size| *size <= LONGEST).ok_or(MALFORMED)?];
    stream.read_exact(&mut answer).map_err(|error| io(&error))?;
    Ok(answer)
}

/// An HTTP client that returns a response for every status, not an error for some.
pub(crate) fn http(timeout: Duration) -> ureq::Agent {
    settings(timeout).build().into()
}

fn settings(timeout: Duration) -> ConfigBuilder<AgentScope> {
    ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(timeout))
}

/// Sends `GET` and returns the status and the body.
pub(crate) fn get(url: &str) -> ProbeResult<(u16, String)> {
    fetch(&http(TIMEOUT), url)
}

fn fetch(agent: &ureq::Agent, url: &str) -> ProbeResult<(u16, String)> {
    let mut response = agent.get(url).call().map_err(text)?;
    Ok((response.status().as_u16(), response.body_mut().read_to_string().map_err(text)?))
}

/// Authenticates with Redis and returns its version.
pub(crate) fn redis(server: &Endpoint, password: &str) -> ProbeResult<String> {
    let mut stream = server.connect()?;
    write!(stream, "AUTH {password}\r\nINFO server\r\nQUIT\r\n").map_err(|error| io(&error))?;
    let mut answer = String::new();
    match stream.read_to_string(&mut answer) {
        // Redis closes the connection without the end that TLS expects.
        Err(error) if error.kind() != ErrorKind::UnexpectedEof => return Err(io(&error)),
        _ => {}
    }
    match answer.lines().find_map(|line| line.strip_prefix("redis_version:")) {
        Some(version) => Ok(format!("Redis {version}")),
        None => Err(answer.lines().next().unwrap_or("it closed the connection").to_owned()),
    }
}

/// Runs a command on MongoDB's database `admin`, without authentication.
pub(crate) fn mongo(server: &Endpoint, mut command: Document) -> ProbeResult<Document> {
    const OP_MSG: i32 = 2013;
    command.insert("$db", "admin");
    let body = command.to_vec().map_err(text)?;
    let size = i32::try_from(16 + 4 + 1 + body.len()).map_err(text)?;
    let mut message = Vec::new();
    for number in [size, 1, 0, OP_MSG, 0] {
        message.extend(number.to_le_bytes());
    }
    message.push(0);
    message.extend(body);

    let mut stream = server.connect()?;
    stream.write_all(&message).map_err(|error| io(&error))?;
    let head = sized(&mut stream, 21)?;
    let size = i32::from_le_bytes([head[0], head[1], head[2], head[3]]);
    let rest = usize::try_from(size).ok().and_then(|size| size.checked_sub(head.len()));
    let answer = sized(&mut stream, rest.ok_or(MALFORMED)?)?;
    Document::from_reader(answer.as_slice()).map_err(text)
}

/// Whether MongoDB's answer reports success.
pub(crate) fn mongo_ok(answer: &Document) -> ProbeResult<()> {
    let ok = answer.get("ok").is_some_and(|ok| ok.as_f64() == Some(1.0) || ok.as_i32() == Some(1));
    if ok { Ok(()) } else { Err(answer.get_str("errmsg").unwrap_or("it refused the request").to_owned()) }
}

/// Whether MongoDB is the primary of its replica set.
pub(crate) fn mongo_primary(server: &Endpoint) -> ProbeResult<bool> {
    let answer = mongo(server, doc! { "hello": 1 })?;
    mongo_ok(&answer)?;
    Ok(answer.get_bool("isWritablePrimary").unwrap_or(false))
}
