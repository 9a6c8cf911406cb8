//! The operator's switch for agents.

use super::harness::beside;
use crate::{
    standin::ALICE,
    support::{
        AGENT, AGENT_SCOPE, Auth, Browser, Device, METHOD, SHOP, Setup, TV, TestGateway, authorize_url, query, until,
    },
};

const DEVICE_BLOCK: &str = "id = 'tv'\nauth_method = 'none'\nagent = true\n\
                            grant_types = ['urn:ietf:params:oauth:grant-type:device_code']";

fn start() -> TestGateway {
    Setup::new().agent("writes_per_day = 'off'").client(DEVICE_BLOCK).start()
}

fn switch(gateway: &TestGateway, action: &str) -> serde_json::Value {
    let done = beside(gateway, &["agents", action, "--json"], "");
    assert_eq!(done.code, 0, "{done:?}");
    // The trail is with the log here.
    let changed = done.json()["changed"] == true;
    assert!(!changed || done.err.contains(&format!("agents_{action}")), "{done:?}");
    done.json()
}

#[test]
fn agents_are_stopped_at_once_and_started_again() {
    let gateway = start();
    let agent = gateway.ticked(ALICE, AGENT, AGENT_SCOPE, &["erp:write"]);
    let shop = gateway.tokens(ALICE, SHOP, &[]);
    gateway.acts_as(&agent.access, ALICE);
    let mut browser = Browser::of(&gateway, ALICE);
    let page = browser.get(&authorize_url(AGENT, &[AGENT_SCOPE, ("prompt", "consent")]));
    let code = Browser::of(&gateway, ALICE).code(AGENT, &[AGENT_SCOPE]);
    let device = Device::ask(&gateway, TV, &[AGENT_SCOPE]);

    let stopped = switch(&gateway, "stop");
    assert_eq!(
        (&stopped["state"], &stopped["changed"], &stopped["grants_ended"]),
        (&"stopped".into(), &true.into(), &1.into())
    );
    until("its token is refused", || (gateway.whoami(&agent.access).status == 401).then_some(()));
    gateway.refuses("of an agent that is stopped", &agent.access);
    assert_eq!(gateway.profile(&agent.access).status, 401);
    gateway.acts_as(&shop.access, ALICE);

    // What was under way leads nowhere.
    let refused = browser.allow_with(&page, &[]);
    assert_eq!(refused.redirected_error(), "access_denied");
    assert!(refused.parameter("error_description").is_some_and(|text| text.contains("operator has stopped agents")));
    let anew = browser.get(&authorize_url(AGENT, &[AGENT_SCOPE]));
    assert_eq!(anew.redirected_error(), "access_denied", "{anew}");
    for answer in [
        gateway.exchange(AGENT, &code, &[]),
        gateway.refresh(AGENT, &agent.refresh, &[]),
        gateway.as_client(AGENT, "pushed_authorization_request", &[("response_type", "code")]),
        gateway.as_client(TV.with(Auth::None), "device_authorization", &[]),
        device.poll(&gateway, TV),
    ] {
        assert_eq!((answer.status, answer.error().as_str()), (400, "unauthorized_client"), "{answer}");
        assert!(answer.member("error_description").contains("operator has stopped agents"), "{answer}");
    }
    assert_eq!(browser.type_code(&device.user_code).status, 400, "void");
    assert!(browser.get(&authorize_url(SHOP, &[])).parameter("code").is_some(), "others go on");

    let started = switch(&gateway, "start");
    assert_eq!((&started["state"], &started["changed"]), (&"running".into(), &true.into()));
    until("it is heard", || {
        let page = browser.get(&authorize_url(AGENT, &[AGENT_SCOPE]));
        (page.status == 200).then_some(())
    });
    assert_eq!(gateway.refresh(AGENT, &agent.refresh, &[]).error(), "invalid_grant", "what has ended stays so");
    let next = gateway.ticked(ALICE, AGENT, AGENT_SCOPE, &[]);
    until("a new one is good", || (gateway.whoami(&next.access).status == 200).then_some(()));
}

#[test]
fn a_gateway_that_starts_hears_that_agents_are_stopped() {
    let mut gateway = start();
    let agent = gateway.ticked(ALICE, AGENT, AGENT_SCOPE, &[]);
    switch(&gateway, "stop");
    gateway.restart();
    gateway.refuses("at once", &agent.access);
    let target = format!("{METHOD}authorize?{}", query(&[("client_id", AGENT.id)]));
    assert_ne!(gateway.get(&target).status, 200);
    let again = switch(&gateway, "stop");
    assert_eq!((&again["changed"], &again["grants_ended"]), (&false.into(), &0.into()));
    gateway.restart();
    switch(&gateway, "start");
    assert_eq!(beside(&gateway, &["agents", "start"], "").code, 1, "they were not stopped");
}

#[test]
fn the_command_shows_state_agents_and_budgets() {
    let gateway = start();
    let token = gateway.ticked(ALICE, AGENT, AGENT_SCOPE, &["erp:write"]).access;
    gateway.acts_as(&token, ALICE);
    let shown = until("the request is counted", || {
        let shown = beside(&gateway, &["agents", "--json"], "").json();
        (shown["agents"][0]["requests_today"] == 1).then_some(shown)
    });
    assert_eq!((&shown["state"], &shown["agents"][0]["client_id"]), (&"running".into(), &"agent".into()), "{shown}");
    let agent = &shown["agents"][0];
    assert_eq!((&agent["living_grants"], &agent["requests_per_day"]), (&1.into(), &10_000.into()), "{shown}");
    assert_eq!((&agent["writes_today"], &agent["writes_per_day"]), (&0.into(), &serde_json::Value::Null), "{shown}");
    let text = beside(&gateway, &["agents"], "").out;
    assert!(text.starts_with("agents run\n") && text.contains("1 of 10000") && text.contains("0 of any"), "{text}");
    switch(&gateway, "stop");
    assert!(beside(&gateway, &["agents"], "").out.starts_with("agents are stopped since "));
    assert_eq!(beside(&gateway, &["agents", "pause"], "").code, 2);
}
