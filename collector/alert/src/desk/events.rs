//! What the history says of alerts and notices.

use muster_common::host::HostId;
use muster_fleet::status::Subject;
use muster_fleet::{By, EventKind, SmallEvent};

use crate::alert::{Alert, Notice, NoticeKind, Origin};
use crate::dispatch;
use crate::outgoing;

/// Bytes of a text in an event: a line that people read.
const TEXT_BYTES_MAX: usize = 1_000;

fn event(kind: EventKind, text: String, fields: Vec<(&str, String)>) -> SmallEvent {
    let mut text = text;
    let end = (0..=text.len().min(TEXT_BYTES_MAX)).rev().find(|end| text.is_char_boundary(*end));
    text.truncate(end.unwrap_or(0));
    let fields = fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    SmallEvent { kind, host: None, host_name: String::new(), text, by: By::MUSTER, fields }
}

/// The host that an alert is about, as far as it is about one.
fn host_of(alert: &Alert) -> Option<HostId> {
    match &alert.origin {
        Origin::Status(Subject::Host { host } | Subject::Check { host, .. }) => Some(*host),
        _ => None,
    }
}

fn of_alert(mut event: SmallEvent, alert: &Alert) -> SmallEvent {
    event.host = host_of(alert);
    alert.labels.get("host").unwrap_or_default().clone_into(&mut event.host_name);
    event
}

fn fields(alert: &Alert) -> Vec<(&'static str, String)> {
    let mut fields = vec![("alert", alert.name().to_owned()), ("alert_id", alert.id.to_string())];
    for name in ["severity", "check"] {
        fields.extend(alert.labels.get(name).map(|value| (name, value.to_owned())));
    }
    fields
}

fn summary(alert: &Alert) -> &str {
    alert.annotations.get("summary").map_or("", String::as_str)
}

/// An alert fires or has ended.
pub(super) fn of_news(news: &dispatch::News) -> SmallEvent {
    match news {
        dispatch::News::Firing(alert) => {
            let text = format!("{} fires: {}", alert.name(), summary(alert));
            of_alert(event(EventKind::AlertFiring, text, fields(alert)), alert)
        }
        dispatch::News::Ended { alert, why } => {
            let text = format!("{} has ended: {why}", alert.name());
            let mut fields = fields(alert);
            fields.push(("why", (*why).to_owned()));
            of_alert(event(EventKind::AlertResolved, text, fields), alert)
        }
        dispatch::News::Overflow { name } => event(
            EventKind::NoticeFailed,
            format!("alert {name} is not taken: there are more alerts than can be kept"),
            vec![("alert", name.clone())],
        ),
    }
}

/// A notice was made.
pub(super) fn of_notice(notice: &Notice) -> SmallEvent {
    let kind = match notice.kind {
        NoticeKind::Opened => "opened",
        NoticeKind::Worse => "worse",
        NoticeKind::Better => "better",
        NoticeKind::Repeat => "repeat",
        NoticeKind::Resolved => "resolved",
    };
    let (firing, resolved) = (notice.firing.len(), notice.resolved.len());
    let text = format!("{} is told ({kind}): {firing} firing, {resolved} resolved", notice.receiver);
    let lead = notice.firing.first().or(notice.resolved.first());
    let mut told = vec![
        ("notice", notice.id.to_string()),
        ("incident", notice.incident.to_string()),
        ("receiver", notice.receiver.clone()),
        ("what", kind.to_owned()),
    ];
    told.extend(lead.map(fields).unwrap_or_default());
    let event = event(EventKind::NoticeMade, text, told);
    match lead {
        Some(alert) => of_alert(event, alert),
        None => event,
    }
}

/// A receiver that nobody can be told by.
pub(super) fn of_nobody(notice: &Notice) -> SmallEvent {
    let text = format!(
        "nobody is told by receiver {}: it has no address that can be written to; give it one in alerting.yml",
        notice.receiver
    );
    let fields = vec![("notice", notice.id.to_string()), ("receiver", notice.receiver.clone())];
    event(EventKind::NoticeFailed, text, fields)
}

/// What became of a row on its way.
pub(super) fn of_outgoing(news: &outgoing::News) -> SmallEvent {
    match news {
        outgoing::News::Dead { key, receiver, recipient, reason, text, .. } => event(
            EventKind::NoticeFailed,
            format!("{recipient} was not told and will not be: {text}"),
            vec![
                ("notice", key.notice.to_string()),
                ("receiver", receiver.clone()),
                ("recipient", recipient.clone()),
                ("reason", reason.as_str().to_owned()),
            ],
        ),
        outgoing::News::SecondTarget { key, receiver, server, text } => event(
            EventKind::NoticeFailed,
            format!("notice {} of {receiver} goes by {server} instead: {text}", key.notice),
            vec![("notice", key.notice.to_string()), ("receiver", receiver.clone())],
        ),
        outgoing::News::Trouble { server, waiting_count, text, .. } => event(
            EventKind::NoticeFailed,
            format!("{server} has not answered for 5 minutes, {waiting_count} notices wait: {text}"),
            vec![("server", server.clone())],
        ),
        outgoing::News::TroubleOver { server } => {
            event(EventKind::NoticeSent, format!("{server} answers again"), vec![("server", server.clone())])
        }
    }
}

/// A row was accepted by its server.
pub(super) fn of_accepted(key: outgoing::Key, row: &outgoing::Row) -> SmallEvent {
    event(
        EventKind::NoticeSent,
        format!("{} has taken notice {}: {}", row.current().recipient, key.notice, row.subject),
        vec![
            ("notice", key.notice.to_string()),
            ("incident", row.incident.to_string()),
            ("receiver", row.receiver.clone()),
            ("recipient", row.current().recipient.clone()),
            ("message_id", row.message_id.clone()),
        ],
    )
}

/// Somebody set or ended a silence.
pub(super) fn of_silence(silence: &crate::routing::Silence, is_set: bool, by: &By) -> SmallEvent {
    let matchers = muster_common::matcher_text::written_matchers(&silence.matchers);
    let (kind, text) = if is_set {
        (EventKind::SilenceSet, format!("silenced {matchers}: {}", silence.comment))
    } else {
        (EventKind::SilenceEnded, format!("no longer silenced: {matchers}"))
    };
    // Whoever sets it may say that another wants it.
    let author = ("author", silence.created_by.clone());
    let fields = vec![("silence", silence.id.clone()), ("matchers", matchers), author];
    SmallEvent { by: by.clone(), ..event(kind, text, fields) }
}
