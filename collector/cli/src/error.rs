//! What can go wrong, each in one line with place and remedy, and the exit code it ends in.

/// Why a command did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The collector understood and says no: the wrong state, nothing of that name, an expression that fails.
    #[error("{0}")]
    Refused(String),
    /// The command was wrong.
    #[error("{0}")]
    Usage(String),
    /// Nothing could be learnt: no connection, no right, no sense in the answer.
    #[error("{0}")]
    Unknown(String),
}

impl Failure {
    /// 1 problem, 2 usage or unknown.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Refused(_) => 1,
            Self::Usage(_) | Self::Unknown(_) => 2,
        }
    }
}
