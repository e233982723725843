//! The HTTP API of the running stack, as a client sees it.

use std::{
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{
    environment::FIRST_ADMIN_EMAIL,
    error::{DevError, Result},
    probe,
    stack::LocalStack,
};

/// Why signing in failed.
pub(crate) enum SignInError {
    /// No answer arrived in time.
    NoAnswer(DevError),
    /// The password is no longer the configured one, or the super-admin is disabled or does not exist.
    WrongPassword(DevError),
    /// The API answered with another error.
    Refused(DevError),
}

impl From<SignInError> for DevError {
    fn from(error: SignInError) -> Self {
        match error {
            SignInError::NoAnswer(error) | SignInError::WrongPassword(error) | SignInError::Refused(error) => error,
        }
    }
}

/// Signs in as the first super-admin with the configured password, and returns the bearer token.
pub(crate) fn sign_in(stack: &LocalStack, timeout: Duration) -> Result<String, SignInError> {
    sign_in_with(stack, timeout, &stack.secrets.first_admin_password)
}

/// Signs in as the first super-admin with a temporary password, replaces it by the configured one, and returns the bearer token.
pub(crate) fn replace_password(stack: &LocalStack, timeout: Duration, temporary: &str) -> Result<String, SignInError> {
    let token = sign_in_with(stack, timeout, temporary)?;
    let change = json!({ "current_password": temporary, "new_password": stack.secrets.first_admin_password });
    request_token(stack, timeout, "change-password", Some(&token), &change)
}

fn sign_in_with(stack: &LocalStack, timeout: Duration, password: &str) -> Result<String, SignInError> {
    let credentials = json!({ "email": FIRST_ADMIN_EMAIL, "password": password });
    request_token(stack, timeout, "login", None, &credentials)
}

/// Sends a request to a route below `/auth` that answers with a token.
fn request_token(
    stack: &LocalStack,
    timeout: Duration,
    route: &str,
    token: Option<&str>,
    body: &Value,
) -> Result<String, SignInError> {
    let action = "Signing in failed";
    let no_answer = |error: ureq::Error| {
        SignInError::NoAnswer(DevError::new(action, error).remedy("Check that the functions are up: cargo dev status"))
    };
    let url = format!("{}/api/super-admin/auth/{route}", stack.api_url());
    let mut request = probe::http(timeout).post(&url).content_type("application/json");
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let mut response = request.send(body.to_string()).map_err(no_answer)?;
    let status = response.status().as_u16();
    let body = response.body_mut().read_to_string().map_err(no_answer)?;
    let answer: Option<Value> = serde_json::from_str(&body).ok();
    match answer.as_ref().and_then(|answer| answer.get("access_token")?.as_str()) {
        Some(token) if status == 200 => Ok(token.to_owned()),
        _ => {
            let error = DevError::new(action, format!("the API answered {status} {body}"));
            let error = error.remedy("The functions' output: cargo dev logs functions");
            Err(if status == 401 { SignInError::WrongPassword(error) } else { SignInError::Refused(error) })
        }
    }
}

/// Waits until `cargo lambda watch` answers.
pub(crate) fn wait_for_watch(stack: &LocalStack) -> Result<()> {
    const TIMEOUT: Duration = Duration::from_secs(30);
    let started = Instant::now();
    while let Err(reason) = probe::get(&stack.api_url()) {
        if started.elapsed() > TIMEOUT {
            return Err(DevError::new("cargo lambda watch does not answer", reason)
                .remedy("Its output: cargo dev logs functions"));
        }
        thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}
