//! Commands that concern one thing, and those of the program itself.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

use serde_json::{Value, json};

use crate::{
    Computer,
    server::{Reply, Server},
};

#[test]
fn one_thing_is_printed_in_each_format_and_its_headers_on_demand() {
    let tenant = json!({"id": "t-1", "name": "Kopi, Teh", "limits": {"max_agents": null, "max_contacts": 5}});
    let server = Server::always(move || Reply::json(200, &tenant).with("etag", "\"3\""));
    let computer = Computer::signed_in(&server.url);
    let table = computer.run(&["tenants", "get", "t-1", "--headers"]);
    let expected =
        "id                   t-1\nname                 Kopi, Teh\nlimits.max_agents    -\nlimits.max_contacts  5\n";
    assert_eq!((table.code, table.stdout.as_str()), (0, expected));
    assert!(table.stderr.contains("etag: \"3\"\n"), "{}", table.stderr);
    let json = computer.run(&["tenants", "get", "t-1", "-o", "json"]);
    assert_eq!((json.json()["name"].clone(), json.stderr.as_str()), (json!("Kopi, Teh"), ""));
    let csv = computer.run(&["tenants", "get", "t-1", "-o", "csv", "--columns", "name,limits.max_contacts"]);
    assert_eq!(csv.stdout, "name,limits.max_contacts\r\n\"Kopi, Teh\",5\r\n");
}

#[test]
fn a_change_carries_the_entity_tag_and_only_the_given_fields() {
    let server = Server::always(|| Reply::json(200, &json!({"id": "t-1"})));
    let computer = Computer::signed_in(&server.url);
    let changed = computer.run(&["tenants", "update", "t-1", "--if-match", "3", "--status", "suspended"]);
    assert_eq!(changed.code, 0, "{}", changed.stderr);
    let request = &server.received()[0];
    assert_eq!((request.method.as_str(), request.target.as_str()), ("PATCH", "/api/super-admin/tenants/t-1"));
    assert_eq!((request.headers["if-match"].as_str(), request.json()), ("\"3\"", json!({"status": "suspended"})));
    let input = r#"{"limits": {"max_agents": 3}, "name": "Teh"}"#;
    computer.run_with_input(&["tenants", "update", "t-1", "--body", "-", "--name", "Kopi"], input);
    assert_eq!(server.received()[1].json(), json!({"limits": {"max_agents": 3}, "name": "Kopi"}));
}

#[test]
fn an_answer_without_a_body_prints_nothing() {
    let server = Server::always(|| Reply::text(204, "text/plain", ""));
    let ended = Computer::signed_in(&server.url).run(&["impersonations", "end", "i-1"]);
    assert_eq!((ended.code, ended.stdout.as_str(), ended.stderr.as_str()), (0, "", ""));
    let request = &server.received()[0];
    assert_eq!((request.method.as_str(), request.target.as_str()), ("DELETE", "/api/super-admin/impersonations/i-1"));
}

#[test]
fn the_token_of_an_impersonation_is_printed_only_when_it_is_asked_for() {
    let server = Server::always(|| {
        Reply::json(201, &json!({"id": "i-1", "token": "eyJ.impersonation", "expires_at": "2026-01-01T00:00:00Z"}))
    });
    let computer = Computer::signed_in(&server.url);
    for format in ["table", "json", "csv"] {
        let hidden = computer.run(&["impersonations", "start", "-o", format]);
        assert!(hidden.code == 0 && hidden.stdout.contains("i-1"), "{}", hidden.stderr);
        assert!(
            !hidden.stdout.contains("eyJ") && !hidden.stderr.contains("eyJ") && !hidden.stdout.contains("token"),
            "{}",
            hidden.stdout
        );
        assert!(hidden.stderr.contains("--show-token"), "{}", hidden.stderr);
        let shown = computer.run(&["impersonations", "start", "-o", format, "--show-token"]);
        assert!(shown.stdout.contains("eyJ.impersonation") && shown.stderr.is_empty(), "{}", shown.stdout);
    }
}

#[test]
fn unhealthy_is_a_report_with_an_exit_code_and_needs_no_token() {
    let server = Server::start(|request| {
        assert!(!request.headers.contains_key("authorization"));
        Reply::json(503, &json!({"status": "unhealthy"}))
    });
    let health = Computer::new().run(&["--url", &server.url, "health", "-o", "json"]);
    assert_eq!((health.code, health.json()), (1, json!({"status": "unhealthy"})), "{}", health.stderr);
    let gateway = Server::always(|| Reply::json(503, &json!({"message": "Service Unavailable"})));
    let refused = Computer::new().run(&["--url", &gateway.url, "health"]);
    assert_eq!((refused.code, refused.stdout.as_str()), (1, ""));
    assert_eq!(refused.stderr, "error: Service Unavailable (503)\n");
}

#[test]
fn watching_prints_each_response_and_survives_a_failure() {
    let count = AtomicU32::new(0);
    let server = Server::start(move |_| match count.fetch_add(1, Ordering::Relaxed) {
        0 => Reply::json(200, &json!({"status": "healthy"})),
        1 => Reply::problem(429, &json!({"title": "Too many requests", "status": 429})),
        2 => Reply::json(503, &json!({"status": "unhealthy"})),
        _ => Reply::json(200, &json!({"status": "degraded"})),
    });
    let computer = Computer::signed_in(&server.url);
    let mut child = computer.start(&["health", "--watch", "--interval", "1", "-o", "json"]);
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let seen: Vec<Value> = lines.take(3).map(|line| serde_json::from_str(&line).unwrap()).collect();
    assert_eq!(seen, ["healthy", "unhealthy", "degraded"].map(|status| json!({"status": status})));
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn documents_are_printed_as_they_are() {
    let page = Server::always(|| Reply::text(200, "text/html; charset=utf-8", "<!DOCTYPE html><title>API</title>"));
    assert_eq!(Computer::new().run(&["--url", &page.url, "docs"]).stdout, "<!DOCTYPE html><title>API</title>\n");
    let document = json!({"openapi": "3.1.0", "paths": {}});
    let body = document.clone();
    let server = Server::always(move || Reply::json(200, &body));
    assert_eq!(Computer::new().run(&["--url", &server.url, "openapi"]).json(), document);
}

#[test]
fn the_list_of_commands_contains_every_operation_of_the_description_once() {
    let listed = Computer::new().run(&["commands", "-o", "json"]).json();
    let mut commands: Vec<(String, String)> = Vec::new();
    for row in listed.as_array().unwrap() {
        let text = |name: &str| row[name].as_str().unwrap().to_owned();
        commands.push((format!("{} {}", text("method"), text("path")), text("operation")));
        let help =
            Computer::new().run(&[text("command").split(' ').collect::<Vec<_>>().as_slice(), &["--help"]].concat());
        assert!(
            help.code == 0 && help.stdout.contains(&format!("{} {}", text("method"), text("path"))),
            "{row}: {}",
            help.stdout
        );
    }
    let document: Value = serde_json::from_str(include_str!("../../../openapi.json")).unwrap();
    let mut described = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let id = operation["operationId"].as_str().unwrap();
            described.push((format!("{} {path}", method.to_uppercase()), id.to_owned()));
        }
    }
    commands.sort();
    described.sort();
    assert_eq!(commands, described);
}

#[test]
fn the_completion_of_each_shell_knows_the_commands_and_bash_accepts_its_own() {
    for shell in ["bash", "zsh", "fish"] {
        let script = Computer::new().run(&["completion", shell]);
        assert_eq!(script.code, 0);
        for word in ["impersonations", "limits.max-agents", "suspended"] {
            assert!(script.stdout.contains(word), "{shell}: {word}");
        }
        if shell == "bash" {
            let mut bash = Command::new("bash").arg("-n").stdin(Stdio::piped()).spawn().unwrap();
            bash.stdin.take().unwrap().write_all(script.stdout.as_bytes()).unwrap();
            assert!(bash.wait().unwrap().success());
        }
    }
}
