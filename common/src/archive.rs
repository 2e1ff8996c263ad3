//! A tar archive in memory: plain files under one folder, in the form that every tar reads (ustar, POSIX.1-1988). Who writes it compresses it.

/// Header and content are written in blocks of this.
const BLOCK: usize = 512;
/// Bytes of a name in a header; ours are short and fixed.
const NAME_BYTES_MAX: usize = 100;

/// Files as they are added.
#[derive(Debug, Default)]
pub struct Archive {
    bytes: Vec<u8>,
}

impl Archive {
    /// Adds a file that its owner alone may read. `at_seconds`: since 1970.
    ///
    /// # Panics
    /// When the name is longer than 100 bytes: names are the caller's constants.
    pub fn add(&mut self, name: &str, content: &[u8], at_seconds: u64) {
        assert!(name.len() <= NAME_BYTES_MAX, "the name {name} is too long for an archive");
        let mut header = [0_u8; BLOCK];
        let mut put = |at: usize, text: &str| header[at..at + text.len()].copy_from_slice(text.as_bytes());
        put(0, name);
        put(100, "0000600\0");
        put(108, "0000000\0");
        put(116, "0000000\0");
        put(124, &format!("{:011o}\0", content.len()));
        // Eleven octal digits reach to the year 2242.
        put(136, &format!("{:011o}\0", at_seconds.min(0o77_777_777_777)));
        // The sum counts its own place as blanks.
        put(148, "        ");
        put(156, "0");
        put(257, "ustar\x0000");
        put(265, "root");
        put(297, "root");
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        self.bytes.extend_from_slice(&header);
        self.bytes.extend_from_slice(content);
        self.bytes.resize(self.bytes.len().next_multiple_of(BLOCK), 0);
    }

    /// The whole, with the two empty blocks that end it.
    pub fn finish(mut self) -> Vec<u8> {
        self.bytes.resize(self.bytes.len() + 2 * BLOCK, 0);
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_tar_reads_it() {
        let folder = std::env::temp_dir().join(format!("muster-archive-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let mut archive = Archive::default();
        archive.add("bundle/a.txt", b"hello\n", 1_700_000_000);
        archive.add("bundle/b.bin", &[7; 513], 0);
        archive.add("bundle/empty", b"", u64::MAX);
        let path = folder.join("x.tar");
        std::fs::write(&path, archive.finish()).unwrap();
        let tar = |words: &[&str]| {
            let output = std::process::Command::new("tar").args(words).arg("-f").arg(&path).output().unwrap();
            assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
            output.stdout
        };
        assert_eq!(String::from_utf8_lossy(&tar(&["-t"])), "bundle/a.txt\nbundle/b.bin\nbundle/empty\n");
        assert_eq!(tar(&["-x", "-O"]), [b"hello\n".as_slice(), &[7; 513]].concat());
        let listed = String::from_utf8(tar(&["-t", "-v", "--utc"])).unwrap();
        assert!(listed.starts_with("-rw------- root/root") && listed.contains("2023-11-14 22:13"), "{listed}");
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
