//! Checks whether servers answer, by the smallest request of each protocol, so that no driver has to be compiled.

use std::{
    io::{ErrorKind, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    time::Duration,
};

use bson::{Document, doc};

/// Limit for connecting and for each read and write.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(3);

/// The error is a reason, such as "the connection was refused".
pub(crate) type ProbeResult<T> = Result<T, String>;

const MALFORMED: &str = "the answer is malformed";

fn connect(port: u16) -> ProbeResult<TcpStream> {
    let stream = TcpStream::connect_timeout(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)), TIMEOUT)
        .map_err(|error| io(&error))?;
    stream.set_read_timeout(Some(TIMEOUT)).map_err(text)?;
    stream.set_write_timeout(Some(TIMEOUT)).map_err(text)?;
    Ok(stream)
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

fn io(error: &std::io::Error) -> String {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => format!("no answer in {} s", TIMEOUT.as_secs()),
        ErrorKind::ConnectionRefused => "the connection was refused".to_owned(),
        _ => error.to_string(),
    }
}

fn sized(stream: &mut TcpStream, size: usize) -> ProbeResult<Vec<u8>> {
    const LONGEST: usize = 16 << 20;
    let mut answer = vec![0; Some(size).filter(|size| *size <= LONGEST).ok_or(MALFORMED)?];
    stream.read_exact(&mut answer).map_err(|error| io(&error))?;
    Ok(answer)
}

/// An HTTP client that returns a response for every status, not an error for some.
pub(crate) fn http(timeout: Duration) -> ureq::Agent {
    ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(timeout)).build().into()
}

/// Sends `GET` and returns the status and the body.
pub(crate) fn get(url: &str) -> ProbeResult<(u16, String)> {
    let mut response = http(TIMEOUT).get(url).call().map_err(text)?;
    Ok((response.status().as_u16(), response.body_mut().read_to_string().map_err(text)?))
}

/// Authenticates with Redis and returns its version.
pub(crate) fn redis(port: u16, password: &str) -> ProbeResult<String> {
    let mut stream = connect(port)?;
    write!(stream, "AUTH {password}\r\nINFO server\r\nQUIT\r\n").map_err(text)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).map_err(|error| io(&error))?;
    match answer.lines().find_map(|line| line.strip_prefix("redis_version:")) {
        Some(version) => Ok(format!("Redis {version}")),
        None => Err(answer.lines().next().unwrap_or("it closed the connection").to_owned()),
    }
}

/// Runs a command on MongoDB's database `admin`, without authentication.
pub(crate) fn mongo(port: u16, mut command: Document) -> ProbeResult<Document> {
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

    let mut stream = connect(port)?;
    stream.write_all(&message).map_err(text)?;
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
pub(crate) fn mongo_primary(port: u16) -> ProbeResult<bool> {
    let answer = mongo(port, doc! { "hello": 1 })?;
    mongo_ok(&answer)?;
    Ok(answer.get_bool("isWritablePrimary").unwrap_or(false))
}

/// Asks Kafka for the versions of its API (`ApiVersions`).
pub(crate) fn kafka(port: u16) -> ProbeResult<()> {
    let answer = kafka_request(port, 18, 0, &[])?;
    match answer.get(..2) {
        Some([0, 0]) => Ok(()),
        _ => Err("it refused the request".to_owned()),
    }
}

/// Creates a Kafka topic with one replica, unless it exists.
pub(crate) fn kafka_topic(port: u16, name: &str, partitions: i32) -> ProbeResult<()> {
    const NO_ERROR: i16 = 0;
    const TOPIC_ALREADY_EXISTS: i16 = 36;
    let mut body = Vec::new();
    body.extend(1_i32.to_be_bytes());
    kafka_string(&mut body, name)?;
    body.extend(partitions.to_be_bytes());
    body.extend(1_i16.to_be_bytes()); // replicas
    body.extend(0_i32.to_be_bytes()); // assignments: chosen by the broker
    body.extend(0_i32.to_be_bytes()); // settings: the broker's defaults
    body.extend(3_000_i32.to_be_bytes()); // timeout in milliseconds
    body.push(0); // create, not only validate
    let answer = kafka_request(port, 19, 2, &body)?;
    // throttle (4), number of topics (4), length of the name (2), the name
    let at = 10 + name.len();
    match answer.get(at..at + 2).map(|code| i16::from_be_bytes([code[0], code[1]])) {
        Some(NO_ERROR | TOPIC_ALREADY_EXISTS) => Ok(()),
        code => Err(format!("Kafka returned the error code {code:?}")),
    }
}

fn kafka_request(port: u16, kind: i16, version: i16, body: &[u8]) -> ProbeResult<Vec<u8>> {
    let mut request = Vec::new();
    request.extend(kind.to_be_bytes());
    request.extend(version.to_be_bytes());
    request.extend(1_i32.to_be_bytes()); // correlation id
    kafka_string(&mut request, "dev")?;
    request.extend(body);
    let mut message = i32::try_from(request.len()).map_err(text)?.to_be_bytes().to_vec();
    message.extend(request);

    let mut stream = connect(port)?;
    stream.write_all(&message).map_err(text)?;
    let size = sized(&mut stream, 4)?;
    let size = usize::try_from(i32::from_be_bytes([size[0], size[1], size[2], size[3]])).map_err(text)?;
    let answer = sized(&mut stream, size)?;
    Ok(answer.get(4..).ok_or(MALFORMED)?.to_vec())
}

fn kafka_string(message: &mut Vec<u8>, value: &str) -> ProbeResult<()> {
    message.extend(i16::try_from(value.len()).map_err(text)?.to_be_bytes());
    message.extend(value.as_bytes());
    Ok(())
}
