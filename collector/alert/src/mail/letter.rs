//! A mail, rendered once for all its recipients.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::tz::TimeZone;

use super::evidence::Evidence;
use super::mime::{self, MailError};
use super::templates::Templates;
use super::view::{View, lead, view};
use super::words::clean;
use crate::alert::Notice;
use crate::plot::{Theme, png};

/// How a receiver wants its mails.
#[derive(Clone, Debug)]
pub struct MailSettings {
    /// Address of the sender, with or without a name.
    pub from: String,
    /// Name of the collector's domain: Message-IDs, List-Id.
    pub domain: String,
    /// Zone of all times; UTC stands beside it.
    pub zone: TimeZone,
    /// Where people reach the collector's pages; without it there are no links.
    pub external_url: Option<String>,
    /// Further headers. Those that the mail's form needs are left out.
    pub headers: Vec<(String, String)>,
}

/// Where a mail stands in its thread: what the queue knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Subject of the incident's first mail, which all later ones keep.
    pub subject: Option<String>,
    /// It tells an end whose beginning was never sent.
    pub is_only: bool,
}

/// Everything of a mail but its recipient.
#[derive(Clone, Debug)]
pub struct Letter {
    pub subject: String,
    /// The first line of the text.
    pub first_line: String,
    pub text: String,
    pub html: String,
    pub picture: Option<Vec<u8>>,
    /// Changed templates that failed, pictures that could not be drawn: to be logged.
    pub faults: Vec<String>,
    pub(super) cid: String,
    pub(super) at_ms: i64,
    pub(super) headers: Vec<(String, String)>,
    pub(super) from: String,
}

impl Letter {
    /// The HTML by itself: with its picture inside instead of beside it.
    pub fn html_alone(&self) -> String {
        let Some(picture) = &self.picture else { return self.html.clone() };
        self.html.replace(&format!("cid:{}", self.cid), &format!("data:image/png;base64,{}", STANDARD.encode(picture)))
    }

    /// MIME for one recipient, ASCII, at most [`mime::MAIL_BYTES`], without Message-ID and references: the queue's row has these.
    ///
    /// # Errors
    /// [`MailError`] where the address of the sender or the recipient is none.
    pub fn mime(&self, recipient: &str) -> Result<String, MailError> {
        mime::write(self, recipient)
    }
}

/// Words, HTML and picture of a notice.
pub fn render(
    settings: &MailSettings,
    templates: &Templates,
    notice: &Notice,
    evidence: &Evidence,
    place: &Place,
) -> Letter {
    let mut faults = Vec::new();
    let mut view = view(settings, notice, evidence, place);
    let picture =
        evidence.plot.as_ref().filter(|_| view.around.plot.is_some()).and_then(|plot| {
            png(plot, &settings.zone, Theme::Light).map_err(|error| faults.push(error.to_string())).ok()
        });
    let cid = format!("plot.n{}@{}", notice.id, clean(&settings.domain, 200));
    if let (Some(_), Some(plot)) = (&picture, &mut view.around.plot) {
        plot.cid.clone_from(&cid);
    }
    let (text, text_fault) = templates.render("email.txt", &view);
    let (html, html_fault) = templates.render("email.html", &view);
    faults.extend(text_fault.into_iter().chain(html_fault));
    let headers = headers(settings, notice, &view);
    let (subject, first_line, from) = (view.subject, view.first_line, settings.from.clone());
    Letter { subject, first_line, text, html, picture, faults, cid, at_ms: notice.at_ms, headers, from }
}

/// What filters of people and programs go by.
fn headers(settings: &MailSettings, notice: &Notice, view: &View) -> Vec<(String, String)> {
    let list: String = notice
        .receiver
        .chars()
        .map(|character| if character.is_ascii_alphanumeric() { character } else { '-' })
        .take(60)
        .collect();
    let label = |name: &str| {
        lead(notice).and_then(|alert| alert.labels.get(name)).map_or_else(String::new, |value| clean(value, 200))
    };
    let own = [
        ("List-Id", format!("<{list}.{}>", clean(&settings.domain, 200))),
        ("Auto-Submitted", "auto-generated".to_owned()),
        ("X-Auto-Response-Suppress", "All".to_owned()),
        ("X-Muster-State", view.state.to_lowercase()),
        ("X-Muster-Severity", label("severity")),
        ("X-Muster-Host", label("host")),
        ("X-Muster-Alert", label("alertname")),
        ("X-Muster-Incident", notice.incident.to_string()),
        ("X-Muster-Notice", notice.id.to_string()),
    ];
    let own = own.into_iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| (name.to_owned(), value));
    let more = settings.headers.iter().map(|(name, value)| (name.clone(), clean(value, 500)));
    own.chain(more).collect()
}
