//! Lists of documents, read page by page.

use serde::de::DeserializeOwned;

use super::{
    DirectoryError,
    agent::{Agent, As, Call, Payload},
    answer::Data,
};

/// Rows of one list call.
pub(super) const PAGE: usize = 500;

/// Which list.
#[derive(Clone, Copy)]
pub(super) struct List<'a> {
    /// What it is asked for, in the words of logs and metrics.
    pub(super) what: &'static str,
    pub(super) doctype: &'a str,
    /// The right that the account needs.
    pub(super) needs: &'a str,
    /// Fields, filters and the like; of each at most one.
    pub(super) query: &'a [(&'a str, &'a str)],
}

/// All rows, by name. An entry may stand twice, or be missed, when rows come and go meanwhile.
pub(super) async fn all<T: DeserializeOwned>(agent: &Agent, list: List<'_>) -> Result<Vec<T>, DirectoryError> {
    let mut rows = Vec::new();
    loop {
        let page = page(agent, list, "name asc", rows.len()).await?;
        let ends = page.len() < PAGE;
        rows.extend(page);
        if ends {
            return Ok(rows);
        }
    }
}

/// A page of the rows in this order, after the first `start`.
pub(super) async fn page<T: DeserializeOwned>(
    agent: &Agent,
    list: List<'_>,
    order: &str,
    start: usize,
) -> Result<Vec<T>, DirectoryError> {
    let (start, length) = (start.to_string(), PAGE.to_string());
    let mut query = list.query.to_vec();
    query.extend([("order_by", order), ("limit_start", &start), ("limit_page_length", &length)]);
    let path = ["api", "resource", list.doctype];
    let (what, method, payload) = (list.what, http::Method::GET, Payload::None);
    let call = Call { what, method, path: &path, query: &query, payload, by: As::Account };
    let answer = agent.send(call).await?.for_account(list.needs)?;
    let missing = || DirectoryError::Unavailable(format!("{what}: no such list at [erpnext].url"));
    Ok(answer.ok_or_else(missing)?.read::<Data<Vec<T>>>()?.data)
}
