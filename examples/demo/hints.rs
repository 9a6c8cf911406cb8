//! How a person, or a test, goes on while the demo stays up.

use serde_json::{Value, json};

use crate::{
    Demo,
    callback::METHODS,
    clients::DemoClient,
    show::Show,
    standin::{ALICE, ALICE_PASSWORD, BOB, BOB_PASSWORD, CAROL, CAROL_PASSWORD, MCP_METHOD},
};

const USERS: [(&str, &str); 3] = [(ALICE, ALICE_PASSWORD), (BOB, BOB_PASSWORD), (CAROL, CAROL_PASSWORD)];

/// One line of JSON with all that a test needs.
pub fn machine(demo: &Demo) -> Value {
    let client = |client: &DemoClient| {
        let about = json!({"id": client.id, "name": client.name, "secret": client.secret, "key": client.key});
        (client.id.to_owned(), about)
    };
    let clients: serde_json::Map<_, _> = demo.clients.all().map(client).into_iter().collect();
    let users = USERS.map(|(name, password)| json!({"name": name, "password": password}));
    json!({
        "gateway": demo.gateway.url(),
        "admin": demo.gateway.admin_url(),
        "standin": demo.standin.url(),
        "realtime": demo.realtime.url(),
        "start": format!("{}/start", demo.callback.url()),
        "callback": demo.clients.redirect_uri,
        "mcp": mcp(demo),
        "clients": clients,
        "users": users,
        "dir": demo.gateway.dir(),
        "gateway_pid": demo.gateway.pid(),
    })
}

/// Where the MCP server is that stands behind the gateway.
fn mcp(demo: &Demo) -> String {
    format!("{}/api/method/{MCP_METHOD}", demo.gateway.url())
}

/// What to copy, what to open, where to look, how to stop.
pub fn print(demo: &Demo, show: Show) {
    let (gateway, service) = (demo.gateway.url(), &demo.clients.service);
    let credentials = format!("{}:{}", service.id, service.secret.as_deref().unwrap_or_default());
    let endpoint = |name: &str| format!("{gateway}{METHODS}{name}");

    show.title("Go on with curl (copy line by line)");
    println!("# a token for a backend; it acts as {BOB}");
    println!(
        "TOKEN=$(curl -s -u {credentials} -d grant_type=client_credentials {} | sed -n 's/.*\"access_token\": *\"\\([^\"]*\\)\".*/\\1/p'); echo $TOKEN",
        endpoint("get_token")
    );
    println!("# ERPNext's API with it");
    println!("curl -s -H \"Authorization: Bearer $TOKEN\" {gateway}/api/resource/Customer; echo");
    println!("# is it active?");
    println!("curl -s -u {credentials} -d token=$TOKEN {}; echo", endpoint("introspect_token"));
    println!("# revoke it");
    println!("curl -s -u {credentials} -d token=$TOKEN {}; echo", endpoint("revoke_token"));
    println!("# the next call is refused");
    println!("curl -s -i -H \"Authorization: Bearer $TOKEN\" {gateway}/api/resource/Customer; echo");

    show.title("Go on with a browser");
    println!("open     {}/", demo.callback.url());
    for (name, password) in USERS {
        println!("log in   {name}   {password}");
    }

    show.title("Go on with a device: a page to type its code, and then the token");
    println!(
        "curl -s -d client_id={} -d 'scope=openid all' {}; echo   # open verification_uri_complete",
        demo.clients.device.id,
        endpoint("device_authorization")
    );
    println!(
        "curl -s -d client_id={} -d grant_type=urn:ietf:params:oauth:grant-type:device_code -d device_code=… {}; echo",
        demo.clients.device.id,
        endpoint("get_token")
    );

    show.title("Go on with an agent: it finds out by itself where to register and how to log in");
    println!("claude mcp add --transport http erpnext {}", mcp(demo));
    println!("# any other client of the Model Context Protocol needs this URL alone, too");

    show.title("Look at it");
    println!("metrics  {}/metrics   (and /healthz, /readyz)", demo.gateway.admin_url());
    println!("files    {}   (configuration, store, gateway.log)", demo.gateway.dir().display());

    show.title("Stop it");
    println!(
        "Ctrl-C ends gateway and stand-in (this program's pid is {}, the gateway's {})",
        std::process::id(),
        demo.gateway.pid().unwrap_or_default()
    );
}
