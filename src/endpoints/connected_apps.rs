//! *Connected applications*: a user sees which applications may act for him, and ends what one of them may.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use http::{Method, Request, StatusCode};

use super::{
    Endpoints, Peer,
    authorize::authorization_parameters,
    browser::{Browser, see},
    form,
    forms::{Form, forbidden},
    pages::{ConnectedApp, Page},
    respond::{Answer, OAuthError},
    texts::Language,
};
use crate::{
    oauth::{Client, ClientId},
    store::{Connection, GrantUser},
    telemetry::audit::AuditEvent,
};

/// So many applications are shown, those first that were given access last.
const MOST: usize = 200;

impl Endpoints {
    pub(super) async fn connected_apps(&self, method: &Method, request: Request<Bytes>, peer: Peer) -> Answer {
        let answer = if *method == Method::POST {
            self.end_access(&request, peer).await
        } else {
            self.show_connected_apps(&request, peer).await
        };
        answer.unwrap_or_else(|error| self.page_or_json(request.headers(), &error))
    }

    async fn show_connected_apps(&self, request: &Request<Bytes>, peer: Peer) -> Result<Answer, OAuthError> {
        let (parameters, headers) = (authorization_parameters(&Method::GET, request)?, request.headers());
        let browser = Browser::of(headers, self.is_https());
        let Some(user) = self.visiting_user(&browser, peer).await? else {
            let login = self.login_url(&self.connected_apps_url(), None);
            return Ok(see(StatusCode::FOUND, &login, None));
        };
        let connections = self.issuer.store.connections(&user, self.issuer.clock.now()).await?;
        let mut apps = self.apps(connections, &browser);
        let hidden = apps.len().saturating_sub(MOST);
        apps.truncate(MOST);
        let page = Page::ConnectedApps { user: &user, apps: &apps, hidden };
        Ok(page.answer(&self.settings, Language::of(parameters.get("ui_locales"), headers)))
    }

    /// Who is logged in, asked live.
    pub(super) async fn visiting_user(&self, browser: &Browser, peer: Peer) -> Result<Option<GrantUser>, OAuthError> {
        let Some(sid) = &browser.sid else { return Ok(None) };
        match self.login_user(sid, peer).await? {
            Some(name) => Ok(Some(self.issuer.grant_user(&name).await?)),
            None => Ok(None),
        }
    }

    /// One entry for each application, the newest first.
    fn apps(&self, connections: Vec<Connection>, browser: &Browser) -> Vec<ConnectedApp> {
        let known = self.clients.known();
        let mut apps: BTreeMap<ClientId, ConnectedApp> = BTreeMap::new();
        for connection in connections {
            let Connection { client: id, scopes, since, last_used, acts } = connection;
            let app = apps.entry(id.clone()).or_insert_with(|| ConnectedApp {
                client: known.client(&id).map(Arc::clone),
                scopes: scopes.clone(),
                since,
                last_used: None,
                acts: false,
                form_token: self.form_token(Form::EndAccess, id.as_str(), browser),
                id,
            });
            app.scopes = app.scopes.union(&scopes);
            app.since = app.since.min(since);
            app.last_used = app.last_used.max(last_used);
            app.acts |= acts;
        }
        let mut apps: Vec<ConnectedApp> = apps.into_values().collect();
        apps.sort_by_key(|app| std::cmp::Reverse(app.since));
        apps
    }

    /// Ends what an application may do for the user: its token in the form names it, the form was shown to this login session.
    async fn end_access(&self, request: &Request<Bytes>, peer: Peer) -> Result<Answer, OAuthError> {
        let form = form(request)?;
        self.check_origin(request.headers())?;
        let browser = Browser::of(request.headers(), self.is_https());
        let (client, token) = (form.get("client").ok_or_else(forbidden)?, form.get("token").unwrap_or_default());
        if browser.sid.is_none() || !self.is_form_token(Form::EndAccess, client, &browser, token) {
            return Err(forbidden());
        }
        let user = self.visiting_user(&browser, peer).await?.ok_or_else(forbidden)?;
        let client = ClientId::new(client);
        let ended = self.issuer.end_connection(&user.name, &client).await?;
        self.issuer.record(&AuditEvent {
            event: "access_ended",
            client_id: Some(client.as_str()),
            user: Some(user.name.as_str()),
            count: Some(ended),
            address: Some(peer.address),
            ..AuditEvent::default()
        });
        Ok(see(StatusCode::SEE_OTHER, &self.connected_apps_url(), None))
    }
}

impl ConnectedApp {
    /// What the user knows it by.
    pub(super) fn name(&self) -> &str {
        self.client.as_deref().map_or(self.id.as_str(), |client: &Client| client.name.as_str())
    }
}
