//! `upload_file`: what arrived is told by size and hash, whatever its size.

use super::auth::Caller;
use super::fault::Fault;
use super::json::Json;
use super::methods::message;
use super::multipart::FilePart;
use super::random;
use super::records::StoredFile;
use super::reply::Reply;
use super::request::Request;
use super::state::State;

/// Takes the first file of a multipart body, else the whole body as a file.
pub fn upload(state: &mut State, request: &Request, caller: &Caller) -> Result<Reply, Fault> {
    let whole = || FilePart {
        field: String::new(),
        name: "body".to_owned(),
        size: request.body.length,
        sha256: request.body.sha256.clone(),
        content: Some(request.body.recorded.clone()),
    };
    let file = request.body.files.first().cloned().unwrap_or_else(whole);
    let private = request.value("is_private").is_some_and(|value| value == "1");
    let folder = if private { "/private/files" } else { "/files" };
    let url = format!("{folder}/{}", file.name);
    if let Some(content) = file.content {
        let owner = caller.user.clone();
        state.files.retain(|has| has.url != url);
        state.files.push(StoredFile { url: url.clone(), owner, content });
    }
    let document = Json::map([
        ("name", random::hex(10).into()),
        ("owner", caller.user.as_str().into()),
        ("file_name", file.name.into()),
        ("is_private", u8::from(private).into()),
        ("file_size", file.size.into()),
        ("file_url", url.into()),
        ("sha256", file.sha256.into()),
        ("body_length", request.body.length.into()),
        ("body_sha256", request.body.sha256.as_str().into()),
        ("doctype", "File".into()),
    ]);
    Ok(message(caller, document))
}
