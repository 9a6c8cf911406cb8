//! Frappe's error answers.

use super::json::Json;
use super::random;
use super::reply::{Cookies, Reply};
use super::request::Request;

/// An exception that Frappe would raise.
#[derive(Clone, Debug)]
pub struct Fault {
    status: u16,
    kind: &'static str,
    /// `exception` and `exc`; a fault without it has neither.
    exception: Option<String>,
    /// What is under `message` before the exception.
    message: Option<String>,
    /// What is in `_server_messages`.
    server_message: Option<String>,
    title: &'static str,
    /// Raised before there were cookies.
    early: bool,
}

impl Fault {
    fn new(status: u16, kind: &'static str, title: &'static str) -> Self {
        let exception = Some(format!("frappe.exceptions.{kind}"));
        let (message, server_message) = (None, None);
        Self { status, kind, exception, message, server_message, title, early: false }
    }

    /// A bearer or key that is not known: 401, the cookies cleared.
    pub fn authentication() -> Self {
        Self::new(401, "AuthenticationError", "Session Expired")
    }

    /// A login that failed, before there is any session.
    pub fn login(message: &str) -> Self {
        let message = Some(message.to_owned());
        Self { message, early: true, ..Self::authentication() }
    }

    /// The same inside of a request (password grant): the cookies are cleared.
    pub fn credentials(message: &str) -> Self {
        Self { message: Some(message.to_owned()), ..Self::authentication() }
    }

    /// A guest called what is not for guests.
    pub fn not_whitelisted(method: &str) -> Self {
        let text = format!(
            "frappe.exceptions.PermissionError: <details><summary>You are not permitted to access \
             this resource.</summary>Function <strong>{method}</strong> is not whitelisted.</details>"
        );
        Self { exception: Some(text), ..Self::permission() }
    }

    /// The user has no right to a document.
    pub fn permission() -> Self {
        Self::new(403, "PermissionError", "Not Permitted")
    }

    /// An unsafe method without the session's CSRF token.
    pub fn csrf() -> Self {
        let server_message = Some("Invalid Request".to_owned());
        Self { exception: None, server_message, ..Self::new(400, "CSRFTokenError", "Invalid Request") }
    }

    /// Something is not there; `what` says what was looked for.
    pub fn not_found(what: Option<String>) -> Self {
        let server_message = what.map(|what| format!("{what} not found"));
        let fault = Self::new(404, "DoesNotExistError", "Not Found");
        Self { exception: None, server_message, ..fault }
    }

    /// 417 with its text.
    pub fn validation(kind: &'static str, text: &str) -> Self {
        let exception = Some(format!("frappe.exceptions.{kind}: {text}"));
        Self { exception, ..Self::new(417, kind, "Message") }
    }

    /// 417: a document that another one is linked with can't be deleted (tried on a real Frappe 15.44 site).
    pub fn linked(doctype: &str, name: &str, linking: &str, link: &str) -> Self {
        let anchor = |doctype: &str, name: &str| format!("<a href=\"/app/Form/{doctype}/{name}\">{name}</a>");
        let text = format!(
            "Cannot delete or cancel because {doctype} {} is linked with {linking} {} ",
            anchor(doctype, name),
            anchor(linking, link)
        );
        Self { server_message: Some(text.clone()), ..Self::validation("LinkExistsError", &text) }
    }

    /// 409: a document of that name exists.
    pub fn duplicate(doctype: &str, name: &str) -> Self {
        let text = format!(
            "frappe.exceptions.DuplicateEntryError: ('{doctype}', '{name}', IntegrityError(1062, \
             \"Duplicate entry '{name}' for key 'PRIMARY'\"))"
        );
        Self { exception: Some(text), ..Self::new(409, "DuplicateEntryError", "Duplicate Name") }
    }

    /// An exception of Python's own: 500.
    pub fn python(kind: &'static str, text: &str) -> Self {
        let exception = Some(format!("{kind}: {text}"));
        Self { exception, ..Self::new(500, kind, "Server Error") }
    }

    /// The answer, JSON or a page, by what the request accepts.
    pub fn reply(&self, request: &Request, session_expired: bool) -> Reply {
        let cookies = match self.status {
            _ if self.early => Cookies::None,
            401 => Cookies::Cleared,
            _ => Cookies::Session,
        };
        let reply = if !request.wants_json() {
            // Without a session Frappe fails at writing the page (tried on a real Frappe 15.44 site).
            page(if self.early { 500 } else { self.status }, self.title)
        } else if request.path.starts_with("/api/v2/") {
            Reply::json(self.status, &self.v2())
        } else {
            Reply::json(self.status, &self.v1(session_expired))
        };
        reply.cookies(cookies)
    }

    fn v1(&self, session_expired: bool) -> Json {
        let mut body = Json::Map(Vec::new());
        if session_expired {
            body = body.with("session_expired", 1);
        }
        if let Some(message) = &self.message {
            body = body.with("message", message.as_str());
        }
        if let Some(exception) = &self.exception {
            body = body.with("exception", exception.as_str());
        }
        body = body.with("exc_type", self.kind);
        if let Some(exception) = &self.exception {
            let list = serde_json::to_string(&[self.traceback(exception)]);
            body = body.with("exc", list.expect("a list can be written"));
        }
        if let Some(message) = &self.server_message {
            body = body.with("_server_messages", server_messages(message));
        }
        body
    }

    fn v2(&self) -> Json {
        let error = Json::map([("type", self.kind.into())]);
        let text = self.exception.as_ref().or(self.server_message.as_ref());
        let error = match text {
            Some(text) => error.with("exception", text.as_str()),
            None => error,
        };
        Json::map([("errors", Json::List(vec![error]))])
    }

    fn traceback(&self, exception: &str) -> String {
        if self.kind == "AuthenticationError" && self.message.is_none() {
            return "Traceback (most recent call last):\n  File \"apps/frappe/frappe/app.py\", line 101, \
                    in application\n    validate_auth()\n  File \"apps/frappe/frappe/auth.py\", line \
                    608, in validate_auth\n    raise frappe.AuthenticationError\n\
                    frappe.exceptions.AuthenticationError\n"
                .to_owned();
        }
        format!(
            "Traceback (most recent call last):\n  File \"apps/frappe/frappe/app.py\", line 114, in \
             application\n    response = frappe.api.handle(request)\n               \
             ^^^^^^^^^^^^^^^^^^^^^^^^^^\n{exception}\n"
        )
    }
}

/// The text of `_server_messages` with one message.
pub fn server_messages(message: &str) -> String {
    let entry = Json::map([
        ("message", message.into()),
        ("title", "Message".into()),
        ("indicator", "red".into()),
        ("raise_exception", 1.into()),
        ("__frappe_exc_id", random::hex(56).into()),
    ]);
    // Python puts a blank after colons and commas; the texts have none of their own.
    let text = entry.text().replace("\":", "\": ").replace(",\"", ", \"");
    serde_json::to_string(&[text]).expect("a list can be written")
}

/// An HTML page of the website with a title.
pub fn page(status: u16, title: &str) -> Reply {
    let page = format!(
        "<!DOCTYPE html>\n<!-- Built on Frappe. https://frappeframework.com/ -->\n<html lang=\"en\">\n\
         <head>\n\t<meta charset=\"utf-8\">\n\t<meta name=\"generator\" content=\"frappe\">\n\t\
         <title>{title}</title>\n</head>\n<body><h1>{title}</h1></body>\n</html>\n"
    );
    let name = if title == "404" { "404" } else { "message" };
    Reply::html(status, page).field("X-Page-Name", name).field("X-From-Cache", "False")
}

/// A bare page of werkzeug's.
pub fn bare_page(status: u16, name: &str, text: &str) -> Reply {
    let page =
        format!("<!doctype html>\n<html lang=en>\n<title>{status} {name}</title>\n<h1>{name}</h1>\n<p>{text}</p>\n");
    Reply::html(status, page)
}
