//! Signing in and out, and where the token goes.

use std::{fs, os::unix::fs::PermissionsExt};

use serde_json::{Value, json};

use crate::{
    Computer, TOKEN,
    server::{Received, Reply, Server},
};

const PASSWORD: &str = "correct horse battery staple";

/// Accepts [`PASSWORD`], and then the token that it has issued.
fn api() -> Server {
    Server::start(|request: &Received| match request.target.as_str() {
        "/api/super-admin/auth/login" if request.json()["password"] == PASSWORD => {
            Reply::json(200, &issued("eyJ.issued", request.json()["email"] == "new@landlord.example"))
        }
        "/api/super-admin/auth/change-password" => Reply::json(200, &issued("eyJ.after-change", false)),
        "/api/super-admin/tenants/1" if request.headers.contains_key("authorization") => {
            Reply::json(200, &json!({"id": request.headers["authorization"]}))
        }
        _ => Reply::problem(
            401,
            &json!({"title": "Unauthenticated", "status": 401, "detail": "Wrong e-mail or password"}),
        ),
    })
}

fn issued(token: &str, must_change_password: bool) -> Value {
    json!({"access_token": token, "token_type": "Bearer", "expires_in": 900, "must_change_password": must_change_password})
}

#[test]
fn signing_in_without_a_terminal_stores_the_token_for_its_owner_only() {
    let (server, computer) = (api(), Computer::new());
    let url = format!("{}/api/super-admin", server.url);
    let input = format!("ops@landlord.example\n{PASSWORD}\n");
    let signed_in = computer.run_with_input(&["login", "--url", &url], &input);
    assert_eq!((signed_in.code, signed_in.stdout.as_str()), (0, ""), "{}", signed_in.stderr);
    let message =
        format!("Signed in to {} as ops@landlord.example. Profile default; the token expires at ", server.url);
    assert!(signed_in.stderr.starts_with(&message) && !signed_in.stderr.contains("eyJ"), "{}", signed_in.stderr);
    let body = json!({"email": "ops@landlord.example", "password": PASSWORD});
    assert_eq!(server.received()[0].json(), body);
    assert!(!server.received()[0].headers.contains_key("authorization"));
    assert_eq!(fs::metadata(computer.profiles()).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(!fs::read_to_string(computer.profiles()).unwrap().contains(PASSWORD));

    assert_eq!(computer.run(&["tenants", "get", "1", "-o", "json"]).json()["id"], "Bearer eyJ.issued");
    let profiles = computer.run(&["profiles", "-o", "json"]);
    assert!(!profiles.stdout.contains("eyJ"), "{}", profiles.stdout);
    assert_eq!((&profiles.json()[0]["name"], &profiles.json()[0]["signed_in"]), (&json!("default"), &json!(true)));

    let signed_out = computer.run(&["logout"]);
    assert_eq!(signed_out.code, 0, "{}", signed_out.stderr);
    assert!(!fs::read_to_string(computer.profiles()).unwrap().contains("eyJ"));
    let refused = computer.run(&["tenants", "get", "1"]);
    assert_eq!((refused.code, server.received().len()), (5, 2), "{}", refused.stderr);
    assert!(refused.stderr.contains(&format!("Sign in: landlord login --url {}", server.url)), "{}", refused.stderr);
    // The URL and the e-mail address are kept.
    let again = computer.run_with_input(&["login", "--email", "ops@landlord.example"], &format!("{PASSWORD}\r\n"));
    assert_eq!(again.code, 0, "{}", again.stderr);
}

#[test]
fn a_wrong_password_stores_nothing_and_no_input_sends_nothing() {
    let (server, computer) = (api(), Computer::new());
    let refused = computer.run_with_input(&["login", "--url", &server.url], "ops@landlord.example\nwrong\n");
    assert_eq!(refused.code, 5);
    assert_eq!(refused.stderr, "error: Unauthenticated (401)\n  Wrong e-mail or password\n");
    assert!(!computer.profiles().exists());
    let nothing = computer.run(&["login", "--url", &server.url, "--email", "ops@landlord.example"]);
    assert_eq!((nothing.code, server.received().len()), (2, 1), "{}", nothing.stderr);
    let nowhere = computer.run(&["tenants", "list"]);
    assert_eq!(nowhere.code, 5);
    assert!(nowhere.stderr.contains("landlord login --url URL"), "{}", nowhere.stderr);
}

#[test]
fn a_temporary_password_is_mentioned_and_a_new_token_replaces_the_old_one() {
    let (server, computer) = (api(), Computer::new());
    let arguments = ["login", "--url", &server.url, "--email", "new@landlord.example"];
    let signed_in = computer.run_with_input(&arguments, PASSWORD);
    assert!(signed_in.stderr.contains("landlord auth change-password"), "{}", signed_in.stderr);
    let file = computer.folder.join("password");
    fs::write(&file, PASSWORD).unwrap();
    let files = ["--current-password-file", file.to_str().unwrap(), "--new-password-file", "-"];
    let changed =
        computer.run_with_input(&[&["auth", "change-password"][..], &files].concat(), "quiet-lemon-harbor-17\n");
    assert_eq!(changed.code, 0, "{}", changed.stderr);
    assert!(changed.stderr.contains("The new token is stored in the profile default."), "{}", changed.stderr);
    assert!(!changed.stdout.contains("eyJ"), "{}", changed.stdout);
    let body = json!({"current_password": PASSWORD, "new_password": "quiet-lemon-harbor-17"});
    assert_eq!(server.received()[1].json(), body);
    assert_eq!(computer.run(&["tenants", "get", "1", "-o", "json"]).json()["id"], "Bearer eyJ.after-change");
}

#[test]
fn the_token_of_a_profile_is_sent_to_its_own_address_only() {
    let (own, other) = (api(), Server::always(|| Reply::json(200, &json!({"id": "1"}))));
    let computer = Computer::signed_in(&own.url);
    let refused = computer.run(&["tenants", "get", "1", "--url", &other.url]);
    assert_eq!((refused.code, other.received().len()), (5, 0), "{}", refused.stderr);
    // An operation that needs no token does not get one either.
    assert_eq!(computer.run(&["health", "--url", &other.url]).code, 0);
    assert!(!other.received()[0].headers.contains_key("authorization"));
    let mut with_variable = computer.command(&["tenants", "get", "1", "--url", &other.url]);
    with_variable.env("LANDLORD_TOKEN", "eyJ.variable");
    assert_eq!(crate::end(with_variable, "").code, 0);
    assert_eq!(other.received()[1].headers["authorization"], "Bearer eyJ.variable");
}

#[test]
fn profiles_are_chosen_by_option_and_by_variable() {
    let (first, second) = (api(), api());
    let computer = Computer::new();
    computer.write_profiles(&json!({
        "default": {"url": first.url, "token": "eyJ.first"}, "prod": {"url": second.url, "token": "eyJ.second"},
    }));
    let id = |ended: crate::Ended| ended.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(id(computer.run(&["tenants", "get", "1", "-o", "json"])), "Bearer eyJ.first");
    assert_eq!(id(computer.run(&["--profile", "prod", "tenants", "get", "1", "-o", "json"])), "Bearer eyJ.second");
    let mut with_variable = computer.command(&["tenants", "get", "1", "-o", "json"]);
    with_variable.env("LANDLORD_PROFILE", "prod");
    assert_eq!(id(crate::end(with_variable, "")), "Bearer eyJ.second");
    assert_eq!((first.received().len(), second.received().len()), (1, 2));
}

#[test]
fn a_file_of_profiles_that_others_can_read_is_refused() {
    let server = api();
    let computer = Computer::signed_in(&server.url);
    fs::set_permissions(computer.profiles(), fs::Permissions::from_mode(0o640)).unwrap();
    let refused = computer.run(&["tenants", "get", "1"]);
    assert_eq!((refused.code, server.received().len()), (1, 0));
    assert!(refused.stderr.contains("its mode 640 lets others read the tokens in it"), "{}", refused.stderr);
    fs::write(computer.profiles(), "{\"default\": {\"token\": eyJ}}").unwrap();
    fs::set_permissions(computer.profiles(), fs::Permissions::from_mode(0o600)).unwrap();
    let malformed = computer.run(&["tenants", "get", "1"]);
    assert!(malformed.code == 1 && !malformed.stderr.contains("eyJ"), "{}", malformed.stderr);
}

#[test]
fn a_request_shown_as_curl_is_not_sent_and_has_no_secret() {
    let server = api();
    let computer = Computer::signed_in(&server.url);
    let file = computer.folder.join("password");
    fs::write(&file, "tidal-mango-orbit-42").unwrap();
    let create = [
        "--curl",
        "tenants",
        "create",
        "--slug",
        "kopi",
        "--admin-password-file",
        file.to_str().unwrap(),
        "--idempotency-key",
        "k-1",
    ];
    let shown = computer.run(&create);
    let expected = format!(
        "curl '{}/api/super-admin/tenants' \\\n  --request POST \\\n  --header \"authorization: Bearer $LANDLORD_TOKEN\" \\\n  \
         --header 'idempotency-key: k-1' \\\n  --json '{{\"admin_password\":\"'\"$ADMIN_PASSWORD\"'\",\"slug\":\"kopi\"}}'\n",
        server.url
    );
    assert_eq!((shown.code, shown.stdout.as_str(), shown.stderr.as_str()), (0, expected.as_str(), ""));
    for arguments in
        [&["tenants", "list", "--limit", "5", "--curl"][..], &["login", "--curl", "--email", "a@b.example"]]
    {
        let shown = computer.run(arguments);
        assert!(
            shown.code == 0 && shown.stdout.starts_with("curl '") && !shown.stdout.contains(TOKEN),
            "{}",
            shown.stdout
        );
    }
    assert!(server.received().is_empty());
}

#[test]
fn variables_are_enough_where_no_profile_can_be_and_an_empty_one_is_unset() {
    let server = api();
    let computer = Computer::new();
    let mut without_folder = computer.command(&["tenants", "get", "1", "-o", "json"]);
    without_folder.env_remove("HOME").env_remove("XDG_CONFIG_HOME");
    without_folder.env("LANDLORD_URL", &server.url).env("LANDLORD_TOKEN", "eyJ.variable\n");
    for name in ["LANDLORD_PROFILE", "LANDLORD_CA_FILE"] {
        without_folder.env(name, "");
    }
    let read = crate::end(without_folder, "");
    assert_eq!((read.code, &read.json()["id"]), (0, &json!("Bearer eyJ.variable")), "{}", read.stderr);
    let mut without_home = computer.command(&["login", "--url", &server.url, "--email", "ops@landlord.example"]);
    without_home.env_remove("HOME").env_remove("XDG_CONFIG_HOME");
    let refused = crate::end(without_home, PASSWORD);
    assert!(refused.code == 1 && refused.stderr.contains("no folder for profiles"), "{}", refused.stderr);
    let computer = Computer::signed_in(&server.url);
    let mut empty = computer.command(&["tenants", "get", "1"]);
    empty.env("LANDLORD_URL", "").env("LANDLORD_TOKEN", "");
    assert_eq!(crate::end(empty, "").code, 0);
}

#[test]
fn only_an_operation_that_issues_tokens_replaces_the_one_of_the_profile() {
    let server = Server::always(|| Reply::json(200, &issued("eyJ.foreign", false)));
    let computer = Computer::signed_in(&server.url);
    assert_eq!(computer.run(&["tenants", "update", "1", "--name", "Kopi"]).code, 0);
    assert!(fs::read_to_string(computer.profiles()).unwrap().contains(TOKEN));
}
