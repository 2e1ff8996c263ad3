//! Global settings and receivers of a configuration.

use std::collections::BTreeMap;

use muster_yaml::Yaml;

use super::config::Global;
use super::load::{Entries, Loading};
use super::receivers::{
    Authorization, EmailConfig, HttpConfig, Receiver, Secret, SmtpConfig, TlsConfig, WebhookConfig,
};

/// Ways to tell that Alertmanager knows and we do not.
const FOREIGN: &[&str] = &[
    "discord_configs",
    "incidentio_configs",
    "jira_configs",
    "mattermost_configs",
    "msteams_configs",
    "msteamsv2_configs",
    "opsgenie_configs",
    "pagerduty_configs",
    "pushover_configs",
    "rocketchat_configs",
    "slack_configs",
    "sns_configs",
    "telegram_configs",
    "victorops_configs",
    "webex_configs",
    "wechat_configs",
];
const GLOBAL_KEYS: &[&str] = &[
    "resolve_timeout",
    "http_config",
    "smtp_from",
    "smtp_hello",
    "smtp_smarthost",
    "smtp_auth_username",
    "smtp_auth_password",
    "smtp_auth_password_file",
    "smtp_auth_secret",
    "smtp_auth_secret_file",
    "smtp_auth_identity",
    "smtp_require_tls",
    "smtp_tls_config",
];
/// Settings of ways to tell that we do not know.
const IDLE_GLOBAL_KEYS: &[&str] = &[
    "smtp_force_implicit_tls",
    "slack_api_url",
    "slack_api_url_file",
    "slack_app_token",
    "slack_app_token_file",
    "slack_app_url",
    "pagerduty_url",
    "opsgenie_api_url",
    "opsgenie_api_key",
    "opsgenie_api_key_file",
    "wechat_api_url",
    "wechat_api_secret",
    "wechat_api_secret_file",
    "wechat_api_corp_id",
    "victorops_api_url",
    "victorops_api_key",
    "victorops_api_key_file",
    "telegram_api_url",
    "telegram_bot_token",
    "telegram_bot_token_file",
    "webex_api_url",
    "jira_api_url",
    "rocketchat_api_url",
    "rocketchat_token",
    "rocketchat_token_file",
    "rocketchat_token_id",
    "rocketchat_token_id_file",
    "mattermost_webhook_url",
    "mattermost_webhook_url_file",
];
const EMAIL_KEYS: &[&str] = &[
    "send_resolved",
    "to",
    "from",
    "hello",
    "smarthost",
    "auth_username",
    "auth_password",
    "auth_password_file",
    "auth_secret",
    "auth_secret_file",
    "auth_identity",
    "headers",
    "html",
    "text",
    "require_tls",
    "tls_config",
];
const IDLE_EMAIL_KEYS: &[&str] = &["threading", "force_implicit_tls"];
const WEBHOOK_KEYS: &[&str] = &["send_resolved", "http_config", "url", "url_file", "max_alerts", "timeout"];
const HTTP_KEYS: &[&str] = &["authorization", "basic_auth", "bearer_token", "bearer_token_file", "tls_config"];
const IDLE_HTTP_KEYS: &[&str] = &[
    "oauth2",
    "proxy_url",
    "no_proxy",
    "proxy_from_environment",
    "proxy_connect_header",
    "follow_redirects",
    "enable_http2",
    "http_headers",
];
const TLS_KEYS: &[&str] =
    &["ca", "ca_file", "cert", "cert_file", "key", "key_file", "server_name", "insecure_skip_verify"];
const IDLE_TLS_KEYS: &[&str] = &["min_version", "max_version"];

/// Entries of which some are known but do nothing.
fn entries<'y>(loading: &mut Loading<'_>, yaml: &'y Yaml, used: &[&str], idle: &[&str], what: &str) -> Entries<'y> {
    let known: Vec<&str> = used.iter().chain(idle).copied().collect();
    let entries = loading.entries(yaml, &known, what);
    loading.warn_of_idle(&entries, idle);
    entries
}

pub(super) fn global(loading: &mut Loading<'_>, yaml: &Yaml) -> Global {
    let own = entries(loading, yaml, GLOBAL_KEYS, IDLE_GLOBAL_KEYS, "global");
    let default = Global::default();
    Global {
        smtp: smtp(loading, &own, "smtp_"),
        smtp_from: loading.text(&own, "smtp_from").filter(|text| !text.is_empty()),
        http: own.get("http_config").map(|yaml| http(loading, yaml)).unwrap_or_default(),
        resolve_timeout_ms: loading.span(&own, "resolve_timeout").unwrap_or(default.resolve_timeout_ms),
    }
}

pub(super) fn receiver(loading: &mut Loading<'_>, yaml: &Yaml, global: &Global) -> Receiver {
    let known: Vec<&str> = ["name", "email_configs", "webhook_configs"].iter().chain(FOREIGN).copied().collect();
    let own = loading.entries(yaml, &known, "a receiver");
    let name = loading.text(&own, "name").unwrap_or_default();
    if name.is_empty() {
        loading.mistake(yaml.place, "the receiver has no name", "write `name: ...`");
    }
    let emails = loading.list(own.get("email_configs"), "email_configs");
    let emails = emails.iter().filter_map(|yaml| email(loading, yaml, global)).collect();
    let webhooks = loading.list(own.get("webhook_configs"), "webhook_configs");
    let webhooks = webhooks.iter().filter_map(|yaml| webhook(loading, yaml, global)).collect();
    let foreign = FOREIGN.iter().filter(|key| !loading.list(own.get(key), key).is_empty());
    let foreign = foreign.map(|key| (*key).to_owned()).collect();
    Receiver { name, emails, webhooks, foreign, zone: None }
}

/// `prefix` is `smtp_` of the global settings, which name the same options so.
fn smtp(loading: &mut Loading<'_>, own: &Entries<'_>, prefix: &str) -> SmtpConfig {
    let key = |name: &str| format!("{prefix}{name}");
    let smarthost = own.get(&key("smarthost")).and_then(|yaml| smarthost(loading, yaml, &key("smarthost")));
    SmtpConfig {
        smarthost,
        hello: loading.text(own, &key("hello")).filter(|text| !text.is_empty()),
        auth_username: loading.text(own, &key("auth_username")).filter(|text| !text.is_empty()),
        auth_password: loading.secret(own, &key("auth_password")),
        auth_identity: loading.text(own, &key("auth_identity")).filter(|text| !text.is_empty()),
        auth_secret: loading.secret(own, &key("auth_secret")),
        require_tls: loading.truth(own, &key("require_tls")),
        tls: own.get(&key("tls_config")).map(|yaml| tls(loading, yaml)),
    }
}

fn smarthost(loading: &mut Loading<'_>, yaml: &Yaml, what: &str) -> Option<(String, u16)> {
    let text = loading.reader.scalar(yaml, what)?;
    let parts = text.rsplit_once(':').and_then(|(host, port)| {
        let host = host.strip_prefix('[').and_then(|own| own.strip_suffix(']')).unwrap_or(host);
        let is_host = !host.is_empty() && !host.contains(char::is_whitespace);
        is_host.then_some((host.to_owned(), port.parse().ok().filter(|port| *port > 0)?))
    });
    if parts.is_none() {
        let remedy = "write a host and a port, such as mail.example.org:587";
        loading.mistake(yaml.place, format!("{what} {text:?} is no address"), remedy);
    }
    parts
}

fn email(loading: &mut Loading<'_>, yaml: &Yaml, global: &Global) -> Option<EmailConfig> {
    let own = entries(loading, yaml, EMAIL_KEYS, IDLE_EMAIL_KEYS, "a mail receiver");
    let to = loading.text(&own, "to").unwrap_or_default();
    if to.trim().is_empty() {
        loading.mistake(yaml.place, "the mail receiver has no address", "write `to: someone@example.org`");
    }
    let from = loading.text(&own, "from").filter(|text| !text.is_empty()).or_else(|| global.smtp_from.clone());
    let smtp = smtp(loading, &own, "").over(&global.smtp);
    if smtp.smarthost.is_none() && own.get("smarthost").is_none() {
        let remedy = "write `smarthost: HOST:PORT` here or `smtp_smarthost` in global";
        loading.mistake(yaml.place, "no mail server is named", remedy);
    }
    if from.is_none() {
        let remedy = "write `from: ...` here or `smtp_from` in global";
        loading.mistake(yaml.place, "no sender's address is named", remedy);
    }
    Some(EmailConfig {
        to,
        from: from?,
        smtp,
        headers: headers(loading, &own),
        html: loading.text(&own, "html"),
        text: loading.text(&own, "text"),
        send_resolved: loading.truth(&own, "send_resolved").unwrap_or(false),
    })
}

fn headers(loading: &mut Loading<'_>, own: &Entries<'_>) -> BTreeMap<String, String> {
    let mut headers: BTreeMap<String, String> = BTreeMap::new();
    let Some(yaml) = own.get("headers") else { return headers };
    for (key, value) in loading.free_entries(yaml, "headers") {
        let is_name = !key.name.is_empty() && key.name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':');
        if !is_name {
            loading.mistake(key.place, format!("{:?} is no name of a header", key.name), "write such as Subject");
        } else if headers.keys().any(|other| *other != key.name && other.eq_ignore_ascii_case(&key.name)) {
            loading.mistake(key.place, format!("header {:?} stands twice", key.name), "write it once");
        }
        let text = loading.reader.scalar(value, &key.name).unwrap_or_default();
        headers.insert(key.name.clone(), text);
    }
    headers
}

fn webhook(loading: &mut Loading<'_>, yaml: &Yaml, global: &Global) -> Option<WebhookConfig> {
    let own = loading.entries(yaml, WEBHOOK_KEYS, "a webhook receiver");
    let address = loading.text_or_file(&own, "url");
    if address.is_none() && own.get("url_file").is_none() {
        loading.mistake(yaml.place, "the webhook has no address", "write `url: https://...` or `url_file: ...`");
    }
    let place = own.get("url").or_else(|| own.get("url_file")).map_or(yaml.place, |yaml| yaml.place);
    if address.as_deref().is_some_and(|text| !is_url(text)) {
        loading.mistake(place, "url is no address of a web server", "write such as https://example.org/hook");
    }
    Some(WebhookConfig {
        url: Secret::new(address.unwrap_or_default()),
        send_resolved: loading.truth(&own, "send_resolved").unwrap_or(true),
        max_alerts: loading.count(&own, "max_alerts").unwrap_or(0),
        timeout_ms: loading.span(&own, "timeout").unwrap_or(0),
        http: own.get("http_config").map_or_else(|| global.http.clone(), |yaml| http(loading, yaml)),
    })
}

fn is_url(text: &str) -> bool {
    let url: Result<hyper::Uri, _> = text.parse();
    url.is_ok_and(|url| {
        matches!(url.scheme_str(), Some("http" | "https")) && url.host().is_some_and(|host| !host.is_empty())
    })
}

pub(super) fn url(loading: &mut Loading<'_>, yaml: &Yaml, what: &str) -> Option<String> {
    let text = loading.reader.scalar(yaml, what)?;
    if !is_url(&text) {
        let remedy = "write such as https://muster.example.org";
        loading.mistake(yaml.place, format!("{what} {text:?} is no address of a web server"), remedy);
    }
    Some(text)
}

fn http(loading: &mut Loading<'_>, yaml: &Yaml) -> HttpConfig {
    let own = entries(loading, yaml, HTTP_KEYS, IDLE_HTTP_KEYS, "http_config");
    let basic = own.get("basic_auth").map(|yaml| {
        let keys = ["username", "username_file", "password", "password_file"];
        let own = loading.entries(yaml, &keys, "basic_auth");
        let username = loading.text_or_file(&own, "username").unwrap_or_default();
        let password = loading.secret(&own, "password").unwrap_or(Secret::new(""));
        Authorization::Basic { username, password }
    });
    let token = own.get("authorization").map(|yaml| {
        let own = loading.entries(yaml, &["type", "credentials", "credentials_file"], "authorization");
        let kind = loading.text(&own, "type").map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        if kind.as_deref().is_some_and(|kind| kind.eq_ignore_ascii_case("basic")) {
            loading.mistake(yaml.place, "authorization cannot be of type Basic", "write `basic_auth:` instead");
        }
        let credentials = loading.secret(&own, "credentials").unwrap_or(Secret::new(""));
        Authorization::Token { kind: kind.unwrap_or_else(|| "Bearer".to_owned()), credentials }
    });
    let bearer = loading.secret(&own, "bearer_token");
    let bearer = bearer.map(|credentials| Authorization::Token { kind: "Bearer".to_owned(), credentials });
    let given: Vec<Authorization> = basic.into_iter().chain(token).chain(bearer).collect();
    if given.len() > 1 {
        let remedy = "leave one of basic_auth, authorization and bearer_token";
        loading.mistake(yaml.place, "http_config has more than one way to log in", remedy);
    }
    let tls = own.get("tls_config").map(|yaml| tls(loading, yaml));
    HttpConfig { authorization: given.into_iter().next(), tls }
}

fn tls(loading: &mut Loading<'_>, yaml: &Yaml) -> TlsConfig {
    let own = entries(loading, yaml, TLS_KEYS, IDLE_TLS_KEYS, "tls_config");
    let ca = loading.text_or_file(&own, "ca");
    let cert = loading.text_or_file(&own, "cert");
    let key = loading.secret(&own, "key");
    let has = |name: &str| own.get(name).or_else(|| own.get(&format!("{name}_file"))).is_some();
    if has("cert") != has("key") {
        loading.mistake(yaml.place, "a certificate and its key belong together", "give cert_file and key_file");
    }
    TlsConfig {
        ca,
        cert,
        key,
        server_name: loading.text(&own, "server_name").filter(|text| !text.is_empty()),
        insecure_skip_verify: loading.truth(&own, "insecure_skip_verify").unwrap_or(false),
    }
}
