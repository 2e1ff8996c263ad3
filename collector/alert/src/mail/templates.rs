//! The two templates of a mail: ours, or those of a folder.

use std::path::Path;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{Environment, Value};
use serde::Serialize;

/// Instructions of one rendering. Ours take some 3,000 for a large mail.
const FUEL: u64 = 200_000;
/// Largest template file that is read.
const FILE_BYTES: u64 = 256 << 10;
const NAMES: [(&str, &str); 2] = [
    ("email.html", include_str!("../../templates/email.html")),
    ("email.txt", include_str!("../../templates/email.txt")),
];

/// Why a template cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    #[error("template {path} cannot be read: {source}")]
    Read { path: String, source: std::io::Error },
    #[error("template {path} has more than {FILE_BYTES} bytes: make it smaller")]
    Large { path: String },
    /// With the line, as the template engine says it.
    #[error("template {path}: {source}")]
    Syntax { path: String, source: minijinja::Error },
}

/// Templates, compiled.
pub struct Templates {
    own: Environment<'static>,
    changed: Option<Environment<'static>>,
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_fuel(Some(FUEL));
    // Lines with nothing but a tag leave no line behind.
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true).build();
    environment.set_syntax(syntax.expect("the usual delimiters"));
    environment
}

impl Default for Templates {
    fn default() -> Self {
        let mut own = environment();
        for (name, source) in NAMES {
            own.add_template(name, source).expect("our templates are compiled by every test");
        }
        Self { own, changed: None }
    }
}

impl Templates {
    /// Ours, with those of `folder` (`email.html`, `email.txt`; one may lack) in their place. Values in HTML are escaped unless the
    /// template asks for them as they are.
    ///
    /// # Errors
    /// [`TemplateError`] with the file's name: not readable, too large, or wrong.
    pub fn load(folder: &Path) -> Result<Self, TemplateError> {
        let mut changed = environment();
        for (name, source) in NAMES {
            let path = folder.join(name);
            let shown = || path.display().to_string();
            let text = match std::fs::metadata(&path) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => source.to_owned(),
                Err(source) => return Err(TemplateError::Read { path: shown(), source }),
                Ok(metadata) if metadata.len() > FILE_BYTES => return Err(TemplateError::Large { path: shown() }),
                Ok(_) => {
                    std::fs::read_to_string(&path).map_err(|source| TemplateError::Read { path: shown(), source })?
                }
            };
            changed.add_template_owned(name, text).map_err(|source| TemplateError::Syntax { path: shown(), source })?;
        }
        Ok(Self { changed: Some(changed), ..Self::default() })
    }

    /// A part by its name. Where a changed template fails ours takes its place, and the second value says why.
    pub(super) fn render(&self, name: &str, view: &impl Serialize) -> (String, Option<String>) {
        let with = |environment: &Environment<'_>| {
            environment.get_template(name).and_then(|template| template.render(Value::from(Serde(view))))
        };
        let mut fault = None;
        if let Some(changed) = &self.changed {
            match with(changed) {
                Ok(text) => return (text, None),
                Err(error) => fault = Some(format!("template {name} failed, the built-in one was used: {error:#}")),
            }
        }
        match with(&self.own) {
            Ok(text) => (text, fault),
            Err(error) => (String::new(), Some(format!("template {name} failed: {error:#}"))),
        }
    }
}
