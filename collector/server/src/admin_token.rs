//! `DATA/admin.token`: the first administrator, written once, readable by the collector's user alone.

use std::io;
use std::path::Path;

use crate::private_file;

pub(crate) const FILE_NAME: &str = "admin.token";

pub(crate) fn write(data: &Path, word: &str) -> io::Result<()> {
    private_file::write(data, FILE_NAME, &format!("{word}\n"))
}
