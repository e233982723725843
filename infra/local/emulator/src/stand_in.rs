//! A stand-in of a microservice of the platform. The file `service-NAME.mode` switches it: it answers `GET /health` at once, late
//! or never, or refuses connections.

use std::{
    convert::Infallible,
    fs,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    time::Duration,
};

use http_body_util::Full;
use hyper::{Method, Request, Response, StatusCode, body::Bytes, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::{
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};

/// The delay of a slow answer.
const SLOW: Duration = Duration::from_millis(700);

/// How often the file is read.
const READ_INTERVAL: Duration = Duration::from_millis(50);

/// How a stand-in behaves.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum StandInMode {
    /// Answers at once.
    #[default]
    Up,
    /// Refuses connections.
    Down,
    /// Answers late.
    Slow,
    /// Accepts connections and never answers.
    Hang,
}

/// The stand-in of one service.
#[derive(Clone, Debug)]
pub struct StandIn {
    name: String,
    port: u16,
    file: PathBuf,
}

impl StandIn {
    /// `folder` contains the file that switches it.
    pub fn new(name: &str, port: u16, folder: &Path) -> Self {
        Self { name: name.to_owned(), port, file: folder.join(format!("service-{name}.mode")) }
    }

    /// Without a file, or with an unknown mode in it, the stand-in is up.
    fn mode(&self) -> StandInMode {
        match fs::read_to_string(&self.file).unwrap_or_default().trim() {
            "down" => StandInMode::Down,
            "slow" => StandInMode::Slow,
            "hang" => StandInMode::Hang,
            _ => StandInMode::Up,
        }
    }

    /// Waits until the mode is another one.
    async fn wait_while(&self, mode: StandInMode) {
        while self.mode() == mode {
            sleep(READ_INTERVAL).await;
        }
    }
}

/// Runs a stand-in and never returns.
pub async fn run(stand_in: StandIn) {
    loop {
        stand_in.wait_while(StandInMode::Down).await;
        match TcpListener::bind((Ipv4Addr::LOCALHOST, stand_in.port)).await {
            Ok(listener) => serve(&stand_in, &listener).await,
            Err(error) => {
                tracing::error!(name = stand_in.name, port = stand_in.port, %error, "listening on the port failed");
                sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

/// Accepts connections until the mode is `down`.
async fn serve(stand_in: &StandIn, listener: &TcpListener) {
    while stand_in.mode() != StandInMode::Down {
        if let Ok(Ok((stream, _))) = timeout(READ_INTERVAL, listener.accept()).await {
            tokio::spawn(connection(stand_in.clone(), stream));
        }
    }
}

async fn connection(stand_in: StandIn, stream: TcpStream) {
    let service = service_fn(|request| {
        let stand_in = stand_in.clone();
        async move { Ok::<_, Infallible>(answer(&stand_in, &request).await) }
    });
    // An error means that the client closed the connection.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn answer<B>(stand_in: &StandIn, request: &Request<B>) -> Response<Full<Bytes>> {
    match stand_in.mode() {
        StandInMode::Slow => sleep(SLOW).await,
        StandInMode::Hang => stand_in.wait_while(StandInMode::Hang).await,
        StandInMode::Up | StandInMode::Down => {}
    }
    let mut response = Response::default();
    if request.method() != Method::GET || request.uri().path() != "/health" {
        *response.status_mut() = StatusCode::NOT_FOUND;
        return response;
    }
    let body =
        json!({ "status": "up", "service": stand_in.name, "version": concat!(env!("CARGO_PKG_VERSION"), "-stand-in") });
    *response.body_mut() = Full::from(body.to_string());
    response
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[tokio::test]
    async fn its_file_switches_its_behaviour() {
        let folder = std::env::temp_dir().join(format!("landlord-stand-in-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
        let stand_in = StandIn::new("ai-agent", port, &folder);
        let file = stand_in.file.clone();
        tokio::spawn(run(stand_in));
        let client = reqwest::Client::builder().timeout(Duration::from_millis(1500)).build().unwrap();
        let ask = async |mode: &str| {
            fs::write(&file, mode).unwrap();
            sleep(READ_INTERVAL * 4).await;
            let started = Instant::now();
            let status =
                client.get(format!("http://127.0.0.1:{port}/health")).send().await.map(|response| response.status());
            (status, started.elapsed())
        };
        assert_eq!(ask("up").await.0.unwrap(), StatusCode::OK);
        let (status, took) = ask("slow").await;
        assert!(status.unwrap() == StatusCode::OK && took >= SLOW, "{took:?}");
        assert!(ask("hang").await.0.unwrap_err().is_timeout());
        assert!(ask("down").await.0.unwrap_err().is_connect());
        assert_eq!(ask("up").await.0.unwrap(), StatusCode::OK);
        fs::remove_dir_all(&folder).unwrap();
    }
}
