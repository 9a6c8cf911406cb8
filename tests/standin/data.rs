//! The site as it is when the stand-in starts.

use serde_json::json;

use super::records::{Client, StoredFile, User, UserDetails};
use super::state::{Stamped, State};
use super::{
    ADMIN_API_KEY, ADMIN_API_SECRET, ALICE, ALICE_PASSWORD, BOB, BOB_PASSWORD, CAROL, CAROL_PASSWORD, GATEWAY_API_KEY,
    GATEWAY_API_SECRET, GATEWAY_USER, ORDINARY_CLIENT, ORDINARY_CLIENT_SECRET, SHADOW_CLIENT, SITE,
};

/// Users, clients, rights and a few documents.
pub fn site() -> State {
    let mut state = State::default();
    state.sites.push(SITE.to_owned());
    let administrator = User {
        name: "Administrator".to_owned(),
        sub: None,
        ..User::system("admin@example.com", "admin")
            .named("Administrator", "")
            .with_roles(&["System Manager", "Administrator"])
    };
    for user in [
        administrator,
        User::system(ALICE, ALICE_PASSWORD)
            .named("Alice", "Anders")
            .with_roles(&["System Manager"])
            .with_details(alice()),
        User::system(BOB, BOB_PASSWORD).named("Bob", "Berg"),
        User::website(CAROL, CAROL_PASSWORD).named("Carol", "Customer"),
        User::website(GATEWAY_USER, "").named("Gateway", "").with_roles(&["Auth Gateway"]),
    ] {
        state.put_user(user);
    }
    let key = (GATEWAY_API_KEY.to_owned(), GATEWAY_API_SECRET.to_owned());
    state.api_keys.insert(GATEWAY_USER.to_owned(), key);
    let key = (ADMIN_API_KEY.to_owned(), ADMIN_API_SECRET.to_owned());
    state.api_keys.insert("Administrator".to_owned(), key);

    let uri = "http://localhost:3000/cb";
    let ordinary = Client::new(ORDINARY_CLIENT, ORDINARY_CLIENT_SECRET, uri);
    state.put_client(Client { app_name: "Demo App".to_owned(), ..ordinary });
    let shadow = Client::new(SHADOW_CLIENT, "shadow-secret", "https://empress-gateway.invalid/unused");
    let nobody = vec!["Auth Gateway".to_owned()];
    state.put_client(Client { app_name: "Empress Gateway".to_owned(), allowed_roles: nobody, ..shadow });
    permissions(&mut state);
    documents(&mut state);
    for (url, owner, content) in [
        ("/files/logo.svg", "Administrator", "<svg xmlns=\"http://www.w3.org/2000/svg\"/>"),
        ("/private/files/alice.txt", ALICE, "hello private"),
    ] {
        let content = content.as_bytes().to_vec();
        state.files.push(StoredFile { url: url.to_owned(), owner: owner.to_owned(), content });
    }
    state
}

fn alice() -> UserDetails {
    UserDetails {
        gender: "Female".to_owned(),
        birth_date: "1990-02-03".to_owned(),
        mobile_no: "+49 30 5550100".to_owned(),
        location: "Unter den Linden 1, Berlin".to_owned(),
    }
}

fn permissions(state: &mut State) {
    for (doctype, role, rights) in [
        // A System Manager sees tokens and clients, and deletes tokens, but cannot make any (51).
        ("OAuth Bearer Token", "System Manager", "read delete"),
        ("OAuth Client", "System Manager", "read write create delete"),
        ("User", "System Manager", "read write create delete"),
        ("System Settings", "System Manager", "read write"),
        ("Role", "System Manager", "read write create delete"),
        ("Role", "Desk User", "read"),
        ("Customer", "Desk User", "read write create delete"),
        ("ToDo", "Desk User", "read write create delete"),
    ] {
        state.permissions.ship(doctype, role, rights);
    }
    // As `setup-erpnext` leaves it.
    for (doctype, rights) in
        [("OAuth Bearer Token", "read write create delete"), ("OAuth Client", "read"), ("User", "read")]
    {
        state.permissions.add(doctype, "Auth Gateway", rights);
    }
}

fn documents(state: &mut State) {
    state.documents.insert("Contact".to_owned(), Vec::new());
    for (doctype, document) in [
        ("Customer", json!({"name": "Acme", "customer_name": "Acme", "territory": "India"})),
        ("Customer", json!({"name": "Globex", "customer_name": "Globex", "territory": "Germany"})),
        ("Customer", json!({"name": "Initech", "customer_name": "Initech", "territory": "India"})),
        ("ToDo", json!({"name": "todo-1", "description": "call Acme", "status": "Open"})),
        ("ToDo", json!({"name": "todo-2", "description": "write offer", "status": "Closed"})),
        ("Role", json!({"name": "All", "role_name": "All"})),
        ("Role", json!({"name": "Auth Gateway", "role_name": "Auth Gateway", "desk_access": 0, "disabled": 0})),
        ("Role", json!({"name": "Desk User", "role_name": "Desk User"})),
        ("Role", json!({"name": "Guest", "role_name": "Guest"})),
        ("Role", json!({"name": "System Manager", "role_name": "System Manager"})),
    ] {
        let stamps = state.stamps("Administrator");
        let serde_json::Value::Object(it) = document else { continue };
        let rows = state.documents.entry(doctype.to_owned()).or_default();
        rows.push(Stamped { it, stamps });
    }
}
