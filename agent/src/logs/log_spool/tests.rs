//! The files byte by byte, and what is made of damaged ones.

use muster_common::disk::cut::CutDisk;

use super::*;

const STATE: &str = "/state";

fn header() -> Header {
    let path = "/var/log/app.log".to_owned();
    Header {
        source: SourceId { device: 2, inode: 77, fingerprint: 5, fingerprint_bytes: 9, incarnation: 1, path },
        is_known: true,
        from: 164,
        start: 100,
        end: 400,
        size: 1_000,
        mtime_ns: 1_700_000_000_000_000_000,
        beginning: b"the first line of it\n".to_vec(),
    }
}

/// The byte at each offset of the file that is kept.
fn fill(buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    buffer.iter_mut().zip(offset..).for_each(|(byte, at)| *byte = at as u8);
    Ok(buffer.len())
}

fn open(disk: &CutDisk) -> LogSpool {
    LogSpool::open(Arc::new(disk.clone()), Path::new(STATE), BYTES_MAX)
}

fn file() -> PathBuf {
    Path::new(STATE).join(FOLDER).join("0000000000000001.log")
}

fn written() -> (CutDisk, LogSpool) {
    let disk = CutDisk::new(1);
    let mut spool = open(&disk);
    spool.write(header(), &mut fill).unwrap();
    spool.settle().unwrap();
    (disk, spool)
}

#[test]
fn what_is_written_is_read_again_after_a_power_cut() {
    let (disk, spool) = written();
    assert_eq!(spool.bytes(), 92 + 16 + 21 + 8 + 300);
    disk.cut();
    let mut spool = open(&disk);
    assert_eq!(spool.numbers(), [1]);
    let (read, kept) = spool.read(1).unwrap().expect("a whole file");
    assert_eq!(read, header());
    let mut buffer = [0; 500];
    assert_eq!(kept.read_at(&mut buffer, 390).unwrap(), 10);
    assert_eq!(buffer[0], 390_u64 as u8);
    assert_eq!((kept.read_at(&mut buffer, 4).unwrap(), &buffer[..5]), (17, &b"first"[..]));
    let (number, ..) = spool.write(header(), &mut fill).unwrap();
    assert_eq!(number, 2);
    spool.remove(1);
    assert_eq!(spool.numbers(), [2]);
}

#[test]
fn version_1_stays_as_it_is() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/spool/testdata/log.v1");
    let (disk, _) = written();
    let image = disk.image();
    let bytes = image.file(&file()).unwrap();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, bytes).unwrap();
    }
    let golden = std::fs::read(&path).unwrap();
    assert!(bytes == golden.as_slice(), "log.v1 changed: a changed format is a new version, see SPOOL.md");
}

#[test]
fn a_damaged_byte_anywhere_is_seen_and_an_unfinished_file_goes() {
    let (disk, spool) = written();
    let handle = disk.open(&file(), Open::Write).unwrap();
    for at in 0..handle.len().unwrap() {
        let mut byte = [0];
        handle.pread(&mut byte, at).unwrap();
        handle.pwrite(&[byte[0] ^ 1], at).unwrap();
        assert!(spool.read(1).unwrap().is_none(), "byte {at}");
        handle.pwrite(&byte, at).unwrap();
    }
    for length in [0, 91, 92, 130, 436] {
        handle.set_len(length).unwrap();
        assert!(spool.read(1).unwrap().is_none(), "{length} bytes");
    }
    let unfinished = file().with_extension("new");
    disk.open(&unfinished, Open::Create).unwrap();
    assert_eq!(open(&disk).numbers(), [1]);
    assert!(disk.open(&unfinished, Open::Read).is_err());
}

#[test]
fn its_bound_is_kept_and_what_has_no_known_end_is_kept_whole_or_not() {
    let disk = CutDisk::new(1);
    let mut spool = LogSpool::open(Arc::new(disk), Path::new(STATE), 1_000);
    let (_, first, kept) = spool.write(header(), &mut fill).unwrap();
    assert_eq!((first.end, kept.end()), (400, 400));
    let (_, second, _) = spool.write(Header { end: 900, ..header() }, &mut fill).unwrap();
    assert_eq!((second.end, second.size, spool.bytes()), (526, 1_000, 1_000), "as much as there is room for");
    let full = spool.write(header(), &mut fill).map(|_| ()).unwrap_err();
    assert_eq!(full.kind(), io::ErrorKind::StorageFull);
    spool.remove(1);
    let endless = Header { end: u64::MAX, ..header() };
    assert!(spool.write(endless.clone(), &mut fill).is_err());
    let mut to_300 = |buffer: &mut [u8], offset: u64| {
        let count = buffer.len().min(usize::try_from(300_u64.saturating_sub(offset)).unwrap());
        fill(&mut buffer[..count], offset)
    };
    let (_, third, _) = spool.write(endless, &mut to_300).unwrap();
    assert_eq!((third.end, third.size), (300, 300));
}
