//! Somebody who works with a collector: by its API and by `muster`.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use serde_json::Value;

use super::agent::muster;
use super::collector::Collector;

const PATH: &str = "/api/muster/v1";

/// A collector and who works with it as its administrator.
pub struct Operator {
    pub programs: PathBuf,
    pub collector: Collector,
}

impl Operator {
    pub fn new(programs: &Path, collector: Collector) -> Self {
        Self { programs: programs.to_owned(), collector }
    }

    /// What our own API answers at this path below its own.
    ///
    /// # Errors
    /// When there is no answer, or it is no JSON.
    pub fn get(&self, path: &str) -> Result<Value> {
        self.collector.get(&format!("{PATH}/{path}"))?.json()
    }

    /// Exit code, output and errors of `muster` with these words.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn run(&self, words: &[&str]) -> Result<(i32, String, String)> {
        muster(&self.programs, &self.collector, words)
    }

    /// What `muster` prints.
    ///
    /// # Errors
    /// When it fails, with what it says.
    pub fn done(&self, words: &[&str]) -> Result<String> {
        let (code, text, error) = self.run(words)?;
        ensure!(code == 0, "{words:?}: {error}");
        Ok(text)
    }
}
