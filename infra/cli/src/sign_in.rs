//! `landlord login`, `logout` and `profiles`.

use std::io::{self, BufRead, IsTerminal, Write};

use clap::ArgMatches;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{
    client::BaseUrl,
    curl,
    document::Document,
    error::{CliError, Exit, Result},
    output::{ListPrinter, Style},
    problem,
    profiles::Profile,
    request::ApiRequest,
    session::{Session, flag},
};

const PATH: &str = "/api/super-admin/auth/login";

/// A line of an e-mail address or of a password is never longer.
const MAX_LINE: u64 = 4096;

/// Signs in and stores the token in the profile.
pub(crate) fn login(document: &Document, matches: &ArgMatches) -> Result<Exit> {
    let mut session = Session::of(matches)?;
    let style = Style::of(matches)?;
    if session.base.is_none() && io::stdin().is_terminal() {
        session.base = Some(BaseUrl::parse(&ask("URL", None)?)?);
    }
    let base = session.base()?.clone();
    let given = matches.get_one::<String>("email").cloned();
    let (email, password) = if flag(matches, "curl") {
        (given.unwrap_or_default(), SecretString::default())
    } else if io::stdin().is_terminal() {
        let known = session.profile().and_then(|profile| profile.email.clone());
        let email = given.map_or_else(|| ask("E-mail", known.as_deref()), Ok)?;
        let password = rpassword::prompt_password("Password: ");
        (email, password.map_err(|error| unreadable(&error))?.into())
    } else {
        let email = given.map_or_else(read_line, Ok)?;
        (email, read_line()?.into())
    };
    let mut request = ApiRequest::get(PATH);
    "POST".clone_into(&mut request.method);
    request.body = Some(json!({"email": email, "password": password.expose_secret()}));
    request.secrets = vec![vec!["password".to_owned()]];
    if flag(matches, "curl") {
        println!("{}", curl::command(&base, &request, false, session.ca_file.as_deref()));
        return Ok(Exit::Success);
    }
    let answer = session.client_with(None)?.send(&request)?;
    if !answer.is_success() {
        return Err(problem::refusal(&answer, document.find("POST", PATH), style.format));
    }
    let issued: Value = serde_json::from_str(&answer.body).unwrap_or_default();
    let expires_at = store(&mut session, &issued, Some(email.clone()))?;
    let name = &session.profile_name;
    eprintln!("Signed in to {} as {email}. Profile {name}; the token expires at {expires_at}.", base.as_str());
    if issued["must_change_password"] == true {
        eprintln!("Your password is temporary. Replace it: landlord auth change-password");
    }
    Ok(Exit::Success)
}

/// Stores a token that the API has issued. Returns when it expires.
pub(crate) fn store(session: &mut Session, issued: &Value, email: Option<String>) -> Result<String> {
    let malformed = || CliError::failed("error: the response contains no token");
    let token = issued["access_token"].as_str().ok_or_else(malformed)?;
    let seconds = issued["expires_in"].as_i64().ok_or_else(malformed)?;
    let expires_at = OffsetDateTime::now_utc().checked_add(Duration::seconds(seconds)).ok_or_else(malformed)?;
    let expires_at =
        expires_at.replace_nanosecond(0).unwrap_or(expires_at).format(&Rfc3339).map_err(|_| malformed())?;
    let ca_file = session.ca_file.as_deref().map(std::path::absolute).transpose();
    let profile = Profile {
        url: session.base()?.as_str().to_owned(),
        ca_file: ca_file
            .map_err(|error| CliError::failed(format!("error: the current folder cannot be read: {error}")))?,
        email: email.or_else(|| session.profile().and_then(|profile| profile.email.clone())),
        token: Some(SecretString::from(token)),
        expires_at: Some(expires_at.clone()),
    };
    session.profiles.all.insert(session.profile_name.clone(), profile);
    session.profiles.save()?;
    Ok(expires_at)
}

/// Removes the token from the profile.
pub(crate) fn logout(matches: &ArgMatches) -> Result<Exit> {
    let mut session = Session::of(matches)?;
    let name = session.profile_name.clone();
    let profile = session.profiles.all.get_mut(&name);
    let removed = profile.and_then(|profile| {
        let expires_at = profile.expires_at.take();
        profile.token.take().map(|_| expires_at)
    });
    match removed {
        None => eprintln!("The profile {name} has no token."),
        Some(expires_at) => {
            session.profiles.save()?;
            let until = expires_at.map(|at| format!(", until {at}")).unwrap_or_default();
            eprintln!(
                "The token is removed from the profile {name}. The API has no operation that withdraws it{until}."
            );
        }
    }
    Ok(Exit::Success)
}

/// Lists the profiles.
pub(crate) fn profiles(matches: &ArgMatches) -> Result<Exit> {
    let (session, style) = (Session::of(matches)?, Style::of(matches)?);
    let rows: Vec<Value> = session
        .profiles
        .all
        .iter()
        .map(|(name, profile)| {
            json!({
                "name": name, "url": profile.url, "email": profile.email, "signed_in": profile.token.is_some(),
                "expires_at": profile.expires_at, "ca_file": profile.ca_file,
            })
        })
        .collect();
    if rows.is_empty() {
        eprintln!("No profiles. Sign in: landlord login --url URL");
    }
    let mut list = ListPrinter::new(io::stdout().lock(), &style, &[]);
    list.print_values(&rows)?;
    list.end()?;
    Ok(Exit::Success)
}

fn unreadable(error: &io::Error) -> CliError {
    CliError::failed(format!("error: the input cannot be read: {error}"))
}

/// Asks at the terminal. An empty line is the default.
fn ask(label: &str, default: Option<&str>) -> Result<String> {
    let shown = default.map(|default| format!(" [{default}]")).unwrap_or_default();
    eprint!("{label}{shown}: ");
    io::stderr().flush()?;
    let line = read_line()?;
    Ok(if line.is_empty() { default.unwrap_or_default().to_owned() } else { line })
}

/// A line of the standard input.
fn read_line() -> Result<String> {
    let mut line = String::new();
    io::Read::take(io::stdin().lock(), MAX_LINE).read_line(&mut line).map_err(|error| unreadable(&error))?;
    if line.is_empty() {
        return Err(CliError::usage("error: the standard input ended before the password"));
    }
    Ok(line.trim_end_matches(['\n', '\r']).to_owned())
}
