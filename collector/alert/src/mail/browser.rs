//! Mails in a real browser, light and dark: they draw, everything in them can be read, and nothing is wider than a phone.

use std::path::{Path, PathBuf};
use std::process::Command;

use resvg::tiny_skia::Pixmap;

use super::samples::{alert, ended, evidence, notice, opened, settings};
use super::{Evidence, Letter, Moment, Place, Templates, render};
use crate::alert::Notice;

/// WCAG's least for text.
const CONTRAST: f64 = 4.5;
/// CSS pixels of a small phone.
const PHONE: f64 = 360.0;

/// Writes into the title: how many texts there are, the least contrast of one, the brightness behind the first, how far right anything
/// goes on a phone, and how wide the picture is.
const SCRIPT: &str = r"<script>addEventListener('load', () => {
const rgb = text => text.match(/[\d.]+/g).map(Number);
const linear = part => (part /= 255) <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
const bright = ([red, green, blue]) => 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue);
const ground = element => {
  for (; element; element = element.parentElement) {
    const colour = rgb(getComputedStyle(element).backgroundColor);
    if (colour.length < 4 || colour[3] > 0) return colour;
  }
  return [255, 255, 255];
};
const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
let count = 0, least = 21;
while (texts.nextNode()) {
  const element = texts.currentNode.parentElement;
  if (!texts.currentNode.data.trim() || element.tagName == 'SCRIPT') continue;
  const pair = [bright(rgb(getComputedStyle(element).color)), bright(ground(element))].sort((one, other) => other - one);
  least = Math.min(least, (pair[0] + 0.05) / (pair[1] + 0.05));
  count += 1;
}
const behind = bright(ground(document.body));
document.body.style.width = '360px';
const right = Math.max(...[...document.body.querySelectorAll('*')].map(one => one.getBoundingClientRect().right));
document.title = ['report', count, least, behind, right, document.images[0]?.naturalWidth ?? 0].join(' ');
})</script>";

/// The mail's HTML as a file, with its picture as another.
fn page(letter: &Letter, folder: &Path) -> PathBuf {
    std::fs::write(folder.join("plot.png"), letter.picture.as_deref().unwrap_or_default()).unwrap();
    let html =
        letter.html.replace(&format!("cid:{}", letter.cid), "plot.png").replace("</body>", &format!("{SCRIPT}</body>"));
    let path = folder.join("mail.html");
    std::fs::write(&path, html).unwrap();
    path
}

fn chromium(folder: &Path, page: &Path, is_dark: bool, what: &str) -> String {
    let done = Command::new("chromium")
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--window-size=800,1400"])
        .arg(format!("--user-data-dir={}", folder.join("profile").display()))
        .arg(format!("--blink-settings=preferredColorScheme={}", u8::from(!is_dark)))
        .args([what.to_owned(), format!("file://{}", page.display())])
        .output()
        .expect("chromium is needed: apt-get install chromium");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap()
}

/// What [`SCRIPT`] found.
fn report(folder: &Path, page: &Path, is_dark: bool) -> [f64; 5] {
    let dump = chromium(folder, page, is_dark, "--dump-dom");
    let (_, rest) = dump.split_once("<title>report ").unwrap_or_else(|| panic!("no report: {dump}"));
    let numbers = rest.split("</title>").next().unwrap().split(' ').map(|number| number.parse().unwrap());
    numbers.collect::<Vec<f64>>().try_into().unwrap()
}

/// Words without a place to break them.
fn long_words() -> (Notice, Evidence) {
    let long = "x".repeat(500);
    let annotations = ["summary", "description", "remedy", "title"].map(|name| (name, long.as_str()));
    let labels = [("alertname", long.as_str()), ("severity", "warning"), ("host", &long), ("check", &long)];
    let mut evidence = evidence();
    evidence.log_lines[11].text.clone_from(&long);
    evidence.events.push(Moment { at_ms: 0, text: long.clone() });
    evidence.neighbours[0].host.clone_from(&long);
    evidence.earlier[0].note.clone_from(&long);
    evidence.plot.as_mut().unwrap().marks[0].text.clone_from(&long);
    (notice(vec![alert(&labels, &annotations)], Vec::new()), evidence)
}

#[test]
fn mails_draw_and_are_readable_in_a_browser_in_light_and_in_dark() {
    let folder = tempfile::tempdir().unwrap();
    for (name, (notice, evidence)) in
        [("opened", (opened(), evidence())), ("ended", (ended(), Evidence::default())), ("long words", long_words())]
    {
        let letter = render(&settings(), &Templates::default(), &notice, &evidence, &Place::default());
        let page = page(&letter, folder.path());
        for is_dark in [false, true] {
            let [count, contrast, behind, right, picture] = report(folder.path(), &page, is_dark);
            assert!(count >= 8.0, "{name}: {count} texts");
            assert!(contrast >= CONTRAST, "{name}, dark {is_dark}: contrast {contrast}");
            assert_eq!(behind < 0.1, is_dark, "{name}: brightness {behind}");
            assert!(right <= PHONE, "{name}: {right} pixels are needed");
            assert_eq!(picture > 0.0, letter.picture.is_some(), "{name}: the picture is {picture} wide");
        }
    }
}

#[test]
fn a_mail_is_more_than_one_colour() {
    let folder = tempfile::tempdir().unwrap();
    let page =
        page(&render(&settings(), &Templates::default(), &opened(), &evidence(), &Place::default()), folder.path());
    let mut drawn = Vec::new();
    for is_dark in [false, true] {
        let shot = folder.path().join("shot.png");
        chromium(folder.path(), &page, is_dark, &format!("--screenshot={}", shot.display()));
        let pixels = Pixmap::decode_png(&std::fs::read(shot).unwrap()).unwrap();
        assert_eq!((pixels.width(), pixels.height()), (800, 1400));
        let colours: std::collections::HashSet<_> = pixels.data().chunks(4).collect();
        assert!(colours.len() > 100, "{} colours", colours.len());
        drawn.push(pixels);
    }
    assert_ne!(drawn[0].pixel(2, 2), drawn[1].pixel(2, 2), "dark is as light");
}
