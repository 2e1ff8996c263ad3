//! For this crate's tests: trees of small files in place of /proc and /sys, rows as text, and an allocator that counts.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::path::{Path, PathBuf};

use muster_common::sample::is_stale;

use crate::rows::Rows;
use crate::sources::{Roots, SourceError, run_source};

/// A folder with `proc`, `sys` and whatever else a test writes; gone with the value.
pub(crate) struct Tree {
    folder: tempfile::TempDir,
}

impl Tree {
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        let tree = Self { folder: tempfile::tempdir().expect("a temporary folder") };
        for folder in ["proc", "sys"] {
            std::fs::create_dir(tree.path(folder)).expect("an empty folder");
        }
        files.iter().for_each(|(path, text)| tree.write(path, text));
        tree
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        std::fs::create_dir_all(path.parent().unwrap_or(Path::new("/"))).expect("a folder");
        std::fs::write(path, text).expect("a file");
    }

    pub(crate) fn remove(&self, path: &str) {
        let path = self.path(path);
        if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) }.expect("removed");
    }

    pub(crate) fn roots(&self) -> Roots {
        Roots { proc: self.path("proc"), sys: self.path("sys"), root: self.path("") }
    }
}

/// The row's values as `name{labels} value`, sorted; a stale marker is `stale`.
pub(crate) fn shown(rows: &Rows) -> Vec<String> {
    let mut lines: Vec<String> = rows
        .series()
        .iter()
        .zip(rows.values())
        .enumerate()
        .filter(|(index, _)| rows.is_present(*index))
        .map(|(_, (series, value))| {
            let mut labels: Vec<String> =
                series.labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
            labels.sort();
            let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
            let value = if is_stale(*value) { "stale".to_owned() } else { value.to_string() };
            format!("{}{labels} {value}", series.name)
        })
        .collect();
    lines.sort();
    lines
}

/// What the named source gives for this tree, in one run of a fresh one.
pub(crate) fn sampled(source: &str, tree: &Tree) -> Result<Vec<String>, SourceError> {
    let mut rows = Rows::default();
    run_source(source, &tree.roots(), &mut rows)?;
    Ok(shown(&rows))
}

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

/// Counts what each thread allocates, so that tests beside each other do not disturb the count.
struct Counting;

#[expect(unsafe_code, reason = "an allocator is an unsafe trait; every call goes to the system's unchanged")]
// SAFETY: each method passes its arguments to `System`, which keeps GlobalAlloc's contract, and returns its answer.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.try_with(|count| count.set(count.get() + 1)).ok();
        // SAFETY: the caller keeps alloc's contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps dealloc's contract; the pointer came from `System`.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.try_with(|count| count.set(count.get() + 1)).ok();
        // SAFETY: the caller keeps realloc's contract; the pointer came from `System`.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Allocations that `work` makes on this thread.
pub(crate) fn allocations(work: impl FnOnce()) -> u64 {
    let before = ALLOCATIONS.with(Cell::get);
    work();
    ALLOCATIONS.with(Cell::get) - before
}
