//! `cargo dev test`, and `cargo dev openapi`, which runs the tests that write generated files.

use std::process::{Command, ExitCode};

use crate::{
    cargo,
    checkout::Checkout,
    commands::{down, own_program},
    console::ConsoleTools,
    error::{ErrorContext, Result},
    functions,
    install::{
        go,
        node::NodePackages,
        python::PythonWheel,
        system::{self, SystemPackage},
    },
    process,
    progress::Progress,
    servers,
    stack::LocalStack,
    startup::{self, UpOptions},
    supervisor,
};

/// Tests an HTTP API against its OpenAPI description.
const SCHEMATHESIS: PythonWheel = PythonWheel {
    name: "schemathesis",
    version: "4.32.5",
    requirements: include_str!("../../requirements/schemathesis.txt"),
    program: "bin/schemathesis",
};

/// The variable that contains its path for the tests.
const SCHEMATHESIS_VARIABLE: &str = "SCHEMATHESIS";

/// Libraries with which tests act as services in Python.
const PYTHON_LIBRARIES: PythonWheel = PythonWheel {
    name: "python-libraries",
    // Increased with every change of the requirements.
    version: "1",
    requirements: include_str!("../../requirements/services.txt"),
    program: "jwt/__init__.py",
};

/// The variable that contains the path of one of them for the tests.
const PYTHON_LIBRARIES_VARIABLE: &str = "PYJWT";

/// Deploys the template to an emulator of AWS.
const MINISTACK: PythonWheel = PythonWheel {
    name: "ministack",
    version: "1.5.33",
    requirements: include_str!("../../requirements/ministack.txt"),
    program: "ministack/__main__.py",
};

/// The variable that contains its path for the tests.
const MINISTACK_VARIABLE: &str = "MINISTACK";

/// Generates clients in Python from the API's description.
const OPENAPI_PYTHON_CLIENT: PythonWheel = PythonWheel {
    name: "openapi-python-client",
    version: "0.29.1",
    requirements: include_str!("../../requirements/openapi-python-client.txt"),
    program: "bin/openapi-python-client",
};

/// The variable that contains its path for the tests.
const OPENAPI_PYTHON_CLIENT_VARIABLE: &str = "OPENAPI_PYTHON_CLIENT";

/// The variable that contains the path of Go, with which the tests generate and compile a client.
const GO_VARIABLE: &str = "GO";

/// Programs in JavaScript that the tests run.
const NODE_PACKAGES: NodePackages = NodePackages {
    name: "node-packages",
    manifest: include_str!("../../../../tests/node/package.json"),
    lock: include_str!("../../../../tests/node/package-lock.json"),
};

/// The variables that contain the path of Node.js, and the folder of the packages.
const NODE_VARIABLE: &str = "NODE";
const NODE_PACKAGES_VARIABLE: &str = "NODE_PACKAGES";

/// The variable that contains the folder of the console, with its packages.
const CONSOLE_FOLDER_VARIABLE: &str = "CONSOLE_FOLDER";

/// The variables that contain the paths of servers, of which tests start their own.
const MONGOD_VARIABLE: &str = "MONGOD";
const MINIO_VARIABLE: &str = "MINIO";

/// The variable that contains the path of cargo-lambda. A test invokes the functions with it.
const CARGO_LAMBDA_VARIABLE: &str = "CARGO_LAMBDA";

/// The command line of the API, which a test runs on the stack, and the variable that contains its path.
const COMMAND_LINE: &str = "landlord";
const COMMAND_LINE_VARIABLE: &str = "LANDLORD";

/// Brings up the stack, runs the workspace's tests, and stops what did not run before.
pub(crate) fn run(checkout: Checkout, arguments: &[String]) -> Result<ExitCode> {
    let before = PriorState::read(&checkout);
    let stack = startup::bring_up(checkout, &UpOptions::default())?;
    let mut cargo = cargo::cargo(&stack.checkout);
    cargo
        .arg("test")
        .env(SCHEMATHESIS_VARIABLE, SCHEMATHESIS.install()?)
        .env(PYTHON_LIBRARIES_VARIABLE, PYTHON_LIBRARIES.install()?)
        .env(OPENAPI_PYTHON_CLIENT_VARIABLE, OPENAPI_PYTHON_CLIENT.install()?)
        .env(MINISTACK_VARIABLE, MINISTACK.install()?)
        .env(GO_VARIABLE, go::go()?);
    cargo.env(CARGO_LAMBDA_VARIABLE, functions::CARGO_LAMBDA.install()?);
    cargo.env(MONGOD_VARIABLE, servers::mongo::program()?).env(MINIO_VARIABLE, servers::minio::program()?);
    let tools = NODE_PACKAGES.install()?;
    cargo.env(NODE_VARIABLE, tools.node).env(NODE_PACKAGES_VARIABLE, tools.folder);
    // The console was built with these packages when the stack came up.
    system::install(&[SystemPackage::Chromium], &Progress::start())?;
    cargo.env(CONSOLE_FOLDER_VARIABLE, ConsoleTools::open(&stack.checkout)?.folder);
    cargo.env(COMMAND_LINE_VARIABLE, own_program::build(&stack, COMMAND_LINE)?);
    // Named packages replace the whole workspace.
    let names_package = |argument: &String| argument == "--package" || argument.starts_with("-p");
    if !arguments.iter().take_while(|argument| *argument != "--").any(names_package) {
        cargo.arg("--workspace");
        // Two empty test programs of each would take minutes to link.
        cargo.args(functions::without_tests(&stack.checkout)?.iter().flat_map(|name| ["--exclude", name]));
    }
    cargo.args(arguments);
    run_and_restore(cargo, &stack, &before)
}

/// Writes `infra/openapi.json` and `infra/asyncapi.json` from the code, the table of functions and the local router from the
/// template, and the code in `infra/services.md` from the programs of the tests.
pub(crate) fn write_openapi(checkout: Checkout) -> Result<ExitCode> {
    let before = PriorState::read(&checkout);
    let stack = startup::bring_up(checkout, &UpOptions { servers_only: true, ..UpOptions::default() })?;
    let mut cargo = cargo::cargo(&stack.checkout);
    cargo.args(["test", "--quiet", "--package", "tests"]);
    cargo.args(["routes", "openapi", "documents"].iter().flat_map(|name| ["--test", name])).arg("checked_in");
    cargo.env("UPDATE_OPENAPI", "1");
    run_and_restore(cargo, &stack, &before)
}

fn run_and_restore(mut cargo: Command, stack: &LocalStack, before: &PriorState) -> Result<ExitCode> {
    functions::set_environment(&mut cargo, stack);
    let result = cargo.status().context(|| "The tests cannot be run".into());
    before.restore(stack)?;
    Ok(if result?.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What ran before the tests.
struct PriorState {
    servers: bool,
    functions: bool,
}

impl PriorState {
    fn read(checkout: &Checkout) -> Self {
        Self {
            servers: servers::ALL.iter().any(|server| process::recorded(checkout, server.name()).is_some()),
            functions: supervisor::is_wanted(checkout),
        }
    }

    fn restore(&self, stack: &LocalStack) -> Result<()> {
        if !self.servers {
            down::run(&stack.checkout, false)?;
        } else if !self.functions {
            let _lock = stack.checkout.lock()?;
            supervisor::stop(stack);
        }
        Ok(())
    }
}
