"""Authlib against the gateway, as a Flask application uses it: `python test_authlib.py target/debug/examples/demo`"""

import os
import sys
from urllib.parse import urlsplit

import requests
from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.flask_client import OAuth
from authlib.integrations.requests_client import OAuth2Session
from flask import Flask, jsonify

from demo import METHODS, browse, finish, log_out, running_demo, test, the_demo

# The gateway of the demo is on loopback, without TLS.
os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"


def application(demo, client):
    """A Flask application that lets its users log in with the gateway, knowing only where discovery is."""
    app = Flask(__name__)
    app.secret_key = "of the test"
    arguments = {"scope": "openid all", "code_challenge_method": "S256"}
    if not client["secret"]:
        arguments["token_endpoint_auth_method"] = "none"
    site = OAuth(app).register(
        "site",
        client_id=client["id"],
        client_secret=client["secret"],
        server_metadata_url=demo["gateway"] + "/.well-known/openid-configuration",
        client_kwargs=arguments,
    )

    @app.route("/login")
    def login():
        return site.authorize_redirect(demo["callback"])

    @app.route("/callback")
    def callback():
        # State, code, verifier; the id_token with the keys of JWKS, its issuer, audience and nonce.
        token = site.authorize_access_token()
        return jsonify(token=token, profile=site.userinfo(token=token))

    return app, site


def log_in(demo, client, user, browser=None):
    app, site = application(demo, client)
    visitor = app.test_client()
    back = browse(demo, visitor.get("/login").headers["Location"], user, browser)
    answer = visitor.get("/callback?" + urlsplit(back).query)
    assert answer.status_code == 200, answer.text
    with app.app_context():
        return answer.json["token"], answer.json["profile"], site.load_server_metadata()


def session(client, token=None):
    method = "client_secret_basic" if client["secret"] else "none"
    return OAuth2Session(client["id"], client["secret"], token=token, token_endpoint_auth_method=method)


@test
def discovery_code_flow_with_pkce_id_token_by_jwks_and_userinfo(demo, client, user):
    token, profile, metadata = log_in(demo, client, user)
    assert metadata["issuer"] == demo["gateway"]
    assert token["userinfo"]["sub"] == profile["sub"]
    assert token["userinfo"]["aud"] in (client["id"], [client["id"]])
    assert profile["email"] == user["name"]
    return token, metadata


@test
def the_api_is_called_as_that_user(demo, client, token, user):
    answer = session(client, token).get(demo["gateway"] + "/api/method/frappe.auth.get_logged_user")
    assert answer.json()["message"] == user["name"], answer.text


@test
def a_refresh_gives_a_new_access_token(client, token, metadata):
    refreshed = session(client, token).refresh_token(metadata["token_endpoint"], refresh_token=token["refresh_token"])
    assert refreshed["access_token"] != token["access_token"]
    assert (refreshed["refresh_token"] == token["refresh_token"]) == bool(client["secret"])
    return refreshed


@test
def introspection_says_whose_token_it_is(client, token, metadata, user):
    told = session(client).introspect_token(metadata["introspection_endpoint"], token["access_token"]).json()
    assert told["active"] is True and told["client_id"] == client["id"] and told["username"] == user["name"], told


@test
def a_revoked_token_is_refused_by_the_next_call(demo, client, token, metadata):
    answer = session(client).revoke_token(metadata["revocation_endpoint"], token["refresh_token"], "refresh_token")
    assert answer.status_code == 200, answer.text
    refused = session(client, token).get(demo["gateway"] + "/api/resource/Customer")
    assert refused.status_code == 401, refused.status_code
    assert 'error="invalid_token"' in refused.headers["WWW-Authenticate"]
    try:
        session(client).refresh_token(metadata["token_endpoint"], refresh_token=token["refresh_token"])
    except OAuthError as error:
        assert error.error == "invalid_grant", error
    else:
        raise AssertionError("the refresh token still works")


@test
def a_revoked_token_is_not_active(client, token, metadata):
    told = session(client).introspect_token(metadata["introspection_endpoint"], token["access_token"]).json()
    assert told == {"active": False}, told


@test
def client_credentials_give_a_token_of_the_service_user(demo, client, user):
    service = session(client)
    service.fetch_token(demo["gateway"] + METHODS + "get_token", grant_type="client_credentials")
    answer = service.get(demo["gateway"] + "/api/method/frappe.auth.get_logged_user")
    assert answer.json()["message"] == user["name"], answer.text


@test
def a_logout_ends_the_login_session_and_leads_back_to_the_client(demo, client, user):
    browser = requests.Session()
    token, _, metadata = log_in(demo, client, user, browser)
    log_out(demo, browser, metadata, token["id_token"])
    assert session(client, token).get(demo["gateway"] + "/api/resource/Customer").status_code == 401


def flow(demo, client, user):
    logged_in = discovery_code_flow_with_pkce_id_token_by_jwks_and_userinfo(demo, client, user)
    if not logged_in:
        return
    token, metadata = logged_in
    the_api_is_called_as_that_user(demo, client, token, user)
    token = a_refresh_gives_a_new_access_token(client, token, metadata) or token
    if client["secret"]:
        introspection_says_whose_token_it_is(client, token, metadata, user)
    a_revoked_token_is_refused_by_the_next_call(demo, client, token, metadata)
    if client["secret"]:
        a_revoked_token_is_not_active(client, token, metadata)
    a_logout_ends_the_login_session_and_leads_back_to_the_client(demo, client, user)


def main():
    with running_demo(the_demo()) as demo:
        alice, bob = demo["users"][:2]
        print("a confidential client", flush=True)
        flow(demo, demo["clients"]["demo-web"], alice)
        print("a public client", flush=True)
        flow(demo, demo["clients"]["demo-app"], bob)
        print("a backend", flush=True)
        client_credentials_give_a_token_of_the_service_user(demo, demo["clients"]["demo-service"], bob)
    return finish("Authlib")


if __name__ == "__main__":
    sys.exit(main())
