//! A deterministic corpus of log lines, nothing of which is in the repository: an access log, an application's JSON and a system log a host.
//!
//! Words repeat as they do in real logs, while ids, addresses, durations and counts are fresh in each line: about a third of the bytes is of that
//! kind, which sets a floor for every compression, so that ratios between stores are fair.

use std::io::Write;

use super::workload::mix;

/// What a host writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    Access,
    Application,
    System,
}

impl Service {
    pub const ALL: [Self; 3] = [Self::Access, Self::Application, Self::System];

    pub const fn path(self) -> &'static str {
        match self {
            Self::Access => "/var/log/nginx/access.log",
            Self::Application => "/var/log/shop/app.json",
            Self::System => "/var/log/syslog",
        }
    }
}

/// A word that stands in exactly one line of a corpus, between spaces.
pub const RARE_WORD: &str = "needle4c1be9d0";
/// A word that stands in none, and no part of which does at length.
pub const ABSENT_WORD: &str = "zzzabsentword";
/// Letters that stand in none, and would stand in the middle of words.
pub const ABSENT_PART: &str = "qzjv";

const METHODS: [&str; 6] = ["GET", "GET", "GET", "POST", "PUT", "DELETE"];
const ROUTES: [&str; 10] =
    ["orders", "orders", "users", "cart", "search", "products", "payments", "sessions", "stock", "reviews"];
const AGENTS: [&str; 5] = [
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/139.0.0.0 Safari/537.36",
    "okhttp/4.12.0",
    "python-requests/2.32.3",
    "curl/8.14.1",
];
const MESSAGES: [&str; 8] = [
    "request completed",
    "request completed",
    "request completed",
    "cache miss",
    "query finished",
    "message published",
    "retry scheduled",
    "token refreshed",
];
const UNITS: [&str; 6] = ["backup", "certbot", "fstrim", "logrotate", "man-db", "apt-daily"];
const USERS: [&str; 8] = ["root", "admin", "deploy", "git", "oracle", "postgres", "test", "ubuntu"];
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// The lines of one service of one host, one after the other.
pub struct Writer {
    service: Service,
    host: usize,
    state: u64,
    /// Of the request that the last lines told of: some lines share it.
    trace: u64,
    process: u64,
}

impl Writer {
    pub fn new(seed: u64, host: usize, service: Service) -> Self {
        let state = mix(seed ^ (host as u64) << 8 ^ service as u64);
        Self { service, host, state, trace: mix(state), process: 400 + state % 30_000 }
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.state = self.state.wrapping_add(1);
        mix(self.state) % bound
    }

    fn of<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.below(words.len() as u64) as usize]
    }

    /// A duration in microseconds: most are short, a few a thousand times as long.
    fn micros(&mut self) -> u64 {
        let (a, b) = (self.below(1_000), self.below(1_000));
        200 + a * b / 20 + if self.below(100) == 0 { self.below(2_000_000) } else { 0 }
    }

    fn status(&mut self) -> u64 {
        match self.below(200) {
            0 => 500,
            1 => 503,
            2..5 => 404,
            5..7 => 401,
            7..20 => 304,
            20..40 => 201,
            _ => 200,
        }
    }

    /// Appends the line of this time, without a line end.
    pub fn line(&mut self, at_ns: i64, out: &mut Vec<u8>) {
        let at = Moment::of(at_ns);
        // Writing to a vector does not fail.
        let _ = match self.service {
            Service::Access => self.access(&at, out),
            Service::Application => self.application(&at, out),
            Service::System => self.system(&at, out),
        };
    }

    fn access(&mut self, at: &Moment, out: &mut Vec<u8>) -> std::io::Result<()> {
        let (a, b, c) = (self.below(32), self.below(256), self.below(256));
        let (method, route, id) = (self.of(&METHODS), self.of(&ROUTES), self.below(1 << 20));
        let (status, bytes, micros) = (self.status(), self.below(1 << 16), self.micros());
        let agent = self.of(&AGENTS);
        write!(
            out,
            "10.{a}.{b}.{c} - - [{:02}/{}/{}:{}] \"{method} /api/v1/{route}/{id} HTTP/1.1\" {status} {bytes} \"-\" \"{agent}\" {:.3}",
            at.day,
            MONTHS[at.month - 1],
            at.year,
            at.clock(),
            micros as f64 / 1e6
        )
    }

    fn application(&mut self, at: &Moment, out: &mut Vec<u8>) -> std::io::Result<()> {
        if self.below(3) == 0 {
            self.trace = mix(self.state);
        }
        let (status, route, message) = (self.status(), self.of(&ROUTES), self.of(&MESSAGES));
        let level = match status {
            500.. => "error",
            400.. => "warn",
            _ => "info",
        };
        let (user, micros, span) = (self.below(50_000), self.micros(), mix(self.state ^ 5));
        write!(
            out,
            "{{\"ts\":\"{}-{:02}-{:02}T{}.{:06}Z\",\"level\":\"{level}\",\"logger\":\"shop.{route}\",\"msg\":\"{message}\",\"status\":{status},\
             \"duration_ms\":{:.3},\"user\":\"u-{user}\",\"trace_id\":\"{:016x}\",\"span_id\":\"{span:016x}\"}}",
            at.year,
            at.month,
            at.day,
            at.clock(),
            at.micros,
            micros as f64 / 1e3,
            self.trace
        )
    }

    fn system(&mut self, at: &Moment, out: &mut Vec<u8>) -> std::io::Result<()> {
        let (host, process) = (self.host, self.process + self.below(40));
        write!(out, "{} {:2} {} node-{host:04} ", MONTHS[at.month - 1], at.day, at.clock())?;
        let (a, b, port, number) = (self.below(224), self.below(256), 1_024 + self.below(64_000), self.below(100_000));
        let (user, unit) = (self.of(&USERS), self.of(&UNITS));
        match self.below(8) {
            0 | 1 => write!(
                out,
                "sshd[{process}]: Failed password for invalid user {user} from {a}.{b}.17.{} port {port} ssh2",
                b / 2
            ),
            2 => write!(
                out,
                "sshd[{process}]: Connection closed by authenticating user {user} {a}.{b}.9.{} port {port} [preauth]",
                b / 3
            ),
            3 => write!(out, "systemd[1]: {unit}.service: Deactivated successfully."),
            4 => write!(out, "systemd[1]: {unit}.service: Consumed {}.{:03}s CPU time.", number % 60, number / 100),
            5 => write!(out, "CRON[{process}]: ({user}) CMD (test -x /usr/sbin/anacron || run-parts /etc/cron.hourly)"),
            6 => write!(
                out,
                "kernel: [{number}.{port:06}] nf_conntrack: drop IN=eth0 SRC={a}.{b}.3.4 DST=10.0.{}.{} LEN={} PROTO=TCP SPT={port} DPT=443",
                b / 2,
                a / 2,
                40 + number % 1_400
            ),
            _ => write!(
                out,
                "postfix/smtp[{process}]: {:010X}: to=<{user}{number}@example.org>, relay=mx{}.example.org[{a}.{b}.1.1]:25, delay={}.{:02}, status=sent",
                mix(self.state) >> 24,
                number % 4,
                number % 9,
                number % 97
            ),
        }
    }
}

/// A time by the calendar, UTC.
struct Moment {
    year: i64,
    month: usize,
    day: i64,
    second: i64,
    micros: i64,
}

impl Moment {
    fn of(at_ns: i64) -> Self {
        let seconds = at_ns.div_euclid(1_000_000_000);
        // Years that begin in March, so that the leap day is their last: eras of 400 such years have 146,097 days.
        let days = seconds.div_euclid(86_400) + 719_468;
        let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
        let of_era_year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * of_era_year + of_era_year / 4 - of_era_year / 100);
        let march = (5 * of_year + 2) / 153;
        let month = if march < 10 { march + 3 } else { march - 9 };
        Self {
            year: era * 400 + of_era_year + i64::from(month <= 2),
            month: month as usize,
            day: of_year - (153 * march + 2) / 5 + 1,
            second: seconds.rem_euclid(86_400),
            micros: at_ns.rem_euclid(1_000_000_000) / 1_000,
        }
    }

    fn clock(&self) -> String {
        format!("{:02}:{:02}:{:02}", self.second / 3_600, self.second / 60 % 60, self.second % 60)
    }
}

/// Lines of one service: (time in ns, text).
pub type Block = Vec<(i64, Vec<u8>)>;

/// A host's lines, group by group.
pub struct HostLines {
    writers: [Writer; 3],
    host: usize,
    start_ns: i64,
    span_ns: i64,
    groups: i64,
}

/// Plain bytes of one group: a quarter of what an agent puts into a batch at most, as one that is not behind sends under load.
const GROUP_BYTES: usize = 256 << 10;

impl HostLines {
    /// `groups` groups over `span_ns` from `start_ns`.
    pub fn new(seed: u64, host: usize, (start_ns, span_ns): (i64, i64), groups: i64) -> Self {
        Self { writers: Service::ALL.map(|service| Writer::new(seed, host, service)), host, start_ns, span_ns, groups }
    }

    /// Group number `group`, asked for in order: the lines of each service in [`Service::ALL`], and their bytes with line ends.
    /// The first host's middle group has the one line with [`RARE_WORD`].
    pub fn group(&mut self, group: i64) -> ([Block; 3], u64) {
        let step_ns = self.span_ns / self.groups.max(1);
        let from_ns = self.start_ns + group * step_ns;
        // A line has at least 64 bytes, so none goes over the end of its group's time.
        let apart_ns = (step_ns / (GROUP_BYTES as i64 / 64)).max(1);
        let (mut blocks, mut bytes, mut count) = ([Vec::new(), Vec::new(), Vec::new()], 0, 0);
        while bytes < GROUP_BYTES {
            let at_ns = from_ns + count * apart_ns;
            let service = count as usize % 3;
            let mut line = Vec::with_capacity(256);
            self.writers[service].line(at_ns, &mut line);
            if self.host == 0 && group == self.groups / 2 && count == 0 {
                line.extend_from_slice(format!(" {RARE_WORD} end").as_bytes());
            }
            bytes += line.len() + 1;
            count += 1;
            blocks[service].push((at_ns, line));
        }
        (blocks, bytes as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_NS: i64 = 1_700_000_000_123_456_789;

    fn all(seed: u64) -> Vec<u8> {
        let mut text = Vec::new();
        for host in 0..2 {
            let mut lines = HostLines::new(seed, host, (NOW_NS, 3_600_000_000_000), 4);
            for group in 0..4 {
                let (blocks, bytes) = lines.group(group);
                let each = blocks.iter().flatten();
                assert_eq!(each.clone().map(|(_, line)| line.len() as u64 + 1).sum::<u64>(), bytes);
                assert!(each.clone().all(|(_, line)| line.len() >= 63 && !line.contains(&b'\n')));
                assert!(blocks.iter().all(|block| block.is_sorted_by_key(|(at_ns, _)| *at_ns) && !block.is_empty()));
                let end = NOW_NS + (group + 1) * 900_000_000_000;
                assert!(each.clone().all(|(at_ns, _)| (end - 900_000_000_000..end).contains(at_ns)));
                each.for_each(|(_, line)| text.extend_from_slice(&[line, &b"\n"[..]].concat()));
            }
        }
        text
    }

    #[test]
    fn the_same_seed_gives_the_same_lines_and_the_words_asked_for_stand_there_as_promised() {
        let text = all(7);
        assert!(text == all(7) && text != all(8));
        let text = String::from_utf8(text).unwrap();
        assert_eq!(text.matches(RARE_WORD).count(), 1);
        assert_eq!((text.matches(ABSENT_WORD).count(), text.matches(ABSENT_PART).count()), (0, 0));
        assert!(text.contains("[14/Nov/2023:22:13:20] \""), "{}", &text[..200]);
        let distinct: std::collections::HashSet<&str> = text.lines().collect();
        assert!(distinct.len() * 100 > text.lines().count() * 80, "most lines are fresh");
    }
}
