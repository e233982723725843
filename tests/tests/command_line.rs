//! `landlord`, the command line, on the local stack.

use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use serde_json::{Value, json};
use tests::variable;
use uuid::Uuid;

const PASSWORD: &str = "tidal-mango-orbit-42";

/// A super-admin's computer.
struct Computer {
    folder: PathBuf,
}

struct Ended {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Ended {
    #[track_caller]
    fn json(&self) -> Value {
        assert_eq!(self.code, 0, "{}", self.stderr);
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}", self.stdout))
    }
}

impl Computer {
    fn new() -> Self {
        let name = format!("command_line-{}", Uuid::now_v7().simple());
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&folder).unwrap();
        Self { folder }
    }

    /// Signs in as the first super-admin, by the standard input.
    fn signed_in() -> Self {
        let computer = Self::new();
        let input = format!("{}\n{}\n", variable("FIRST_ADMIN_EMAIL"), variable("FIRST_ADMIN_PASSWORD"));
        let signed_in = computer.run_with_input(&["login", "--url", &variable("API_URL")], &input);
        assert_eq!((signed_in.code, signed_in.stdout.as_str()), (0, ""), "{}", signed_in.stderr);
        computer
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(variable("LANDLORD"));
        command.args(arguments).env("XDG_CONFIG_HOME", &self.folder);
        for name in ["LANDLORD_PROFILE", "LANDLORD_URL", "LANDLORD_CA_FILE", "LANDLORD_TOKEN"] {
            command.env_remove(name);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn run(&self, arguments: &[&str]) -> Ended {
        self.run_with_input(arguments, "")
    }

    fn run_with_input(&self, arguments: &[&str], input: &str) -> Ended {
        let mut child = self.command(arguments).spawn().unwrap();
        // A program that reads no input may have ended already.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let output = child.wait_with_output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Ended { code: output.status.code().unwrap(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// Creates a tenant and waits until it is active. Returns its id.
    fn create(&self, slug: &str) -> String {
        let mut arguments =
            vec!["tenants", "create", "--name", "Kopi, \"Kenangan\"", "--slug", slug, "--country", "ID"];
        arguments.extend(["--limits.max-agents", "25", "--limits.max-contacts", "null"]);
        arguments.extend(["--admin-email", "sari@kopikenangan.example", "--admin-password-file", "-"]);
        arguments.extend(["--wait", "--wait-timeout", "300", "-o", "json"]);
        let created = self.run_with_input(&arguments, &format!("{PASSWORD}\n"));
        let tenant = created.json();
        assert_eq!((&tenant["status"], &tenant["slug"]), (&json!("active"), &json!(slug)), "{}", created.stderr);
        assert_eq!(tenant["limits"]["max_agents"], 25);
        assert_eq!(tenant["limits"]["max_contacts"], Value::Null);
        let progress: Vec<&str> = created.stderr.lines().collect();
        assert!(
            progress.iter().any(|line| line.starts_with("provision ") && line.ends_with(": succeeded")),
            "{progress:?}"
        );
        assert!(progress.iter().filter(|line| line.starts_with("  ") && line.ends_with(" succeeded")).count() > 1);
        assert!(!created.stderr.contains(PASSWORD) && !created.stdout.contains(PASSWORD));
        tenant["id"].as_str().unwrap().to_owned()
    }
}

impl Drop for Computer {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn new_slug() -> String {
    format!("cli-{}", Uuid::now_v7().simple())
}

#[test]
fn the_commands_are_those_of_the_running_api_both_ways() {
    let computer = Computer::new();
    let listed = computer.run(&["commands", "-o", "json"]).json();
    let rows = listed.as_array().unwrap();
    let text = |row: &Value, name: &str| row[name].as_str().unwrap().to_owned();
    let commands: BTreeSet<_> = rows.iter().map(|row| text(row, "command")).collect();
    assert_eq!(commands.len(), rows.len(), "two operations have one command");
    let operations: BTreeSet<_> =
        rows.iter().map(|row| [text(row, "method"), text(row, "path"), text(row, "operation")]).collect();
    let document = computer.run(&["openapi", "--url", &variable("API_URL")]).json();
    let mut described = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            if let Some(id) = operation["operationId"].as_str() {
                described.insert([method.to_uppercase(), path.clone(), id.to_owned()]);
            }
        }
    }
    assert_eq!(operations, described);
    println!("{} commands for {} operations", commands.len(), described.len());
}

#[test]
fn a_tenant_is_created_followed_and_listed_in_three_formats() {
    let (computer, slug) = (Computer::signed_in(), new_slug());
    let id = computer.create(&slug);

    let list = ["tenants", "list", "--search", &slug, "--status", "active,suspended"];
    let json = computer.run(&[&list[..], &["-o", "json", "--include", "usage"]].concat()).json();
    assert_eq!((json.as_array().unwrap().len(), &json[0]["id"]), (1, &json!(id)));
    assert!(json[0]["usage"].is_object());
    let csv = computer
        .run(&[&list[..], &["-o", "csv", "--columns", "id,name,limits.max_agents,limits.max_contacts"]].concat());
    let expected = format!("id,name,limits.max_agents,limits.max_contacts\r\n{id},\"Kopi, \"\"Kenangan\"\"\",25,\r\n");
    assert_eq!((csv.code, csv.stdout), (0, expected), "{}", csv.stderr);
    let table = computer.run(&[&list[..], &["--columns", "slug,status"]].concat());
    let (head, row) = table.stdout.split_once('\n').unwrap();
    assert_eq!(head.split_whitespace().collect::<Vec<_>>(), ["SLUG", "STATUS"]);
    assert_eq!(row.split_whitespace().collect::<Vec<_>>(), [slug.as_str(), "active"]);

    let operations = computer.run(&["tenants", "operations", "list", &id, "-o", "json"]).json();
    assert_eq!((&operations[0]["kind"], &operations[0]["status"]), (&json!("provision"), &json!("succeeded")));
}

#[test]
fn every_error_of_a_request_is_shown_with_its_pointer() {
    let (computer, slug) = (Computer::signed_in(), new_slug());
    let refused =
        computer.run(&["tenants", "create", "--slug", "-Bad-", "--limits.max-agents", "-1", "--name", "Kopi"]);
    assert_eq!((refused.code, refused.stdout.as_str()), (1, ""));
    for line in [
        "error: ",
        "  /slug (--slug): ",
        "  /country (--country): ",
        "  /limits/max_agents (--limits.max-agents): ",
        "  /admin_email (--admin-email): ",
        "  /admin_password (--admin-password-file): ",
        "  request ",
    ] {
        assert!(refused.stderr.lines().any(|found| found.starts_with(line)), "{line:?} in {}", refused.stderr);
    }
    let wrong = computer.run(&["tenants", "list", "--created-since", "yesterday"]);
    assert!(wrong.code == 1 && wrong.stderr.contains("\n  created_since (--created-since): "), "{}", wrong.stderr);
    let missing = computer.run(&["tenants", "get", &Uuid::now_v7().to_string(), "-o", "json"]);
    let problem: Value = serde_json::from_str(&missing.stderr).unwrap();
    assert_eq!((missing.code, &problem["type"]), (1, &json!("/api/super-admin/problems/not-found")));

    // The same request again is answered as before; another one with this slug is refused.
    let body = json!({
        "name": "Kopi", "slug": slug, "country": "ID", "admin_email": "sari@kopikenangan.example", "admin_password": PASSWORD,
    });
    let create = ["tenants", "create", "--body", "-", "-o", "json", "--idempotency-key", &slug];
    let created = computer.run_with_input(&create, &body.to_string()).json();
    assert_eq!(computer.run_with_input(&create, &body.to_string()).json(), created);
    let taken = computer.run_with_input(&["tenants", "create", "--body", "-"], &body.to_string());
    assert!(taken.code == 1 && taken.stderr.starts_with("error: Slug taken (409)\n"), "{}", taken.stderr);
}

/// Ends when the test ends.
struct Followed {
    child: Child,
    lines: mpsc::Receiver<Value>,
}

impl Followed {
    fn start(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let (send, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                let _ = send.send(serde_json::from_str(&line).unwrap());
            }
        });
        Self { child, lines }
    }

    /// The next entry of this action.
    fn next(&self, action: &str) -> Value {
        loop {
            let entry = self.lines.recv_timeout(Duration::from_mins(1)).unwrap_or_else(|_| panic!("no entry {action}"));
            if entry["action"] == action {
                return entry;
            }
        }
    }
}

impl Drop for Followed {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_audit_log_is_followed_while_a_tenant_is_changed_and_a_user_impersonated() {
    let (computer, slug) = (Computer::signed_in(), new_slug());
    let id = computer.create(&slug);
    let follow = ["audit", "list", "--tenant-id", &id, "--follow", "--interval", "1", "-o", "json"];
    let followed = Followed::start(computer.command(&follow));
    followed.next("tenant.create");

    let read = computer.run(&["tenants", "get", &id, "--headers"]);
    let tag = read.stderr.lines().find_map(|line| line.strip_prefix("etag: ")).unwrap().trim_matches('"').to_owned();
    let update = ["tenants", "update", &id, "--limits.max-agents", "50", "--if-match", &tag, "-o", "json"];
    assert_eq!(computer.run(&update).json()["limits"]["max_agents"], 50);
    let stale = computer.run(&update[..7]);
    assert!(stale.code == 1 && stale.stderr.contains("(412)"), "{}", stale.stderr);
    followed.next("tenant.update");

    let users = computer.run(&["users", "list", "--tenant-id", &id, "-o", "json"]).json();
    let user = users[0]["id"].as_str().unwrap();
    let reason = "A test of the command line";
    let start = ["impersonations", "start", "--tenant-id", &id, "--user-id", user, "--reason", reason, "-o", "json"];
    let key = ["--idempotency-key", slug.as_str()];
    let hidden = computer.run(&[&start[..], &key].concat());
    assert!(hidden.json().get("token").is_none() && hidden.stderr.contains("--show-token"), "{}", hidden.stderr);
    let shown = computer.run(&[&start[..], &key, &["--show-token"]].concat()).json();
    assert_eq!(shown["token"].as_str().unwrap().split('.').count(), 3);
    let impersonation = shown["id"].as_str().unwrap();
    let ended = computer.run(&["impersonations", "end", impersonation]);
    assert_eq!((ended.code, ended.stdout.as_str()), (0, ""), "{}", ended.stderr);
    assert_eq!(computer.run(&["impersonations", "get", impersonation, "-o", "json"]).json()["live"], false);
    followed.next("impersonation.start");
    followed.next("impersonation.end");
}

#[test]
fn health_is_short_without_a_token_and_complete_with_one() {
    let health = |ended: Ended| {
        assert!([0, 1].contains(&ended.code), "{}", ended.stderr);
        serde_json::from_str::<Value>(&ended.stdout).unwrap()
    };
    let public = health(Computer::new().run(&["health", "--url", &variable("API_URL"), "-o", "json"]));
    assert_eq!(public.as_object().unwrap().keys().collect::<Vec<_>>(), ["status"]);
    let computer = Computer::signed_in();
    let complete = health(computer.run(&["health", "-o", "json"]));
    assert_eq!(complete["infrastructure"]["postgresql"]["status"], "up");
    let signed_out = computer.run(&["logout"]);
    assert_eq!(signed_out.code, 0, "{}", signed_out.stderr);
    assert_eq!(computer.run(&["tenants", "list"]).code, 5);
    let mut with_wrong_token = computer.command(&["tenants", "list"]);
    let refused = with_wrong_token.env("LANDLORD_TOKEN", "eyJ.not.valid").output().unwrap();
    assert_eq!(refused.status.code(), Some(5), "{}", String::from_utf8_lossy(&refused.stderr));
}
