//! The few requests of Kafka's protocol that starting a broker takes, so that no client has to be compiled.

use std::io::{Read, Write};

use crate::probe::{Endpoint, MALFORMED, ProbeResult, io, sized, text};

/// Asks for the versions of the API (`ApiVersions`), which needs no authentication.
pub(super) fn versions(server: &Endpoint) -> ProbeResult<()> {
    const API_VERSIONS: i16 = 18;
    let answer = request(&mut server.connect()?, API_VERSIONS, 0, &[])?;
    accepted(&answer).map_err(|()| "it refused the request".to_owned())
}

/// Creates a topic with one replica, unless it exists.
pub(super) fn create_topic(
    server: &Endpoint,
    user: &str,
    password: &str,
    name: &str,
    partitions: i32,
) -> ProbeResult<()> {
    const CREATE_TOPICS: i16 = 19;
    const NO_ERROR: i16 = 0;
    const TOPIC_ALREADY_EXISTS: i16 = 36;
    let mut body = Vec::new();
    body.extend(1_i32.to_be_bytes());
    string(&mut body, name)?;
    body.extend(partitions.to_be_bytes());
    body.extend(1_i16.to_be_bytes()); // replicas
    body.extend(0_i32.to_be_bytes()); // assignments: chosen by the broker
    body.extend(0_i32.to_be_bytes()); // settings: the broker's defaults
    body.extend(3_000_i32.to_be_bytes()); // timeout in milliseconds
    body.push(0); // create, not only validate
    let mut stream = server.connect()?;
    authenticate(&mut stream, user, password)?;
    let answer = request(&mut stream, CREATE_TOPICS, 2, &body)?;
    // throttle (4), number of topics (4), length of the name (2), the name
    let at = 10 + name.len();
    match answer.get(at..at + 2).map(|code| i16::from_be_bytes([code[0], code[1]])) {
        Some(NO_ERROR | TOPIC_ALREADY_EXISTS) => Ok(()),
        code => Err(format!("Kafka returned the error code {code:?}")),
    }
}

/// Authenticates by SASL PLAIN, the simplest mechanism.
fn authenticate(stream: &mut (impl Read + Write), user: &str, password: &str) -> ProbeResult<()> {
    const SASL_HANDSHAKE: i16 = 17;
    const SASL_AUTHENTICATE: i16 = 36;
    let mut mechanism = Vec::new();
    string(&mut mechanism, "PLAIN")?;
    accepted(&request(stream, SASL_HANDSHAKE, 1, &mechanism)?).map_err(|()| "it refused SASL PLAIN".to_owned())?;
    let token = format!("\0{user}\0{password}");
    let mut body = i32::try_from(token.len()).map_err(text)?.to_be_bytes().to_vec();
    body.extend(token.as_bytes());
    accepted(&request(stream, SASL_AUTHENTICATE, 0, &body)?).map_err(|()| "it refused the password".to_owned())
}

/// Whether an answer begins with the error code 0.
fn accepted(answer: &[u8]) -> Result<(), ()> {
    if answer.starts_with(&[0, 0]) { Ok(()) } else { Err(()) }
}

fn request(stream: &mut (impl Read + Write), kind: i16, version: i16, body: &[u8]) -> ProbeResult<Vec<u8>> {
    let mut request = Vec::new();
    request.extend(kind.to_be_bytes());
    request.extend(version.to_be_bytes());
    request.extend(1_i32.to_be_bytes()); // correlation id
    string(&mut request, "dev")?;
    request.extend(body);
    let mut message = i32::try_from(request.len()).map_err(text)?.to_be_bytes().to_vec();
    message.extend(request);
    stream.write_all(&message).map_err(|error| io(&error))?;
    let size = sized(stream, 4)?;
    let size = usize::try_from(i32::from_be_bytes([size[0], size[1], size[2], size[3]])).map_err(text)?;
    let answer = sized(stream, size)?;
    Ok(answer.get(4..).ok_or(MALFORMED)?.to_vec())
}

fn string(message: &mut Vec<u8>, value: &str) -> ProbeResult<()> {
    message.extend(i16::try_from(value.len()).map_err(text)?.to_be_bytes());
    message.extend(value.as_bytes());
    Ok(())
}
