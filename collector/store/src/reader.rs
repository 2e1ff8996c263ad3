//! The handle that may not write.

use std::sync::Arc;

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
}
