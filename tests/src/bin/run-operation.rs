//! Runs an operation once, as the function `provision-tenant` does, in a process that the test can stop and kill.
//!
//! The arguments are the name of the platform database, the ports of the proxies in front of the stores, separated by commas, the id of
//! the operation, the moment at which it fails for good, and the moment at which it stops; `-` for none. At each of these two moments
//! it prints `reached MOMENT`, and goes on when it reads a line. At the end it prints `ended` and the result. It ends when its standard input ends, which happens when the test ends.

use std::{
    io::stdin,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures::{FutureExt, future::BoxFuture};
use shared::{
    error::{Error, Result},
    provisioning::{Moment, SagaObserver},
};
use tests::{World, worker::worker};
use tokio::{sync::mpsc, time::Instant};

/// Moments, as text, at each of which something happens once.
struct Script {
    /// It fails there as often as it comes there.
    fails_at: Option<String>,
    stops_at: Mutex<Option<String>>,
    lines: tokio::sync::Mutex<mpsc::UnboundedReceiver<()>>,
}

impl Script {
    async fn wait(&self, moment: Moment) {
        println!("reached {moment:?}");
        self.lines.lock().await.recv().await;
    }
}

impl SagaObserver for Script {
    fn observe(&self, moment: Moment) -> BoxFuture<'_, Result<()>> {
        let text = format!("{moment:?}");
        let stops = self.stops_at.lock().unwrap().take_if(|at| *at == text).is_some();
        let fails = self.fails_at.as_ref() == Some(&text);
        async move {
            if stops || fails {
                self.wait(moment).await;
            }
            if fails { Err(Error::internal("injected")) } else { Ok(()) }
        }
        .boxed()
    }
}

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [database, ports, operation, fails_at, stops_at] =
        arguments.try_into().unwrap_or_else(|_| panic!("usage: run-operation DATABASE PORTS OPERATION MOMENT MOMENT"));
    let (sender, lines) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for _ in stdin().lines() {
            let _ended = sender.send(());
        }
        std::process::exit(0);
    });
    let moment = |text: String| (text != "-").then_some(text);
    let lines = tokio::sync::Mutex::new(lines);
    let script = Script { fails_at: moment(fails_at), stops_at: Mutex::new(moment(stops_at)), lines };
    let world = World::of_another_process(database, String::new(), String::new());
    let ports: Vec<u16> = ports.split(',').map(|port| port.parse().unwrap()).collect();
    let worker = worker(&world, &ports, Some(Arc::new(script)));
    println!("started");
    let result = worker.run(operation.parse().unwrap(), Instant::now() + Duration::from_mins(1)).await;
    println!("ended {result:?}");
}
