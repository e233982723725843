//! Invokes functions, as AWS Lambda's `Invoke` does.

use std::{fmt, future::Future, time::Duration};

use tokio::{net::TcpStream, time::timeout};

/// Why an invocation returned no answer of the function.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum InvokeError {
    /// No connection was possible, so the function did not receive the event.
    Unreachable(String),
    /// The function failed, ended, or was cut off. It may have had effects.
    Failed(String),
}

impl fmt::Display for InvokeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(reason) => write!(f, "not reachable: {reason}"),
            Self::Failed(reason) => f.write_str(reason),
        }
    }
}

impl std::error::Error for InvokeError {}

/// A way to invoke functions.
pub trait Invoke: Send + Sync + 'static {
    /// Passes an event (JSON) to a function and returns its answer (JSON, or empty).
    fn invoke(&self, function: &str, event: String) -> impl Future<Output = Result<String, InvokeError>> + Send;

    /// Whether functions can be reached. No messages are received while they cannot.
    fn ready(&self) -> impl Future<Output = bool> + Send {
        async { true }
    }
}

/// Invokes over HTTP, with the protocol of AWS Lambda and of `cargo lambda watch`.
#[derive(Clone, Debug)]
pub struct HttpInvoker {
    client: reqwest::Client,
    base: String,
}

impl HttpInvoker {
    /// `base` is the address of the API, such as `http://127.0.0.1:9000`.
    pub fn new(base: &str) -> Result<Self, InvokeError> {
        let client = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(2))
            .no_proxy()
            // The process at the other end of a pooled connection may have ended. A new local connection costs little.
            .pool_max_idle_per_host(0)
            .build()
            .map_err(|error| InvokeError::Unreachable(error.to_string()))?;
        Ok(Self { client, base: base.trim_end_matches('/').to_owned() })
    }
}

impl Invoke for HttpInvoker {
    async fn invoke(&self, function: &str, event: String) -> Result<String, InvokeError> {
        let url = format!("{}/2015-03-31/functions/{function}/invocations", self.base);
        let request = self.client.post(url).header("content-type", "application/json").body(event);
        let response = request.send().await.map_err(|error| {
            let reason = chain(&error);
            if error.is_connect() { InvokeError::Unreachable(reason) } else { InvokeError::Failed(reason) }
        })?;
        let status = response.status();
        let failed = response.headers().contains_key("x-amz-function-error");
        let body = response.text().await.map_err(|error| InvokeError::Failed(chain(&error)))?;
        // When a function failed, AWS answers 200 with this header, and cargo-lambda answers 500.
        if status.is_success() && !failed { Ok(body) } else { Err(InvokeError::Failed(format!("{status} {body}"))) }
    }

    async fn ready(&self) -> bool {
        let Some(address) = self.base.strip_prefix("http://") else { return true };
        matches!(timeout(Duration::from_secs(2), TcpStream::connect(address)).await, Ok(Ok(_)))
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;

    /// An API that sends these bytes as every answer.
    async fn answering(response: &'static str) -> HttpInvoker {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let _ = stream.read(&mut [0; 4096]).await;
                let _ = stream.write_all(response.as_bytes()).await;
            }
        });
        HttpInvoker::new(&format!("http://{address}/")).unwrap()
    }

    #[tokio::test]
    async fn the_answer_of_a_function_is_returned() {
        let api = answering("HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}").await;
        assert!(api.ready().await);
        assert_eq!(api.invoke("any", "{}".into()).await, Ok("{}".to_owned()));
    }

    #[tokio::test]
    async fn a_failed_function_and_an_unreachable_one_are_different_errors() {
        let aws =
            "HTTP/1.1 200 OK\r\nx-amz-function-error: Unhandled\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";
        let cargo_lambda = "HTTP/1.1 500 Error\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";
        let died = "";
        for response in [aws, cargo_lambda, died] {
            let answer = answering(response).await.invoke("any", "{}".into()).await;
            assert!(matches!(answer, Err(InvokeError::Failed(_))), "{response}: {answer:?}");
        }

        let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let unreachable = HttpInvoker::new(&format!("http://{free}")).unwrap();
        assert!(!unreachable.ready().await);
        let answer = unreachable.invoke("any", "{}".into()).await;
        assert!(matches!(answer, Err(InvokeError::Unreachable(_))), "{answer:?}");
    }
}
