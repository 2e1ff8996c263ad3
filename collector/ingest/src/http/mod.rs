//! What the HTTP intakes share: a body under a cap, the walk over protobuf, whose words a push may use, and the commit's answer.

pub mod body;
pub(crate) mod commit;
pub mod protobuf;
pub(crate) mod refusal;
pub mod speaker;
