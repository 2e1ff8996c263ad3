//! What bounds one query, as whoever evaluates it counts.

use crate::error::QueryError;
use crate::limits::Control;

pub(crate) trait Meter {
    fn control(&self) -> &Control;

    /// Counts cells in the making.
    ///
    /// # Errors
    /// [`QueryError::TooMuch`] when there are more than the query may hold.
    fn grow(&mut self, cells: usize) -> Result<(), QueryError>;
}
