//! Phones over loopback: what a SIP server costs, and whether its callers hear whom they should.
//!
//! `load` places calls into rooms of any SIP server on this machine and measures it from outside.
//! `load floor` drives a server that only moves packets. `load voice` sends
//! sentences over bad lines. `load table` draws many runs as one table.

mod calls;
mod clock;
mod datagram;
mod figures;
mod floor;
mod hearing;
mod impair;
mod leg;
mod limits;
mod listen;
mod message;
mod process;
mod pump;
mod rehearsal;
mod run;
mod speech;
mod table;
mod takes;
mod talk;
mod voice;

use std::io::Read;
use std::net::SocketAddr;
use std::process::ExitCode;

use anyhow::Result;
use audio::Codec;
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::figures::Figures;
use crate::floor::Io;
use crate::takes::Takes;

/// Places calls with tones into rooms of a SIP server on this machine, and measures what it costs
#[derive(Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Subcommands>,
    #[command(flatten)]
    load: Load,
}

#[derive(Subcommand)]
enum Subcommands {
    /// Measure a bare server that only moves packets
    Floor(FloorRun),
    /// Be that server (for `floor`)
    #[command(hide = true)]
    FloorServer {
        #[arg(long)]
        legs: usize,
        #[arg(long, value_enum)]
        io: Io,
    },
    /// Send sentences over bad lines and keep what is heard (bench/quality scores it)
    Voice(Takes),
    /// Draw a Markdown table from `--json` lines on standard input
    Table,
}

/// A run against a SIP server.
#[derive(Args)]
struct Load {
    /// Where the server listens for SIP over UDP
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:5060")]
    server: SocketAddr,
    /// The server's process, which must be told
    #[arg(long)]
    pid: Option<u32>,
    /// Rooms
    #[arg(long, default_value_t = 1)]
    rooms: usize,
    /// Legs in each room
    #[arg(long, default_value_t = 3)]
    legs: usize,
    /// Legs in each room that speak; the others send silence
    #[arg(long, default_value_t = 2)]
    talkers: usize,
    /// What legs speak and hear
    #[arg(long, value_enum, default_value = "pcmu")]
    codec: Codecs,
    /// Talkers speak one at a time, 2 s each
    #[arg(long)]
    turns: bool,
    /// Rooms are called this and a number
    #[arg(long, default_value = "room-")]
    room_prefix: String,
    /// Calls placed in a second
    #[arg(long, default_value_t = 100)]
    pace: u64,
    #[command(flatten)]
    window: Window,
}

/// A run against the floor.
#[derive(Args)]
struct FloorRun {
    /// Legs
    #[arg(long)]
    legs: usize,
    /// How it moves packets
    #[arg(long, value_enum, default_value = "io_uring")]
    io: Io,
    #[command(flatten)]
    window: Window,
}

/// How long a run is, and how it is told.
#[derive(Args)]
struct Window {
    /// Seconds that are measured, after 3 s of warming up
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// What the run is called in a table
    #[arg(long, default_value = "-")]
    workload: String,
    /// What the server is called in a table
    #[arg(long)]
    name: Option<String>,
    /// Print a line of JSON after the line for people
    #[arg(long)]
    json: bool,
}

/// What a room's legs speak.
#[derive(Clone, Copy, ValueEnum)]
enum Codecs {
    Pcmu,
    Pcma,
    Opus,
    G722,
    /// PCMU, PCMA and Opus in turn
    Mixed,
}

impl Codecs {
    fn of(self, place: usize) -> Codec {
        match self {
            Codecs::Pcmu => Codec::Pcmu,
            Codecs::Pcma => Codec::Pcma,
            Codecs::Opus => Codec::Opus,
            Codecs::G722 => Codec::G722,
            Codecs::Mixed => [Codec::Pcmu, Codec::Pcma, Codec::Opus][place % 3],
        }
    }
}

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "this is where the program speaks")]
fn main() -> ExitCode {
    match answer(Cli::parse()) {
        Ok(said) => {
            print!("{said}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("load: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn answer(cli: Cli) -> Result<String> {
    match cli.command {
        None => told(&run::load(&cli.load)?, cli.load.window.json),
        Some(Subcommands::Floor(floor)) => told(&run::floor(&floor)?, floor.window.json),
        Some(Subcommands::FloorServer { legs, io }) => {
            floor::serve(legs, io).map(|()| String::new())
        }
        Some(Subcommands::Voice(takes)) => takes::run(&takes),
        Some(Subcommands::Table) => {
            let mut lines = String::new();
            std::io::stdin().read_to_string(&mut lines)?;
            table::draw(&lines)
        }
    }
}

fn told(figures: &Figures, json: bool) -> Result<String> {
    let mut said = format!("{}\n", figures.line());
    if json {
        said.push_str(&serde_json::to_string(figures)?);
        said.push('\n');
    }
    Ok(said)
}
