//! On which systems the programs start: the newest symbol version of glibc that they ask for, and the libraries that they need.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::process;

/// What packages promise: Debian 12, Ubuntu 22.04, RHEL 9 and newer. A program that needs more is not packaged.
pub(crate) const FLOOR: Version = Version(2, 34);

/// Libraries that every system of that floor has; all but the compiler's are glibc's own.
const LIBRARIES: [&str; 7] =
    ["libc.so.6", "libm.so.6", "libgcc_s.so.1", "ld-linux-x86-64.so.2", "libdl.so.2", "libpthread.so.0", "librt.so.1"];

/// Major and minor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version(u32, u32);

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

/// Refuses a program that would not start on the promised systems.
pub(super) fn check(program: &Path) -> Result<()> {
    let shown = program.display();
    let symbols = process::output(Command::new("objdump").arg("-T").arg(program))?;
    let Some((needed, symbol)) = newest(&symbols) else {
        bail!("{shown} asks for no symbol of glibc: is it a program?")
    };
    if needed > FLOOR {
        bail!(
            "{shown} needs glibc {needed} (by symbol {symbol}), and packages promise {FLOOR}: build it on an older system"
        );
    }
    let headers = process::output(Command::new("objdump").arg("-p").arg(program)).context("its headers")?;
    if let Some(library) = libraries(&headers).find(|library| !LIBRARIES.contains(library)) {
        bail!("{shown} needs the library {library}, which no package asks for");
    }
    Ok(())
}

/// The newest `GLIBC_x.y` of a symbol table, and a symbol that asks for it.
fn newest(table: &str) -> Option<(Version, &str)> {
    let asked = table.lines().filter_map(|line| {
        let mut words = line.split_whitespace().rev();
        let symbol = words.next()?;
        let version = words.next()?.trim_matches(['(', ')']).strip_prefix("GLIBC_")?;
        let mut parts = version.split('.').map(|part| part.parse().ok());
        Some((Version(parts.next()??, parts.next().flatten().unwrap_or(0)), symbol))
    });
    asked.max()
}

fn libraries(headers: &str) -> impl Iterator<Item = &str> {
    headers.lines().filter_map(|line| line.trim().strip_prefix("NEEDED").map(str::trim))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "\
DYNAMIC SYMBOL TABLE:
0000000000000000      DF *UND*\t0000000000000000 (GLIBC_2.2.5) free
0000000000000000      DF *UND*\t0000000000000000 (GLIBC_2.34) pthread_create
0000000000000000      DF *UND*\t0000000000000000 (GLIBC_2.9)  pipe2
0000000000000000  w   D  *UND*\t0000000000000000  Base        __gmon_start__
0000000000000000      DF *UND*\t0000000000000000 (GCC_3.0)    _Unwind_Resume
";

    #[test]
    fn versions_are_compared_as_numbers_and_the_symbol_is_named() {
        assert_eq!(newest(TABLE), Some((Version(2, 34), "pthread_create")));
        assert!(Version(2, 34) > Version(2, 9) && Version(2, 34) <= FLOOR);
        assert_eq!(newest("nothing"), None);
        assert_eq!(FLOOR.to_string(), "2.34");
    }

    #[test]
    fn this_program_is_judged_by_what_it_asks_for() {
        let own = std::env::current_exe().unwrap();
        check(&own).unwrap();
        let told = check(Path::new("/etc/passwd")).unwrap_err().to_string();
        assert!(told.contains("objdump"), "{told}");
        let needed: Vec<_> =
            libraries("  NEEDED               libc.so.6\n  SONAME x\n  NEEDED libssl.so.3\n").collect();
        assert_eq!(needed, ["libc.so.6", "libssl.so.3"]);
    }
}
