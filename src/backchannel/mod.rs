//! Tells clients that a login session has ended (OpenID Connect Back-Channel Logout 1.0): calls to addresses that
//! the operator has configured.

use std::{sync::Arc, time::Duration};

use futures_util::{StreamExt, stream};
use http::StatusCode;
use tokio::{sync::watch, time::timeout};
use url::form_urlencoded;

use crate::{
    issuer::{IssueError, Logouts},
    oauth::Client,
    store::LogoutNotice,
};

/// So long a client may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// What is due is looked for this often, besides when a login session ends.
const PERIOD: Duration = Duration::from_secs(5);
const AT_ONCE: usize = 8;

/// Hears how it went: `told`, `refused` by the client, or `failed` and tried again.
pub type OnNotice = Arc<dyn Fn(&'static str) + Send + Sync>;

/// Sends logout tokens.
pub struct Backchannel {
    logouts: Arc<Logouts>,
    agent: reqwest::Client,
    on_notice: OnNotice,
}

/// What came of telling a client.
enum Told {
    /// It knows, or there is nobody to tell any more.
    Done,
    /// It says that it will not take it (§2.8): the same would come of the same.
    Refused,
}

/// Why a client could not be told; it is tried again.
#[derive(Debug, thiserror::Error)]
enum NotTold {
    #[error("the logout token can't be signed: {0}")]
    Token(#[from] IssueError),
    #[error("{0}")]
    NoAnswer(String),
    #[error("it answered {0}")]
    Status(StatusCode),
}

impl Backchannel {
    /// Makes no call yet. The process must have installed a TLS provider for rustls.
    ///
    /// # Errors
    /// When the system's certificates can't be read.
    pub fn new(logouts: Arc<Logouts>, on_notice: OnNotice) -> Result<Self, reqwest::Error> {
        // A redirect would lead where nobody has configured.
        let agent = reqwest::Client::builder()
            .connect_timeout(PATIENCE / 2)
            .timeout(PATIENCE)
            .pool_max_idle_per_host(0)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()?;
        Ok(Self { logouts, agent, on_notice })
    }

    /// Tells who is to be told, until `shutdown` says so; what is not done then is done by the next process.
    pub async fn run(&self, mut shutdown: watch::Receiver<bool>) {
        loop {
            // A round that is broken off is repeated: to hear of a logout twice does no harm.
            tokio::select! {
                () = self.round() => {}
                _ = shutdown.wait_for(|stop| *stop) => return,
            }
            tokio::select! {
                _ = timeout(PERIOD, self.logouts.noted()) => {}
                _ = shutdown.wait_for(|stop| *stop) => return,
            }
        }
    }

    /// Tells all who are due.
    async fn round(&self) {
        loop {
            match self.logouts.due().await {
                Ok(due) if due.is_empty() => return,
                Ok(due) => stream::iter(due).for_each_concurrent(AT_ONCE, |notice| self.deliver(notice)).await,
                Err(error) => return tracing::error!(%error, "whom to tell of a logout can't be read"),
            }
        }
    }

    async fn deliver(&self, notice: LogoutNotice) {
        let client = &notice.client;
        let outcome = match self.tell(&notice).await {
            Ok(Told::Done) => "told",
            Ok(Told::Refused) => {
                tracing::warn!(%client, "the client refuses to hear of a logout");
                "refused"
            }
            Err(error) => {
                tracing::warn!(%client, attempts = notice.attempts + 1, %error, "a client can't be told of a logout yet");
                return (self.on_notice)("failed");
            }
        };
        (self.on_notice)(outcome);
        if let Err(error) = self.logouts.told(&notice).await {
            tracing::error!(%error, %client, "that a client has been told of a logout can't be kept");
        }
    }

    async fn tell(&self, notice: &LogoutNotice) -> Result<Told, NotTold> {
        let Some(client) = self.logouts.addressee(notice) else { return Ok(Told::Done) };
        let token = self.logouts.logout_token(&client, notice).await?;
        let status = self.post(&client, &token).await?;
        match status {
            status if status.is_success() => Ok(Told::Done),
            StatusCode::BAD_REQUEST => Ok(Told::Refused),
            other => Err(NotTold::Status(other)),
        }
    }

    async fn post(&self, client: &Client, token: &str) -> Result<StatusCode, NotTold> {
        let Some(uri) = &client.backchannel_logout_uri else { return Ok(StatusCode::OK) };
        let form = form_urlencoded::Serializer::new(String::new()).append_pair("logout_token", token).finish();
        let request = self
            .agent
            .post(uri.as_str())
            .header(http::header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(form);
        let answer = request.send().await.map_err(|error| NotTold::NoAnswer(described(error)))?;
        Ok(answer.status())
    }
}

/// Without the URL, which may have a query.
fn described(error: reqwest::Error) -> String {
    let error = error.without_url();
    std::error::Error::source(&error).map_or_else(|| error.to_string(), |cause| format!("{error} ({cause})"))
}
