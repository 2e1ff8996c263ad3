//! The handle that may not write.

use std::sync::Arc;

use muster_common::matcher::Matcher;

use crate::logs::tail::{TailReceiver, Wake};
use crate::shared::Shared;
use crate::view::View;

/// Takes views. Cheap to clone.
#[derive(Clone)]
pub struct Reader {
    pub(crate) shared: Arc<Shared>,
}

impl Reader {
    /// The store as it is now: everything whose commit has been answered, and nothing that is not durable.
    pub fn view(&self) -> View {
        View::new(self.shared.clone())
    }

    /// Lines of matching streams from now on, pushed as they are committed, in the order of arrival. At most `capacity` lines
    /// (and 16 MiB) wait for the receiver; what comes beyond that is dropped and counted. `wake` is called when lines come and
    /// none waited: it must not block.
    pub fn tail(&self, matchers: Vec<Matcher>, capacity: usize, wake: Wake) -> TailReceiver {
        self.shared.tails.add(matchers, capacity, wake)
    }
}
