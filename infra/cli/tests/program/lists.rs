//! Lists: pages, formats, and what happens when the API fails between two pages.

use std::{
    io::{BufRead, BufReader, Read},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
        mpsc,
    },
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{
    Computer, TOKEN,
    server::{Received, Reply, Server},
};

fn tenant(number: u32) -> Value {
    json!({
        "id": format!("id-{number}"), "name": format!("Kopi {number}"), "slug": format!("kopi-{number}"), "status": "active",
        "mongo_database": "tenant_1", "schema_version": 3, "created_at": "2026-01-01T00:00:00Z",
        "updated_at": "2026-01-01T00:00:00Z", "country": "ID",
        "limits": {"max_agents": 5, "max_contacts": null, "max_messages_month": 100},
    })
}

/// Seven tenants, three on each page at most. Cursors are the number of the first item.
fn page(request: &Received) -> Reply {
    let first: u32 = request.query("cursor").map_or(0, |cursor| cursor.trim_start_matches("c%3D").parse().unwrap());
    let limit: u32 = request.query("limit").map_or(1000, |limit| limit.parse().unwrap());
    let end = (first + limit.min(3)).min(7);
    let items: Vec<Value> = (first..end).map(tenant).collect();
    let reply = Reply::json(200, &json!(items));
    if end == 7 {
        return reply;
    }
    reply.with("link", &format!("</api/super-admin/tenants?status=active&cursor=c%3D{end}>; rel=\"next\""))
}

#[test]
fn every_page_is_read_in_each_format() {
    let server = Server::start(page);
    let computer = Computer::signed_in(&server.url);
    let json = computer.run(&["tenants", "list", "--status", "active", "-o", "json"]);
    assert_eq!((json.code, json.stderr.as_str()), (0, ""));
    let slugs: Vec<_> = json.json().as_array().unwrap().iter().map(|one| one["slug"].clone()).collect();
    assert_eq!(slugs, (0..7).map(|number| json!(format!("kopi-{number}"))).collect::<Vec<_>>());

    let received = server.received();
    assert_eq!(received.len(), 3);
    assert_eq!(received[0].target, "/api/super-admin/tenants?status=active&limit=10000");
    assert_eq!(received[2].query("cursor"), Some("c%3D6"));
    for request in &received {
        assert_eq!(request.headers["authorization"], format!("Bearer {TOKEN}"));
        assert_eq!((request.method.as_str(), request.query("status")), ("GET", Some("active")));
    }

    let csv = computer.run(&["tenants", "list", "-o", "csv"]);
    let lines: Vec<&str> = csv.stdout.split("\r\n").collect();
    assert_eq!(lines.len(), 9, "a head, seven rows, and what follows the last line break");
    assert!(
        lines[0].starts_with("id,name,slug,status,") && lines[0].contains(",limits.max_agents,limits.max_contacts,")
    );
    assert!(lines[1].starts_with("id-0,Kopi 0,kopi-0,active,") && lines[1].contains(",5,,100"), "{}", lines[1]);

    let table = computer.run(&["tenants", "list", "--columns", "slug,limits.max_agents"]);
    assert!(table.stdout.starts_with("SLUG    LIMITS.MAX_AGENTS\nkopi-0  5\n"), "{}", table.stdout);
    assert_eq!(table.stdout.lines().count(), 8);
}

#[test]
fn a_limit_ends_the_list_between_two_pages_and_within_one() {
    let server = Server::start(page);
    let computer = Computer::signed_in(&server.url);
    for limit in [1_usize, 3, 4, 7, 100] {
        let list = computer.run(&["tenants", "list", "-o", "json", "--limit", &limit.to_string()]);
        assert_eq!(list.json().as_array().unwrap().len(), limit.min(7), "--limit {limit}");
    }
    let limits: Vec<_> = server.received().iter().map(|one| one.query("limit").unwrap().to_owned()).collect();
    assert_eq!(limits, ["1", "3", "4", "1", "7", "4", "1", "100", "97", "94"]);
}

#[test]
fn an_empty_list_is_valid_in_each_format() {
    let server = Server::always(|| Reply::json(200, &json!([])));
    let computer = Computer::signed_in(&server.url);
    assert_eq!(computer.run(&["tenants", "list", "-o", "json"]).json(), json!([]));
    assert!(computer.run(&["tenants", "list", "-o", "csv"]).stdout.starts_with("id,name,slug,"));
    assert!(computer.run(&["tenants", "list"]).stdout.starts_with("ID  NAME  SLUG"));
}

#[test]
fn a_page_is_printed_before_the_next_one_is_there() {
    let (release, wait) = mpsc::channel::<()>();
    let wait = Mutex::new(wait);
    let server = Server::start(move |request| {
        if request.query("cursor").is_some_and(|cursor| cursor == "c%3D3") {
            wait.lock().unwrap().recv_timeout(Duration::from_secs(30)).unwrap();
        }
        page(request)
    });
    let computer = Computer::signed_in(&server.url);
    let mut child = computer.start(&["tenants", "list", "-o", "csv"]);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let first: Vec<String> = lines.by_ref().take(4).collect();
    assert!(first[3].starts_with("id-2,"), "{first:?}");
    release.send(()).unwrap();
    assert_eq!(lines.count(), 4);
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_reader_that_has_enough_is_no_error() {
    let large: Vec<Value> = (0..20_000).map(tenant).collect();
    let server = Server::always(move || Reply::json(200, &json!(large)));
    let computer = Computer::signed_in(&server.url);
    let mut child = computer.start(&["tenants", "list", "-o", "json"]);
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    drop(out);
    let mut errors = String::new();
    child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
    assert!(child.wait().unwrap().success() && errors.is_empty(), "{errors}");
}

/// Fails `times` times at the second page, with 429.
fn busy(times: u32) -> Server {
    let failures = AtomicU32::new(0);
    Server::start(move |request| {
        if request.query("cursor").is_some() && failures.fetch_add(1, Ordering::Relaxed) < times {
            return Reply::json(429, &json!({"message": "Too Many Requests"})).with("retry-after", "0");
        }
        page(request)
    })
}

#[test]
fn a_busy_api_in_the_middle_of_a_list_loses_nothing() {
    let server = busy(2);
    let list = Computer::signed_in(&server.url).run(&["tenants", "list", "-o", "json"]);
    assert_eq!((list.code, list.json().as_array().unwrap().len()), (0, 7), "{}", list.stderr);
    assert!(list.stderr.contains("The API answered 429 after 1 pages; trying again in 0 s."), "{}", list.stderr);
}

#[test]
fn a_list_that_breaks_off_is_no_valid_json_and_an_error() {
    let server = busy(100);
    let list = Computer::signed_in(&server.url).run(&["tenants", "list", "-o", "json"]);
    assert_eq!(list.code, 1);
    assert!(serde_json::from_str::<Value>(&list.stdout).is_err(), "{}", list.stdout);
    assert!(list.stderr.contains("The list is incomplete: it ends after 3 items."), "{}", list.stderr);
    assert_eq!(server.received().len(), 5);
}

#[test]
fn a_link_to_another_address_does_not_get_the_token() {
    let other = Server::always(|| Reply::json(200, &json!([])));
    let link = format!("<{}/api/super-admin/tenants?cursor=c%3D6>; rel=\"next\"", other.url);
    let server = Server::start(move |request| match request.query("cursor") {
        None => Reply::json(200, &json!([tenant(0)])).with("link", &link),
        Some(_) => page(request),
    });
    let list = Computer::signed_in(&server.url).run(&["tenants", "list", "-o", "json"]);
    assert_eq!(list.json().as_array().unwrap().len(), 2, "{}", list.stderr);
    assert_eq!((server.received().len(), other.received().len()), (2, 0));
}

#[test]
fn the_number_of_items_is_shown_if_it_is_asked_for() {
    let server = Server::always(|| {
        let reply = Reply::json(200, &json!([tenant(1)]));
        reply.with("x-total-count", "10000").with("x-total-count-relation", "gte")
    });
    let list = Computer::signed_in(&server.url).run(&["tenants", "list", "--count", "--limit", "1"]);
    assert_eq!((list.code, list.stderr.as_str()), (0, "at least 10000 items\n"));
    assert_eq!(server.received()[0].query("count"), Some("true"));
}

#[test]
fn names_from_elsewhere_cannot_send_commands_to_the_terminal() {
    let mut evil = tenant(1);
    evil["name"] = json!("\u{1b}[2J\u{202e}ipok\nID  NAME");
    let server = Server::always(move || Reply::json(200, &json!([evil])));
    let computer = Computer::signed_in(&server.url);
    let table = computer.run(&["tenants", "list"]);
    assert_eq!(table.stdout.lines().count(), 2, "{}", table.stdout);
    assert!(table.stdout.contains("\\u{1b}[2J\\u{202e}ipok\\u{a}ID  NAME"), "{}", table.stdout);
}

fn entry(id: u32, second: u32) -> Value {
    json!({"id": format!("e-{id}"), "at": format!("2026-01-01T00:00:{second:02}Z"), "actor": "a", "action": "tenant.create",
           "outcome": "done", "details": {}})
}

#[test]
fn following_prints_every_entry_once_also_one_that_was_committed_late() {
    let log = Arc::new(Mutex::new(vec![entry(1, 1), entry(2, 2), entry(3, 10)]));
    let entries_of = Arc::clone(&log);
    let server = Server::start(move |request| {
        let mut entries = entries_of.lock().unwrap().clone();
        entries.sort_by_key(|entry| entry["at"].to_string());
        let since = request.query("since").map(|since| since.replace("%3A", ":")).unwrap_or_default();
        entries.retain(|entry| entry["at"].as_str().unwrap() >= since.as_str());
        if request.query("sort") == Some("-at") {
            entries.reverse();
        }
        entries.truncate(request.query("limit").unwrap().parse().unwrap());
        Reply::json(200, &json!(entries))
    });
    let computer = Computer::signed_in(&server.url);
    let arguments = ["audit", "list", "--follow", "--limit", "2", "--interval", "1", "-o", "json", "--outcome", "done"];
    let mut child = computer.start(&arguments);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut next = || serde_json::from_str::<Value>(&lines.next().unwrap()).unwrap()["id"].as_str().unwrap().to_owned();
    assert_eq!([next(), next()], ["e-2", "e-3"], "the newest two, the older one first");
    // The last seconds are asked for again, but what --limit left out is not new.
    log.lock().unwrap().extend([entry(5, 12), entry(4, 4)]);
    assert_eq!([next(), next()], ["e-4", "e-5"]);
    log.lock().unwrap().push(entry(6, 12));
    assert_eq!(next(), "e-6");
    child.kill().unwrap();
    child.wait().unwrap();
    let received = server.received();
    assert!(received.iter().all(|request| request.query("outcome") == Some("done")));
    assert_eq!(received[0].query("sort"), Some("-at"));
    assert_eq!((received[1].query("sort"), received[1].query("since")), (Some("at"), Some("2025-12-31T23%3A59%3A40Z")));
}

#[test]
fn following_goes_on_after_a_failure_that_may_pass_and_ends_after_another() {
    let count = AtomicU32::new(0);
    let server = Server::start(move |_| match count.fetch_add(1, Ordering::Relaxed) {
        0 => Reply::json(200, &json!([entry(1, 1)])),
        1 => Reply::problem(503, &json!({"title": "Temporarily unavailable", "status": 503})),
        2 => Reply::json(200, &json!([entry(1, 1), entry(2, 2)])),
        _ => Reply::problem(401, &json!({"title": "Unauthenticated", "status": 401})),
    });
    let begun = Instant::now();
    let followed =
        Computer::signed_in(&server.url).run(&["audit", "list", "--follow", "--interval", "1", "--columns", "id"]);
    assert_eq!((followed.code, followed.stdout.as_str()), (5, "ID\ne-1\ne-2\n"), "{}", followed.stderr);
    assert!(followed.stderr.contains("Temporarily unavailable (503)\nTrying again."), "{}", followed.stderr);
    assert!(begun.elapsed() >= Duration::from_secs(3), "the pause doubles after a failure");
}
