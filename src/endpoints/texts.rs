//! The words of our pages, in the user's language.

use http::{HeaderMap, header};

use crate::{
    oauth::Scope,
    route::{Action, Opened, Subject},
};

/// The languages that the pages speak.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Language {
    #[default]
    English,
    German,
    French,
    Spanish,
}

impl Language {
    /// The first that we speak of `ui_locales` (OpenID Connect Core §3.1.2.1), else of `Accept-Language`.
    pub(super) fn of(ui_locales: Option<&str>, headers: &HeaderMap) -> Self {
        let asked = ui_locales.unwrap_or_default().split_ascii_whitespace();
        let accepted = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        // Browsers list what they prefer first.
        let accepted = accepted.split(',').map(|entry| entry.split(';').next().unwrap_or_default().trim());
        asked.chain(accepted).find_map(Self::parse).unwrap_or_default()
    }

    fn parse(tag: &str) -> Option<Self> {
        match tag.split('-').next().unwrap_or_default().to_ascii_lowercase().as_str() {
            "en" => Some(Self::English),
            "de" => Some(Self::German),
            "fr" => Some(Self::French),
            "es" => Some(Self::Spanish),
            _ => None,
        }
    }

    pub(super) const fn texts(self) -> &'static Texts {
        match self {
            Self::English => &ENGLISH,
            Self::German => &GERMAN,
            Self::French => &FRENCH,
            Self::Spanish => &SPANISH,
        }
    }
}

/// One language. `{app}`, `{site}`, `{scope}` and `{place}` stand for what they name.
#[derive(Debug)]
pub(super) struct Texts {
    pub lang: &'static str,
    pub consent_title: &'static str,
    heading: &'static str,
    pub signed_in_as: &'static str,
    pub it_will: &'static str,
    pub allow: &'static str,
    pub deny: &'static str,
    pub switch_user: &'static str,
    goes_to: &'static str,
    pub sign_in_title: &'static str,
    sign_in_why: &'static str,
    pub sign_in_button: &'static str,
    pub cancel: &'static str,
    pub error_title: &'static str,
    pub error_text: &'static str,
    pub error_details: &'static str,
    pub continue_title: &'static str,
    pub continue_button: &'static str,
    all: &'static str,
    openid: &'static str,
    identity: &'static str,
    profile: &'static str,
    email: &'static str,
    roles: &'static str,
    offline: &'static str,
    other_scope: &'static str,
    /// `{actions}` and `{doctype}`
    documents: &'static str,
    all_documents: &'static str,
    /// `{method}`
    call: &'static str,
    read: &'static str,
    create: &'static str,
    change: &'static str,
    delete: &'static str,
    and: &'static str,
}

impl Texts {
    pub(super) fn heading(&self, app: &str, site: &str) -> String {
        fill(self.heading, &[("{app}", app), ("{site}", site)])
    }

    pub(super) fn goes_to(&self, place: &str) -> String {
        fill(self.goes_to, &[("{place}", place)])
    }

    pub(super) fn sign_in_why(&self, app: &str) -> String {
        fill(self.sign_in_why, &[("{app}", app)])
    }

    /// What a scope means, in words. `by_family`: claims need scopes of their own, besides `openid`. `opened`: what the
    /// rules say that it opens.
    pub(super) fn meaning(&self, scope: &str, site: &str, by_family: bool, opened: &[Opened]) -> String {
        let opened = self.opened(opened);
        let text = match scope {
            Scope::ALL => self.all,
            Scope::OPENID if by_family => self.identity,
            Scope::OPENID => self.openid,
            "profile" => self.profile,
            "email" => self.email,
            "roles" => self.roles,
            Scope::OFFLINE_ACCESS => self.offline,
            _ if opened.is_some() => "",
            _ => self.other_scope,
        };
        let words = fill(text, &[("{scope}", scope), ("{site}", site)]);
        match opened {
            Some(opened) if words.is_empty() => opened,
            Some(opened) if scope != Scope::ALL => format!("{words}; {opened}"),
            Some(_) | None => words,
        }
    }

    /// What the rules say that a scope opens; `None` where they don't.
    fn opened(&self, opened: &[Opened]) -> Option<String> {
        let words = opened.iter().map(|opened| {
            let actions: Vec<_> = opened.actions.iter().map(|action| self.action(*action)).collect();
            let actions = self.listed(&actions);
            match &opened.subject {
                Subject::Doctype(name) => fill(self.documents, &[("{actions}", &actions), ("{doctype}", name)]),
                Subject::Documents => {
                    fill(self.documents, &[("{actions}", &actions), ("{doctype}", self.all_documents)])
                }
                Subject::Method(name) => fill(self.call, &[("{method}", name)]),
            }
        });
        let words: Vec<_> = words.collect();
        (!words.is_empty()).then(|| words.join("; "))
    }

    const fn action(&self, action: Action) -> &'static str {
        match action {
            Action::Read => self.read,
            Action::Create => self.create,
            Action::Change => self.change,
            Action::Delete => self.delete,
        }
    }

    /// `a, b and c`
    fn listed(&self, words: &[&str]) -> String {
        match words {
            [] => String::new(),
            [one] => (*one).to_owned(),
            [first @ .., last] => format!("{} {} {last}", first.join(", "), self.and),
        }
    }
}

/// Puts each value in the place of its name, in one pass: a value is never searched for names.
fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let mut text = String::with_capacity(template.len() + 32);
    let mut rest = template;
    while let Some((before, from)) = rest.find('{').and_then(|at| rest.split_at_checked(at)) {
        text.push_str(before);
        let known = values.iter().find_map(|(name, value)| from.strip_prefix(name).map(|rest| (*value, rest)));
        let (value, after) = known.unwrap_or_else(|| ("{", from.get(1..).unwrap_or_default()));
        text.push_str(value);
        rest = after;
    }
    text + rest
}

const ENGLISH: Texts = Texts {
    lang: "en",
    consent_title: "Allow access?",
    heading: "{app} asks for access to {site}",
    signed_in_as: "Signed in as",
    it_will: "If you allow it, the application can:",
    allow: "Allow",
    deny: "Deny",
    switch_user: "Sign in as somebody else",
    goes_to: "You will be sent back to {place}.",
    sign_in_title: "Sign in again",
    sign_in_why: "{app} asks you to sign in again before it goes on.",
    sign_in_button: "Sign in again",
    cancel: "Cancel",
    error_title: "This request can't go on",
    error_text: "The application sent a request that can't be answered. Go back to the application and try again; if it happens again, tell the people who run it.",
    error_details: "For them:",
    continue_title: "Continue",
    continue_button: "Continue to the application",
    all: "do everything on {site} that you may do",
    openid: "see your name, e-mail address, picture and roles",
    identity: "recognise you",
    profile: "see your name and picture",
    email: "see your e-mail address",
    roles: "see your roles",
    offline: "keep its access while you are not signed in",
    other_scope: "use the permission “{scope}” on your behalf",
    documents: "{actions} {doctype}",
    all_documents: "documents of every type",
    call: "call the method {method}",
    read: "read",
    create: "create",
    change: "change",
    delete: "delete",
    and: "and",
};

const GERMAN: Texts = Texts {
    lang: "de",
    consent_title: "Zugriff erlauben?",
    heading: "{app} möchte auf {site} zugreifen",
    signed_in_as: "Angemeldet als",
    it_will: "Wenn Sie es erlauben, kann die Anwendung:",
    allow: "Erlauben",
    deny: "Ablehnen",
    switch_user: "Mit einem anderen Konto anmelden",
    goes_to: "Sie werden zu {place} zurückgeleitet.",
    sign_in_title: "Erneut anmelden",
    sign_in_why: "{app} bittet Sie, sich erneut anzumelden.",
    sign_in_button: "Erneut anmelden",
    cancel: "Abbrechen",
    error_title: "Diese Anfrage kann nicht fortgesetzt werden",
    error_text: "Die Anwendung hat eine Anfrage geschickt, die nicht beantwortet werden kann. Gehen Sie zurück zur Anwendung und versuchen Sie es noch einmal; wenn es wieder geschieht, sagen Sie es ihren Betreibern.",
    error_details: "Für die Betreiber:",
    continue_title: "Weiter",
    continue_button: "Weiter zur Anwendung",
    all: "auf {site} alles tun, was Sie dürfen",
    openid: "Ihren Namen, Ihre E-Mail-Adresse, Ihr Bild und Ihre Rollen sehen",
    identity: "Sie wiedererkennen",
    profile: "Ihren Namen und Ihr Bild sehen",
    email: "Ihre E-Mail-Adresse sehen",
    roles: "Ihre Rollen sehen",
    offline: "den Zugriff behalten, während Sie nicht angemeldet sind",
    other_scope: "die Berechtigung „{scope}“ in Ihrem Namen nutzen",
    documents: "{doctype} {actions}",
    all_documents: "Dokumente jeder Art",
    call: "die Methode {method} aufrufen",
    read: "lesen",
    create: "anlegen",
    change: "ändern",
    delete: "löschen",
    and: "und",
};

const FRENCH: Texts = Texts {
    lang: "fr",
    consent_title: "Autoriser l’accès ?",
    heading: "{app} demande l’accès à {site}",
    signed_in_as: "Connecté en tant que",
    it_will: "Si vous l’autorisez, l’application pourra :",
    allow: "Autoriser",
    deny: "Refuser",
    switch_user: "Se connecter avec un autre compte",
    goes_to: "Vous serez renvoyé vers {place}.",
    sign_in_title: "Se reconnecter",
    sign_in_why: "{app} vous demande de vous reconnecter avant de continuer.",
    sign_in_button: "Se reconnecter",
    cancel: "Annuler",
    error_title: "Cette demande ne peut pas aboutir",
    error_text: "L’application a envoyé une demande à laquelle il est impossible de répondre. Retournez à l’application et réessayez ; si cela se reproduit, prévenez ses responsables.",
    error_details: "Pour eux :",
    continue_title: "Continuer",
    continue_button: "Continuer vers l’application",
    all: "faire sur {site} tout ce que vous pouvez y faire",
    openid: "voir votre nom, votre adresse e-mail, votre photo et vos rôles",
    identity: "vous reconnaître",
    profile: "voir votre nom et votre photo",
    email: "voir votre adresse e-mail",
    roles: "voir vos rôles",
    offline: "garder son accès lorsque vous n’êtes pas connecté",
    other_scope: "utiliser l’autorisation « {scope} » en votre nom",
    documents: "{actions} {doctype}",
    all_documents: "les documents de tout type",
    call: "appeler la méthode {method}",
    read: "lire",
    create: "créer",
    change: "modifier",
    delete: "supprimer",
    and: "et",
};

const SPANISH: Texts = Texts {
    lang: "es",
    consent_title: "¿Permitir el acceso?",
    heading: "{app} pide acceso a {site}",
    signed_in_as: "Sesión iniciada como",
    it_will: "Si lo permite, la aplicación podrá:",
    allow: "Permitir",
    deny: "Rechazar",
    switch_user: "Iniciar sesión con otra cuenta",
    goes_to: "Volverá a {place}.",
    sign_in_title: "Iniciar sesión de nuevo",
    sign_in_why: "{app} le pide que inicie sesión de nuevo antes de continuar.",
    sign_in_button: "Iniciar sesión de nuevo",
    cancel: "Cancelar",
    error_title: "Esta solicitud no puede continuar",
    error_text: "La aplicación envió una solicitud que no se puede responder. Vuelva a la aplicación e inténtelo de nuevo; si vuelve a ocurrir, avise a sus responsables.",
    error_details: "Para ellos:",
    continue_title: "Continuar",
    continue_button: "Continuar a la aplicación",
    all: "hacer en {site} todo lo que usted puede hacer",
    openid: "ver su nombre, correo electrónico, foto y roles",
    identity: "reconocerle",
    profile: "ver su nombre y foto",
    email: "ver su correo electrónico",
    roles: "ver sus roles",
    offline: "mantener su acceso cuando no tenga la sesión iniciada",
    other_scope: "usar el permiso «{scope}» en su nombre",
    documents: "{actions} {doctype}",
    all_documents: "documentos de cualquier tipo",
    call: "llamar al método {method}",
    read: "leer",
    create: "crear",
    change: "modificar",
    delete: "eliminar",
    and: "y",
};

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn the_first_language_that_we_speak_is_used() {
        let headers =
            HeaderMap::from_iter([(header::ACCEPT_LANGUAGE, HeaderValue::from_static("hi,de-AT;q=0.8,en;q=0.5"))]);
        assert_eq!(Language::of(None, &headers), Language::German);
        assert_eq!(Language::of(Some("fr-CA es"), &headers), Language::French);
        assert_eq!(Language::of(None, &HeaderMap::new()), Language::English);
    }

    #[test]
    fn what_a_scope_opens_is_said_in_every_language() {
        let actions = vec![Action::Read, Action::Create, Action::Change];
        let invoices = Opened { subject: Subject::Doctype("Sales {method}".to_owned()), actions };
        let method = Opened { subject: Subject::Method("shop.sync".to_owned()), actions: Vec::new() };
        for (texts, words) in [
            (&ENGLISH, "read, create and change Sales {method}; call the method shop.sync"),
            (&GERMAN, "Sales {method} lesen, anlegen und ändern; die Methode shop.sync aufrufen"),
            (&FRENCH, "lire, créer et modifier Sales {method}; appeler la méthode shop.sync"),
            (&SPANISH, "leer, crear y modificar Sales {method}; llamar al método shop.sync"),
        ] {
            assert_eq!(texts.opened(&[invoices.clone(), method.clone()]).as_deref(), Some(words));
        }
        let read = Opened { subject: Subject::Documents, actions: vec![Action::Read] };
        let meaning = |scope| ENGLISH.meaning(scope, "erp", true, std::slice::from_ref(&read));
        assert_eq!(meaning("read"), "read documents of every type");
        assert_eq!(meaning("openid"), "recognise you; read documents of every type");
        assert_eq!(meaning("all"), "do everything on erp that you may do");
        assert_eq!(ENGLISH.meaning("x", "erp", true, &[]), "use the permission “x” on your behalf");
    }

    #[test]
    fn a_name_in_braces_inside_a_value_stays_as_it_is() {
        assert_eq!(ENGLISH.heading("{site}", "erp"), "{site} asks for access to erp");
        assert_eq!(fill("a {b} {c", &[]), "a {b} {c");
    }
}
