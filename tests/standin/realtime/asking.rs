//! Who a client is, as `realtime/middlewares/authenticate.js` finds out.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use url::Url;

use super::super::head::Head;

const USER_INFO: &str = "/api/method/frappe.realtime.get_user_info";

/// Who has joined a namespace.
pub struct Member {
    pub user: String,
}

/// Joins the client of this request to a namespace.
///
/// # Errors
///
/// What the client is told.
pub async fn join(head: &Head, namespace: &str) -> Result<Member, String> {
    let field = |name: &str| head.field(name).unwrap_or_default().to_owned();
    let (host, origin) = (field("host"), field("origin"));
    let site = head.field("x-frappe-site-name").map_or_else(|| hostname(&origin), hostname);
    if namespace != format!("/{site}") {
        return Err("Invalid namespace".to_owned());
    }
    if hostname(&host) != hostname(&origin) {
        return Err("Invalid origin".to_owned());
    }
    let cookie = field("cookie");
    if cookie.is_empty() {
        return Err("No cookie transmitted.".to_owned());
    }
    let mut cookies = cookie.split(';').filter_map(|pair| pair.trim().split_once('='));
    let sid = cookies.find(|(name, value)| *name == "sid" && !value.is_empty()).map(|(_, value)| value.to_owned());
    let authorization = field("authorization");
    if sid.is_none() && authorization.is_empty() {
        return Err("No authentication method used. Use cookie or authorization header.".to_owned());
    }
    // A session, even the guest's, comes before a token.
    let (query, authorization) = match sid {
        Some(sid) => (format!("?sid={sid}"), None),
        None => (String::new(), Some(authorization)),
    };
    ask(&origin, &format!("{USER_INFO}{query}"), authorization)
        .await
        .map_err(|problem| format!("Unauthorized: {problem}"))
}

/// As superagent asks: without cookies, with the content type of a form.
async fn ask(origin: &str, target: &str, authorization: Option<String>) -> Result<Member, String> {
    let url = Url::parse(origin).map_err(|_| "Error: Invalid URL".to_owned())?;
    let (host, port) = (url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or(80));
    let authorization = authorization.map(|value| format!("Authorization: {value}\r\n")).unwrap_or_default();
    let request = format!(
        "GET {target} HTTP/1.1\r\nHost: {host}:{port}\r\nAccept-Encoding: gzip, deflate\r\n\
         Content-Type: application/x-www-form-urlencoded\r\n{authorization}Connection: close\r\n\r\n"
    );
    let answer = async {
        let mut stream = TcpStream::connect((host, port)).await?;
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        Ok::<_, std::io::Error>(String::from_utf8_lossy(&answer).into_owned())
    };
    let answer = answer.await.map_err(|error| format!("Error: {error}"))?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or("Error: no answer")?;
    if head.split(' ').nth(1) != Some("200") {
        return Err("Error: Unauthorized".to_owned());
    }
    let body: serde_json::Value = serde_json::from_str(body).map_err(|_| "Error: no JSON".to_owned())?;
    let user = body["message"]["user"].as_str().ok_or("Error: no user")?;
    Ok(Member { user: user.to_owned() })
}

/// Without scheme and port.
fn hostname(url: &str) -> String {
    let authority = if url.contains("://") { url.split('/').nth(2).unwrap_or_default() } else { url };
    authority.split(':').next().unwrap_or_default().to_owned()
}
