//! The requests in what a client sends, and a label for each, which is the same in every run.

use std::collections::HashMap;

use mongodb::bson::RawDocument;

/// The protocol between client and server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    /// Unknown or encrypted: whatever is read at once counts as a request.
    Opaque,
    Postgres,
    Mongo,
    Http,
}

impl Protocol {
    pub(super) fn of(scheme: &str) -> Self {
        match scheme {
            "postgres" | "postgresql" => Self::Postgres,
            "mongodb" => Self::Mongo,
            "http" => Self::Http,
            _ => Self::Opaque,
        }
    }
}

/// What a client sends before it waits for an answer.
pub(super) struct Request {
    pub(super) bytes: Vec<u8>,
    /// `None` for what a client sends by itself from time to time.
    pub(super) label: Option<String>,
}

/// Collects the data of one connection.
pub(super) struct Requests {
    protocol: Protocol,
    received: Vec<u8>,
    /// PostgreSQL: whether the start-up message was received.
    is_started: bool,
    /// PostgreSQL: the texts of prepared statements, by their names.
    prepared: HashMap<Vec<u8>, String>,
}

impl Requests {
    pub(super) fn new(protocol: Protocol) -> Self {
        Self { protocol, received: Vec::new(), is_started: false, prepared: HashMap::new() }
    }

    pub(super) fn push(&mut self, data: &[u8]) {
        self.received.extend_from_slice(data);
    }

    /// The next complete request.
    pub(super) fn take_next(&mut self) -> Option<Request> {
        let (length, label) = match self.protocol {
            Protocol::Opaque => (self.received.len(), Some(String::new())),
            Protocol::Postgres => self.next_of_postgres()?,
            Protocol::Mongo => self.next_of_mongo()?,
            Protocol::Http => self.next_of_http()?,
        };
        let rest = self.received.split_off(length);
        let bytes = std::mem::replace(&mut self.received, rest);
        (!bytes.is_empty()).then_some(Request { bytes, label })
    }

    /// Messages up to one that the server answers.
    fn next_of_postgres(&mut self) -> Option<(usize, Option<String>)> {
        const ENDS: &[u8] = b"QSpXFHcfd";
        if !self.is_started {
            let length = length_at(&self.received, 0)?;
            self.is_started = self.received.len() >= length;
            return self.is_started.then(|| (length, Some("start-up".to_owned())));
        }
        let (mut end, mut text) = (0, None);
        loop {
            let kind = *self.received.get(end)?;
            let length = 1 + length_at(&self.received, end + 1)?;
            let message = self.received.get(end + 5..end + length)?;
            let mut parts = message.splitn(3, |byte| *byte == 0);
            let (first, second) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
            match kind {
                b'Q' => text = Some(label_of(first)),
                b'P' => {
                    let label = label_of(second);
                    self.prepared.insert(first.to_vec(), label.clone());
                    text = Some(format!("prepare: {label}"));
                }
                b'B' => text = self.prepared.get(second).cloned().or(text),
                b'p' => text = Some("password".to_owned()),
                b'X' => text = Some("end".to_owned()),
                _ => {}
            }
            end += length;
            if ENDS.contains(&kind) {
                // Closing statements and connections decides nothing.
                return Some((end, text.filter(|text| text != "end")));
            }
        }
    }

    fn next_of_mongo(&mut self) -> Option<(usize, Option<String>)> {
        const OP_MSG: [u8; 4] = 2013_i32.to_le_bytes();
        /// Sent by the driver itself, at any time.
        const CHATTER: [&str; 4] = ["hello", "isMaster", "ping", "endSessions"];
        let length = u32::from_le_bytes(self.received.get(..4)?.try_into().ok()?) as usize;
        let message = self.received.get(..length)?;
        // A header, flags, and the kind of the first section, which is a document.
        if message[12..16] != OP_MSG {
            return Some((length, None));
        }
        let body = &message[21..];
        let document = body.get(..4).map(|size| u32::from_le_bytes(size.try_into().unwrap_or_default()) as usize);
        let document = document.and_then(|size| RawDocument::from_bytes(body.get(..size)?).ok());
        let (command, value) = document?.iter().next()?.ok()?;
        let command = command.as_str();
        let of = value.as_str().map(|name| format!(" {}", label_of(name.as_bytes()))).unwrap_or_default();
        Some((length, (!CHATTER.contains(&command)).then(|| format!("{command}{of}"))))
    }

    fn next_of_http(&mut self) -> Option<(usize, Option<String>)> {
        const END: &[u8] = b"\r\n\r\n";
        let head = self.received.windows(END.len()).position(|part| part == END)? + END.len();
        let text = String::from_utf8_lossy(&self.received[..head]).to_ascii_lowercase();
        let length =
            text.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok()).unwrap_or(0);
        let line = text.lines().next().unwrap_or_default();
        let line = line.strip_suffix(" http/1.1").unwrap_or(line);
        (self.received.len() >= head + length).then(|| (head + length, Some(label_of(line.as_bytes()))))
    }
}

/// A length in PostgreSQL's protocol, which includes itself.
fn length_at(data: &[u8], at: usize) -> Option<usize> {
    let bytes = data.get(at..at + 4)?;
    Some(u32::from_be_bytes(bytes.try_into().ok()?) as usize)
}

/// A text without numbers and ids, in one line and shortened.
fn label_of(text: &[u8]) -> String {
    const LENGTH: usize = 100;
    let text = String::from_utf8_lossy(text);
    let is_part = |character: char| character.is_ascii_hexdigit() || character == '-';
    let (mut label, mut run) = (String::new(), String::new());
    for character in text.split_whitespace().collect::<Vec<_>>().join(" ").chars().chain(['\0']) {
        if is_part(character) {
            run.push(character);
            continue;
        }
        label.push_str(if run.contains(|character: char| character.is_ascii_digit()) { "?" } else { &run });
        run.clear();
        label.push(character);
    }
    label.pop();
    label.chars().take(LENGTH).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(protocol: Protocol, sent: &[u8], piece: usize) -> Vec<(usize, Option<String>)> {
        let mut requests = Requests::new(protocol);
        let mut found = Vec::new();
        for part in sent.chunks(piece) {
            requests.push(part);
            found.extend(
                std::iter::from_fn(|| requests.take_next()).map(|request| (request.bytes.len(), request.label)),
            );
        }
        found
    }

    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        [&[kind][..], &u32::try_from(body.len() + 4).unwrap().to_be_bytes(), body].concat()
    }

    #[test]
    fn requests_of_postgresql_are_complete_exchanges_named_after_their_statement() {
        let start = [&12_u32.to_be_bytes()[..], &[0, 3, 0, 0, 0, 0, 0, 0]].concat();
        let simple = message(b'Q', b"SET application_name = 'landlord tenant_0190a0c48f6e 7'\0");
        let prepare = [message(b'P', b"s1\0SELECT $1\n FROM x\0\0\0"), message(b'S', b"")].concat();
        let run = [message(b'B', b"\0s1\0\0\0"), message(b'E', b"\0\0\0\0\0"), message(b'S', b"")].concat();
        let sent = [start, simple, prepare, run, message(b'X', b"")].concat();
        for piece in [1, 7, sent.len()] {
            let labels: Vec<_> = all(Protocol::Postgres, &sent, piece).into_iter().map(|(_, label)| label).collect();
            let expected = [
                Some("start-up"),
                Some("SET application_name = 'landlord tenant_? ?'"),
                Some("prepare: SELECT $? FROM x"),
                Some("SELECT $? FROM x"),
                None,
            ];
            assert_eq!(labels, expected.map(|label| label.map(str::to_owned)), "{piece}");
        }
    }

    #[test]
    fn requests_of_http_include_their_body() {
        let sent = b"PUT /landlord/tenants/0190a0c4-8f6e/x?id=7 HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcGET / HTTP/1.1\r\n\r\n";
        let found = all(Protocol::Http, sent, 5);
        assert_eq!(found.iter().map(|(length, _)| length).sum::<usize>(), sent.len());
        let labels: Vec<_> = found.into_iter().filter_map(|(_, label)| label).collect();
        assert_eq!(labels, ["put /landlord/tenants/?/x?id=?", "get /"]);
    }
}
