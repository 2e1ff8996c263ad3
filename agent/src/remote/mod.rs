//! Remote configuration: what the collector adds to the host's own file, and never more than that file allows.
//!
//! The one way through: [`document`] is what was read (by `config`, in the grammar of the host's own file), [`bounds`] and [`targets`] what the
//! host opens; [`judge`] lets a document pass or says everything that is wrong with it, [`merge`] puts it beside the host's own, [`machine`]
//! decides (trial, confirmation, going back), [`store`] keeps what is in force, [`side`] carries out what the machine says, [`exchange`] stops and starts the parts. [`show`] is what
//! people see of it.
//!
//! What holds at all times: the host's own file wins; nothing of a document runs before all of it was judged; what was not confirmed by a
//! session that stood is not what the next process starts with.

pub mod bounds;
pub mod document;
pub(crate) mod exchange;
pub mod judge;
pub mod machine;
pub mod merge;
pub mod show;
pub(crate) mod side;
pub mod store;
pub mod targets;
