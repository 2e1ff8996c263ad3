//! Mails against golden files, read back by another parser, and with hostile words.

use mailparse::{MailHeaderMap, ParsedMail, parse_mail};
use muster_common::label::LabelSet;
use resvg::tiny_skia::Pixmap;

use super::samples::{alert, ended, evidence, notice, opened, settings};
use super::{
    Before, Earlier, Evidence, Letter, LogLine, MAIL_BYTES, Moment, Neighbour, Place, Reading, Suspected, Templates,
    digest, render,
};
use crate::alert::Notice;
use crate::outgoing::{DigestEntry, DigestLetter};
use crate::plot::PlotData;
use crate::plot::samples::{ONSET, filling};

fn letter(notice: &Notice, evidence: &Evidence, place: &Place) -> Letter {
    let letter = render(&settings(), &Templates::default(), notice, evidence, place);
    assert_eq!(letter.faults, Vec::<String>::new());
    letter
}

fn is_golden(name: &str, text: &str) {
    let path = format!("{}/golden/{name}", env!("CARGO_MANIFEST_DIR"));
    #[expect(clippy::disallowed_methods, reason = "the variable is how golden files are written anew")]
    if std::env::var("UPDATE_GOLDEN").is_ok() {
        std::fs::write(&path, text).unwrap();
    }
    assert!(
        std::fs::read_to_string(&path).unwrap() == text,
        "{name} differs: look at the change, then UPDATE_GOLDEN=1"
    );
}

/// The parts by type.
fn part<'a>(mail: &'a ParsedMail<'a>, kind: &str) -> Option<&'a ParsedMail<'a>> {
    mail.parts().find(|part| part.ctype.mimetype == kind)
}

#[test]
fn a_mail_has_its_evidence_in_words_html_and_picture() {
    let letter = letter(&opened(), &evidence(), &Place::default());
    assert_eq!(letter.subject, "db1: /var filling");
    assert_eq!(letter.first_line, "CRITICAL since 14:03 CET (13:03 UTC): 95.8 %, limit 90 %, full in 40 min");
    let mime = letter.mime("Anna <anna@example.org>").unwrap();
    is_golden("opened.eml", &mime);
    assert!(mime.len() <= MAIL_BYTES && mime.is_ascii() && mime.lines().all(|line| line.len() <= 998));
    let mail = parse_mail(mime.as_bytes()).unwrap();
    assert_eq!(mail.ctype.mimetype, "multipart/alternative");
    assert_eq!(
        mail.subparts.iter().map(|part| part.ctype.mimetype.as_str()).collect::<Vec<_>>(),
        ["text/plain", "multipart/related"]
    );
    for (name, value) in [
        ("Subject", "db1: /var filling"),
        ("To", "Anna <anna@example.org>"),
        ("List-Id", "<ops-team.muster.example.org>"),
        ("Auto-Submitted", "auto-generated"),
        ("X-Auto-Response-Suppress", "All"),
        ("X-Muster-Severity", "critical"),
        ("X-Muster-Host", "db1"),
        ("X-Muster-Alert", "disk /var"),
        ("X-Muster-Incident", "41"),
        ("X-Team", "storage"),
        ("Date", "Tue, 10 Mar 2026 13:18:00 +0000"),
    ] {
        assert_eq!(mail.headers.get_all_values(name), [value], "{name}");
    }
    let text = part(&mail, "text/plain").unwrap().get_body().unwrap();
    let html = part(&mail, "text/html").unwrap().get_body().unwrap().replace("&#x2f;", "/");
    for words in [
        "disk /var",
        "What to do",
        "No space left on device",
        "postgresql upgraded",
        "What changed before",
        "package postgresql 16.2",
        "54 min before, only on this host",
        "all 4 hosts with the problem have kernel",
        "db2",
        "anna: old WAL removed",
        "z\u{fc}rich",
        "muster checks ack db1 &#x27;disk",
        "95.8 %",
    ] {
        assert!(html.contains(words), "HTML lacks {words}: {html}");
        assert!(text.contains(&words.replace("&#x27;", "'")), "text lacks {words}: {text}");
    }
    assert_eq!(text.matches("No space left").count(), 10);
    assert!(text.contains('\u{2588}'), "{text}");
    let alone = letter.html_alone();
    assert!(alone.contains("src=\"data:image/png;base64,iVBOR") && !alone.contains("cid:"), "{alone}");
    let picture = part(&mail, "image/png").unwrap();
    let cid = picture.headers.get_first_value("Content-ID").unwrap();
    assert!(html.contains(&format!("cid:{}", cid.trim_matches(['<', '>']))), "{cid}");
    assert_eq!(Pixmap::decode_png(&picture.get_body_raw().unwrap()).unwrap().width(), 1200);
}

#[test]
fn the_end_keeps_the_subject_and_says_how_long_it_was() {
    let notice = ended();
    let place = Place { subject: Some("db1: /var filling".to_owned()), is_only: false };
    let reading = Some(Reading { value: Some(71.0), unit: "%".to_owned(), ..Reading::default() });
    let evidence = Evidence { reading, ..Evidence::default() };
    let later = letter(&notice, &evidence, &place);
    assert_eq!(later.subject, "db1: /var filling");
    assert_eq!(later.first_line, "RESOLVED at 15:10 CET (14:10 UTC) after 1 h 7 min: was CRITICAL, now 71 %");
    is_golden("resolved.eml", &later.mime("anna@example.org").unwrap());
    let only = letter(&notice, &evidence, &Place { is_only: true, ..place });
    assert!(
        only.text.contains("the only mail of this incident") && only.html.contains("the only mail of this incident")
    );
    assert!(!later.text.contains("the only mail"));
    // Where nothing is known of what changed nothing is said.
    assert!(!later.text.contains("What changed before") && !later.html.contains("What changed before"));
}

#[test]
fn hostile_words_are_encoded_and_bounded() {
    let huge = "x".repeat(1 << 20);
    let evil = "a\r\nBcc: victim@example.org\r\n\r\n<script>alert(1)</script>{{ 7 * 7 }}{% for x in y %}";
    for words in [evil, huge.as_str(), "\u{202e}\u{1f600}\0\u{7f}'\"&;`$(rm -rf /)"] {
        // Label sets have a bound of their own.
        let label = &words[..words.len().min(4000)];
        let alert = alert(
            &[("alertname", label), ("severity", label), ("host", label), ("check", label), ("x", label)],
            &[
                ("summary", words),
                ("description", words),
                ("remedy", words),
                ("runbook_url", "javascript:alert(1)"),
                ("title", words),
            ],
        );
        let mut notice = notice(vec![alert; 60], Vec::new());
        notice.receiver = words.to_owned();
        notice.group_labels = LabelSet::new([("host", label)]).unwrap();
        let line = || LogLine { at_ms: ONSET, source: words.to_owned(), text: words.to_owned() };
        let suspected = Suspected { text: words.to_owned(), why: words.to_owned(), page: "/deploys".to_owned() };
        let evidence = Evidence {
            reading: Some(Reading {
                value: Some(f64::NAN),
                unit: words.to_owned(),
                limit: Some(1e300),
                forecast: words.to_owned(),
            }),
            plot: Some(PlotData { title: words.to_owned(), unit: words.to_owned(), ..filling() }),
            log_lines: vec![line(); 30],
            events: vec![Moment { at_ms: i64::MAX, text: words.to_owned() }; 30],
            before: Before { suspects: vec![suspected; 30], separator: words.to_owned() },
            neighbours: vec![Neighbour { host: words.to_owned(), since_ms: i64::MIN }; 30],
            earlier: vec![Earlier { from_ms: 0, to_ms: i64::MAX, note: words.to_owned() }; 30],
        };
        let letter = letter(&notice, &evidence, &Place::default());
        let mime = letter.mime("anna@example.org").unwrap();
        assert!(mime.len() <= MAIL_BYTES, "{} bytes", mime.len());
        let mail = parse_mail(mime.as_bytes()).unwrap();
        assert!(mail.headers.get_first_value("Bcc").is_none());
        assert_eq!(mail.headers.get_all_values("Subject").len(), 1);
        let html = part(&mail, "text/html").unwrap().get_body().unwrap();
        assert!(!html.contains("<script>") && !html.contains("javascript:") && !html.contains("49"), "{html}");
        assert!(mime.lines().all(|line| line.len() <= 998));
    }
}

#[test]
fn addresses_that_are_none_are_refused_by_name() {
    let letter = letter(&opened(), &Evidence::default(), &Place::default());
    for address in ["", "anna", "anna@example.org\r\nBcc: x@example.org", "a@b, c@d"] {
        assert!(letter.mime(address).unwrap_err().to_string().contains("is no mail address"), "{address}");
    }
}

#[test]
fn templates_of_a_folder_take_the_place_of_ours_and_cannot_stop_a_mail() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("email.txt", "{{ first_line }}\nours\n");
    write("email.html", "<p>{{ members[0].name }}</p>");
    let notice = notice(vec![alert(&[("alertname", "<b>"), ("host", "h")], &[])], Vec::new());
    let with = |templates: &Templates| render(&settings(), templates, &notice, &Evidence::default(), &Place::default());
    let letter = with(&Templates::load(folder.path()).unwrap());
    assert!(letter.text.ends_with("ours\n"));
    assert_eq!(letter.html, "<p>&lt;b&gt;</p>");
    write("email.html", "{% for a in range(9999) %}{% for b in range(9999) %}x{% endfor %}{% endfor %}");
    let letter = with(&Templates::load(folder.path()).unwrap());
    assert!(letter.html.contains("What to do") || letter.html.contains("<!DOCTYPE html>"));
    assert_eq!(letter.faults.len(), 1);
    assert!(letter.faults[0].contains("email.html"), "{:?}", letter.faults);
    write("email.html", "{% for a in %}");
    let error = Templates::load(folder.path()).err().unwrap().to_string();
    assert!(error.contains("email.html"), "{error}");
}

#[test]
fn a_digest_names_every_entry_and_is_a_mail() {
    let entry = |number: i64| DigestEntry {
        at_ms: ONSET + number,
        subject: format!("{number}{}", "s".repeat(120)),
        summary: "\u{fc}".repeat(65),
    };
    let letter = DigestLetter {
        receiver: "ops".to_owned(),
        recipient: "anna@example.org".to_owned(),
        at_ms: ONSET,
        per_hour: 60,
        entries: (0..500).map(entry).collect(),
    };
    let mime = digest(&settings(), &letter).unwrap();
    assert!(mime.len() <= MAIL_BYTES && mime.is_ascii(), "{}", mime.len());
    let text = parse_mail(mime.as_bytes()).unwrap().get_body().unwrap();
    assert!((0..500).all(|number| text.contains(&format!("  {number}sss"))));
}

#[test]
fn a_bare_number_gives_way_to_the_checks_own_words() {
    let mut evidence = evidence();
    let first_line = |evidence: &Evidence| letter(&opened(), evidence, &Place::default()).first_line;
    assert!(first_line(&evidence).contains("95.8 %, limit 90 %"), "{}", first_line(&evidence));
    evidence.reading.as_mut().unwrap().unit = String::new();
    let line = first_line(&evidence);
    assert!(line.contains(": /var 96 % used, 1.2 GiB free, full in") && !line.contains("limit"), "{line}");
}
