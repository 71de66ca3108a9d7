//! Trunks, as they are shown.

use serde::{Deserialize, Serialize};

/// A trunk: another SIP system that calls come from and go to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct TrunkView {
    /// Its name.
    pub name: String,
    /// Whether it answers.
    pub state: TrunkState,
    /// Whether the server is registered with it.
    pub registration: TrunkRegistration,
    /// Calls with it that are up or being made, either way.
    pub calls: u64,
    /// Calls to it since the start.
    pub tried: u64,
    /// Those that it did not take: the next trunk was tried, if there was one.
    pub failed: u64,
    /// Calls that its limits left no room for, either way.
    pub full: u64,
}

/// Whether a trunk answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum TrunkState {
    /// It is not asked, or has not answered yet.
    Unknown,
    /// It answers.
    Up,
    /// It does not, or says that it takes no calls. It is not called.
    Down,
}

/// Whether the server is registered with a trunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum TrunkRegistration {
    /// The trunk does not want it.
    NotAsked,
    /// It has not answered yet.
    Trying,
    /// It is.
    Registered,
    /// The trunk refused, or does not answer. It is not called.
    Failed,
}
