//! One OAuth flow from login to the refused call, each step checked.

use anyhow::{Context as _, ensure};
use http::StatusCode;
use serde_json::{Value, json};

use crate::{
    Demo,
    agent::{Agent, Answer, Call, Cookies},
    callback::{METHODS, challenge, claims},
    clients::{DemoClient, unguessable},
    show::{self, Show, shortened},
    standin::{ALICE, ALICE_PASSWORD},
};

/// Walks it.
pub async fn walk(demo: &Demo, show: Show) -> anyhow::Result<()> {
    let mut walk = Walk {
        base: demo.gateway.url(),
        client: &demo.clients.web,
        redirect_uri: &demo.clients.redirect_uri,
        agent: Agent::new()?,
        cookies: Cookies::default(),
        show,
        steps: 0,
    };
    walk.discover().await?;
    let verifier = unguessable::<32>();
    let consent = walk.authorize_and_log_in(&verifier).await?;
    let code = walk.allow(&consent).await?;
    let tokens = walk.exchange(&code, &verifier).await?;
    walk.call_as_the_user(&tokens).await?;
    walk.userinfo(&tokens).await?;
    let tokens = walk.refresh(&tokens).await?;
    walk.introspect(&tokens, true).await?;
    walk.revoke(&tokens).await?;
    walk.refused(&tokens).await?;
    walk.introspect(&tokens, false).await?;
    show.title("The flow is complete: every step answered as it should.");
    Ok(())
}

struct Walk<'a> {
    base: &'a str,
    client: &'a DemoClient,
    redirect_uri: &'a str,
    agent: Agent,
    /// The browser's.
    cookies: Cookies,
    show: Show,
    steps: usize,
}

impl Walk<'_> {
    fn step(&mut self, title: &str) {
        self.steps += 1;
        self.show.step(self.steps, title);
    }

    fn endpoint(&self, name: &str) -> String {
        format!("{}{METHODS}{name}", self.base)
    }

    async fn send(&self, call: Call, expected: StatusCode) -> anyhow::Result<Answer> {
        let answer = self.agent.send(&call).await?;
        self.show.exchange(&call, &answer);
        ensure!(answer.status == expected, "{} was expected, not {}: {}", expected, answer.status, answer.body);
        Ok(answer)
    }

    /// As the user's browser.
    async fn browse(&mut self, call: Call, expected: StatusCode) -> anyhow::Result<Answer> {
        let call = self.cookies.put_on(call.with("accept", "text/html"));
        let answer = self.send(call, expected).await?;
        self.cookies.take_from(&answer);
        Ok(answer)
    }

    async fn discover(&mut self) -> anyhow::Result<()> {
        self.step("An OAuth client asks where the endpoints are");
        let url = format!("{}/.well-known/openid-configuration", self.base);
        let answer = self.agent.send(&Call::get(&url)).await?;
        let (document, mut told) = (answer.json(), serde_json::Map::new());
        for name in ["issuer", "authorization_endpoint", "token_endpoint", "jwks_uri"] {
            told.insert(name.to_owned(), document.get(name).cloned().unwrap_or_default());
        }
        let shown = Answer { body: Value::Object(told).to_string(), ..answer };
        self.show.exchange(&Call::get(url), &shown);
        self.show.note("and so on: these are the paths that ERPNext's clients know");
        ensure!(shown.member("issuer") == self.base, "the issuer is not {}", self.base);
        Ok(())
    }

    /// Gives the consent page.
    async fn authorize_and_log_in(&mut self, verifier: &str) -> anyhow::Result<String> {
        self.step("It sends the user's browser to authorize, with PKCE; nobody is logged in yet");
        let parameters = [
            ("client_id", self.client.id),
            ("response_type", "code"),
            ("redirect_uri", self.redirect_uri),
            ("scope", "openid all"),
            ("state", "state-of-the-client"),
            ("nonce", "nonce-of-the-client"),
            ("code_challenge", &challenge(verifier)),
            ("code_challenge_method", "S256"),
        ];
        let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
        let url = format!("{}?{query}", self.endpoint("authorize"));
        let answer = self.browse(Call::get(url), StatusCode::FOUND).await?;
        ensure!(answer.location().starts_with(&format!("{}/login?", self.base)), "no way to the login page");
        let back = answer.location_parameter("redirect-to").context("the login page would not come back")?;

        self.step("The user logs in on ERPNext's own login page, through the gateway");
        let form = vec![("cmd", "login".to_owned()), ("usr", ALICE.to_owned()), ("pwd", ALICE_PASSWORD.to_owned())];
        self.browse(Call::post(format!("{}/", self.base), form), StatusCode::OK).await?;

        self.step("The login page leads back to authorize, which asks for consent");
        let page = self.browse(Call::get(back), StatusCode::OK).await?.body;
        for line in text_of(&page) {
            println!("      | {line}");
        }
        Ok(page)
    }

    /// Gives the code.
    async fn allow(&mut self, consent: &str) -> anyhow::Result<String> {
        self.step("The user presses Allow: the browser is sent back to the client with a code");
        let field = |name| hidden_field(consent, name).with_context(|| format!("the page has no field {name}"));
        let form = vec![("handle", field("handle")?), ("token", field("token")?), ("decision", "allow".to_owned())];
        let call = Call::post(self.endpoint("approve"), form).with("origin", self.base);
        let answer = self.browse(call, StatusCode::SEE_OTHER).await?;
        ensure!(answer.location().starts_with(self.redirect_uri), "that is not the way to the client");
        ensure!(answer.location_parameter("state").as_deref() == Some("state-of-the-client"), "another state");
        ensure!(answer.location_parameter("iss").as_deref() == Some(self.base), "another issuer");
        answer.location_parameter("code").context("no code")
    }

    fn by_client(&self, call: Call) -> Call {
        call.by_client(self.client.id, self.client.secret.as_deref())
    }

    async fn exchange(&mut self, code: &str, verifier: &str) -> anyhow::Result<Answer> {
        self.step("The client exchanges the code for tokens");
        let form = vec![
            ("grant_type", "authorization_code".to_owned()),
            ("code", code.to_owned()),
            ("redirect_uri", self.redirect_uri.to_owned()),
            ("code_verifier", verifier.to_owned()),
        ];
        let call = self.by_client(Call::post(self.endpoint("get_token"), form));
        let tokens = self.send(call, StatusCode::OK).await?;
        self.show.note("the id_token says:");
        let claims = claims(&tokens.member("id_token"));
        show::json(&claims);
        ensure!(claims.get("nonce") == Some(&json!("nonce-of-the-client")), "another nonce");
        ensure!(claims.get("iss") == Some(&json!(self.base)), "another issuer");
        Ok(tokens)
    }

    async fn call_as_the_user(&mut self, tokens: &Answer) -> anyhow::Result<()> {
        self.step("It calls ERPNext's API with the access token");
        let access_token = tokens.member("access_token");
        let url = format!("{}/api/resource/Customer?limit_page_length=2", self.base);
        self.send(Call::get(url).with_token(&access_token), StatusCode::OK).await?;

        self.step("What ERPNext sees of such a call (a method of the stand-in that echoes it)");
        let url = format!("{}/api/method/echo", self.base);
        let call = Call::get(url).with_token(&access_token);
        let answer = self.agent.send(&call).await?;
        ensure!(answer.status == StatusCode::OK, "{}: {}", answer.status, answer.body);
        let echo = answer.json().get("message").cloned().unwrap_or_default();
        let seen = json!({"user": echo.get("user"), "headers": header_lines(&echo)});
        self.show.exchange(&call, &Answer { body: seen.to_string(), ..answer });
        self.show.note(
            "the token stays at the gateway; ERPNext gets a credential of the same user that only the gateway knows",
        );
        ensure!(echo.get("user") == Some(&json!(ALICE)), "ERPNext saw another user");
        ensure!(!echo.to_string().contains(&access_token), "ERPNext saw the access token");
        Ok(())
    }

    async fn userinfo(&mut self, tokens: &Answer) -> anyhow::Result<()> {
        self.step("It asks who the user is");
        let call = Call::get(self.endpoint("openid_profile")).with_token(&tokens.member("access_token"));
        let answer = self.send(call, StatusCode::OK).await?;
        let subject = claims(&tokens.member("id_token")).get("sub").cloned();
        ensure!(answer.json().get("sub") == subject.as_ref(), "another subject than in the id_token");
        Ok(())
    }

    async fn refresh(&mut self, tokens: &Answer) -> anyhow::Result<Answer> {
        self.step("Later it gets a new access token with the refresh token");
        let form = vec![("grant_type", "refresh_token".to_owned()), ("refresh_token", tokens.member("refresh_token"))];
        let call = self.by_client(Call::post(self.endpoint("get_token"), form));
        let new = self.send(call, StatusCode::OK).await?;
        ensure!(new.member("access_token") != tokens.member("access_token"), "the same access token again");
        Ok(new)
    }

    async fn introspect(&mut self, tokens: &Answer, active: bool) -> anyhow::Result<()> {
        self.step(if active { "A service asks whether a token is active" } else { "And the service is told so too" });
        let form = vec![("token", tokens.member("access_token"))];
        let call = self.by_client(Call::post(self.endpoint("introspect_token"), form));
        let answer = self.send(call, StatusCode::OK).await?;
        ensure!(answer.json().get("active") == Some(&json!(active)), "active is not {active}");
        Ok(())
    }

    async fn revoke(&mut self, tokens: &Answer) -> anyhow::Result<()> {
        self.step("The client logs out: it revokes its token");
        let form = vec![("token", tokens.member("refresh_token"))];
        let call = self.by_client(Call::post(self.endpoint("revoke_token"), form));
        self.send(call, StatusCode::OK).await.map(drop)
    }

    async fn refused(&mut self, tokens: &Answer) -> anyhow::Result<()> {
        self.step("The very next call is refused");
        let url = format!("{}/api/resource/Customer", self.base);
        let call = Call::get(url).with_token(&tokens.member("access_token"));
        self.send(call, StatusCode::UNAUTHORIZED).await.map(drop)
    }
}

/// The value of a hidden field of our own page, whose values need no unescaping.
fn hidden_field(page: &str, name: &str) -> Option<String> {
    let (_, rest) = page.split_once(&format!("name=\"{name}\" value=\""))?;
    rest.split_once('"').map(|(value, _)| value.to_owned())
}

/// The words of a page's body, by line.
fn text_of(page: &str) -> Vec<String> {
    let (_, body) = page.split_once("<body>").unwrap_or(("", page));
    let mut text = String::new();
    let mut in_tag = false;
    for character in body.chars() {
        match character {
            '<' => in_tag = true,
            '>' => in_tag = false,
            other if !in_tag => text.push(other),
            _ => {}
        }
    }
    let lines = text.lines().map(|line| line.trim().replace("&#39;", "'").replace("&#x27;", "'"));
    lines.filter(|line| !line.is_empty()).collect()
}

fn header_lines(echo: &Value) -> Vec<String> {
    let pairs = echo.get("headers").and_then(Value::as_array).cloned().unwrap_or_default();
    let text = |pair: &Value, at: usize| pair.get(at).and_then(Value::as_str).unwrap_or_default().to_owned();
    pairs.iter().map(|pair| format!("{}: {}", text(pair, 0), shortened(&text(pair, 1)))).collect()
}
