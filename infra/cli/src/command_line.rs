//! The command line: one command for each operation of the API, and a few of this program's own.

use clap::{
    Arg, ArgAction, Command, ValueHint,
    builder::{OsStringValueParser, PossibleValue, TypedValueParser},
    error::ErrorKind,
    value_parser,
};
use clap_complete::Shell;

use crate::{
    document::{Document, Operation, schema::Kind},
    follow,
    options::{OperationOption, options},
};

pub(crate) const DEFAULT_PROFILE: &str = "default";

const AFTER_HELP: &str = "\
Exit codes: 0 success; 1 refused or failed; 2 wrong arguments; 3 the operation failed (--wait); 4 the operation goes on (--wait); \
5 not signed in; 6 no response.
Variables: LANDLORD_PROFILE, LANDLORD_URL, LANDLORD_CA_FILE, LANDLORD_TOKEN (replaces the profile's token).";

/// More values than these would hide the rest of the help.
const MAX_SHOWN_VALUES: usize = 30;

/// Accepts every text, and shows the known values in help and completion. A newer API may accept more of them.
#[derive(Clone)]
struct KnownValues(Vec<String>);

impl TypedValueParser for KnownValues {
    type Value = String;

    fn parse_ref(
        &self,
        command: &Command,
        _argument: Option<&Arg>,
        value: &std::ffi::OsStr,
    ) -> Result<String, clap::Error> {
        let text = value.to_str().ok_or_else(|| clap::Error::new(ErrorKind::InvalidUtf8).with_cmd(command))?;
        Ok(text.to_owned())
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        if self.0.is_empty() {
            return None;
        }
        Some(Box::new(self.0.iter().map(PossibleValue::new)))
    }
}

/// A command, or a group of commands, while the tree is built.
#[derive(Default)]
struct Node<'a> {
    operation: Option<&'a Operation>,
    /// In the order of the description.
    children: Vec<(&'a str, Node<'a>)>,
}

impl<'a> Node<'a> {
    fn insert(&mut self, words: &'a [String], operation: &'a Operation) {
        let Some((first, rest)) = words.split_first() else {
            self.operation = Some(operation);
            return;
        };
        let at = self.children.iter().position(|(word, _)| word == first).unwrap_or_else(|| {
            self.children.push((first, Node::default()));
            self.children.len() - 1
        });
        self.children[at].1.insert(rest, operation);
    }

    /// The first operation below, which describes a group.
    fn first(&self) -> Option<&'a Operation> {
        self.operation.or_else(|| self.children.iter().find_map(|(_, child)| child.first()))
    }

    fn command(&self, word: &str, document: &Document) -> Command {
        let mut command = Command::new(word.to_owned());
        if let Some(operation) = self.operation {
            command = with_operation(command, operation);
        } else {
            let about = self.first().map_or("", |operation| document.tag_description(&operation.tag));
            command = command.about(about.to_owned()).subcommand_required(true).arg_required_else_help(true);
        }
        if self.operation.is_some() && !self.children.is_empty() {
            command = command.args_conflicts_with_subcommands(true).subcommand_negates_reqs(true);
        }
        command.subcommands(self.children.iter().map(|(word, child)| child.command(word, document)))
    }
}

/// The whole command line.
pub(crate) fn build(document: &Document) -> Command {
    let mut root = Node::default();
    for operation in &document.operations {
        root.insert(&operation.words, operation);
    }
    Command::new("landlord")
        .version(env!("CARGO_PKG_VERSION"))
        .about("The command line of the Landlord API")
        .after_help(AFTER_HELP)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .disable_help_subcommand(true)
        .args(global_options())
        .subcommands(root.children.iter().map(|(word, node)| node.command(word, document)))
        .subcommands(own_commands())
}

fn global_options() -> Vec<Arg> {
    let option = |name: &'static str| Arg::new(name).long(name).global(true).help_heading("Global options");
    vec![
        option("profile")
            .value_name("NAME")
            .env("LANDLORD_PROFILE")
            .default_value(DEFAULT_PROFILE)
            .help("The profile: the API's URL and the token of its last sign-in"),
        option("url")
            .value_name("URL")
            .env("LANDLORD_URL")
            .value_hint(ValueHint::Url)
            .help("The API's URL, instead of the profile's. The profile's token is sent to the profile's URL only"),
        option("ca-file")
            .value_name("FILE")
            .env("LANDLORD_CA_FILE")
            .value_hint(ValueHint::FilePath)
            // An empty variable counts as unset, which the parser of paths refuses.
            .value_parser(OsStringValueParser::new())
            .help("Certificate authorities to trust beside the system's, in PEM"),
        option("timeout")
            .value_name("SECONDS")
            .default_value("30")
            .value_parser(value_parser!(u64).range(1..=3600))
            .help("How long a request may take"),
        option("output")
            .short('o')
            .value_name("FORMAT")
            .default_value("table")
            .value_parser(["table", "json", "csv"])
            .help("The format of the output"),
        option("columns")
            .value_name("NAMES")
            .value_delimiter(',')
            .action(ArgAction::Append)
            .help("The columns of a table or of CSV, separated by commas, such as id,limits.max_agents"),
        option("headers").action(ArgAction::SetTrue).help("Print the headers of each response to the standard error"),
        option("curl")
            .action(ArgAction::SetTrue)
            .help("Print the request as a command of curl, with $LANDLORD_TOKEN for the token, and send nothing"),
    ]
}

/// Commands of this program, which no operation has.
fn own_commands() -> Vec<Command> {
    vec![
        Command::new("login")
            .about("Sign in, and keep the token in the profile")
            .long_about(
                "Asks for the e-mail address and the password, and keeps the token in the profile. Without a terminal, the \
                 password is read from the standard input, after the e-mail address if that is not given: each on a line.",
            )
            .arg(Arg::new("email").long("email").value_name("ADDRESS").help("The super-admin's e-mail address")),
        Command::new("logout").about("Remove the token from the profile"),
        Command::new("profiles").about("List the profiles, without their tokens"),
        Command::new("commands").about("List the commands of the API, with their methods and paths"),
        Command::new("completion")
            .about("Print the completion script of a shell")
            .arg(Arg::new("shell").required(true).value_parser(value_parser!(Shell))),
    ]
}

fn with_operation(command: Command, operation: &Operation) -> Command {
    let request = format!("{} {}", operation.method, operation.path);
    let mut command = command
        .about(operation.summary.trim_end_matches('.').to_owned())
        .long_about(format!("{}\n\n{request}", operation.description))
        .args(options(operation).iter().map(argument));
    if operation.body.is_some() {
        command = command.arg(
            Arg::new("body")
                .long("body")
                .value_name("FILE|JSON")
                .value_hint(ValueHint::FilePath)
                .help("The body: a file, - for the standard input, or JSON. Options replace its fields"),
        );
    }
    if operation.has_pages() {
        command = command.arg(
            Arg::new("limit")
                .long("limit")
                .value_name("N")
                .value_parser(value_parser!(u64).range(1..))
                .help("Print at most N items [default: all pages]"),
        );
    }
    let flag = |name: &'static str, help: &'static str| Arg::new(name).long(name).action(ArgAction::SetTrue).help(help);
    let seconds = |name: &'static str, default: &'static str, help: &'static str| {
        let argument = Arg::new(name).long(name).value_name("SECONDS").default_value(default).help(help);
        argument.value_parser(value_parser!(u64).range(1..=86_400))
    };
    if operation.response.starts_operation {
        command = command
            .arg(flag("wait", "Follow the operation until it ends; the exit code is its outcome"))
            .arg(seconds("wait-timeout", "900", "How long to follow it. It goes on afterwards"));
    }
    if follow::Order::of(operation).is_some() {
        let help = "Print new items as they appear, until interrupted; as JSON, one on each line";
        command = command.arg(flag("follow", help)).arg(seconds("interval", "2", "The pause between two requests"));
    } else if operation.method == "GET" && !operation.response.is_list && !operation.response.fields.is_empty() {
        let help = "Repeat the request until interrupted; as JSON, one response on each line";
        command = command.arg(flag("watch", help)).arg(seconds("interval", "5", "The pause between two requests"));
    }
    if operation.credentials().next().is_some() {
        command = command.arg(flag("show-token", "Print the token too, which is left out otherwise"));
    }
    command
}

fn argument(option: &OperationOption<'_>) -> Arg {
    let default = option.default.filter(|default| *default != "false");
    let default = default.map(|default| format!(" [default: {default}]")).unwrap_or_default();
    let help = format!("{}{default}", option.description.trim_end_matches('.'));
    // Completion offers them all.
    let hides_values = option.value.choices.len() > MAX_SHOWN_VALUES;
    let argument = Arg::new(option.id.clone()).required(option.required).hide_possible_values(hides_values);
    if option.positional {
        return argument.value_name(option.name.to_uppercase()).help(help);
    }
    let argument = argument.long(option.name.clone());
    if option.value.secret {
        let help = format!("{help}. A file that contains it, or - for the standard input");
        return argument.value_name("FILE").value_hint(ValueHint::FilePath).help(help);
    }
    let known = KnownValues(option.value.choices.clone());
    match &option.value.kind {
        Kind::Boolean if !option.value.nullable => argument
            .value_name("BOOL")
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("true")
            .value_parser(["true", "false"])
            .help(help),
        Kind::List(_) => argument.value_name("VALUE").action(ArgAction::Append).value_parser(known).help(help),
        Kind::Json => argument.value_name("JSON").help(help),
        Kind::Integer | Kind::Number => argument.value_name("N").allow_negative_numbers(true).help(help),
        Kind::Boolean | Kind::Text => {
            // A sort order begins with a hyphen.
            argument.value_name("VALUE").allow_hyphen_values(true).value_parser(known).help(help)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own_names() -> Vec<String> {
        own_commands().iter().map(|command| command.get_name().to_owned()).collect()
    }

    #[test]
    fn the_command_line_has_no_option_twice_and_no_name_of_this_program_is_taken() {
        let document = Document::embedded().unwrap();
        build(&document).debug_assert();
        for operation in &document.operations {
            assert!(!own_names().contains(&operation.words[0]), "{}", operation.id);
        }
    }

    /// The words of each command that can be run.
    fn runnable(command: &Command, before: &[String], found: &mut Vec<String>) {
        for child in command.get_subcommands() {
            let words = [before, &[child.get_name().to_owned()]].concat();
            if !child.is_subcommand_required_set() {
                found.push(words.join(" "));
            }
            runnable(child, &words, found);
        }
    }

    #[test]
    fn the_commands_are_those_of_the_operations_and_of_this_program() {
        let document = Document::embedded().unwrap();
        let mut found = Vec::new();
        runnable(&build(&document), &[], &mut found);
        let mut expected: Vec<String> =
            document.operations.iter().map(|one| one.words.join(" ")).chain(own_names()).collect();
        found.sort();
        expected.sort();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_command_that_is_also_a_group_accepts_options_and_commands() {
        let document = Document::embedded().unwrap();
        let parse = |line: &str| build(&document).try_get_matches_from(line.split(' '));
        assert!(parse("landlord health --watch --interval 1").is_ok());
        assert!(parse("landlord health history --hours 2").is_ok());
        assert!(parse("landlord tenants").is_err());
        assert!(parse("landlord users list").is_err(), "a required parameter is missing");
        assert!(parse("landlord tenants list --status active,suspended --status failed --sort -created_at").is_ok());
        assert!(parse("landlord tenants list --status a-new-one -o csv").is_ok());
        assert!(parse("landlord tenants create --limits.max-agents 25 --limits.max-contacts null --wait").is_ok());
        assert!(parse("landlord tenants create --admin-password secret").is_err(), "no password in an argument");
    }
}
