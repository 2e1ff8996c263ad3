//! The packages: a row each.

/// One package, in every form it has.
pub(super) struct Package {
    pub(super) name: &'static str,
    /// One line, below 80 characters.
    pub(super) summary: &'static str,
    /// Paragraphs.
    pub(super) description: &'static [&'static str],
    /// The program in it, which makes it one for x86-64 alone.
    pub(super) program: Option<Program>,
    /// A second program of it, with units that are installed and not enabled.
    pub(super) beside: Option<Beside>,
    pub(super) service: Option<Service>,
    /// (file below `packaging`, where it goes, mode). Kept when an operator has changed them.
    pub(super) settings: &'static [(&'static str, &'static str, u32)],
    /// (file or folder of files below `packaging`, where it goes below [`Package::documents_folder`]): to read, and to copy from.
    pub(super) documents: &'static [(&'static str, &'static str)],
    /// Folders that are empty when installed.
    pub(super) folders: &'static [&'static str],
    /// Other packages: as dpkg and as rpm name them.
    pub(super) needs: &'static [Need],
    pub(super) recommends: &'static [&'static str],
}

/// Something of the system that must be there.
pub(super) struct Need {
    pub(super) deb: &'static str,
    pub(super) rpm: &'static str,
}

pub(super) struct Program {
    pub(super) name: &'static str,
    /// Of its man pages.
    pub(super) section: &'static str,
}

/// A program that comes along and is off until somebody on the host enables its units.
pub(super) struct Beside {
    pub(super) program: Program,
    /// Files below `packaging`, for the folder of units.
    pub(super) units: &'static [&'static str],
}

/// What runs as a unit.
pub(super) struct Service {
    /// Without `.service`; its unit, sysusers and tmpfiles stand in this folder below `packaging`.
    pub(super) unit: &'static str,
    pub(super) folder: &'static str,
    pub(super) user: &'static str,
    pub(super) gecos: &'static str,
    pub(super) state: &'static str,
    /// A script before a restart, and one after unpacking: files of `packaging/scripts`.
    pub(super) goodbye: Option<&'static str>,
    pub(super) private: Option<&'static str>,
}

/// For the user, and to become it in scripts.
const ACCOUNT_NEEDS: [Need; 1] = [Need { deb: "passwd", rpm: "/usr/sbin/useradd" }];

/// What Grafana is told of a collector, and a dashboard.
const GRAFANA: [(&str, &str); 3] = [
    ("grafana/provisioning/datasources/muster.yaml", "examples/grafana/provisioning/datasources/muster.yaml"),
    ("grafana/provisioning/dashboards/muster.yaml", "examples/grafana/provisioning/dashboards/muster.yaml"),
    ("grafana/dashboards/muster-host.json", "examples/grafana/dashboards/muster-host.json"),
];

pub(super) const AGENT: Package = Package {
    name: "muster-agent",
    summary: "monitoring agent: metrics, logs and checks of a host",
    description: &[
        "Samples the host's numbers, tails its logs, runs local checks, and streams all of it over QUIC to a Muster collector, which acknowledges what it has made durable.",
        "It listens on nothing, runs without capabilities as a user of its own, and keeps on its disk what the collector does not have yet.",
        "A second program, muster-task, runs tasks that the host's own file lists, once they are signed and approved; it is installed and not enabled.",
    ],
    program: Some(Program { name: "muster-agent", section: "8" }),
    beside: Some(Beside {
        program: Program { name: "muster-task", section: "8" },
        units: &["agent/muster-task.socket", "agent/muster-task.service"],
    }),
    service: Some(Service {
        unit: "muster-agent",
        folder: "agent",
        user: "muster",
        gecos: "Muster agent",
        state: "/var/lib/muster-agent",
        goodbye: Some("goodbye.sh"),
        private: None,
    }),
    settings: &[
        ("agent/agent.toml", "etc/muster/agent.toml", 0o644),
        ("agent/task.toml", "etc/muster/task.toml", 0o644),
    ],
    documents: &[],
    folders: &[],
    needs: &ACCOUNT_NEEDS,
    recommends: &[],
};

pub(super) const COLLECTOR: Package = Package {
    name: "muster-collector",
    summary: "monitoring collector: stores, answers, alerts",
    description: &[
        "Takes what Muster's agents send, stores every batch exactly once, answers PromQL and LogQL at the HTTP APIs of Prometheus and Loki, evaluates rules and checks, and mails people.",
        "It needs no database and no other service.",
    ],
    program: Some(Program { name: "muster-collector", section: "8" }),
    beside: None,
    service: Some(Service {
        unit: "muster-collector",
        folder: "collector",
        user: "muster-collector",
        gecos: "Muster collector",
        state: "/var/lib/muster-collector",
        goodbye: None,
        private: Some("private.sh"),
    }),
    settings: &[
        ("collector/collector.toml", "etc/muster/collector.toml", 0o644),
        ("collector/alerting.yml", "etc/muster/alerting.yml", 0o640),
        ("collector/deploy.toml", "etc/muster/deploy.toml", 0o644),
    ],
    documents: &GRAFANA,
    folders: &["etc/muster/rules", "etc/muster/profiles"],
    needs: &ACCOUNT_NEEDS,
    recommends: &["muster", "muster-agent-packages"],
};

pub(super) const CLI: Package = Package {
    name: "muster",
    summary: "operator's command for a Muster collector",
    description: &[
        "Makes tokens, lists hosts, asks in PromQL and LogQL, acknowledges problems, silences alerts and explains who is told of what, over the collector's public HTTP API.",
    ],
    program: Some(Program { name: "muster", section: "1" }),
    beside: None,
    service: None,
    settings: &[],
    documents: &[("guides", "guides"), ("examples/rolling-restart", "examples/rolling-restart")],
    folders: &[],
    needs: &[],
    recommends: &[],
};

/// What the collector serves to new hosts. Its files are those that were made before it.
pub(super) const AGENT_PACKAGES: Package = Package {
    name: "muster-agent-packages",
    summary: "Muster agent packages for a collector to serve",
    description: &[
        "The agent as deb, rpm and tar, with the script that installs and enrols it and the checksums of all of them, for the collector to serve to new hosts. Hosts need no other network for that.",
    ],
    program: None,
    beside: None,
    service: None,
    settings: &[],
    documents: &[],
    folders: &[],
    needs: &[],
    recommends: &[],
};

/// Where [`AGENT_PACKAGES`] has them.
pub(super) const SERVED: &str = "usr/share/muster/agent";

impl Package {
    /// Where systems look for what is said of a package.
    pub(super) fn documents_folder(&self) -> String {
        format!("usr/share/doc/{}", self.name)
    }

    /// As dpkg names it.
    pub(super) fn deb_architecture(&self) -> &'static str {
        if self.program.is_some() { "amd64" } else { "all" }
    }

    /// As rpm names it.
    pub(super) fn rpm_architecture(&self) -> &'static str {
        if self.program.is_some() { "x86_64" } else { "noarch" }
    }
}
