//! Documents over REST, as the gateway uses them.

use super::*;

fn make(standin: &StandIn, auth: &str, document: &Value) -> Answer {
    json(standin, "POST /api/resource/OAuth%20Bearer%20Token", &[auth], &document.to_string())
}

fn bearer(token: &str) -> Value {
    serde_json::json!({"access_token": token, "client": SHADOW_CLIENT, "user": BOB,
        "scopes": "all openid", "expires_in": 3600, "status": "Active"})
}

fn use_it(standin: &StandIn, token: &str) -> u16 {
    get(standin, LOGGED_USER, &[&format!("Authorization: Bearer {token}")]).status
}

#[test]
fn a_bearer_row_lives_from_creation_to_deletion() {
    let standin = StandIn::start();
    let made = make(&standin, GATEWAY, &bearer("emp_sh_x"));
    assert_eq!(made.status, 200);
    let start = r#"{"data":{"name":"emp_sh_x","owner":"gateway@example.com","creation":""#;
    assert!(made.text().starts_with(start), "{}", made.text());
    assert!(made.text().contains(r#""docstatus":0,"idx":0,"client":"shadowclient","user":"bob@example.com""#));
    assert!(made.text().ends_with(r#""expires_in":3600,"status":"Active","doctype":"OAuth Bearer Token"}}"#));
    assert_eq!(use_it(&standin, "emp_sh_x"), 200);
    let path = "/api/resource/OAuth%20Bearer%20Token/emp_sh_x";
    let revoked = json(&standin, &format!("PUT {path}"), &[GATEWAY], r#"{"status":"Revoked"}"#);
    assert_eq!(revoked.json()["data"]["status"], "Revoked");
    assert_eq!(use_it(&standin, "emp_sh_x"), 401);
    let gone = send(&standin, &format!("DELETE {path}"), &[GATEWAY], "");
    assert_eq!((gone.status, gone.text()), (202, r#"{"data":"ok"}"#.to_owned()));
    assert!(standin.bearer_rows().is_empty());

    make(&standin, GATEWAY, &bearer("second"));
    let body = r#"{"doctype":"OAuth Bearer Token","name":"second"}"#;
    assert_eq!(json(&standin, "POST /api/method/frappe.client.delete", &[GATEWAY], body).status, 200);
    assert_eq!(use_it(&standin, "second"), 401);
}

#[test]
fn a_bearer_row_must_fit_and_be_complete_to_be_of_use() {
    let standin = StandIn::start();
    let with = |token: &str, key: &str, value: Value| {
        let mut document = bearer(token);
        document[key] = value;
        make(&standin, GATEWAY, &document).status
    };
    assert_eq!(make(&standin, GATEWAY, &bearer(&"a".repeat(141))).status, 417);
    assert_eq!(make(&standin, GATEWAY, &bearer(&"b".repeat(140))).status, 200);
    assert_eq!(make(&standin, GATEWAY, &bearer(&"B".repeat(140))).status, 409);
    assert_eq!(with("t1", "client", Value::Null), 200);
    assert_eq!(with("t2", "scopes", Value::Null), 200);
    assert_eq!(with("t3", "scopes", "other".into()), 200);
    assert_eq!(with("t4", "expiration_time", "2020-01-01 00:00:00".into()), 200);
    assert_eq!(with("t5", "expiration_time", "2040-01-01 00:00:00".into()), 200);
    assert_eq!(with("t6", "client", "nobody".into()), 417);
    let used: Vec<u16> = ["t1", "t2", "t3", "t4", "t5"].map(|it| use_it(&standin, it)).to_vec();
    assert_eq!(used, [401, 401, 401, 401, 200]);
    // The column is in the site's zone: what is past there is not yet past in UTC.
    let soon = clock::column(clock::now() + time::Duration::hours(1), UtcOffset::UTC);
    assert_eq!(with("t7", "expiration_time", soon.into()), 200);
    assert_eq!(use_it(&standin, "t7"), 401);
    standin.set_time_zone("UTC", 0);
    assert_eq!(use_it(&standin, "t7"), 200);
    standin.set_bearer_status("t7", "Revoked");
    assert_eq!(use_it(&standin, "t7"), 401);
    standin.delete_client(SHADOW_CLIENT);
    assert_eq!(use_it(&standin, "t5"), 401);
    standin.delete_bearer("t5");
    standin.delete_all_bearers();
    assert!(standin.bearer_rows().is_empty());
}

#[test]
fn only_the_gateway_and_administrator_make_tokens() {
    let standin = StandIn::start();
    standin.set_api_key(ALICE, "ak", "as");
    standin.set_api_key(BOB, "bk", "bs");
    let (alice, bob) = ("Authorization: token ak:as", "Authorization: token bk:bs");
    let refused = make(&standin, alice, &bearer("x"));
    assert_eq!((refused.status, refused.json()["exc_type"].clone()), (403, "PermissionError".into()));
    make(&standin, GATEWAY, &bearer("mine"));
    let path = "/api/resource/OAuth%20Bearer%20Token";
    assert_eq!(send(&standin, &format!("DELETE {path}/mine"), &[alice], "").status, 202);
    for target in [path, "/api/resource/OAuth%20Client", "/api/resource/User/alice@example.com"] {
        assert_eq!(get(&standin, target, &[bob]).status, 403, "{target}");
        assert_eq!(get(&standin, target, &[]).status, 403, "{target}");
    }
    assert!(get(&standin, "/api/resource/User", &[bob]).text().contains("alice@example.com"), "desk users see names");
    assert_eq!(get(&standin, "/api/resource/User", &[]).status, 403);
    assert_eq!(get(&standin, "/api/resource/User/bob@example.com", &[bob]).status, 200);
    let keys = "/api/method/frappe.core.doctype.user.user.generate_keys";
    assert_eq!(form(&standin, keys, &[GATEWAY], "user=bob@example.com").status, 403);
    let secret = form(&standin, keys, &[alice], "user=bob@example.com").json();
    let new = format!("Authorization: token bk:{}", secret["message"]["api_secret"].as_str().unwrap_or("?"));
    assert_eq!(get(&standin, LOGGED_USER, &[bob]).status, 401);
    assert_eq!(get(&standin, LOGGED_USER, &[&new]).status, 200);
}

#[test]
fn users_are_listed_with_roles_and_subjects() {
    let standin = StandIn::start();
    let list = |query: &str| get(&standin, &format!("/api/resource/{query}"), &[GATEWAY]).json()["data"].clone();
    let names = list("User?fields=[\"name\",\"enabled\"]&limit_page_length=0");
    assert_eq!(names[0], serde_json::json!({"name": ALICE, "enabled": 1}));
    assert_eq!(names.as_array().map(Vec::len), Some(4));
    let roles = list("User?fields=[\"name\",\"roles.role\"]&filters={\"name\":\"alice@example.com\"}");
    assert_eq!(roles, serde_json::json!([{"name": ALICE, "role": "System Manager"}]));
    let subs =
        list("User%20Social%20Login?parent=User&fields=[\"parent\",\"userid\"]&filters={\"provider\":\"frappe\"}");
    assert_eq!(subs[0]["userid"], standin.user(ALICE).and_then(|user| user.sub).unwrap_or_default());
    let all = list("User?fields=[\"modified\"]&order_by=modified%20desc&limit_page_length=1");
    let last = all[0]["modified"].as_str().unwrap_or_default().replace(' ', "%20");
    let since = || list(&format!("User?fields=[\"name\"]&filters=[[\"modified\",\"%3E\",\"{last}\"]]"));
    assert_eq!(since(), serde_json::json!([]));
    standin.set_enabled(BOB, false);
    assert_eq!(since(), serde_json::json!([{"name": BOB}]));
    standin.set_roles(CAROL, &["Customer"]);
    standin.rename_user(CAROL, "carla@example.com");
    assert_eq!(since().as_array().map(Vec::len), Some(2));
    standin.delete_user("carla@example.com");
    standin.add_user(User::system("dora@example.com", "x"));
    standin.set_image("dora@example.com", Some("/files/d.png"));
    assert_eq!(since()[1]["name"], "dora@example.com");
    let effective =
        get(&standin, "/api/method/frappe.core.doctype.user.user.get_roles?uid=alice@example.com", &[GATEWAY]);
    assert_eq!(effective.text(), r#"{"message":["System Manager","All","Guest","Desk User"]}"#);
    let v2 = get(&standin, "/api/v2/document/User?fields=[\"name\"]&limit=2&start=1", &[GATEWAY]);
    assert_eq!(v2.text(), r#"{"data":[{"name":"bob@example.com"},{"name":"dora@example.com"}]}"#);
    for path in ["System%20Settings/System%20Settings", "User/Administrator"] {
        assert_eq!(get(&standin, &format!("/api/resource/{path}"), &[GATEWAY]).status, 403, "{path}");
    }
    standin.set_roles(GATEWAY_USER, &[]);
    assert_eq!(
        get(&standin, "/api/resource/User", &[GATEWAY]).text(),
        format!(r#"{{"data":[{{"name":"{GATEWAY_USER}"}}]}}"#)
    );
}

#[test]
fn clients_are_listed_with_secret_and_read_with_roles() {
    let standin = StandIn::start();
    let path = "/api/resource/OAuth%20Client";
    let list = get(&standin, &format!("{path}?fields=[\"*\"]&limit_page_length=0"), &[GATEWAY]).json();
    assert_eq!(list["data"][0]["client_secret"], ORDINARY_CLIENT_SECRET);
    assert!(list["data"][0].get("allowed_roles").is_none());
    let one = get(&standin, &format!("{path}/{ORDINARY_CLIENT}"), &[GATEWAY]).json();
    assert_eq!(one["data"]["allowed_roles"][0]["role"], "Desk User");
    standin.add_client(Client::new("another", "s", "http://localhost/cb"));
    let joined =
        get(&standin, &format!("{path}?fields=[\"name\",\"allowed_roles.role\"]&order_by=modified%20desc"), &[GATEWAY]);
    assert_eq!(joined.json()["data"][0], serde_json::json!({"name": "another", "role": "Desk User"}));
    assert!(standin.client("another").is_some());
    standin.delete_client("another");
    let gone = get(&standin, &format!("{path}/another"), &[GATEWAY]);
    assert_eq!((gone.status, gone.json()["exc_type"].clone()), (404, "DoesNotExistError".into()));
    assert_eq!(form(&standin, path, &[GATEWAY], "app_name=x").status, 403);
}

#[test]
fn other_documents_are_there_for_desk_users() {
    let standin = StandIn::start();
    let cookie = format!("Cookie: sid={}", standin.login(BOB));
    let list = get(&standin, "/api/resource/Customer?filters=[[\"territory\",\"=\",\"India\"]]", &[&cookie]);
    assert_eq!(list.text(), r#"{"data":[{"name":"Acme"},{"name":"Initech"}]}"#);
    let made = json(&standin, "POST /api/resource/Customer", &[&cookie], r#"{"customer_name":"Hooli"}"#);
    assert_eq!(made.json()["data"]["name"], "Hooli");
    let put = json(&standin, "PUT /api/v2/document/Customer/Hooli", &[&cookie], r#"{"territory":"US"}"#);
    assert_eq!(put.json()["data"]["territory"], "US");
    assert_eq!(send(&standin, "DELETE /api/resource/Customer/Hooli", &[&cookie], "").status, 202);
    let many = get(&standin, "/api/method/frappe.client.get_list?doctype=ToDo&limit_page_length=1", &[&cookie]);
    assert_eq!(many.text(), r#"{"message":[{"name":"todo-1"}]}"#);
    let count = get(&standin, "/api/method/frappe.client.get_count?doctype=ToDo", &[&cookie]);
    assert_eq!(count.text(), r#"{"message":2}"#);
    let carol = format!("Cookie: sid={}", standin.login(CAROL));
    assert_eq!(get(&standin, "/api/resource/Customer", &[&carol]).status, 403);
    assert_eq!(get(&standin, "/api/resource/Nonsense", &[&cookie]).status, 403);
}
