//! A stand-in of a microservice of the platform, that a developer can switch: it answers `GET /health` at once, late or never,
//! or takes no connection at all, as the file `service-NAME.mode` says.

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

/// How late a slow answer is.
const SLOW: Duration = Duration::from_millis(700);

/// How often it is looked whether it was switched.
const PAUSE: Duration = Duration::from_millis(50);

/// What a stand-in does.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Mode {
    /// Answers at once.
    #[default]
    Up,
    /// Takes no connection.
    Down,
    /// Answers late.
    Slow,
    /// Takes connections and never answers.
    Hang,
}

/// A stand-in.
#[derive(Clone, Debug)]
pub struct StandIn {
    name: String,
    port: u16,
    file: PathBuf,
}

impl StandIn {
    /// Of a service, on a port of this machine, switched by a file in `folder`.
    pub fn new(name: &str, port: u16, folder: &Path) -> Self {
        Self { name: name.to_owned(), port, file: folder.join(format!("service-{name}.mode")) }
    }

    /// Without a file, or with one that says something else, it is up.
    fn mode(&self) -> Mode {
        match fs::read_to_string(&self.file).unwrap_or_default().trim() {
            "down" => Mode::Down,
            "slow" => Mode::Slow,
            "hang" => Mode::Hang,
            _ => Mode::Up,
        }
    }

    /// Waits until it does something else.
    async fn no_longer(&self, mode: Mode) {
        while self.mode() == mode {
            sleep(PAUSE).await;
        }
    }
}

/// Runs one for ever.
pub async fn run(stand_in: StandIn) {
    loop {
        stand_in.no_longer(Mode::Down).await;
        match TcpListener::bind((Ipv4Addr::LOCALHOST, stand_in.port)).await {
            Ok(listener) => serve(&stand_in, &listener).await,
            Err(error) => {
                tracing::error!(name = stand_in.name, port = stand_in.port, %error, "the port cannot be listened on");
                sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

/// Takes connections until it is switched off.
async fn serve(stand_in: &StandIn, listener: &TcpListener) {
    while stand_in.mode() != Mode::Down {
        if let Ok(Ok((stream, _))) = timeout(PAUSE, listener.accept()).await {
            tokio::spawn(connection(stand_in.clone(), stream));
        }
    }
}

async fn connection(stand_in: StandIn, stream: TcpStream) {
    let service = service_fn(|request| {
        let stand_in = stand_in.clone();
        async move { Ok::<_, Infallible>(answer(&stand_in, &request).await) }
    });
    // It ends when whoever asked has gone, in the middle of an answer perhaps.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn answer<B>(stand_in: &StandIn, request: &Request<B>) -> Response<Full<Bytes>> {
    match stand_in.mode() {
        Mode::Slow => sleep(SLOW).await,
        Mode::Hang => stand_in.no_longer(Mode::Hang).await,
        Mode::Up | Mode::Down => {}
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
    async fn it_does_as_its_file_says() {
        let folder = std::env::temp_dir().join(format!("landlord-stand-in-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
        let stand_in = StandIn::new("ai-agent", port, &folder);
        let file = stand_in.file.clone();
        tokio::spawn(run(stand_in));
        let client = reqwest::Client::builder().timeout(Duration::from_millis(1500)).build().unwrap();
        let ask = async |mode: &str| {
            fs::write(&file, mode).unwrap();
            sleep(PAUSE * 4).await;
            let begun = Instant::now();
            let status = client.get(format!("http://127.0.0.1:{port}/health")).send().await.map(|it| it.status());
            (status, begun.elapsed())
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
