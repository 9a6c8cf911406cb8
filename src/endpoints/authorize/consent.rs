//! Check 9: consent, asked for on our page and remembered where the client can be told apart from another.

use super::{Endpoints, Stage};
use crate::{
    endpoints::{
        browser::add_cookie,
        forms::Form,
        pages::Page,
        respond::{Answer, OAuthError},
    },
    issuer::Login,
    oauth::RedirectUri,
    store::Consent,
    telemetry::audit::AuditEvent,
};

/// A consent is asked for again after this time.
const CONSENT_LIFE: std::time::Duration = std::time::Duration::from_secs(180 * 24 * 3600);

impl Endpoints {
    pub(super) async fn needs_consent(&self, stage: &Stage, login: &Login) -> Result<bool, OAuthError> {
        let prompt = stage.request.prompt;
        if prompt.consent || prompt.select_account {
            return Ok(true);
        }
        if stage.client.skip_consent {
            return Ok(false);
        }
        let (store, uri) = (&self.issuer.store, &stage.request.redirect_uri.uri);
        let now = self.issuer.clock.now();
        let consent = store.consent(&stage.client.id, &login.user.name, &login.user.sub, uri, now).await?;
        let agent = stage.client.agent.is_some();
        // The page of an agent says other things and has boxes: what was said there or elsewhere says nothing of the other.
        let covers =
            |consent: Consent| consent.agent == agent && stage.request.consent_scopes().is_subset_of(&consent.scopes);
        Ok(!consent.is_some_and(covers))
    }

    pub(super) async fn consent_page(&self, mut stage: Stage, login: &Login) -> Result<Answer, OAuthError> {
        let cookie = self.store_request(&mut stage).await?;
        let form_token = self.form_token(Form::Consent, stage.handle(), &stage.browser);
        let page = Page::Consent {
            client: &stage.client,
            user: &login.user,
            request: &stage.request,
            handle: stage.handle(),
            form_token: &form_token,
        };
        let mut answer = page.answer(&self.settings, stage.language);
        add_cookie(&mut answer, cookie.as_deref());
        Ok(answer)
    }

    /// Remembers that the user has consented, for clients that authenticate or stand at an https address: any other may
    /// be somebody else the next time (decision 16).
    pub(super) async fn remember_consent(&self, stage: &Stage, login: &Login) -> Result<(), OAuthError> {
        let uri = &stage.request.redirect_uri.uri;
        let known_again = !stage.client.is_public() || RedirectUri::parse(uri).is_ok_and(|uri| uri.is_https());
        if !known_again {
            return Ok(());
        }
        let now = self.issuer.clock.now();
        let consent = Consent {
            client: stage.client.id.clone(),
            user: login.user.clone(),
            redirect_uri: uri.clone(),
            scopes: stage.request.consent_scopes(),
            agent: stage.client.agent.is_some(),
            given_at: now,
            expires_at: now.plus(CONSENT_LIFE),
        };
        self.issuer.store.put_consent(consent).await?;
        self.issuer.record(&AuditEvent {
            event: "consent_remembered",
            client_id: Some(stage.client.id.as_str()),
            user: Some(login.user.name.as_str()),
            scope: Some(&stage.request.consent_scopes().to_string()),
            address: Some(stage.peer.address),
            ..AuditEvent::default()
        });
        Ok(())
    }
}
