//! What ERPNext says of a user: the profile, as its own userinfo has it, and the roles in effect.

use http::{HeaderValue, Method};
use serde::Deserialize;

use super::{
    DirectoryError,
    agent::{Agent, As, Call, Payload, web_url},
    answer::Message,
    list::{self, List},
};
use crate::{
    oauth::{Profile, ProfileDetails, Subject, UserName},
    store::GrantUser,
};

/// `openid_profile`'s answer, which is not wrapped.
#[derive(Deserialize)]
struct OpenidProfile {
    sub: Option<String>,
    name: Option<String>,
    given_name: Option<String>,
    family_name: Option<String>,
    email: Option<String>,
    picture: Option<String>,
    #[serde(default)]
    roles: Vec<String>,
    iss: Option<String>,
}

/// What came of asking for a profile.
pub(super) enum ProfileAnswer {
    Profile(Box<Profile>),
    /// The credential is not accepted.
    Unauthorized,
    /// It is somebody else's.
    OtherSubject,
}

/// The profile, asked for with the user's own credential.
pub(super) async fn profile(
    agent: &Agent,
    user: &GrantUser,
    credential: &HeaderValue,
    public_url: &str,
) -> Result<ProfileAnswer, DirectoryError> {
    let path = ["api", "method", "frappe.integrations.oauth2.openid_profile"];
    let answer = agent.send(Call::get("profile", &path, As::Bearer(credential))).await?.for_user()?;
    let Some(answer) = answer else { return Ok(ProfileAnswer::Unauthorized) };
    let said = answer.read::<OpenidProfile>()?;
    // Without a subject of ERPNext's it is the derived one, which the user has already.
    if said.sub.is_some_and(|sub| Subject::new(sub) != user.sub) {
        return Ok(ProfileAnswer::OtherSubject);
    }
    let picture = said.picture.and_then(|picture| public_picture(&picture, said.iss.as_deref(), public_url));
    Ok(ProfileAnswer::Profile(Box::new(Profile {
        user: user.name.clone(),
        sub: user.sub.clone(),
        name: said.name,
        given_name: said.given_name,
        family_name: said.family_name,
        email: said.email,
        picture,
        roles: said.roles,
        details: ProfileDetails::default(),
    })))
}

/// Of a user's document what `openid_profile` leaves out.
#[derive(Deserialize)]
struct UserRow {
    username: Option<String>,
    gender: Option<String>,
    birth_date: Option<String>,
    time_zone: Option<String>,
    language: Option<String>,
    phone: Option<String>,
    mobile_no: Option<String>,
    location: Option<String>,
}

/// What the profile leaves out, by the gateway's account; of Administrator, whom Frappe lists to nobody, nothing.
pub(super) async fn details(agent: &Agent, name: &UserName) -> Result<ProfileDetails, DirectoryError> {
    const FIELDS: &str = r#"["username","gender","birth_date","time_zone","language","phone","mobile_no","location"]"#;
    let filters = serde_json::json!([["name", "=", name.as_str()]]).to_string();
    let query = [("fields", FIELDS), ("filters", filters.as_str())];
    let list = List { what: "profile details", doctype: "User", needs: "the right to read User", query: &query };
    let rows: Vec<UserRow> = list::page(agent, list, "name asc", 0).await?;
    Ok(rows.into_iter().next().map(UserRow::into_details).unwrap_or_default())
}

impl UserRow {
    fn into_details(self) -> ProfileDetails {
        let some = |text: Option<String>| text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        ProfileDetails {
            preferred_username: some(self.username),
            // The two values that OpenID Connect Core §5.1 defines are in small letters; Frappe's words are not.
            gender: some(self.gender).map(|gender| gender.to_lowercase()),
            birthdate: some(self.birth_date),
            zoneinfo: some(self.time_zone),
            locale: some(self.language),
            phone_number: some(self.mobile_no).or_else(|| some(self.phone)),
            address: some(self.location),
        }
    }
}

/// The roles in effect, the automatic ones included.
pub(super) async fn roles(agent: &Agent, name: &UserName) -> Result<Vec<String>, DirectoryError> {
    let path = ["api", "method", "frappe.core.doctype.user.user.get_roles"];
    let query = [("uid", name.as_str())];
    let payload = Payload::None;
    let call = Call { what: "roles", method: Method::GET, path: &path, query: &query, payload, by: As::Account };
    let answer = agent.send(call).await?.for_account("a login of its own")?;
    Ok(answer
        .map(|answer| answer.read::<Message<Vec<String>>>())
        .transpose()?
        .map(|roles| roles.message)
        .unwrap_or_default())
}

/// The picture's URL as browsers reach it: one of the site's own, which stands under what ERPNext takes for its origin,
/// is moved under the public one.
fn public_picture(picture: &str, site: Option<&str>, public_url: &str) -> Option<String> {
    let site = site.map(|site| site.trim_end_matches('/'));
    let own = site.and_then(|site| picture.strip_prefix(site)).filter(|path| path.starts_with('/'));
    let path = own.or_else(|| picture.starts_with('/').then_some(picture));
    match path {
        Some(path) => Some(format!("{}{path}", public_url.trim_end_matches('/'))),
        None => web_url(picture).map(|_| picture.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_of_the_site_move_under_the_public_origin_and_others_stay() {
        let public = |picture| public_picture(picture, Some("http://127.0.0.1:8000"), "https://erp.example.com");
        let moved = Some("https://erp.example.com/files/a.png".to_owned());
        assert_eq!(public("http://127.0.0.1:8000/files/a.png"), moved);
        assert_eq!(public("/files/a.png"), moved);
        let elsewhere = "https://gravatar.example/a.png";
        assert_eq!(public(elsewhere).as_deref(), Some(elsewhere));
        let lookalike_of = |site| public_picture("http://127.0.0.1:8000/a.png", Some(site), "https://erp.example.com");
        assert_eq!(lookalike_of("http://127.0.0.1:800").as_deref(), Some("http://127.0.0.1:8000/a.png"));
        assert_eq!(public("javascript:alert(1)"), None);
    }
}
