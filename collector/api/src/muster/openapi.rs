//! The document itself, for people and generators.

use axum::http::{HeaderName, header};

pub(crate) async fn document() -> ([(HeaderName, &'static str); 1], &'static str) {
    ([(header::CONTENT_TYPE, "application/yaml")], crate::OPENAPI)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use crate::error::Dialect;

    /// `METHOD path` of each operation of the document: paths at two spaces, methods at four.
    fn described() -> BTreeSet<String> {
        let (mut found, mut path) = (BTreeSet::new(), "");
        let paths = crate::OPENAPI.split("\npaths:\n").nth(1).unwrap().split("\ncomponents:\n").next().unwrap();
        for line in paths.lines() {
            let indent = line.len() - line.trim_start().len();
            let Some(key) = line.trim().strip_suffix(':') else { continue };
            match indent {
                2 => path = key,
                4 if ["get", "post", "delete", "put"].contains(&key) => {
                    found.insert(format!("{} {path}", key.to_uppercase()));
                }
                _ => {}
            }
        }
        found
    }

    #[test]
    fn the_document_has_exactly_the_routes() {
        let routes = crate::routes().filter(|route| route.dialect == Dialect::Muster);
        let known: BTreeSet<String> = routes
            .flat_map(|route| route.methods.iter().map(move |method| format!("{method} {}", route.path)))
            .collect();
        assert_eq!(described(), known);
    }

    #[test]
    fn each_reference_in_the_document_has_one_target() {
        for line in crate::OPENAPI.lines() {
            let Some((_, target)) = line.split_once("$ref: '#/components/") else { continue };
            let (section, name) = target.split('\'').next().unwrap().split_once('/').unwrap();
            let section = crate::OPENAPI.split(&format!("\n  {section}:\n")).nth(1).unwrap_or_else(|| panic!("{line}"));
            let named = section.lines().take_while(|line| line.starts_with("    "));
            assert_eq!(named.filter(|line| *line == format!("    {name}:")).count(), 1, "{line}");
        }
    }
}
