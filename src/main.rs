//! The program `convoke`. Without a subcommand it serves.

use std::io::{ErrorKind, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, Subcommand};
use convoke::check::Findings;
use convoke::config::{Config, Options};
use convoke::log::{Log, Logging};
use convoke::{demo, server};
use rustix::process::{Resource, Rlimit, setrlimit};
use tracing_subscriber::EnvFilter;

/// A SIP media server: whoever calls sip:NAME@host stands in conference NAME
#[derive(Parser)]
#[command(version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Option<Subcommands>,
    #[command(flatten)]
    options: Options,
}

#[derive(Subcommand)]
enum Subcommands {
    /// Say what is wrong with a configuration file, with line and reason, and with the files and
    /// folders that it names
    Check {
        /// The file
        file: PathBuf,
    },
    /// Read a password from standard input, and print the lines that make somebody a user
    User {
        /// The name, as in sip:NAME@host
        name: String,
        /// The realm, as in the configuration's [access]
        #[arg(long, default_value = "convoke")]
        realm: String,
    },
    /// Draw a token for the API, tell it on standard error, and print the lines that make it one
    Token {
        /// Its name, for the log
        name: String,
        /// What it is for: admin, integration, supervisor, agent or guest
        #[arg(long, default_value = "admin")]
        role: String,
        /// An agent's or supervisor's user, as in sip:USER@host
        #[arg(long)]
        user: Option<String>,
        /// A guest's conference
        #[arg(long)]
        conference: Option<String>,
    },
    /// Show who may do what by the rules of a profile, and what follows from what
    Profile {
        #[command(subcommand)]
        asked: AboutProfiles,
    },
    /// Place three calls that speak to a running server, and tell who heard whom
    Demo,
}

#[derive(Subcommand)]
enum AboutProfiles {
    /// Draw one as a table
    Show {
        /// Its name
        name: String,
    },
    /// Tell what differs between two
    Diff {
        /// One name
        one: String,
        /// The other
        other: String,
    },
}

fn main() -> ExitCode {
    leave_no_core_dump();
    let cli = Cli::parse();
    let outcome = match &cli.command {
        None => serve(&cli.options),
        Some(Subcommands::Check { file }) => check(file),
        Some(Subcommands::User { name, realm }) => user(name, realm).and_then(say),
        Some(Subcommands::Token { name, role, user, conference }) => {
            token((name.as_str(), role.as_str()), (user.as_deref(), conference.as_deref()))
                .and_then(say)
        }
        Some(Subcommands::Profile { asked }) => about_profiles(&cli.options, asked).and_then(say),
        Some(Subcommands::Demo) => play(&cli.options).and_then(say),
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            // Where nobody hears it, the code still says so.
            match writeln!(std::io::stderr(), "convoke: {error:#}") {
                Ok(()) | Err(_) => ExitCode::FAILURE,
            }
        }
    }
}

/// A dump of our memory would hold passwords, tokens and keys (acceptance A4). Those who collect
/// dumps by a pipe are told of this limit, too (core(5), `%c`).
#[expect(clippy::print_stderr, reason = "there is no log yet")]
fn leave_no_core_dump() {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    if let Err(error) = setrlimit(Resource::Core, none) {
        eprintln!("convoke: core dumps could not be switched off: {error}");
    }
}

/// Says what was asked for; who listens may have heard enough (`convoke profile show … | head`).
fn say(said: String) -> anyhow::Result<ExitCode> {
    match writeln!(std::io::stdout(), "{}", said.trim_end()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        Ok(()) | Err(_) => Ok(ExitCode::SUCCESS),
    }
}

/// What goes wrong once there is a log is told there.
fn serve(options: &Options) -> anyhow::Result<ExitCode> {
    let config = Config::load(options)?;
    let filter = EnvFilter::try_new(&config.log)
        .map_err(|error| anyhow::anyhow!("--log {}: {error}", config.log))?;
    let log = Log::start(std::io::stderr()).context("the system has no thread for the log")?;
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(move || writer.clone())
        .with_ansi(std::io::stderr().is_terminal())
        // It would be told on standard error that standard error takes no more, and panic.
        .log_internal_errors(false)
        .with_filter_reloading();
    let filter = subscriber.reload_handle();
    subscriber.init();
    let logging = Logging::new(log.clone(), move |text| {
        let fresh = EnvFilter::try_new(text).map_err(|error| error.to_string())?;
        filter.reload(fresh).map_err(|error| error.to_string())
    });
    Log::take_panics();
    let options = options.clone();
    let read = move || Config::load(&options);
    let welcome = |welcome: &str| {
        if let Err(error) = writeln!(std::io::stdout(), "{welcome}") {
            tracing::warn!(%error, "nobody is told how to come in");
        }
    };
    let served = runtime()?.block_on(server::serve(config, read, logging, welcome));
    // By the log, for standard error may have a reader that hangs.
    if let Err(error) = &served {
        log.add(format!("convoke: {error:#}\n").as_bytes());
    }
    log.flush();
    Ok(if served.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[expect(clippy::print_stderr, reason = "what is wrong is told there")]
fn check(file: &std::path::Path) -> anyhow::Result<ExitCode> {
    let Findings { faults, warnings } = convoke::check::check(file);
    faults.iter().for_each(|fault| eprintln!("convoke: {fault}"));
    warnings.iter().for_each(|warning| eprintln!("convoke: warning: {warning}"));
    match faults.is_empty() {
        true => say(format!("{} is in order", file.display())),
        false => Ok(ExitCode::FAILURE),
    }
}

fn about_profiles(options: &Options, asked: &AboutProfiles) -> anyhow::Result<String> {
    let profiles = Config::load(options)?.profiles;
    Ok(match asked {
        AboutProfiles::Show { name } => call::grid(profiles.get(name)?),
        AboutProfiles::Diff { one, other } => profiles.differences(one, other)?,
    })
}

fn user(name: &str, realm: &str) -> anyhow::Result<String> {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line)?;
    let password = line.trim_end_matches(['\r', '\n']);
    anyhow::ensure!(!password.is_empty(), "no password came by standard input");
    Ok(convoke::access::UserLines { name, realm, password }.to_string())
}

#[expect(clippy::print_stderr, reason = "what is printed may go into a file; a secret must not")]
fn token(
    (name, role): (&str, &str),
    (user, conference): (Option<&str>, Option<&str>),
) -> anyhow::Result<String> {
    let token = convoke::tokens::draw().context("the system has no randomness")?;
    let lines = convoke::tokens::TokenLines { name, role, user, conference, token: &token };
    lines.check().map_err(|wrong| anyhow::anyhow!("{wrong}"))?;
    eprintln!("The token, which is kept nowhere and not shown again:\n{token}\n");
    Ok(lines.to_string())
}

fn play(options: &Options) -> anyhow::Result<String> {
    let config = Config::load(options)?;
    let sip = *config.sip.first().context("there is no address for SIP")?;
    runtime()?.block_on(demo::play(sip, config.http, &config.data))
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?)
}
