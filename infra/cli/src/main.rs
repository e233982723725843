//! `landlord`: the command line of the API.
//!
//! Commands and options are made from the API's description when the program starts, so no operation can be missing.
//!
//! | module | contents |
//! | --- | --- |
//! | `document` | the description: operations, their names as commands, the fields of their bodies and responses |
//! | `options`, `command_line` | which option stands for which part of a request; the commands |
//! | `request`, `curl` | the request that a command line describes; the same as a command of curl |
//! | `environment`, `profiles`, `session`, `sign_in` | which API, and as whom |
//! | `client`, `pages` | requests; lists whose pages are linked |
//! | `run`, `follow`, `wait` | what a command does with the response |
//! | `output`, `problem`, `text`, `error` | what is printed, and the exit codes |

use std::process::ExitCode;

mod client;
mod command_line;
mod curl;
mod document;
mod environment;
mod error;
mod follow;
mod options;
mod output;
mod pages;
mod problem;
mod profiles;
mod request;
mod run;
mod session;
mod sign_in;
mod text;
mod wait;

use document::Document;
use error::Result;

fn main() -> ExitCode {
    match start() {
        Ok(exit) => exit.into(),
        Err(error) => {
            let message = error.to_string();
            if !message.is_empty() {
                eprintln!("{message}");
            }
            error.exit.into()
        }
    }
}

fn start() -> Result<error::Exit> {
    let document = Document::embedded()?;
    let matches = command_line::build(&document).get_matches();
    run::run(&document, &matches)
}
