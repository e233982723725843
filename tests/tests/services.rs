//! The programs of the guide for the platform's services, each in three languages, on the local stack.

use std::{
    fs,
    io::{BufRead, BufReader},
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::{
        LazyLock,
        mpsc::{Receiver, channel},
    },
    thread,
    time::{Duration, Instant},
};

use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use tests::{
    stack::{base, sign_in},
    until, variable,
};
use time::OffsetDateTime;
use uuid::Uuid;

const LIMIT: Duration = Duration::from_secs(90);

/// A language, and how its program is run.
#[derive(Debug, Clone, Copy)]
enum Language {
    Rust,
    TypeScript,
    Python,
}

const LANGUAGES: [Language; 3] = [Language::Rust, Language::TypeScript, Language::Python];

impl Language {
    fn command(self) -> Command {
        match self {
            Self::Rust => Command::new(env!("CARGO_BIN_EXE_service")),
            Self::TypeScript => {
                let mut command = Command::new(variable("NODE"));
                command.arg(type_script().join("service.ts"));
                command
            }
            Self::Python => {
                let libraries = Path::new(&variable("PYJWT")).ancestors().nth(2).unwrap().to_owned();
                let mut command = Command::new("python3");
                command.arg(sources().join("service.py")).env("PYTHONPATH", libraries);
                command.env("PYTHONDONTWRITEBYTECODE", "1");
                command
            }
        }
    }

    async fn run(self, command: &str, argument: &str) -> Output {
        let mut process = self.command();
        process.args([command, argument]);
        tokio::task::spawn_blocking(move || process.output().unwrap()).await.unwrap()
    }
}

fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("services")
}

/// A folder with the TypeScript program beside the packages that it imports, made once for all tests.
fn type_script() -> &'static Path {
    static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("services");
        let _none = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        for name in ["service.ts", "tsconfig.json"] {
            fs::copy(sources().join(name), folder.join(name)).unwrap();
        }
        fs::write(folder.join("package.json"), r#"{ "type": "module" }"#).unwrap();
        symlink(Path::new(&variable("NODE_PACKAGES")).join("node_modules"), folder.join("node_modules")).unwrap();
        folder
    });
    &FOLDER
}

/// A program that runs until this is dropped, and the lines that it prints.
struct Running {
    child: Child,
    lines: Receiver<Value>,
}

impl Running {
    fn start(language: Language, command: &str, argument: &str) -> Self {
        let mut process = language.command();
        let mut child = process.args([command, argument]).stdout(Stdio::piped()).spawn().unwrap();
        let (sender, lines) = channel();
        let output = BufReader::new(child.stdout.take().unwrap());
        thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                let _closed = sender.send(serde_json::from_str(&line).unwrap());
            }
        });
        Self { child, lines }
    }

    /// The events of a subject until the one of type `last`.
    fn events(&self, subject: &str, last: &str) -> Vec<Value> {
        let (mut events, start) = (Vec::new(), Instant::now());
        while !events.last().is_some_and(|event: &Value| event["type"] == last) {
            let left = LIMIT.saturating_sub(start.elapsed());
            let event = self.lines.recv_timeout(left).unwrap_or_else(|_| panic!("no {last} after {events:?}"));
            if event["subject"] == subject {
                events.push(event);
            }
        }
        events
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _ended = self.child.wait();
    }
}

/// A request to the running API. Returns its body.
async fn call(token: &str, method: Method, path: &str, body: Value) -> Value {
    let request = Client::new().request(method, format!("{}{path}", base())).bearer_auth(token);
    let response = if body.is_null() { request } else { request.json(&body) }.send().await.unwrap();
    assert!(response.status().is_success(), "{path}: {} {}", response.status(), response.text().await.unwrap());
    response.json().await.unwrap_or_default()
}

/// The id of an active tenant.
async fn create_tenant(token: &str) -> String {
    let body = json!({
        "name": "Services", "slug": format!("services-{}", Uuid::now_v7().simple()), "country": "ID",
        "admin_email": "sari@example.com", "admin_password": "tidal-mango-orbit-42",
    });
    let tenant = call(token, Method::POST, "/tenants", body).await;
    let operation = format!("/operations/{}?wait=20", tenant["operation_id"].as_str().unwrap());
    until("the tenant is active", LIMIT, async || {
        call(token, Method::GET, &operation, Value::Null).await["status"] == "succeeded"
    })
    .await;
    tenant["id"].as_str().unwrap().to_owned()
}

fn succeeded(output: &Output, language: Language) {
    assert!(output.status.success(), "{language:?}: {}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_programs_of_the_guide_do_what_it_says() {
    let token = sign_in().await;
    let tenant = create_tenant(&token).await;
    let user = call(&token, Method::GET, &format!("/tenants/{tenant}/users"), Value::Null).await[0]["id"].clone();
    let group = format!("guide-{}", Uuid::now_v7().simple());
    let followers =
        LANGUAGES.map(|language| (language, Running::start(language, "follow", &format!("{group}-{language:?}"))));

    let body = json!({ "tenant_id": tenant, "user_id": user, "reason": "The guide for services is tested." });
    let impersonation = call(&token, Method::POST, "/impersonations", body).await;
    let (id, secret) = (impersonation["id"].as_str().unwrap(), impersonation["token"].as_str().unwrap());
    for language in LANGUAGES {
        let output = language.run("verify", secret).await;
        succeeded(&output, language);
        let claims: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!([&claims["sid"], &claims["tenant_id"], &claims["sub"]], [&json!(id), &json!(tenant), &user]);
        let (start, signature) = secret.rsplit_once('.').unwrap();
        let forged = format!("{start}.{}", signature.chars().rev().collect::<String>());
        for refused in [token.as_str(), &forged, "no token"] {
            assert!(!language.run("verify", refused).await.status.success(), "{language:?} accepted {refused}");
        }
        succeeded(&language.run("count", &tenant).await, language);
    }

    call(&token, Method::DELETE, &format!("/impersonations/{id}"), Value::Null).await;
    for language in LANGUAGES {
        let output = language.run("verify", secret).await;
        assert!(!output.status.success(), "{language:?} accepted an impersonation that had ended");
        let reason = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(reason.contains("the impersonation has ended"), "{language:?}: {reason}");
    }
    for (language, follower) in &followers {
        let events = follower.events(&tenant, "impersonation.ended");
        let kinds: Vec<&str> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
        let expected = ["tenant.provisioned", "impersonation.started", "impersonation.ended"];
        assert_eq!(kinds.iter().filter(|kind| expected.contains(kind)).collect::<Vec<_>>(), expected.each_ref());
        assert_eq!(events.last().unwrap()["data"]["id"], id, "{language:?}");
    }

    let now = OffsetDateTime::now_utc();
    let counter = format!("usage:{tenant}:{}{:02}:messages", now.year(), u8::from(now.month()));
    let client = tests::redis_client();
    let mut redis = client.get_multiplexed_async_connection().await.unwrap();
    let (count, lifetime): (u64, i64) =
        redis::pipe().get(&counter).ttl(&counter).query_async(&mut redis).await.unwrap();
    assert_eq!(count, 3, "each language counted one message");
    assert!((61..=62).contains(&(lifetime / 86_400)), "{lifetime} s");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_programs_of_the_guide_report_health() {
    for language in LANGUAGES {
        for (redis, expected) in [
            (variable("REDIS_URL"), StatusCode::OK),
            ("rediss://127.0.0.1:1".to_owned(), StatusCode::SERVICE_UNAVAILABLE),
        ] {
            let port = free_port();
            let mut command = language.command();
            let child =
                command.args(["serve", &port.to_string()]).env("REDIS_URL", redis).stderr(Stdio::null()).spawn();
            let (_sender, lines) = channel();
            let _running = Running { child: child.unwrap(), lines };
            until(&format!("{language:?} answers {expected}"), LIMIT, async || {
                let answer = Client::new().get(format!("http://127.0.0.1:{port}/health")).send().await;
                answer.is_ok_and(|answer| answer.status() == expected)
            })
            .await;
        }
    }
}

#[test]
fn the_type_script_program_passes_the_strict_compiler() {
    let mut compiler = Command::new(variable("NODE"));
    let output = compiler
        .arg(type_script().join("node_modules/typescript/bin/tsc"))
        .arg("-p")
        .arg(type_script())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
