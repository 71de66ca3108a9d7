//! One long story for each of five systems: phones of another maker, and what their people do at
//! the desk, by the API. After each step everybody hears exactly whom they should.

mod cinnox;
mod connect;
mod desk;
mod expertflow;
mod genesys;
mod helpdesk;
