//! The last word of a session that is refused.

use muster_common::wire::message::{Lane, Message, PROTOCOL, RefusalCode, Refused};

use super::machine::{Session, Stage};
use crate::counters::Count;

impl Session {
    pub(super) fn refuse_version(&mut self, protocol: u16) {
        self.refuse(Refused {
            code: RefusalCode::Version,
            message: format!("the agent speaks protocol {protocol}, this collector {PROTOCOL}"),
            remedy: "upgrade the older of the two".to_owned(),
            retry_after_ms: 60_000,
        });
    }

    pub(super) fn refuse_lane(&mut self, lane: Option<Lane>) {
        let lane = lane.map_or_else(|| "none".to_owned(), |lane| format!("{lane:?}").to_lowercase());
        let message = format!("a batch on lane {lane}, which this collector does not store");
        self.refuse_protocol(&message, "upgrade the collector, or leave that part of the agent's configuration out");
    }

    pub(super) fn refuse_protocol(&mut self, message: &str, remedy: &str) {
        let (message, remedy) = (message.to_owned(), remedy.to_owned());
        self.refuse(Refused { code: RefusalCode::Protocol, message, remedy, retry_after_ms: 0 });
    }

    /// Says why and ends. What the store already has is still waited for.
    pub(super) fn refuse(&mut self, refused: Refused) {
        if matches!(self.stage, Stage::Ending(_) | Stage::Ended) {
            return;
        }
        self.shared.counters.one(refusal_count(refused.code));
        let why = refused.message.clone();
        self.send(Message::Refused(refused));
        self.end(why);
    }
}

/// What counts refusals of this code.
pub(crate) const fn refusal_count(code: RefusalCode) -> Count {
    match code {
        RefusalCode::Version => Count::RefusedVersion,
        RefusalCode::Protocol => Count::RefusedProtocol,
        RefusalCode::Token => Count::RefusedToken,
        RefusalCode::Pending => Count::RefusedPending,
        RefusalCode::Certificate => Count::RefusedCertificate,
        RefusalCode::Quarantined => Count::RefusedQuarantined,
        RefusalCode::Superseded => Count::RefusedSuperseded,
        RefusalCode::Busy => Count::RefusedBusy,
        RefusalCode::Storage => Count::RefusedStorage,
    }
}
