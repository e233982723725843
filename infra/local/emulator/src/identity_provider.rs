//! A stand-in of the platform's identity provider: the part of OAuth 2.0 (RFC 6749) that a public client with PKCE (RFC 7636) uses, and access
//! tokens in the form of RFC 9068. Whoever opens its page states who they are and which role they have, so it is for this machine only.

use std::{
    collections::HashMap,
    convert::Infallible,
    net::Ipv4Addr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use aws_lc_rs::{
    digest::{SHA256, digest},
    signature::{Ed25519KeyPair, KeyPair},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    Method, Request, Response, StatusCode, body::Bytes, body::Incoming, header, server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use time::OffsetDateTime;
use tokio::{net::TcpListener, time::sleep};
use uuid::Uuid;

/// The only client.
const CLIENT_ID: &str = "landlord-console";
/// As in the functions' `OIDC_AUDIENCE`.
const AUDIENCE: &str = "landlord-super-admin";
const LIFETIME: Duration = Duration::from_mins(15);
const MAX_FORM: usize = 16 * 1024;

/// A request for an authorization, and what its client must show to get the token.
#[derive(Debug, Clone)]
struct Authorization {
    redirect_uri: String,
    state: String,
    challenge: String,
}

/// An authorization that somebody has granted.
#[derive(Debug)]
struct Grant {
    authorization: Authorization,
    subject: String,
    role: String,
}

/// The stand-in, with a key of its own that its end forgets.
pub struct IdentityProvider {
    port: u16,
    /// The console's origins, which alone get codes.
    origins: [String; 2],
    key: EncodingKey,
    public_key: String,
    key_id: String,
    asked: Mutex<HashMap<String, Authorization>>,
    granted: Mutex<HashMap<String, Grant>>,
}

type Answer = Response<Full<Bytes>>;

impl IdentityProvider {
    /// For the console that is served on a port of this machine.
    ///
    /// # Errors
    /// No key can be generated.
    pub fn new(port: u16, console: u16) -> Result<Self, aws_lc_rs::error::Unspecified> {
        let pair = Ed25519KeyPair::generate()?;
        let public_key = URL_SAFE_NO_PAD.encode(pair.public_key());
        let document = pair.to_pkcs8v1()?;
        Ok(Self {
            port,
            origins: ["127.0.0.1", "localhost"].map(|host| format!("http://{host}:{console}")),
            key: EncodingKey::from_ed_der(document.as_ref()),
            public_key,
            key_id: Uuid::new_v4().to_string(),
            asked: Mutex::default(),
            granted: Mutex::default(),
        })
    }

    fn issuer(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Runs it and never returns.
    pub async fn run(self) {
        let provider = Arc::new(self);
        let listener = loop {
            match TcpListener::bind((Ipv4Addr::LOCALHOST, provider.port)).await {
                Ok(listener) => break listener,
                Err(error) => {
                    tracing::error!(port = provider.port, %error, "listening on the port failed");
                    sleep(Duration::from_secs(1)).await;
                }
            }
        };
        loop {
            let Ok((stream, _)) = listener.accept().await else { continue };
            let provider = Arc::clone(&provider);
            let service = service_fn(move |request| {
                let provider = Arc::clone(&provider);
                async move { Ok::<_, Infallible>(provider.answer(request).await) }
            });
            // An error means that the client closed the connection.
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    }

    async fn answer(&self, request: Request<Incoming>) -> Answer {
        let (parts, body) = request.into_parts();
        let form = match Limited::new(body, MAX_FORM).collect().await {
            Ok(body) => fields(&body.to_bytes()),
            Err(error) => return plain(StatusCode::BAD_REQUEST, &error.to_string()),
        };
        match (&parts.method, parts.uri.path()) {
            (&Method::GET, "/authorize") => self.ask(&fields(parts.uri.query().unwrap_or_default().as_bytes())),
            (&Method::POST, "/authorize") => self.grant(&form),
            (&Method::POST, "/token") => self.token(&form),
            (&Method::GET, "/keys") => data(StatusCode::OK, &self.keys()),
            _ => plain(StatusCode::NOT_FOUND, "not found"),
        }
    }

    /// The authorization endpoint: a page that asks who somebody is.
    fn ask(&self, query: &HashMap<String, String>) -> Answer {
        let field = |name: &str| query.get(name).cloned().unwrap_or_default();
        let redirect_uri = field("redirect_uri");
        let is_known = self.origins.iter().any(|origin| redirect_uri == format!("{origin}/console/signed-in"));
        // Nothing is sent to an address that is not the client's own (RFC 6749, section 3.1.2.4).
        if field("client_id") != CLIENT_ID || !is_known {
            return plain(StatusCode::BAD_REQUEST, "unknown client or redirect URI");
        }
        if field("response_type") != "code"
            || field("code_challenge_method") != "S256"
            || field("code_challenge").len() != 43
        {
            return plain(StatusCode::BAD_REQUEST, "expected response_type=code with a code_challenge of S256");
        }
        let id = Uuid::new_v4().to_string();
        let authorization = Authorization { redirect_uri, state: field("state"), challenge: field("code_challenge") };
        let page = PAGE.replace("{id}", &id);
        lock(&self.asked).insert(id, authorization);
        respond(StatusCode::OK, "text/html; charset=utf-8", page)
    }

    /// Sends the browser back to the client, with a code or a refusal (RFC 6749, section 4.1.2; RFC 9207).
    fn grant(&self, form: &HashMap<String, String>) -> Answer {
        let field = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
        let Some(authorization) = lock(&self.asked).remove(field("id")) else {
            return plain(StatusCode::BAD_REQUEST, "this page was used already");
        };
        let mut reply = form_urlencoded::Serializer::new(String::new());
        reply.append_pair("state", &authorization.state).append_pair("iss", &self.issuer());
        let redirect_uri = authorization.redirect_uri.clone();
        if field("answer") == "refuse" {
            reply.append_pair("error", "access_denied");
        } else {
            let code = Uuid::new_v4().to_string();
            reply.append_pair("code", &code);
            let (subject, role) = (field("subject").to_owned(), field("role").to_owned());
            lock(&self.granted).insert(code, Grant { authorization, subject, role });
        }
        let mut response = plain(StatusCode::SEE_OTHER, "");
        match format!("{redirect_uri}?{}", reply.finish()).parse() {
            Ok(location) => drop(response.headers_mut().insert(header::LOCATION, location)),
            Err(_) => return plain(StatusCode::BAD_REQUEST, "unknown redirect URI"),
        }
        response
    }

    /// The token endpoint. A code works once.
    fn token(&self, form: &HashMap<String, String>) -> Answer {
        let field = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
        let grant = lock(&self.granted).remove(field("code")).filter(|Grant { authorization, .. }| {
            let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, field("code_verifier").as_bytes()));
            field("grant_type") == "authorization_code"
                && field("client_id") == CLIENT_ID
                && field("redirect_uri") == authorization.redirect_uri
                && challenge == authorization.challenge
        });
        let token = grant.and_then(|grant| self.sign(&grant).ok());
        match token {
            Some(token) => {
                let body = json!({"access_token": token, "token_type": "Bearer", "expires_in": LIFETIME.as_secs()});
                data(StatusCode::OK, &body)
            }
            None => data(StatusCode::BAD_REQUEST, &json!({"error": "invalid_grant"})),
        }
    }

    fn sign(&self, grant: &Grant) -> jsonwebtoken::errors::Result<String> {
        let now = OffsetDateTime::now_utc().unix_timestamp();
        let mut header = Header::new(Algorithm::EdDSA);
        header.typ = Some("at+jwt".to_owned());
        header.kid = Some(self.key_id.clone());
        let claims = json!({
            "iss": self.issuer(), "aud": AUDIENCE, "client_id": CLIENT_ID, "sub": grant.subject, "jti": Uuid::new_v4(),
            "iat": now, "exp": now + i64::try_from(LIFETIME.as_secs()).unwrap_or(0),
            "role": ["super_admin", format!("super_admin:{}", grant.role)],
        });
        encode(&header, &claims, &self.key)
    }

    /// The JWK Set (RFC 7517, RFC 8037).
    fn keys(&self) -> Value {
        let key = json!({"kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": self.key_id, "x": self.public_key});
        json!({ "keys": [key] })
    }
}

const PAGE: &str = r#"<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Stand-in of the identity provider</title>
<h1>Stand-in of the identity provider</h1>
<p>It believes everything, and runs on your machine only.</p>
<form method="post" action="/authorize">
<input type="hidden" name="id" value="{id}">
<p><label>Subject <input name="subject" value="ada" required maxlength="255"></label></p>
<p><label>Role <select name="role"><option>owner<option>operator<option>viewer</select></label></p>
<p><button name="answer" value="sign-in">Sign in</button> <button name="answer" value="refuse">Refuse</button></p>
</form>
</html>
"#;

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn fields(text: &[u8]) -> HashMap<String, String> {
    form_urlencoded::parse(text).into_owned().collect()
}

fn respond(status: StatusCode, content_type: &'static str, body: String) -> Answer {
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(content_type));
    response.headers_mut().insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    response
}

fn plain(status: StatusCode, text: &str) -> Answer {
    respond(status, "text/plain; charset=utf-8", text.to_owned())
}

fn data(status: StatusCode, value: &Value) -> Answer {
    respond(status, "application/json", value.to_string())
}

#[cfg(test)]
mod tests {
    use reqwest::{Client, Url, redirect};

    use super::*;

    const VERIFIER: &str = "a verifier of at least forty-three characters";

    /// A provider for the console on port 9 of this machine.
    async fn start() -> (Client, String) {
        let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
        tokio::spawn(IdentityProvider::new(port, 9).unwrap().run());
        let client = Client::builder().redirect(redirect::Policy::none()).build().unwrap();
        let base = format!("http://127.0.0.1:{port}");
        while client.get(format!("{base}/keys")).send().await.is_err() {
            sleep(Duration::from_millis(20)).await;
        }
        (client, base)
    }

    /// The page's answer to a request for an authorization that differs in one field.
    async fn ask(client: &Client, base: &str, name: &str, value: &str) -> (StatusCode, String) {
        let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, VERIFIER.as_bytes()));
        let mut query = HashMap::from([
            ("response_type", "code"),
            ("client_id", CLIENT_ID),
            ("redirect_uri", "http://127.0.0.1:9/console/signed-in"),
            ("state", "s&t"),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ]);
        query.insert(name, value);
        let response =
            client.get(Url::parse_with_params(&format!("{base}/authorize"), query).unwrap()).send().await.unwrap();
        (response.status(), response.text().await.unwrap())
    }

    async fn post(client: &Client, url: String, form: &[(&str, &str)]) -> reqwest::Response {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        client.post(url).header("content-type", "application/x-www-form-urlencoded").body(body).send().await.unwrap()
    }

    /// The address that the browser is sent to.
    async fn sent_to(client: &Client, base: &str, answer: &str) -> HashMap<String, String> {
        let (status, page) = ask(client, base, "state", "s&t").await;
        assert_eq!(status, StatusCode::OK, "{page}");
        let id = page.split("name=\"id\" value=\"").nth(1).unwrap().split('"').next().unwrap();
        let form = [("id", id), ("subject", "ada"), ("role", "operator"), ("answer", answer)];
        let response = post(client, format!("{base}/authorize"), &form).await;
        assert_eq!(response.status(), StatusCode::SEE_OTHER);
        let location = Url::parse(response.headers()["location"].to_str().unwrap()).unwrap();
        assert_eq!(location.as_str().split('?').next().unwrap(), "http://127.0.0.1:9/console/signed-in");
        location.query_pairs().into_owned().collect()
    }

    async fn redeem(client: &Client, base: &str, code: &str, verifier: &str) -> reqwest::Response {
        let form = [
            ("grant_type", "authorization_code"),
            ("client_id", CLIENT_ID),
            ("redirect_uri", "http://127.0.0.1:9/console/signed-in"),
            ("code", code),
            ("code_verifier", verifier),
        ];
        post(client, format!("{base}/token"), &form).await
    }

    #[tokio::test]
    async fn a_code_is_for_the_console_only_and_gives_one_token_to_who_knows_the_verifier() {
        let (client, base) = start().await;
        for (name, value) in [
            ("client_id", "other"),
            ("redirect_uri", "https://evil.example/console/signed-in"),
            ("redirect_uri", "http://127.0.0.1:9/console/signed-in/../x"),
            ("response_type", "token"),
            ("code_challenge", ""),
            ("code_challenge_method", "plain"),
        ] {
            assert_eq!(ask(&client, &base, name, value).await.0, StatusCode::BAD_REQUEST, "{name}={value}");
        }
        let reply = sent_to(&client, &base, "sign-in").await;
        assert_eq!((reply["state"].as_str(), reply["iss"].as_str()), ("s&t", base.as_str()));
        let refused = redeem(&client, &base, &reply["code"], "another verifier").await;
        assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
        // A guess has ended the code.
        assert_eq!(redeem(&client, &base, &reply["code"], VERIFIER).await.status(), StatusCode::BAD_REQUEST);
        let reply = sent_to(&client, &base, "sign-in").await;
        let response = redeem(&client, &base, &reply["code"], VERIFIER).await;
        assert_eq!(response.status(), StatusCode::OK);
        let token: Value = response.json().await.unwrap();
        let claims =
            jsonwebtoken::dangerous::insecure_decode::<Value>(token["access_token"].as_str().unwrap()).unwrap().claims;
        assert_eq!((&claims["sub"], &claims["role"][1]), (&json!("ada"), &json!("super_admin:operator")));
        let refused = sent_to(&client, &base, "refuse").await;
        assert_eq!(refused["error"], "access_denied");
        assert!(!refused.contains_key("code"));
    }
}
