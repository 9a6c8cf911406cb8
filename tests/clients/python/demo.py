"""The running demo, and a browser without a screen: plain HTTP requests that log in and consent."""

import json
import os
import re
import subprocess
import sys
import traceback
from contextlib import contextmanager
from urllib.parse import parse_qs, urlsplit

import requests

METHODS = "/api/method/frappe.integrations.oauth2."
RESULTS = []


def test(function):
    """Runs it with what follows, and notes how it went. The name is the sentence."""

    def run(*arguments):
        name = function.__name__.replace("_", " ")
        try:
            result = function(*arguments)
        except Exception:  # whatever goes wrong is a failed test
            RESULTS.append(False)
            print(f"FAIL  {name}\n{traceback.format_exc()}", flush=True)
            return None
        RESULTS.append(True)
        print(f"ok    {name}", flush=True)
        return result

    return run


@contextmanager
def running_demo(program):
    """The demo's description; it ends when its standard input closes."""
    with subprocess.Popen([program, "--machine"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.stdin.close()
            process.wait(timeout=30)


def browse(demo, url, user, browser=None):
    """What a browser does with an authorization request: login, consent. The URL that it comes back to."""
    browser = browser or requests.Session()
    browser.headers["Accept"] = "text/html"
    answer = browser.get(url, allow_redirects=False)
    if answer.is_redirect and urlsplit(answer.headers["Location"]).path == "/login":
        login = {"cmd": "login", "usr": user["name"], "pwd": user["password"]}
        browser.post(demo["gateway"] + "/", data=login).raise_for_status()
        back = parse_qs(urlsplit(answer.headers["Location"]).query)["redirect-to"][0]
        answer = browser.get(back, allow_redirects=False)
    if answer.status_code == 200:
        fields = dict(re.findall(r'name="(handle|token)" value="([^"]*)"', answer.text))
        form = {**fields, "decision": "allow"}
        origin = {"Origin": demo["gateway"]}
        answer = browser.post(demo["gateway"] + METHODS + "approve", data=form, headers=origin, allow_redirects=False)
    assert answer.is_redirect, f"{answer.status_code} {answer.text}"
    return answer.headers["Location"]


def log_out(demo, browser, metadata, id_token):
    """The end session endpoint, as a library's user builds its URL; it ends the login session and leads back."""
    named = {"id_token_hint": id_token, "post_logout_redirect_uri": demo["callback"], "state": "bye"}
    answer = browser.get(metadata["end_session_endpoint"], params=named, allow_redirects=False)
    assert answer.is_redirect and answer.headers["Location"] == demo["callback"] + "?state=bye", answer.text
    who = browser.get(demo["gateway"] + "/api/method/frappe.auth.get_logged_user")
    assert who.status_code == 403, who.text


def finish(library):
    """The last line, and the exit code."""
    failed = RESULTS.count(False)
    print(f"{library}: {len(RESULTS) - failed} passed, {failed} failed")
    return 1 if failed or not RESULTS else 0


def the_demo():
    """The program that the command line names."""
    if len(sys.argv) != 2:
        sys.exit(f"usage: {os.path.basename(sys.argv[0])} PATH-OF-THE-DEMO")
    return sys.argv[1]
