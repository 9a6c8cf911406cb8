"""requests-oauthlib against the gateway: `python test_requests_oauthlib.py target/debug/examples/demo`

It knows OAuth and no more of OpenID Connect than that: discovery is read with its requests, and the id_token verified with
joserfc, as its users do.
"""

import os
import secrets
import sys
from urllib.parse import urlsplit

import requests
from joserfc import jwt
from joserfc.jwk import KeySet
from oauthlib.oauth2 import BackendApplicationClient, InvalidGrantError, TokenExpiredError
from requests.auth import HTTPBasicAuth
from requests_oauthlib import OAuth2Session

from demo import browse, finish, log_out, running_demo, test, the_demo

# The gateway of the demo is on loopback, without TLS.
os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"


@test
def discovery_names_the_endpoints(demo):
    answer = requests.get(demo["gateway"] + "/.well-known/openid-configuration")
    metadata = answer.json()
    assert metadata["issuer"] == demo["gateway"]
    return metadata


def session(demo, client, **more):
    return OAuth2Session(client["id"], redirect_uri=demo["callback"], scope=["openid", "all"], pkce="S256", **more)


def authentication(client):
    """What a token request says of its client: Basic, or no more than the id in the form."""
    if client["secret"]:
        return {"client_secret": client["secret"]}
    return {"include_client_id": True}


def verified(id_token, metadata, client, nonce):
    keys = KeySet.import_key_set(requests.get(metadata["jwks_uri"]).json())
    token = jwt.decode(id_token, keys, algorithms=["RS256"])
    registry = jwt.JWTClaimsRegistry(
        iss={"essential": True, "value": metadata["issuer"]},
        aud={"essential": True, "value": client["id"]},
        exp={"essential": True},
        nonce={"essential": True, "value": nonce},
    )
    registry.validate(token.claims)
    return token.claims


@test
def a_code_flow_with_pkce_gives_tokens_and_jwks_verifies_the_id_token(demo, client, metadata, user):
    site, nonce = session(demo, client), secrets.token_urlsafe()
    url, state = site.authorization_url(metadata["authorization_endpoint"], nonce=nonce)
    back = browse(demo, url, user)
    assert f"state={state}" in urlsplit(back).query
    token = site.fetch_token(metadata["token_endpoint"], authorization_response=back, **authentication(client))
    claims = verified(token["id_token"], metadata, client, nonce)
    return site, claims


@test
def userinfo_names_the_subject_of_the_id_token(site, claims, metadata, user):
    profile = site.get(metadata["userinfo_endpoint"]).json()
    assert profile["sub"] == claims["sub"] and profile["email"] == user["name"], profile


@test
def the_api_is_called_as_that_user(demo, site, user):
    answer = site.get(demo["gateway"] + "/api/method/frappe.auth.get_logged_user")
    assert answer.json()["message"] == user["name"], answer.text


@test
def an_expired_token_is_refreshed_by_itself(demo, client, site, metadata, user):
    kept, known = [], {}
    if client["secret"]:
        # So it shows them by Basic; in auto_refresh_kwargs they would go into the form.
        known = {"client_id": client["id"], "client_secret": client["secret"]}
    old = {**site.token, "expires_in": -1, "expires_at": 1}
    other = session(
        demo,
        client,
        token=old,
        auto_refresh_url=metadata["token_endpoint"],
        auto_refresh_kwargs={} if client["secret"] else {"client_id": client["id"]},
        token_updater=kept.append,
    )
    answer = other.get(demo["gateway"] + "/api/method/frappe.auth.get_logged_user", **known)
    assert answer.json()["message"] == user["name"], answer.text
    assert kept[0]["access_token"] != old["access_token"]
    assert (kept[0]["refresh_token"] == old["refresh_token"]) == bool(client["secret"])
    return kept[0]


def revoke(site, client, metadata, token):
    """The request as oauthlib writes it; requests-oauthlib has no call of its own for it."""
    client_of = site._client
    extra = {} if client["secret"] else {"client_id": client["id"]}
    url, headers, body = client_of.prepare_token_revocation_request(
        metadata["revocation_endpoint"], token, "refresh_token", **extra
    )
    credentials = HTTPBasicAuth(client["id"], client["secret"]) if client["secret"] else None
    return requests.post(url, data=body, headers=headers, auth=credentials)


@test
def a_revoked_token_is_refused_by_the_next_call(demo, client, site, metadata, token):
    answer = revoke(site, client, metadata, token["refresh_token"])
    assert answer.status_code == 200, answer.text
    refused = session(demo, client, token=token).get(demo["gateway"] + "/api/resource/Customer")
    assert refused.status_code == 401 and 'error="invalid_token"' in refused.headers["WWW-Authenticate"]
    known = {} if client["secret"] else {"client_id": client["id"]}
    credentials = HTTPBasicAuth(client["id"], client["secret"]) if client["secret"] else None
    try:
        session(demo, client).refresh_token(
            metadata["token_endpoint"], refresh_token=token["refresh_token"], auth=credentials, **known
        )
    except InvalidGrantError:
        pass
    else:
        raise AssertionError("the refresh token still works")


@test
def client_credentials_give_a_token_of_the_service_user(demo, client, metadata, user):
    service = OAuth2Session(client=BackendApplicationClient(client["id"]))
    service.fetch_token(metadata["token_endpoint"], client_secret=client["secret"])
    answer = service.get(demo["gateway"] + "/api/method/frappe.auth.get_logged_user")
    assert answer.json()["message"] == user["name"], answer.text
    service.token = {**service.token, "expires_at": 1}
    try:
        service.get(demo["gateway"] + "/api/resource/Customer")
    except TokenExpiredError:
        pass
    else:
        raise AssertionError("expires_in is not minded")


@test
def a_logout_ends_the_login_session_and_leads_back_to_the_client(demo, client, metadata, user):
    site, browser = session(demo, client), requests.Session()
    url, _ = site.authorization_url(metadata["authorization_endpoint"])
    back = browse(demo, url, user, browser)
    token = site.fetch_token(metadata["token_endpoint"], authorization_response=back, **authentication(client))
    log_out(demo, browser, metadata, token["id_token"])
    assert site.get(demo["gateway"] + "/api/resource/Customer").status_code == 401


def flow(demo, client, metadata, user):
    logged_in = a_code_flow_with_pkce_gives_tokens_and_jwks_verifies_the_id_token(demo, client, metadata, user)
    if not logged_in:
        return
    site, claims = logged_in
    userinfo_names_the_subject_of_the_id_token(site, claims, metadata, user)
    the_api_is_called_as_that_user(demo, site, user)
    token = an_expired_token_is_refreshed_by_itself(demo, client, site, metadata, user) or site.token
    a_revoked_token_is_refused_by_the_next_call(demo, client, site, metadata, token)
    a_logout_ends_the_login_session_and_leads_back_to_the_client(demo, client, metadata, user)


def main():
    with running_demo(the_demo()) as demo:
        alice, bob = demo["users"][:2]
        metadata = discovery_names_the_endpoints(demo)
        if metadata:
            print("a confidential client", flush=True)
            flow(demo, demo["clients"]["demo-web"], metadata, alice)
            print("a public client", flush=True)
            flow(demo, demo["clients"]["demo-app"], metadata, bob)
            print("a backend", flush=True)
            client_credentials_give_a_token_of_the_service_user(demo, demo["clients"]["demo-service"], metadata, bob)
    return finish("requests-oauthlib")


if __name__ == "__main__":
    sys.exit(main())
