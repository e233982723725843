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
    /// The API answered with an error.
    Refused(DevError),
}

impl From<SignInError> for DevError {
    fn from(error: SignInError) -> Self {
        match error {
            SignInError::NoAnswer(error) | SignInError::Refused(error) => error,
        }
    }
}

/// Signs in as the first super-admin and returns the bearer token.
pub(crate) fn sign_in(stack: &LocalStack, timeout: Duration) -> Result<String, SignInError> {
    let action = "Signing in failed";
    let no_answer = |error: ureq::Error| {
        SignInError::NoAnswer(DevError::new(action, error).remedy("Check that the functions are up: cargo dev status"))
    };
    let credentials = json!({ "email": FIRST_ADMIN_EMAIL, "password": stack.secrets.first_admin_password }).to_string();
    let mut response = probe::http(timeout)
        .post(&format!("{}/api/super-admin/auth/login", stack.api_url()))
        .content_type("application/json")
        .send(credentials)
        .map_err(no_answer)?;
    let status = response.status().as_u16();
    let body = response.body_mut().read_to_string().map_err(no_answer)?;
    let answer: Option<Value> = serde_json::from_str(&body).ok();
    match answer.as_ref().and_then(|answer| answer.get("access_token")?.as_str()) {
        Some(token) if status == 200 => Ok(token.to_owned()),
        _ => {
            let error = DevError::new(action, format!("the API answered {status} {body}"));
            Err(SignInError::Refused(error.remedy("The functions' output: cargo dev logs functions")))
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
