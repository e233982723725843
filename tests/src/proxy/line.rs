//! One connection of the proxy.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split},
    net::TcpStream,
    sync::watch,
};

use super::{Action, Direction, Held, Mode, Proxy, requests::Requests};
use crate::upstream::Upstream;

/// Within this time, a request that was read from the client has been written to the server on the same machine.
const FORWARDING_TIME: Duration = Duration::from_millis(100);

/// Sizes of the pieces of data that is fragmented.
const FRAGMENTS: [usize; 4] = [1, 3, 2, 7];

/// The state of a connection.
#[derive(Default)]
struct Line {
    loses_requests: AtomicBool,
    loses_answers: AtomicBool,
    /// Whether the answer to a request is awaited, after which the proxy hangs.
    awaited: AtomicBool,
}

impl Line {
    fn loses(&self, direction: Direction) -> &AtomicBool {
        match direction {
            Direction::Requests => &self.loses_requests,
            Direction::Answers => &self.loses_answers,
        }
    }
}

/// Connects a client with the server until one of them, or the proxy, closes the connection.
pub(super) async fn forward(client: TcpStream, upstream: Upstream, proxy: Proxy, number: usize) {
    let mode = proxy.mode.subscribe();
    let mut closed = proxy.closed.subscribe();
    if !passes(&mut mode.clone()).await {
        return;
    }
    let Some(server) = upstream.connect().await else { return };
    // Otherwise pieces of data would be put together again.
    let _without_delay = client.set_nodelay(true);
    let (client_reader, client_writer) = split(client);
    let (server_reader, server_writer) = split(server);
    let line = Line::default();
    let mut cut = mode.clone();
    tokio::select! {
        () = requests(client_reader, server_writer, mode.clone(), &proxy, &line, number) => {}
        () = answers(server_reader, client_writer, mode, &proxy, &line) => {}
        _ = cut.wait_for(|mode| *mode == Mode::Cut) => {}
        _ = closed.changed() => {}
    }
}

/// Forwards requests, until the connection is to be closed.
async fn requests(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut mode: watch::Receiver<Mode>,
    proxy: &Proxy,
    line: &Line,
    number: usize,
) {
    let mut reader = Requests::new(proxy.protocol);
    let mut buffer = vec![0; 64 * 1024];
    let mut count = 0;
    loop {
        let Ok(length @ 1..) = from.read(&mut buffer).await else { return };
        reader.push(&buffer[..length]);
        while let Some(request) = reader.take_next() {
            count += 1;
            let action = proxy.inspect(&request, number, count);
            let sprung = || proxy.sprung.notify_one();
            let data = &request.bytes;
            let went = match action {
                None => pass(data, &mut to, &mut mode, line, Direction::Requests).await,
                Some(Action::Hang(Held::Request)) => {
                    proxy.set(Mode::Hang);
                    sprung();
                    pass(data, &mut to, &mut mode, line, Direction::Requests).await
                }
                Some(Action::Hang(Held::Answer)) => {
                    proxy.set(Mode::Hang);
                    line.awaited.store(true, Ordering::SeqCst);
                    write(&mut to, data).await
                }
                Some(Action::CloseBefore) => {
                    sprung();
                    return;
                }
                Some(Action::CloseAfter) => {
                    line.loses_answers.store(true, Ordering::SeqCst);
                    write(&mut to, data).await;
                    tokio::time::sleep(FORWARDING_TIME).await;
                    sprung();
                    return;
                }
                Some(Action::Cut) => {
                    proxy.set(Mode::Cut);
                    sprung();
                    return;
                }
                Some(Action::Lose(direction)) => {
                    line.loses(direction).store(true, Ordering::SeqCst);
                    sprung();
                    pass(data, &mut to, &mut mode, line, Direction::Requests).await
                }
                Some(Action::Delay(time)) => {
                    sprung();
                    tokio::time::sleep(time).await;
                    pass(data, &mut to, &mut mode, line, Direction::Requests).await
                }
                Some(Action::Fragment) => {
                    sprung();
                    write_pieces(&mut to, data).await
                }
            };
            if !went {
                return;
            }
        }
    }
}

/// Forwards answers, until the connection is to be closed.
async fn answers(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut mode: watch::Receiver<Mode>,
    proxy: &Proxy,
    line: &Line,
) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let Ok(length @ 1..) = from.read(&mut buffer).await else { return };
        if let Some(rewriting) = proxy.rewriting.as_ref() {
            rewriting.apply(&mut buffer[..length]);
        }
        if line.awaited.swap(false, Ordering::SeqCst) {
            proxy.sprung.notify_one();
        }
        if !pass(&buffer[..length], &mut to, &mut mode, line, Direction::Answers).await {
            return;
        }
    }
}

/// Forwards data as the mode demands, in order. Data that arrives while the proxy hangs is late. `false`: the connection is to be closed.
async fn pass(
    data: &[u8],
    to: &mut (impl AsyncWrite + Unpin),
    mode: &mut watch::Receiver<Mode>,
    line: &Line,
    direction: Direction,
) -> bool {
    if !passes(mode).await {
        return false;
    }
    let current = *mode.borrow();
    if current == Mode::Lose(direction) {
        line.loses(direction).store(true, Ordering::SeqCst);
    }
    if line.loses(direction).load(Ordering::SeqCst) {
        return true;
    }
    match current {
        Mode::Delay(time) => {
            tokio::time::sleep(time).await;
            write(to, data).await
        }
        Mode::Fragment => write_pieces(to, data).await,
        _ => write(to, data).await,
    }
}

/// Waits while the proxy hangs; `false` if it cuts.
async fn passes(mode: &mut watch::Receiver<Mode>) -> bool {
    mode.wait_for(|mode| *mode != Mode::Hang).await.is_ok_and(|mode| *mode != Mode::Cut)
}

async fn write(to: &mut (impl AsyncWrite + Unpin), data: &[u8]) -> bool {
    to.write_all(data).await.is_ok() && to.flush().await.is_ok()
}

async fn write_pieces(to: &mut (impl AsyncWrite + Unpin), mut data: &[u8]) -> bool {
    // At the beginning, where the headers of messages are, and then in larger pieces, so that it does not take long.
    for size in FRAGMENTS.into_iter().cycle().take(24) {
        if data.is_empty() {
            return true;
        }
        let (piece, rest) = data.split_at(size.min(data.len()));
        if !write(to, piece).await {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
        data = rest;
    }
    write(to, data).await
}
