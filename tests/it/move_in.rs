//! docs/move-in.md, word for word: its commands are run as they stand there, in front of a site that has clients, users,
//! tokens and login sessions. Nobody notices; and back again.
//!
//! What is changed of the commands: addresses, folders and ports, since the machine of a test has others; and systemd and
//! nginx, in whose place the test starts the service and sends people to another address.

use std::{
    fs,
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::Path,
    process::{Command, Stdio},
};

use crate::{
    standin::{
        self, ADMIN_API_KEY, ADMIN_API_SECRET, ALICE, BOB, Bearer, GATEWAY_API_KEY, GATEWAY_API_SECRET,
        ORDINARY_CLIENT, ORDINARY_CLIENT_SECRET, SITE,
    },
    support::{Auth, Client, Connection, METHOD, Request, Setup, TestGateway, Tokens, until},
};

const MANUAL: &str = include_str!("../../docs/move-in.md");
const DEMO: Client = Client::erpnext(ORDINARY_CLIENT, ORDINARY_CLIENT_SECRET, "http://localhost:3000/cb");
const SPA: Client = Client::erpnext("spa", "0123456789", "https://spa.example/cb");
const ALICE_S: &str = "mkOkEgw4kHitB9RXtR7Kjyy6Auiwxq";
const ALICE_S_REFRESH: &str = "euKj9DwWoLTLQfCRhBGt8HzCeIEhih";
const BOB_S: &str = "kGsSh2Nd4O0qcbs1ErAsDuUhSzTN6N";
const WHOAMI: &str = "/api/method/frappe.auth.get_logged_user";

/// The commands of a section, one text a block.
fn commands(section: &str) -> Vec<String> {
    let (_, rest) = MANUAL.split_once(&format!("{section}\n")).unwrap_or_else(|| panic!("no section {section}"));
    let end = rest.find("\n## ").into_iter().chain(rest.find("\n### ")).min().unwrap_or(rest.len());
    let blocks = rest[..end].split("```sh\n").skip(1);
    blocks.map(|block| block.split_once("```").expect("the block ends").0.to_owned()).collect()
}

/// A machine with a site, and an operator at it.
struct Machine {
    gateway: TestGateway,
}

impl Machine {
    /// The site as it is before anybody thinks of a gateway.
    fn new() -> Self {
        let machine = Self { gateway: Setup::new().by_hand().unstarted() };
        machine.take_the_gateway_out();
        let standin = &machine.gateway.standin;
        standin.add_client(standin::Client {
            grant_type: "Implicit".to_owned(),
            response_type: "Token".to_owned(),
            ..standin::Client::new(SPA.id, SPA.secret, SPA.redirect_uri)
        });
        let refresh = Some(ALICE_S_REFRESH.to_owned());
        standin.add_bearer(Bearer { refresh_token: refresh, ..Bearer::new(ALICE_S, ORDINARY_CLIENT, ALICE) });
        standin.add_bearer(Bearer::new(BOB_S, SPA.id, BOB));
        standin.set_api_key(BOB, "bob-key", "bob-secret");
        machine
    }

    /// The stand-in comes with what the gateway needs.
    fn take_the_gateway_out(&self) {
        self.write("erpnext.key", &format!("{GATEWAY_API_KEY}:{GATEWAY_API_SECRET}\n"));
        self.write("admin.key", &format!("{ADMIN_API_KEY}:{ADMIN_API_SECRET}\n"));
        let undo = "cat > /etc/empress-gateway/undo.toml <<'END'\n\
                    server.public_url = \"https://erp.example.com\"\n\
                    erpnext.url = \"http://127.0.0.1:8000\"\n\
                    erpnext.api_key_file = \"/etc/empress-gateway/erpnext.key\"\n\
                    END\n\
                    empress-gateway setup-erpnext --config /etc/empress-gateway/undo.toml \
                    --admin-key-file /etc/empress-gateway/admin.key --undo\n\
                    rm /etc/empress-gateway/undo.toml /etc/empress-gateway/admin.key\n";
        self.run(undo, "");
        assert!(!self.folder().join("erpnext.key").exists());
    }

    fn folder(&self) -> &Path {
        self.gateway.folder()
    }

    fn write(&self, name: &str, text: &str) {
        let mut options = fs::OpenOptions::new();
        let file = options.write(true).create(true).truncate(true).mode(0o600).open(self.folder().join(name));
        file.expect("a file").write_all(text.as_bytes()).expect("room");
    }

    /// The commands with this machine's places in them.
    fn here(&self, commands: &str) -> String {
        let (folder, public) = (self.folder().display(), self.gateway.url());
        let admin = self.gateway.admin_port();
        [
            ("site_name = \"erp.example.com\"", format!("site_name = \"{SITE}\"")),
            ("https://erp.example.com", public.clone()),
            ("Host: erp.example.com", format!("Host: 127.0.0.1:{}", self.gateway.port())),
            ("http://127.0.0.1:8000", self.gateway.standin.url()),
            ("http://127.0.0.1:8080", public),
            ("http://127.0.0.1:9180", format!("http://127.0.0.1:{admin}")),
            ("/etc/empress-gateway/empress-gateway.toml", format!("{folder}/gateway.toml")),
            ("/etc/empress-gateway", folder.to_string()),
            ("/var/lib/empress-gateway", folder.to_string()),
            ("/root/", format!("{folder}/")),
            ("[server]\n", format!("[server]\nlisten = [\"127.0.0.1:{}\"]\n", self.gateway.port())),
            (
                "[erpnext]\n",
                format!(
                    "[admin]\nlisten = \"127.0.0.1:{admin}\"\n[store]\npath = \"{folder}/empress.db\"\n\
                     secret_key_file = \"{folder}/secret.key\"\n[erpnext]\napi_key_file = \"{folder}/erpnext.key\"\n"
                ),
            ),
        ]
        .into_iter()
        .fold(commands.to_owned(), |text, (theirs, ours)| text.replace(theirs, &ours))
    }

    /// Runs commands as an operator types them; what they print.
    fn run(&self, commands: &str, typed: &str) -> String {
        let binary = Path::new(env!("CARGO_BIN_EXE_empress-gateway")).parent().expect("a folder").display();
        let script = format!("export PATH={binary}:$PATH\numask 077\n{}", self.here(commands));
        let mut shell = Command::new("bash")
            .args(["-euc", &script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("a shell");
        // Commands that read nothing may have ended.
        shell.stdin.take().expect("a pipe").write_all(typed.as_bytes()).ok();
        let done = shell.wait_with_output().expect("it ends");
        let (out, err) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
        assert!(done.status.success(), "{script}\n{out}{err}");
        out.into_owned()
    }

    /// Runs all commands of a section.
    fn follow(&self, section: &str, typed: &str) -> String {
        commands(section).iter().map(|block| self.run(block, typed)).collect()
    }

    /// Asks ERPNext past the gateway, as before the move and after the way back.
    fn past_the_gateway(&self, request: &Request) -> String {
        let mut connection = Connection::open(self.gateway.standin.port()).expect("it listens");
        let answer = connection.send(&request.clone().header("X-Frappe-Site-Name", SITE)).expect("an answer");
        answer.text()
    }
}

#[test]
fn a_site_is_moved_in_as_the_manual_says_and_nobody_notices_and_back() {
    let mut machine = Machine::new();
    let (alice, csrf_token) = machine.gateway.standin.login_with_csrf_token(ALICE);
    machine.follow("### 2. Configure", "");
    let typed = format!("{ADMIN_API_KEY}\n{ADMIN_API_SECRET}\n");
    let said = machine.follow("### 3. Make the gateway's account in ERPNext", &typed);
    assert!(said.contains("made"), "{said}");
    assert!(!machine.folder().join("erpnext-admin.key").exists(), "Administrator's key is not kept");
    let said = machine.follow("### 4. Check", "");
    assert!(said.contains(": ok"), "{said}");
    machine.gateway.restart();
    until("the tokens have been read", || machine.gateway.log().contains("have been read").then_some(()));
    let started = commands("### 5. Start it beside the site, and try it");
    let said = machine.run(&started[1], "");
    assert!(said.contains("\"ready\"") && said.contains("authorization_endpoint") && said.contains("pong"), "{said}");
    assert!(said.contains(ORDINARY_CLIENT) && said.contains(SPA.id), "{said}");

    everything_goes_on(&machine.gateway, &alice, &csrf_token);

    // What was noted of uses and allowances is written every ten seconds, and at the end.
    machine.gateway.stop();
    let said = machine.follow("### 7. Afterwards", "");
    assert!(said.contains("no_secret") && said.contains("Tokens that ERPNext issued; 2 were used"), "{said}");
    back(&machine, &alice);
}

fn everything_goes_on(gateway: &TestGateway, alice: &str, csrf_token: &str) {
    // The tokens in people's phones.
    gateway.acts_as(ALICE_S, ALICE);
    gateway.acts_as(BOB_S, BOB);
    let phone = [("grant_type", "refresh_token"), ("refresh_token", ALICE_S_REFRESH)];
    let refreshed = Tokens::of(&gateway.send(&Request::form(&format!("{METHOD}get_token"), &phone)));
    gateway.acts_as(&refreshed.access, ALICE);
    gateway.acts_as(ALICE_S, ALICE);
    // The browser that was logged in, in Desk, with the token that Desk has.
    let cookie = format!("sid={alice}; user_id=alice%40example.com");
    let who = gateway.send(&Request::get(WHOAMI).header("Cookie", &cookie));
    assert_eq!(who.json()["message"], ALICE, "{who}");
    let write = Request::new("POST", "/api/resource/ToDo").body("application/json", br#"{"description": "moved"}"#);
    let written = gateway.send(&write.header("Cookie", &cookie).header("X-Frappe-CSRF-Token", csrf_token));
    assert_eq!(written.status, 200, "{written}");
    let private = gateway.send(&Request::get("/private/files/alice.txt").header("Cookie", &cookie));
    assert_eq!((private.status, private.text().as_str()), (200, "hello private"));
    // The integration with an API key.
    let by_key = gateway.send(&Request::get(WHOAMI).header("Authorization", "token bob-key:bob-secret"));
    assert_eq!(by_key.json()["message"], BOB, "{by_key}");
    // The clients, with the secrets that they have and in the ways that ERPNext taught them.
    for client in [DEMO, DEMO.with(Auth::Post), DEMO.with(Auth::None)] {
        let tokens = gateway.tokens(BOB, client, &[]);
        gateway.acts_as(&tokens.access, BOB);
    }
    let mut browser = crate::support::Browser::of(gateway, ALICE);
    let plain = [("response_type", "token"), ("code_challenge", ""), ("code_challenge_method", "")];
    assert!(browser.authorize(SPA, &plain).parameter("access_token").is_some());
}

/// "Back in a minute": people are sent to ERPNext again.
fn back(machine: &Machine, alice: &str) {
    let bearer = |token: &str| machine.past_the_gateway(&Request::get(WHOAMI).bearer(token));
    assert!(bearer(ALICE_S).contains(ALICE) && bearer(BOB_S).contains(BOB), "tokens of ERPNext's own");
    let by_cookie = Request::get(WHOAMI).header("Cookie", &format!("sid={alice}"));
    assert!(machine.past_the_gateway(&by_cookie).contains(ALICE), "browsers stay logged in");
    let undo = commands("## Back in a minute");
    let undo: String =
        undo.concat().lines().filter(|line| !line.starts_with("systemctl")).collect::<Vec<_>>().join("\n");
    machine.write("erpnext-admin.key", &format!("{ADMIN_API_KEY}:{ADMIN_API_SECRET}\n"));
    machine.run(&undo, "");
    let standin = &machine.gateway.standin;
    let rows: Vec<String> = standin.bearer_rows().into_iter().map(|row| row.access_token).collect();
    assert_eq!(rows, [ALICE_S, BOB_S], "what the gateway wrote is gone, the rest is as it was");
    assert!(standin.user("empress-gateway@127.0.0.1").is_none());
    assert!(bearer(ALICE_S).contains(ALICE));
}
