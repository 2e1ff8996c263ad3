//! Receivers: to whom and how.

use std::collections::BTreeMap;
use std::fmt;

use jiff::tz::TimeZone;

/// A password or token. It is not shown where values are printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The secret itself, for who sends it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<secret>")
    }
}

/// One receiver.
#[derive(Clone, Debug, Default)]
pub struct Receiver {
    pub name: String,
    pub emails: Vec<EmailConfig>,
    pub webhooks: Vec<WebhookConfig>,
    /// Its lists that cannot be told by us, such as `slack_configs`: the fallback receiver is told too.
    pub foreign: Vec<String>,
    /// In which zone times are written to it; `None`: UTC.
    pub zone: Option<TimeZone>,
}

/// A mail to one list of addresses.
#[derive(Clone, Debug, PartialEq)]
pub struct EmailConfig {
    /// Addresses, separated by commas; a template.
    pub to: String,
    pub from: String,
    /// With what is global filled in.
    pub smtp: SmtpConfig,
    /// Headers beside those that are always there, or in their place: templates.
    pub headers: BTreeMap<String, String>,
    /// Templates; `None`: the one that comes with the collector. An empty text: no such part.
    pub html: Option<String>,
    pub text: Option<String>,
    pub send_resolved: bool,
}

/// How a mail server is reached.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SmtpConfig {
    /// Host and port.
    pub smarthost: Option<(String, u16)>,
    /// What we call ourselves; `None`: the host's name.
    pub hello: Option<String>,
    pub auth_username: Option<String>,
    pub auth_password: Option<Secret>,
    /// For PLAIN.
    pub auth_identity: Option<String>,
    /// For CRAM-MD5.
    pub auth_secret: Option<Secret>,
    /// Whether STARTTLS must be there; `None`: yes.
    pub require_tls: Option<bool>,
    pub tls: Option<TlsConfig>,
}

impl SmtpConfig {
    pub fn is_tls_required(&self) -> bool {
        self.require_tls.unwrap_or(true)
    }

    /// What it does not say itself it has of the global settings, option by option as in Alertmanager.
    pub(super) fn over(self, global: &Self) -> Self {
        Self {
            smarthost: self.smarthost.or_else(|| global.smarthost.clone()),
            hello: self.hello.or_else(|| global.hello.clone()),
            auth_username: self.auth_username.or_else(|| global.auth_username.clone()),
            auth_password: self.auth_password.or_else(|| global.auth_password.clone()),
            auth_identity: self.auth_identity.or_else(|| global.auth_identity.clone()),
            auth_secret: self.auth_secret.or_else(|| global.auth_secret.clone()),
            require_tls: self.require_tls.or(global.require_tls),
            tls: self.tls.or_else(|| global.tls.clone()),
        }
    }
}

/// TLS of a connection that we open. Texts of certificates are PEM, read when the configuration was.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TlsConfig {
    pub ca: Option<String>,
    pub cert: Option<String>,
    pub key: Option<Secret>,
    pub server_name: Option<String>,
    pub insecure_skip_verify: bool,
}

/// A POST of Alertmanager's JSON.
#[derive(Clone, Debug, PartialEq)]
pub struct WebhookConfig {
    /// A secret, since many have their token in it.
    pub url: Secret,
    pub send_resolved: bool,
    /// 0: all.
    pub max_alerts: usize,
    /// 0: until the group's next turn.
    pub timeout_ms: i64,
    pub http: HttpConfig,
}

/// How an HTTP request is made.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HttpConfig {
    pub authorization: Option<Authorization>,
    pub tls: Option<TlsConfig>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Authorization {
    Basic {
        username: String,
        password: Secret,
    },
    /// `kind` is the word before it, such as `Bearer`.
    Token {
        kind: String,
        credentials: Secret,
    },
}
