//! The certificate's life: looked at while a session stands, renewed in time, stored.

use muster_common::identity::{Identity, Trust, certificate};

use super::{Agent, RENEWAL_EVERY};
use crate::identity_files::roots_of;
use crate::uplink::quic::client_config;
use crate::uplink::renewal::Renewal;
use crate::uplink::{Input, Moment};

impl Agent {
    pub(super) fn connected(&mut self) {
        let now = self.corrected(Moment::read());
        if !self.renewals.comes_first(self.certificate.not_after, now) {
            return self.give(Input::Connected);
        }
        let key_der = self.identity.key_der.clone();
        match certificate::new_request(&key_der) {
            Ok(csr_der) => {
                self.renewing = Some(key_der);
                self.give(Input::ConnectedExpired { csr_der });
            }
            Err(error) => {
                self.renewal_failed(&format!("the certificate cannot be renewed: {error}"));
                self.give(Input::Connected);
            }
        }
    }

    pub(super) fn renew_if_due(&mut self, now: Moment) {
        let life = (self.certificate.not_before, self.certificate.not_after);
        let key = match self.renewals.due(life, self.corrected(now), now.steady) {
            _ if !self.is_connected() => return,
            Renewal::NotYet => return,
            Renewal::SameKey => Ok(self.identity.key_der.clone()),
            Renewal::NewKey => self.files.renewing_key(),
        };
        self.renewals.asked(now.steady);
        let request = key.and_then(|key| Ok((certificate::new_request(&key)?, key)));
        match request {
            Ok((csr_der, key)) => {
                self.renewing = Some(key);
                self.give(Input::Renew { csr_der });
            }
            Err(error) => self.renewal_failed(&format!("the certificate cannot be renewed: {error}")),
        }
    }

    fn renewal_failed(&mut self, problem: &str) {
        self.own.renewal_failures.add(1);
        if problem != self.status.host.certificate_problem {
            tracing::warn!("{problem}");
            self.status.host.certificate_problem = problem.to_owned();
        }
    }

    pub(super) fn renewed(&mut self, chain_der: Vec<Vec<u8>>) {
        let Some(key_der) = self.renewing.take() else { return };
        let identity = Identity { chain_der, key_der };
        let checked = self.files.check_renewed(self.host, &identity);
        let trust = Trust::Roots(roots_of(&identity.chain_der));
        match checked.map(|facts| (facts, client_config(&trust, Some(&identity)))) {
            Ok((facts, Ok(config))) => {
                tracing::info!(serial = %facts.serial, "certificate renewed");
                self.uplink.use_config(config);
                self.status.host.certificate_expires_ms = facts.not_after.millis();
                self.certificate = facts;
                self.identity = identity;
                self.renewals.renewed();
                self.store_identity();
            }
            Ok((_, Err(error))) => self.renewal_failed(&format!("the renewed certificate cannot be used: {error}")),
            Err(error) => self.renewal_failed(&format!("the renewed certificate cannot be used: {error}")),
        }
    }

    /// A disk that does not take it is asked again every minute; the identity serves from memory meanwhile.
    pub(super) fn store_identity(&mut self) {
        match self.files.store_renewed(self.host, &self.identity) {
            Ok(_) => {
                self.is_unstored = false;
                self.status.host.certificate_problem.clear();
            }
            Err(error) => {
                self.is_unstored = true;
                self.renew_at = self.renew_at.min(Moment::read().steady + RENEWAL_EVERY);
                self.renewal_failed(&format!("the renewed certificate is used, and lost at the next restart: {error}"));
            }
        }
    }
}
