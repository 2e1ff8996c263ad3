//! rpm's packages, by a child: its database has three forms, and only rpm reads all of them.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::Duration;

use muster_common::inventory::Rows;
use tokio::io::AsyncReadExt;

use super::{Problem, Scene, ask};
use crate::sources::parse;

/// A host of 5,000 packages answers within 3 s on a slow disk.
const LIMIT: Duration = Duration::from_secs(30);
/// A package has some 100 bytes.
const OUTPUT_BYTES_MAX: u64 = 16 << 20;
/// What is told of its complaint.
const COMPLAINT_BYTES_MAX: u64 = 1 << 10;
const PLACE: &str = "rpm -qa";
const FORMAT: &str =
    "%{NAME}\\t%{ARCH}\\t%|EPOCH?{%{EPOCH}:}:{}|%{VERSION}-%{RELEASE}\\t%|SOURCERPM?{%{SOURCERPM}}:{}|\\n";

pub(super) fn read(scene: &Scene, rows: &mut Rows) -> Result<(), Problem> {
    let problem = |problem: String| Problem { place: PLACE.to_owned(), problem };
    let output = ask(PLACE, LIMIT, async {
        let mut child = tokio::process::Command::new(&scene.rpm)
            .args(["-qa", "--queryformat", FORMAT])
            .env("LC_ALL", "C")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| problem(format!("cannot be started ({error}): install rpm, which its database is of")))?;
        let (mut output, mut complaint) = (Vec::new(), Vec::new());
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let out = async {
            match stdout {
                Some(stdout) => stdout.take(OUTPUT_BYTES_MAX).read_to_end(&mut output).await,
                None => Ok(0),
            }
        };
        let complain = async {
            match stderr {
                Some(stderr) => stderr.take(COMPLAINT_BYTES_MAX).read_to_end(&mut complaint).await,
                None => Ok(0),
            }
        };
        let (read, _) = tokio::join!(out, complain);
        read.map_err(|error| problem(format!("its output cannot be read: {error}")))?;
        let status = child.wait().await.map_err(|error| problem(error.to_string()))?;
        if !status.success() {
            let complaint = parse::text(parse::trimmed(&complaint));
            return Err(problem(format!("failed ({status}): {complaint}")));
        }
        Ok(output)
    })?;
    packages(&output, rows);
    Ok(())
}

/// Lines of name, architecture, version and source. A package that is installed in several versions, as kernels are, is one row.
fn packages(output: &[u8], rows: &mut Rows) {
    let mut found: BTreeMap<(String, String), (Vec<String>, String)> = BTreeMap::new();
    for line in parse::lines(output) {
        let fields: Vec<String> = line.split(|byte| *byte == b'\t').map(parse::text).collect();
        let [name, architecture, version, source] = &fields[..] else { continue };
        let entry = found.entry((name.clone(), architecture.clone())).or_default();
        entry.0.push(version.clone());
        entry.1.clone_from(source);
    }
    for ((name, architecture), (mut versions, source)) in found {
        versions.sort_unstable();
        let architecture = Some(architecture).filter(|text| text != "(none)" && !text.is_empty());
        rows.add([
            "rpm".into(),
            name.into(),
            architecture.into(),
            versions.join(", ").into(),
            Some(source_name(&source)).filter(|source| !source.is_empty()).into(),
            "installed".into(),
        ]);
    }
}

/// `openssl` of `openssl-3.0.7-27.el9.src.rpm`.
fn source_name(file: &str) -> String {
    file.rsplitn(3, '-').nth(2).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use muster_common::inventory::named;

    #[test]
    fn versions_beside_each_other_are_one_row() {
        let mut rows = Rows::new(named("packages").unwrap());
        let lines = "kernel\tx86_64\t5.14.0-2.el9\tkernel-5.14.0-2.el9.src.rpm\nkernel\tx86_64\t5.14.0-1.el9\tkernel-5.14.0-1.el9.src.rpm\n\
            gpg-pubkey\t(none)\t1-2\t\nbroken line\nopenssl-libs\tx86_64\t1:3.0.7-27.el9\topenssl-3.0.7-27.el9.src.rpm\n";
        packages(lines.as_bytes(), &mut rows);
        let shown: Vec<String> = rows.iter().map(|row| format!("{:?} {:?} {:?}", row[1], row[3], row[4])).collect();
        assert_eq!(
            shown,
            [
                "Text(\"gpg-pubkey\") Text(\"1-2\") Null",
                "Text(\"kernel\") Text(\"5.14.0-1.el9, 5.14.0-2.el9\") Text(\"kernel\")",
                "Text(\"openssl-libs\") Text(\"1:3.0.7-27.el9\") Text(\"openssl\")",
            ]
        );
    }
}
