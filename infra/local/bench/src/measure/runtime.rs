//! AWS Lambda's Runtime API, as far as functions use it, and processes that get their invocations from it.

use std::{
    collections::HashMap,
    convert::Infallible,
    fs::{self, OpenOptions},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use emulator::invoke::{Invoke, InvokeError};
use http_body_util::{BodyExt, Full};
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{
    net::TcpListener,
    sync::{Mutex as AsyncMutex, mpsc, oneshot},
    task::JoinHandle,
    time::timeout,
};
use uuid::Uuid;

use crate::{Result, machine};

/// When a process that does not start, or an invocation that is not answered, is given up.
const PATIENCE: Duration = Duration::from_mins(1);
const VERSION: &str = "/2018-06-01/runtime/";

/// What has to be known to start a function.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    /// Its name.
    pub(crate) name: String,
    /// Its binary.
    pub(crate) path: PathBuf,
    /// What its environment has beside ours.
    pub(crate) variables: Vec<(&'static str, String)>,
}

/// A function that runs: a Runtime API of its own, and processes that ask it for work.
pub(crate) struct Function {
    name: String,
    queue: mpsc::UnboundedSender<Invocation>,
    processes: Vec<Child>,
    /// How long each process took from its start to its first request for work.
    pub(crate) started: Vec<Duration>,
    /// What each process had in memory then, in KiB.
    pub(crate) resident: Vec<u64>,
    server: JoinHandle<()>,
}

struct Invocation {
    id: String,
    event: Bytes,
    answer: oneshot::Sender<Answer>,
}

/// What a function made of an event.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// What it answered, or the error that it reported.
    pub(crate) body: Bytes,
    /// Whether it is an answer.
    pub(crate) succeeded: bool,
    /// From handing over the event to receiving the whole answer.
    pub(crate) took: Duration,
}

impl Function {
    /// Starts so many processes, one after another.
    pub(crate) async fn start(program: &Program, processes: usize) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        let (queue, waiting) = mpsc::unbounded_channel();
        let (asked, mut asks) = mpsc::unbounded_channel();
        let api = Arc::new(Api { waiting: AsyncMutex::new(waiting), running: Mutex::default(), asked });
        let server = tokio::spawn(serve(listener, api));
        let name = program.name.clone();
        let mut function =
            Self { name, queue, processes: Vec::new(), started: Vec::new(), resident: Vec::new(), server };
        for _ in 0..processes {
            while asks.try_recv().is_ok() {}
            let process = spawn(program, &address)?;
            // It has become the program by now.
            let begun = Instant::now();
            let pid = process.id();
            function.processes.push(process);
            let ready = timeout(PATIENCE, asks.recv()).await.ok().flatten();
            let ready =
                ready.ok_or_else(|| format!("{} does not start: see {}", program.name, log(program).display()))?;
            function.started.push(ready.saturating_duration_since(begun));
            function.resident.push(machine::resident_kib(pid)?);
        }
        Ok(function)
    }

    /// Hands over an event to whichever process is free.
    pub(crate) async fn invoke(&self, event: impl Into<Bytes>) -> Result<Answer> {
        let (answer, answered) = oneshot::channel();
        let id = Uuid::now_v7().to_string();
        let invocation = Invocation { id, event: event.into(), answer };
        self.queue.send(invocation).map_err(|_| format!("the Runtime API of {} has ended", self.name))?;
        let answer = timeout(PATIENCE, answered).await;
        Ok(answer.map_err(|_| format!("{} does not answer", self.name))??)
    }
}

impl Invoke for Function {
    async fn invoke(&self, _: &str, event: String) -> Result<String, InvokeError> {
        let failed = |why: String| InvokeError::Failed(why);
        let answer = Function::invoke(self, event).await.map_err(|error| failed(error.to_string()))?;
        let body = String::from_utf8_lossy(&answer.body).into_owned();
        if answer.succeeded { Ok(body) } else { Err(failed(body)) }
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        for process in &mut self.processes {
            // One that has ended by itself cannot be killed, which is as well.
            let _ = process.kill();
            let _ = process.wait();
        }
        self.server.abort();
    }
}

fn spawn(program: &Program, address: &str) -> Result<Child> {
    let log = log(program);
    fs::create_dir_all(log.parent().unwrap_or(&log))?;
    let log = OpenOptions::new().create(true).append(true).open(log)?;
    let child = Command::new(&program.path)
        .envs(program.variables.iter().map(|(name, value)| (name, value)))
        .env("AWS_LAMBDA_RUNTIME_API", address)
        .env("AWS_LAMBDA_FUNCTION_NAME", &program.name)
        .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "1024")
        .env("AWS_LAMBDA_LOG_GROUP_NAME", &program.name)
        .env("AWS_LAMBDA_LOG_STREAM_NAME", "bench")
        // As deployed.
        .env("LOG_FORMAT", "json")
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn();
    child.map_err(|error| format!("{} cannot be run: {error}", program.path.display()).into())
}

/// Where a function's own words go.
fn log(program: &Program) -> PathBuf {
    PathBuf::from(".local/log").join(format!("bench-{}.log", program.name))
}

struct Api {
    waiting: AsyncMutex<mpsc::UnboundedReceiver<Invocation>>,
    running: Mutex<HashMap<String, (Instant, oneshot::Sender<Answer>)>>,
    asked: mpsc::UnboundedSender<Instant>,
}

async fn serve(listener: TcpListener, api: Arc<Api>) {
    while let Ok((stream, _)) = listener.accept().await {
        // Without a delay for small packets, as AWS's own has none.
        let _ = stream.set_nodelay(true);
        let api = Arc::clone(&api);
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let api = Arc::clone(&api);
                async move { Ok::<_, Infallible>(api.respond(request).await) }
            });
            // It ends when the process does, in the middle of waiting for work.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

impl Api {
    async fn respond(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let path = request.uri().path().strip_prefix(VERSION).unwrap_or_default().to_owned();
        let parts: Vec<_> = path.split('/').collect();
        match (request.method(), parts.as_slice()) {
            (&Method::GET, ["invocation", "next"]) => self.next().await,
            (&Method::POST, ["invocation", id, what @ ("response" | "error")]) => {
                self.answer(id, *what == "response", request).await
            }
            (&Method::POST, ["init", "error"]) => status(StatusCode::ACCEPTED),
            _ => status(StatusCode::NOT_FOUND),
        }
    }

    async fn next(&self) -> Response<Full<Bytes>> {
        // Nobody listens any more once all have started.
        let _ = self.asked.send(Instant::now());
        let Some(Invocation { id, event, answer }) = self.waiting.lock().await.recv().await else {
            return status(StatusCode::GONE);
        };
        let deadline = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default() + PATIENCE;
        let response = Response::builder()
            .header("content-type", "application/json")
            .header("lambda-runtime-aws-request-id", &id)
            .header("lambda-runtime-deadline-ms", deadline.as_millis().to_string())
            .header("lambda-runtime-invoked-function-arn", "arn:aws:lambda:us-east-1:000000000000:function:bench")
            .body(Full::new(event));
        self.running.lock().unwrap_or_else(PoisonError::into_inner).insert(id, (Instant::now(), answer));
        response.unwrap_or_else(|_| status(StatusCode::INTERNAL_SERVER_ERROR))
    }

    async fn answer(&self, id: &str, succeeded: bool, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let Ok(body) = request.into_body().collect().await else { return status(StatusCode::BAD_REQUEST) };
        let received = Instant::now();
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
        let Some((handed, answer)) = running else { return status(StatusCode::NOT_FOUND) };
        // Whoever asked may have given up.
        let _ = answer.send(Answer { body: body.to_bytes(), succeeded, took: received - handed });
        status(StatusCode::ACCEPTED)
    }
}

fn status(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}
