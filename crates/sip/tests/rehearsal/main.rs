//! The endpoint among its like, among strangers, and against noise; all in virtual time.

mod flows;
mod reader;
mod reliable;
mod states;
mod storm;
mod stranger;
mod timers;
mod torture;
mod within;
mod world;
