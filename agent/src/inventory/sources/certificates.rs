//! Certificates in the files of daemons.

use muster_common::digest::Sha256;
use muster_common::identity::certificate;
use muster_common::inventory::Rows;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use super::super::bounded;
use super::{Problem, Scene};
use crate::sources::parse;

/// Files that are looked at.
const FILES_MAX: usize = 500;
/// A chain with its key has some 10 kB.
const FILE_BYTES_MAX: usize = 256 << 10;
/// Certificates of one file: more are a bundle of authorities, which is none of a daemon's own.
const CHAIN_MAX: usize = 16;

pub(super) fn read(scene: &Scene, rows: &mut Rows) -> Result<(), Problem> {
    let found = bounded::find(scene.root(), &scene.certificates, FILES_MAX);
    if found.is_cut {
        scene.note(format!(
            "certificates: only {FILES_MAX} files are looked at; name fewer with inventory.certificates"
        ));
    }
    scene.memory.borrow_mut().folders.insert("certificates", found.folders.clone());
    for path in found.files.keys() {
        let place = path.to_string_lossy();
        let real = scene.path(place.trim_start_matches('/'));
        let Ok((bytes, is_cut)) = bounded::read(&real, FILE_BYTES_MAX) else {
            scene.note(format!("{place}: cannot be read by this user"));
            continue;
        };
        let mut chain: Vec<Vec<u8>> =
            CertificateDer::pem_slice_iter(&bytes).flatten().take(CHAIN_MAX + 1).map(|der| der.to_vec()).collect();
        if chain.is_empty() && bytes.first() == Some(&0x30) {
            chain.push(bytes);
        }
        if is_cut || chain.len() > CHAIN_MAX {
            continue;
        }
        for der in &chain {
            match certificate::read(der) {
                Ok(facts) => add(rows, &place, der, &facts),
                Err(error) => scene.note(format!("{place}: {error}")),
            }
        }
    }
    Ok(())
}

fn add(rows: &mut Rows, place: &str, der: &[u8], facts: &certificate::CertificateFacts) {
    let names: Vec<String> =
        facts.dns_names.iter().cloned().chain(facts.addresses.iter().map(ToString::to_string)).collect();
    let seconds = |at: muster_common::time::Timestamp| at.millis().div_euclid(1_000);
    // Names may hold any bytes.
    let clean = |text: &str| parse::text(text.as_bytes());
    rows.add([
        place.into(),
        facts.serial.to_string().into(),
        clean(&facts.subject).into(),
        clean(&facts.issuer).into(),
        clean(&names.join(", ")).into(),
        seconds(facts.not_before).into(),
        seconds(facts.not_after).into(),
        Sha256::of(der).to_string().into(),
    ]);
}
