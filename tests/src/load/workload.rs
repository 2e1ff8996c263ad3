//! A deterministic node_exporter-like workload: 500 series a host, 15 s apart.
//!
//! 200 bursty counters (68 of CPU seconds in 0.01 steps, 132 integers), 125 slow gauges (65 multiples of 4096, 40 with 2 or 3
//! decimals, 20 of full mantissa), 125 integers that change in 0.5 % of ticks, 50 noisy floats. 2 % of scrapes come 1 to 8 ms
//! late. The noise sets a floor for every lossless codec, so ratios between stores are fair.

/// Milliseconds between two scrapes of a host.
pub const INTERVAL_MS: i64 = 15_000;
/// Series of one host.
pub const SERIES_PER_HOST: usize = 500;

/// How a series moves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Seconds with a resolution of 0.01.
    CpuCounter,
    /// Bytes, packets, events.
    IntCounter,
    /// Multiples of 4096.
    GaugePages,
    /// Two or three decimals.
    GaugeDecimals,
    /// Full mantissa, slow.
    GaugeFull,
    /// Changes in 0.5 % of ticks.
    ConstInt,
    /// Durations with a resolution of 1 ns.
    NoisyNanos,
    /// Full mantissa, uncorrelated.
    NoisyFull,
}

/// splitmix64: one well-mixed number from another.
pub fn mix(number: u64) -> u64 {
    let mut x = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

/// One series' generator.
#[derive(Clone)]
pub struct Series {
    kind: Kind,
    state: u64,
    whole: i64,
    level: f64,
    rate: f64,
    scale: f64,
    burst: u64,
    factor: f64,
}

impl Series {
    fn random(&mut self) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.state.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// In 0..1.
    fn unit(&mut self) -> f64 {
        (self.random() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Roughly normal, with a standard deviation of 1.
    fn normal(&mut self) -> f64 {
        let bits = self.random();
        let sum = (bits & 0xffff) + ((bits >> 16) & 0xffff) + ((bits >> 32) & 0xffff) + (bits >> 48);
        (sum as f64 / 65536.0 - 2.0) * 1.732
    }

    /// `rate` a second for counters; `None` draws one.
    pub fn new(kind: Kind, seed: u64, rate: Option<f64>) -> Self {
        let mut s =
            Self { kind, state: mix(seed) | 1, whole: 0, level: 0.0, rate: 0.0, scale: 1.0, burst: 0, factor: 1.0 };
        let a = s.unit();
        let idle = s.unit() < 0.25;
        match kind {
            Kind::CpuCounter => {
                s.rate = rate.unwrap_or(a * 0.2);
                s.whole = (a * 2.0e8) as i64;
            }
            Kind::IntCounter => {
                s.rate = if idle { 0.0 } else { rate.unwrap_or_else(|| 10f64.powf(a * 6.0)) };
                s.whole = (s.rate * 2.0e6 * s.unit()) as i64;
            }
            Kind::GaugePages => {
                s.whole = (10f64.powf(2.0 + a * 5.0)) as i64;
                s.level = s.whole as f64;
                s.rate = (s.whole as f64 * 0.0005).max(1.0);
            }
            Kind::GaugeDecimals => {
                s.scale = if a < 0.5 { 100.0 } else { 1000.0 };
                s.whole = (s.unit() * 100.0 * s.scale) as i64;
                s.rate = 1.0 + s.unit() * 8.0;
            }
            Kind::GaugeFull => s.level = s.unit() * 100.0,
            Kind::ConstInt => {
                s.whole = match (a * 4.0) as u32 {
                    0 => 0,
                    1 => 1,
                    2 => (s.unit() * 5000.0) as i64,
                    _ => (s.unit() * 1e11) as i64,
                };
                s.rate = if s.whole <= 1 { 1.0 } else { 8.0 };
            }
            Kind::NoisyNanos => s.level = 10f64.powf(-5.0 + a * 4.0),
            Kind::NoisyFull => s.level = 0.1 + a * 50.0,
        }
        s
    }

    /// The next scrape's value.
    pub fn step(&mut self) -> f64 {
        match self.kind {
            Kind::CpuCounter | Kind::IntCounter => self.step_counter(),
            Kind::GaugePages => {
                if self.random() % 10 >= 3 {
                    let move_by = self.normal() * self.rate + (self.level - self.whole as f64) * 0.01;
                    self.whole = (self.whole + move_by as i64).max(0);
                }
                (self.whole * 4096) as f64
            }
            Kind::GaugeDecimals => {
                if self.random().is_multiple_of(2) {
                    let move_by = (self.normal() * self.rate) as i64;
                    self.whole = (self.whole + move_by).max(0);
                }
                self.whole as f64 / self.scale
            }
            Kind::GaugeFull => {
                self.level += self.normal() * 0.01;
                self.level
            }
            Kind::ConstInt => {
                if self.random().is_multiple_of(200) {
                    let move_by = (self.random() % 17) as i64 - 8;
                    self.whole = if self.rate == 1.0 { self.whole ^ 1 } else { (self.whole + move_by).max(0) };
                }
                self.whole as f64
            }
            Kind::NoisyNanos => {
                let value = self.level * (1.0 + 0.25 * self.normal()).max(0.05);
                (value * 1e9).round() / 1e9
            }
            Kind::NoisyFull => self.level * (1.0 + 0.2 * self.normal()) + self.unit() * 1e-3,
        }
    }

    fn step_counter(&mut self) -> f64 {
        if self.burst > 0 {
            self.burst -= 1;
        } else if self.random().is_multiple_of(64) {
            self.burst = 4 + self.random() % 36;
            self.factor = 2.0 + self.unit() * 8.0;
        } else {
            self.factor = 1.0;
        }
        let cpu = self.kind == Kind::CpuCounter;
        let idle_blip = self.rate == 0.0 && self.factor > 1.0 && self.random().is_multiple_of(8);
        let base = if idle_blip { 0.2 } else { self.rate };
        let mut growth = base * 15.0 * self.factor * (1.0 + 0.15 * self.normal());
        if cpu {
            growth = (growth * 100.0).min(1500.0);
        }
        let growth = growth.max(0.0);
        let rounded_up = self.unit() < growth.fract();
        self.whole += growth as i64 + i64::from(rounded_up);
        if cpu { self.whole as f64 / 100.0 } else { self.whole as f64 }
    }
}

/// A series' name, own labels and generator.
pub struct HostSeries {
    pub name: String,
    pub labels: Vec<(&'static str, String)>,
    pub values: Series,
}

/// The name under which host number `host` is known.
pub fn host_name(host: usize) -> String {
    format!("node-{host:04}.dc{}.example", host % 3)
}

/// The series of one host, always [`SERIES_PER_HOST`].
pub fn host_series(seed: u64, host: usize) -> Vec<HostSeries> {
    let mut all = Vec::with_capacity(SERIES_PER_HOST);
    counters(&mut |name, kind, labels, rate| push(&mut all, seed, host, name, kind, labels, rate));
    gauges(&mut |name, kind, labels, rate| push(&mut all, seed, host, name, kind, labels, rate));
    constants_and_noise(&mut |name, kind, labels, rate| push(&mut all, seed, host, name, kind, labels, rate));
    assert_eq!(all.len(), SERIES_PER_HOST, "the mix is fixed");
    all
}

type Labels = Vec<(&'static str, String)>;
type Add<'a> = &'a mut dyn FnMut(&str, Kind, Labels, Option<f64>);

fn push(all: &mut Vec<HostSeries>, seed: u64, host: usize, name: &str, kind: Kind, labels: Labels, rate: Option<f64>) {
    let seed = mix(seed ^ ((host as u64) << 20) ^ all.len() as u64);
    all.push(HostSeries { name: name.to_owned(), labels, values: Series::new(kind, seed, rate) });
}

const MODES: [(&str, f64); 8] = [
    ("idle", 0.75),
    ("iowait", 0.01),
    ("irq", 0.0),
    ("nice", 0.0005),
    ("softirq", 0.01),
    ("steal", 0.0),
    ("system", 0.06),
    ("user", 0.15),
];
const NICS: [&str; 4] = ["eth0", "eth1", "lo", "docker0"];
const DISKS: [&str; 4] = ["sda", "sdb", "nvme0n1", "dm-0"];
const DISK_WORDS: [&str; 6] = [
    "reads_completed_total",
    "writes_completed_total",
    "read_bytes_total",
    "written_bytes_total",
    "reads_merged_total",
    "writes_merged_total",
];
const NET_WORDS: [&str; 19] = [
    "InSegs",
    "OutSegs",
    "InErrors",
    "OutRsts",
    "InOctets",
    "OutOctets",
    "InMcast",
    "Retrans",
    "ActiveOpens",
    "PassiveOpens",
    "CurrEstab",
    "InCsumErrors",
    "InDatagrams",
    "OutDatagrams",
    "NoPorts",
    "RcvbufErrors",
    "SndbufErrors",
    "InEchos",
    "InEchoReps",
];

fn counters(add: Add<'_>) {
    for cpu in 0..8 {
        for (mode, rate) in MODES {
            let labels = vec![("cpu", cpu.to_string()), ("mode", mode.to_owned())];
            add("node_cpu_seconds_total", Kind::CpuCounter, labels, Some(rate));
        }
    }
    for device in NICS {
        for direction in ["receive", "transmit"] {
            for word in ["bytes", "packets", "errs", "drop"] {
                let rate = (word == "errs" || word == "drop").then_some(0.0);
                let name = format!("node_network_{direction}_{word}_total");
                add(&name, Kind::IntCounter, vec![("device", device.to_owned())], rate);
            }
        }
    }
    for device in DISKS {
        for word in DISK_WORDS {
            add(&format!("node_disk_{word}"), Kind::IntCounter, vec![("device", device.to_owned())], None);
        }
        add("node_disk_io_time_seconds_total", Kind::CpuCounter, vec![("device", device.to_owned())], Some(0.05));
    }
    for i in 0..76 {
        let name = format!("node_netstat_{}_{}", ["Tcp", "Udp", "Icmp", "IpExt"][i % 4], NET_WORDS[i / 4]);
        add(&name, Kind::IntCounter, Vec::new(), None);
    }
}

fn volume(number: usize) -> Labels {
    vec![
        ("device", format!("/dev/mapper/vg0-lv{number}")),
        ("fstype", "ext4".to_owned()),
        ("mountpoint", format!("/srv/volume{number}")),
    ]
}

fn gauges(add: Add<'_>) {
    let words = ["MemFree", "MemAvailable", "Cached", "Buffers", "Active", "Inactive", "Slab", "Dirty", "Mapped"];
    for i in 0..45 {
        let name = format!("node_memory_{}{}_bytes", words[i % 9], ["", "_anon", "_file", "_huge", "_kernel"][i / 9]);
        add(&name, Kind::GaugePages, Vec::new(), None);
    }
    for number in 0..10 {
        for word in ["avail", "free"] {
            add(&format!("node_filesystem_{word}_bytes"), Kind::GaugePages, volume(number), None);
        }
    }
    for i in 0..37 {
        let labels = vec![("chip", format!("platform_coretemp_{}", i / 19)), ("sensor", format!("temp{}", i % 19 + 1))];
        add("node_hwmon_temp_celsius", Kind::GaugeDecimals, labels, None);
    }
    for name in ["node_load1", "node_load5", "node_load15"] {
        add(name, Kind::GaugeDecimals, Vec::new(), None);
    }
    for i in 0..20 {
        let resource = ["cpu", "io", "memory", "irq"][i % 4].to_owned();
        let labels = vec![("resource", resource), ("slice", format!("system-{}.slice", i / 4))];
        add("node_pressure_ratio", Kind::GaugeFull, labels, None);
    }
}

fn constants_and_noise(add: Add<'_>) {
    for number in 0..10 {
        for word in ["size_bytes", "files", "readonly"] {
            add(&format!("node_filesystem_{word}"), Kind::ConstInt, volume(number), None);
        }
    }
    for device in NICS {
        for word in ["up", "mtu_bytes", "carrier", "speed_bytes", "iface_id"] {
            add(&format!("node_network_{word}"), Kind::ConstInt, vec![("device", device.to_owned())], None);
        }
    }
    for unit in 0..15 {
        for state in ["active", "activating", "deactivating", "failed", "inactive"] {
            let labels = vec![
                ("name", format!("app-{unit:02}.service")),
                ("state", state.to_owned()),
                ("type", "simple".to_owned()),
            ];
            add("node_systemd_unit_state", Kind::ConstInt, labels, None);
        }
    }
    for number in 0..35 {
        let labels = vec![("collector", format!("collector{number:02}"))];
        add("node_scrape_collector_duration_seconds", Kind::NoisyNanos, labels, None);
    }
    for number in 0..15 {
        let labels = vec![("handler", format!("/api/v1/resource{number}"))];
        add("app_request_latency_mean_seconds", Kind::NoisyFull, labels, None);
    }
}

/// When host number `host` is scraped for the `tick`-th time: its own phase, 2 % of scrapes some ms late.
pub fn scrape_ms(seed: u64, host: usize, start_ms: i64, tick: i64) -> i64 {
    let phase = (mix(seed ^ 77 ^ host as u64) % 15_000) as i64;
    let luck = mix(seed ^ ((host as u64) << 32) ^ tick as u64);
    let late = if luck.is_multiple_of(50) { 1 + ((luck >> 32) % 8) as i64 } else { 0 };
    start_ms + tick * INTERVAL_MS + phase + late
}
