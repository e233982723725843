//! A request as a command of curl. It contains neither the token nor a password: variables of the shell stand for them.

use std::path::Path;

use serde_json::Value;

use crate::{client::BaseUrl, environment, request::ApiRequest};

/// Marks the place of a variable until the text is quoted. A private-use character, which JSON does not escape.
const MARK: char = '\u{E000}';

/// `'…'`
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// The command, on several lines.
pub(crate) fn command(base: &BaseUrl, request: &ApiRequest, sends_token: bool, ca_file: Option<&Path>) -> String {
    let mut parts = vec![format!("curl {}", quoted(&format!("{}{}", base.as_str(), request.target())))];
    if request.method != "GET" {
        parts.push(format!("--request {}", request.method));
    }
    if let Some(path) = ca_file {
        parts.push(format!("--cacert {}", quoted(&path.display().to_string())));
    }
    if sends_token {
        parts.push(format!("--header \"authorization: Bearer ${}\"", environment::TOKEN));
    }
    for (name, value) in &request.headers {
        parts.push(format!("--header {}", quoted(&format!("{name}: {value}"))));
    }
    if let Some(body) = &request.body {
        parts.push(format!("--json {}", without_secrets(body, &request.secrets)));
    }
    parts.join(" \\\n  ")
}

/// The quoted body, with variables such as `$ADMIN_PASSWORD` for passwords.
fn without_secrets(body: &Value, secrets: &[Vec<String>]) -> String {
    let mut body = body.clone();
    let mut variables = Vec::new();
    for path in secrets {
        let place = path.iter().try_fold(&mut body, |value, name| value.get_mut(name));
        if let Some(place) = place {
            let variable = path.join("_").to_uppercase();
            *place = Value::from(format!("{MARK}{variable}{MARK}"));
            variables.push(variable);
        }
    }
    let mut text = quoted(&body.to_string());
    for variable in variables {
        text = text.replace(&format!("{MARK}{variable}{MARK}"), &format!("'\"${variable}\"'"));
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn neither_the_token_nor_a_password_is_in_the_command() {
        let mut request = ApiRequest::get("/api/super-admin/tenants");
        "POST".clone_into(&mut request.method);
        request.headers.push(("idempotency-key".into(), "k-1".into()));
        request.body = Some(json!({"name": "Sari's Kopi", "admin_password": "tidal-mango-orbit-42"}));
        request.secrets.push(vec!["admin_password".into()]);
        let base = BaseUrl::parse("https://landlord.example.com").unwrap();
        let expected = r#"curl 'https://landlord.example.com/api/super-admin/tenants' \
  --request POST \
  --cacert 'ca file.pem' \
  --header "authorization: Bearer $LANDLORD_TOKEN" \
  --header 'idempotency-key: k-1' \
  --json '{"admin_password":"'"$ADMIN_PASSWORD"'","name":"Sari'\''s Kopi"}'"#;
        assert_eq!(command(&base, &request, true, Some(Path::new("ca file.pem"))), expected);
    }

    #[test]
    fn a_query_is_encoded() {
        let mut request = ApiRequest::get("/api/super-admin/tenants");
        request.set_query("search", "Kopi & Teh".into());
        request.set_query("status", "active,failed".into());
        let base = BaseUrl::parse("http://127.0.0.1:17400").unwrap();
        let expected =
            "curl 'http://127.0.0.1:17400/api/super-admin/tenants?search=Kopi%20%26%20Teh&status=active%2Cfailed'";
        assert_eq!(command(&base, &request, false, None), expected);
    }
}
