//! The endpoint among its like, among strangers, and against noise; all in virtual time.

mod early;
mod flows;
mod gate;
mod help;
mod knock;
mod large;
mod limits;
mod moved;
mod reader;
mod referral;
mod registrar;
mod reliable;
mod renewed;
mod states;
mod storm;
mod stranger;
mod subscriptions;
mod timers;
mod torture;
mod trunk;
mod understood;
mod usages;
mod way_back;
mod within;
mod world;
