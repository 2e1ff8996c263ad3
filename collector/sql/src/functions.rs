//! Functions that SQLite does not have of itself.

use rusqlite::functions::FunctionFlags;
use rusqlite::{Connection, Error};

use crate::versions;

/// `a REGEXP 'pattern'`, and `version_compare(a, b)`: -1, 0 or 1 as dpkg orders versions. Null where one of them is.
pub(crate) fn register(connection: &Connection) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC | FunctionFlags::SQLITE_INNOCUOUS;
    connection.create_scalar_function("regexp", 2, flags, |context| {
        let pattern = context.get_or_create_aux(0, |value| {
            let text = value.as_str().map_err(|error| Error::UserFunctionError(error.into()))?;
            regex::RegexBuilder::new(text)
                .size_limit(PATTERN_BYTES_MAX)
                .build()
                .map_err(|error| Error::UserFunctionError(error.into()))
        })?;
        let text: Option<String> = context.get(1)?;
        Ok(text.map(|text| pattern.is_match(&text)))
    })?;
    connection.create_scalar_function("version_compare", 2, flags, |context| {
        let (one, other): (Option<String>, Option<String>) = (context.get(0)?, context.get(1)?);
        Ok(one.zip(other).map(|(one, other)| versions::compare(&one, &other) as i64))
    })
}

/// A pattern that is made of more is refused: enough for any that people write.
const PATTERN_BYTES_MAX: usize = 1 << 20;
