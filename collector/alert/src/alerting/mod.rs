//! The running whole: the desk under its lock, rules at their ticks, notices on their way.
//!
//! [`Alerting`] follows fleet's status in fleet's own transactions, and makes its own through [`muster_fleet::Fleet::change_small`]; locks are taken in
//! the order file, desk. The rules have a lock of their own, since they take long. `run` has the loops that server starts; `evidence` reads
//! the store for what a mail shows beside the alert, of which `history` makes marks and earlier cases; `causes` what changed before; `settings` reads rule and routing files;
//! `preview` and `test_mail` write mails for who asks, past the queue.

mod causes;
mod evidence;
mod handle;
mod history;
mod preview;
mod rounds;
mod run;
mod send;
mod settings;
mod test_mail;
#[cfg(test)]
mod tests;

pub use causes::{Causes, causes};
pub use evidence::{EvidenceSource, StoreEvidence};
pub use handle::{Alerting, AlertingError, Parts};
pub use preview::Preview;
pub use run::run;
pub use settings::{Files, Settings, load_settings};
pub use test_mail::{TestError, Tested};
