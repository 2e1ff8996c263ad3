//! A report as JSON, as comma-separated values and as a page that needs nothing beside it.

use std::fmt::Write;

use muster_fleet::availability::{PlannedAs, Share, Times, UnknownAs};
use serde_json::{Value, json};

use super::Asked;
use super::gather::{Found, HostTimes};

/// In CSV and on the page; JSON has them as keys.
const TIMES: [&str; 6] = ["up_ms", "down_ms", "unknown_ms", "planned_up_ms", "planned_down_ms", "planned_unknown_ms"];

const STYLE: &str = "body{font:14px/1.5 system-ui,sans-serif;margin:2em auto;max-width:70em;padding:0 1em;color:#111;background:#fff}\
table{border-collapse:collapse;width:100%;margin:1em 0}th,td{padding:.25em .6em;text-align:right;border-bottom:1px solid #ccc}\
th:first-child,td:first-child{text-align:left}tr.sum{font-weight:600}caption{text-align:left;font-weight:600;font-size:1.15em}\
@media print{body{margin:0;max-width:none}tr{break-inside:avoid}}";

impl Asked {
    const fn planned_word(&self) -> &'static str {
        match self.planned {
            PlannedAs::Counted => "counted",
            PlannedAs::Excluded => "excluded",
            PlannedAs::Ignored => "ignored",
        }
    }

    const fn unknown_word(&self) -> &'static str {
        match self.unknown {
            UnknownAs::Excluded => "excluded",
            UnknownAs::Down => "down",
        }
    }

    fn share(&self, times: &Times) -> Share {
        times.share(self.planned, self.unknown)
    }
}

const fn values(times: &Times) -> [u64; 6] {
    [times.up_ms, times.down_ms, times.unknown_ms, times.planned_up_ms, times.planned_down_ms, times.planned_unknown_ms]
}

fn sum<'a>(hosts: impl IntoIterator<Item = &'a HostTimes>) -> Times {
    let mut sum = Times::default();
    hosts.into_iter().for_each(|one| sum.add(&one.times));
    sum
}

fn all(found: &Found) -> Times {
    sum(found.groups.values().flatten())
}

pub(super) fn json(found: &Found) -> Value {
    let asked = &found.asked;
    let groups = found.groups.iter().map(|(value, hosts)| {
        let each: Vec<Value> = hosts
            .iter()
            .map(|one| {
                let mut json = times_json(asked, &one.times);
                json["host"] = one.host.as_str().into();
                json["from_ms"] = one.window.0.into();
                json["to_ms"] = one.window.1.into();
                json
            })
            .collect();
        let mut json = times_json(asked, &sum(hosts));
        json["group"] = value.as_str().into();
        json["hosts"] = each.into();
        json
    });
    json!({
        "month": asked.month,
        "zone": asked.zone,
        "from_ms": asked.window.0,
        "to_ms": asked.window.1,
        "is_over": asked.is_over,
        "label": asked.group,
        "check": asked.check,
        "planned": asked.planned_word(),
        "unknown": asked.unknown_word(),
        "groups": groups.collect::<Vec<_>>(),
        "all": times_json(asked, &all(found)),
        "warnings": found.warnings,
    })
}

fn times_json(asked: &Asked, times: &Times) -> Value {
    let share = asked.share(times);
    let percent = share.parts().map(|parts| parts as f64 / 10_000.0);
    let mut json = json!({"percent": percent, "available_ms": share.up_ms, "of_ms": share.of_ms});
    for (name, value) in TIMES.iter().zip(values(times)) {
        json[*name] = value.into();
    }
    json
}

/// A line a group, whose host is empty, before those of its hosts; lines end with CR LF (RFC 4180).
pub(super) fn csv(found: &Found) -> String {
    let asked = &found.asked;
    let mut out = format!("month,group,host,percent,available_ms,of_ms,{}\r\n", TIMES.join(","));
    let mut line = |group: &str, host: &str, times: &Times| {
        let share = asked.share(times);
        let mut cells = vec![cell(&asked.month), cell(group), cell(host), share.text()];
        cells.extend([share.up_ms, share.of_ms].into_iter().chain(values(times)).map(|value| value.to_string()));
        out.push_str(&cells.join(","));
        out.push_str("\r\n");
    };
    for (group, hosts) in &found.groups {
        line(group, "", &sum(hosts));
        hosts.iter().for_each(|one| line(group, &one.host, &one.times));
    }
    out
}

/// A text as a cell. One that a spreadsheet would calculate is shown as a text by the apostrophe that those understand.
fn cell(text: &str) -> String {
    let guarded = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.to_owned() };
    let needs = |letter: char| matches!(letter, ',' | '"') || letter.is_control();
    if guarded.contains(needs) || guarded.starts_with(' ') || guarded.ends_with(' ') {
        format!("\"{}\"", guarded.replace('"', "\"\""))
    } else {
        guarded
    }
}

pub(super) fn html(found: &Found) -> String {
    let asked = &found.asked;
    let title = match &asked.check {
        None => format!("Availability in {}", asked.month),
        Some(check) => format!("Availability of {check} in {}", asked.month),
    };
    let title = escaped(&title);
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>{title}</title>\n<style>{STYLE}</style>\n<h1>{title}</h1>\n"
    );
    let end = if asked.is_over { "" } else { " The month goes on: this is what there is of it." };
    let words = format!(
        "By the calendar of {}. Planned downtime is {}; time of which nothing is known is {}.{end}",
        asked.zone,
        match asked.planned {
            PlannedAs::Counted => "counted as time like any other",
            PlannedAs::Excluded => "left out",
            PlannedAs::Ignored => "taken for time in which all was up",
        },
        match asked.unknown {
            UnknownAs::Excluded => "left out",
            UnknownAs::Down => "counted as down",
        }
    );
    let _ = writeln!(page, "<p>{}</p>", escaped(&words));
    let _ = writeln!(page, "<p>All: <b>{}</b></p>", percent(asked, &all(found)));
    for warning in &found.warnings {
        let _ = writeln!(page, "<p>{}</p>", escaped(warning));
    }
    for (value, hosts) in &found.groups {
        let caption = match (&asked.group, value.as_str()) {
            (None, _) => "All hosts".to_owned(),
            (Some(label), "") => format!("without label {label}"),
            (Some(label), value) => format!("{label} {value}"),
        };
        let _ = writeln!(
            page,
            "<table><caption>{}</caption>\n<tr><th>Host<th>Available<th>Up<th>Down<th>Not known<th>Planned<th>Of that down</tr>",
            escaped(&caption)
        );
        hosts.iter().for_each(|one| row(&mut page, asked, "", &one.host, &one.times));
        row(&mut page, asked, " class=\"sum\"", "All of them", &sum(hosts));
        page.push_str("</table>\n");
    }
    page
}

fn row(page: &mut String, asked: &Asked, class: &str, name: &str, times: &Times) {
    let cells = [times.up_ms, times.down_ms, times.unknown_ms, times.planned_ms(), times.planned_down_ms].map(span);
    let (name, percent) = (escaped(name), percent(asked, times));
    let _ = writeln!(page, "<tr{class}><td>{name}<td>{percent}<td>{}</tr>", cells.join("<td>"));
}

fn percent(asked: &Asked, times: &Times) -> String {
    match asked.share(times).text().as_str() {
        "" => "no time to speak of".to_owned(),
        text => format!("{text} %"),
    }
}

/// `29d 23:59:45`, by the second below.
fn span(ms: u64) -> String {
    let seconds = ms / 1_000;
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    let clock = format!("{hours:02}:{minutes:02}:{:02}", seconds % 60);
    if days == 0 { clock } else { format!("{days}d {clock}") }
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            letter if letter.is_control() => out.push('\u{fffd}'),
            letter => out.push(letter),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_others_neither_calculate_nor_become_markup() {
        for (text, expect) in [
            ("web-1", "web-1"),
            ("=1+1", "'=1+1"),
            ("@sum, of \"a\"", "\"'@sum, of \"\"a\"\"\""),
            (" a", "\" a\""),
            ("-a\nb", "\"'-a\nb\""),
        ] {
            assert_eq!(cell(text), expect);
        }
        assert_eq!(escaped("<b title='x' & \"y\">\u{7}"), "&lt;b title=&#39;x&#39; &amp; &quot;y&quot;&gt;\u{fffd}");
    }

    #[test]
    fn spans_read_as_days_and_a_clock() {
        for (ms, expect) in
            [(0, "00:00:00"), (999, "00:00:00"), (3_661_000, "01:01:01"), (2_591_985_000, "29d 23:59:45")]
        {
            assert_eq!(span(ms), expect);
        }
    }
}
