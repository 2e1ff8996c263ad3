//! The script that new hosts run, which knows the packages of its version by their SHA-256.

use anyhow::Result;

use super::glibc::FLOOR;
use super::run::Making;
use super::table::AGENT;
use super::template::fill;
use super::{deb, files, rpm, tar};

pub(super) const NAME: &str = "install.sh";

/// Writes it into the out folder, beside the packages that are there already.
pub(super) fn make(making: &Making) -> Result<()> {
    let names = [
        deb::file_name(&AGENT, &making.version),
        rpm::file_name(&AGENT, &making.version),
        tar::file_name(&making.version),
    ];
    let sums = names.iter().map(|name| files::sha256(&making.out.join(name))).collect::<Result<Vec<_>>>()?;
    let template = std::fs::read_to_string(making.packaging.join(NAME))?;
    let values = [
        ("VERSION", making.version.as_str()),
        ("GLIBC_FLOOR", &FLOOR.to_string()),
        ("DEB", &names[0]),
        ("DEB_SHA256", &sums[0]),
        ("RPM", &names[1]),
        ("RPM_SHA256", &sums[1]),
        ("TAR", &names[2]),
        ("TAR_SHA256", &sums[2]),
    ];
    files::write(&making.out.join(NAME), fill(&template, &values)?.as_bytes(), 0o755)
}
