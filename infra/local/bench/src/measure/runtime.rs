//! The part of AWS Lambda's Runtime API that functions use, and processes that receive their invocations from it.
//!
//! Source: <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>.

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

use crate::{error::Result, measure::machine};

/// The time limit of a process start and of an invocation.
const TIMEOUT: Duration = Duration::from_mins(1);
const VERSION: &str = "/2018-06-01/runtime/";

/// A function that can be started.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub(crate) name: String,
    /// Its binary.
    pub(crate) path: PathBuf,
    /// Environment variables in addition to those of this process.
    pub(crate) variables: Vec<(&'static str, String)>,
}

/// A running function: its processes, and the Runtime API that they ask for work.
pub(crate) struct Function {
    pub(crate) name: String,
    queue: mpsc::UnboundedSender<RuntimeInvocation>,
    processes: Vec<Child>,
    /// Time from the start of each process to its first request for work.
    pub(crate) start_times: Vec<Duration>,
    /// Resident memory of each process at that point, in KiB.
    pub(crate) resident_kib: Vec<u64>,
    server: JoinHandle<()>,
}

struct RuntimeInvocation {
    id: String,
    event: Bytes,
    result: oneshot::Sender<InvocationResult>,
}

#[derive(Clone, Debug)]
pub(crate) struct InvocationResult {
    /// The response of the function, or the error that it reported.
    pub(crate) body: Bytes,
    /// Whether the body is a response.
    pub(crate) succeeded: bool,
    /// Time from sending the event to receiving the whole response.
    pub(crate) took: Duration,
}

impl Function {
    /// Starts `processes` processes, one after another.
    pub(crate) async fn start(program: &Program, processes: usize) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        let (queue, waiting) = mpsc::unbounded_channel();
        let (requested, mut requests) = mpsc::unbounded_channel();
        let api = Arc::new(RuntimeApi { waiting: AsyncMutex::new(waiting), running: Mutex::default(), requested });
        let server = tokio::spawn(serve(listener, api));
        let name = program.name.clone();
        let mut function =
            Self { name, queue, processes: Vec::new(), start_times: Vec::new(), resident_kib: Vec::new(), server };
        for _ in 0..processes {
            while requests.try_recv().is_ok() {}
            // `spawn` returns once the child process runs the program.
            let process = spawn(program, &address)?;
            let begun = Instant::now();
            let pid = process.id();
            function.processes.push(process);
            let ready = timeout(TIMEOUT, requests.recv()).await.ok().flatten();
            let ready =
                ready.ok_or_else(|| format!("{} does not start: see {}", program.name, log(program).display()))?;
            function.start_times.push(ready.saturating_duration_since(begun));
            function.resident_kib.push(machine::resident_kib(pid)?);
        }
        Ok(function)
    }

    /// The most resident memory that one of the processes has ever had, in KiB.
    pub(crate) fn peak_resident_kib(&self) -> Result<u64> {
        let mut peaks = self.processes.iter().map(|process| machine::peak_resident_kib(process.id()));
        peaks.try_fold(0, |most, peak| Ok(most.max(peak?)))
    }

    /// Invokes a process that is free.
    pub(crate) async fn invoke(&self, event: impl Into<Bytes>) -> Result<InvocationResult> {
        let (result, received) = oneshot::channel();
        let id = Uuid::now_v7().to_string();
        let invocation = RuntimeInvocation { id, event: event.into(), result };
        self.queue.send(invocation).map_err(|_| format!("the Runtime API of {} has ended", self.name))?;
        let result = timeout(TIMEOUT, received).await;
        Ok(result.map_err(|_| format!("{} does not respond", self.name))??)
    }
}

impl Invoke for Function {
    async fn invoke(&self, _: &str, event: String) -> Result<String, InvokeError> {
        let failed = |why: String| InvokeError::Failed(why);
        let result = Function::invoke(self, event).await.map_err(|error| failed(error.to_string()))?;
        let body = String::from_utf8_lossy(&result.body).into_owned();
        if result.succeeded { Ok(body) } else { Err(failed(body)) }
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        for process in &mut self.processes {
            // This fails if the process has already exited, which is the wanted state.
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
        // As deployed: requests write log lines as JSON.
        .env("LOG_FORMAT", "json")
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn();
    child.map_err(|error| format!("{} cannot be run: {error}", program.path.display()).into())
}

/// The file that receives the output of a function.
fn log(program: &Program) -> PathBuf {
    PathBuf::from(".local/log").join(format!("bench-{}.log", program.name))
}

struct RuntimeApi {
    waiting: AsyncMutex<mpsc::UnboundedReceiver<RuntimeInvocation>>,
    running: Mutex<HashMap<String, (Instant, oneshot::Sender<InvocationResult>)>>,
    /// The time of each request for work.
    requested: mpsc::UnboundedSender<Instant>,
}

async fn serve(listener: TcpListener, api: Arc<RuntimeApi>) {
    while let Ok((stream, _)) = listener.accept().await {
        // Nagle's algorithm would delay small packets, which AWS's Runtime API does not do.
        let _ = stream.set_nodelay(true);
        let api = Arc::clone(&api);
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let api = Arc::clone(&api);
                async move { Ok::<_, Infallible>(api.respond(request).await) }
            });
            // The connection ends with the process, which waits for work at that time, so an error is expected.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

impl RuntimeApi {
    async fn respond(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let path = request.uri().path().strip_prefix(VERSION).unwrap_or_default().to_owned();
        let parts: Vec<_> = path.split('/').collect();
        match (request.method(), parts.as_slice()) {
            (&Method::GET, ["invocation", "next"]) => self.next().await,
            (&Method::POST, ["invocation", id, kind @ ("response" | "error")]) => {
                self.complete(id, *kind == "response", request).await
            }
            (&Method::POST, ["init", "error"]) => status(StatusCode::ACCEPTED),
            _ => status(StatusCode::NOT_FOUND),
        }
    }

    async fn next(&self) -> Response<Full<Bytes>> {
        // The receiver is gone once all processes have started.
        let _ = self.requested.send(Instant::now());
        let Some(RuntimeInvocation { id, event, result }) = self.waiting.lock().await.recv().await else {
            return status(StatusCode::GONE);
        };
        let deadline = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default() + TIMEOUT;
        let response = Response::builder()
            .header("content-type", "application/json")
            .header("lambda-runtime-aws-request-id", &id)
            .header("lambda-runtime-deadline-ms", deadline.as_millis().to_string())
            .header("lambda-runtime-invoked-function-arn", "arn:aws:lambda:us-east-1:000000000000:function:bench")
            .body(Full::new(event));
        self.running.lock().unwrap_or_else(PoisonError::into_inner).insert(id, (Instant::now(), result));
        response.unwrap_or_else(|_| status(StatusCode::INTERNAL_SERVER_ERROR))
    }

    async fn complete(&self, id: &str, succeeded: bool, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let Ok(body) = request.into_body().collect().await else { return status(StatusCode::BAD_REQUEST) };
        let received = Instant::now();
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
        let Some((sent, result)) = running else { return status(StatusCode::NOT_FOUND) };
        // The caller may have timed out.
        let _ = result.send(InvocationResult { body: body.to_bytes(), succeeded, took: received - sent });
        status(StatusCode::ACCEPTED)
    }
}

fn status(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}
