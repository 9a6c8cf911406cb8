"""A real browser through login, consent and the way back: `python3 test.py PATH-OF-THE-DEMO FOLDER-FOR-SCREENSHOTS`"""

import json
import subprocess
import sys
import tempfile
import time
import traceback
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit
from urllib.request import Request, urlopen

from webdriver import Browser

METHODS = "/api/method/frappe.integrations.oauth2."
DESKTOP = {"width": 1280, "height": 800}
# RFC 7636, appendix B.
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
PHONE = {"width": 390, "height": 844, "phone": True}


class Visit:
    """One visitor of the demo, and what a test does with the browser."""

    def __init__(self, browser, demo, screenshots):
        self.browser = browser
        self.demo = demo
        self.screenshots = screenshots
        self.alice, self.bob = demo["users"][:2]

    def begin(self, view=None):
        """A new visitor: no cookies."""
        self.browser.forget_cookies()
        self.browser.complaints()
        self.browser.view(**(view or DESKTOP))

    def start(self, client, **parameters):
        """The client's own link that starts a request."""
        self.browser.open(self.demo["start"] + "?" + urlencode({"client": client, **parameters}))

    def log_in(self, user):
        """On ERPNext's login page, which the gateway only passes on."""
        self.browser.find("#login_email").type(user["name"])
        self.browser.find("#login_password").type(user["password"])
        assert self.browser.url.startswith(self.demo["gateway"] + "/login?"), self.browser.url
        self.browser.find(".btn-login").click()

    def press(self, decision):
        self.browser.find(f'button[value="{decision}"]').click()

    def consent_is_asked(self, client, user):
        """That the page says which application, which user, what."""
        self.browser.find('button[value="allow"]')
        text = self.browser.find("main").text
        name = self.demo["clients"][client]["name"]
        assert name in text and user["name"] in text, text

    def is_back(self, shows):
        """At the client's callback, with this parameter; gives its value."""
        value = self.browser.find("#" + shows).text
        assert self.browser.url.startswith(self.demo["callback"]), self.browser.url
        return value

    def shot(self, name):
        """Takes the screenshot; what is on it must fit."""
        self.browser.screenshot(self.screenshots / f"{name}.png")
        width = self.browser.run("return [document.documentElement.scrollWidth, window.innerWidth]")
        assert width[0] <= width[1], f"{name}: {width[0]} pixels wide in a window of {width[1]}"

    def nothing_was_blocked(self):
        complaints = self.browser.complaints()
        assert not complaints, complaints


def allowing_leads_back_with_a_code_that_gives_tokens(visit):
    visit.begin()
    visit.start("demo-web", nonce="of-the-browser-test")
    visit.browser.find("#login_email")
    visit.shot("login-desktop")
    visit.log_in(visit.alice)
    visit.consent_is_asked("demo-web", visit.alice)
    visit.shot("consent-desktop")
    visit.press("allow")
    assert visit.is_back("code")
    assert visit.is_back("iss") == visit.demo["gateway"]
    visit.shot("callback-desktop")
    claims = json.loads(visit.browser.find("#claims").text)
    assert claims["nonce"] == "of-the-browser-test" and claims["email"] == visit.alice["name"], claims
    profile = json.loads(visit.browser.find("#profile").text)
    assert profile["sub"] == claims["sub"], profile
    visit.nothing_was_blocked()


def denying_leads_back_with_access_denied(visit):
    visit.begin()
    visit.start("demo-app")
    visit.log_in(visit.alice)
    visit.consent_is_asked("demo-app", visit.alice)
    visit.press("deny")
    assert visit.is_back("error") == "access_denied"
    assert not visit.browser.has("#code")
    visit.shot("denied-desktop")
    visit.nothing_was_blocked()


def somebody_else_can_sign_in_from_the_consent_page(visit):
    visit.begin(PHONE)
    visit.start("demo-app")
    visit.browser.find("#login_email")
    visit.shot("login-phone")
    visit.log_in(visit.alice)
    visit.consent_is_asked("demo-app", visit.alice)
    visit.press("sign_in")
    visit.log_in(visit.bob)
    visit.consent_is_asked("demo-app", visit.bob)
    visit.press("allow")
    assert visit.is_back("code")
    claims = json.loads(visit.browser.find("#claims").text)
    assert claims["email"] == visit.bob["name"], claims
    visit.shot("callback-phone")
    visit.nothing_was_blocked()


def the_consent_page_is_good_on_a_phone(visit):
    visit.begin(PHONE)
    visit.start("demo-web", scope="openid all profile email roles offline_access", prompt="consent")
    visit.log_in(visit.alice)
    visit.consent_is_asked("demo-web", visit.alice)
    visit.shot("consent-phone")
    for decision in ("allow", "deny"):
        size = visit.browser.find(f'button[value="{decision}"]').size
        assert size["height"] >= 44 and size["width"] >= 120, f"{decision} is too small for a finger: {size}"
        assert size["y"] + size["height"] <= PHONE["height"], f"{decision} is below the fold: {size}"
    visit.browser.view(**PHONE, dark=True)
    visit.shot("consent-phone-dark")
    visit.browser.view(**DESKTOP, dark=True)
    visit.shot("consent-desktop-dark")
    visit.nothing_was_blocked()


def the_consent_page_speaks_the_users_language(visit):
    visit.begin(PHONE)
    visit.start("demo-app", ui_locales="de")
    visit.log_in(visit.alice)
    visit.consent_is_asked("demo-app", visit.alice)
    assert visit.browser.run("return document.documentElement.lang") == "de"
    visit.shot("consent-phone-de")


def a_fresh_login_is_asked_for_first(visit):
    visit.begin()
    visit.start("demo-app")
    visit.log_in(visit.alice)
    visit.consent_is_asked("demo-app", visit.alice)
    visit.start("demo-app", prompt="login")
    visit.browser.find('button[value="sign_in"]')
    assert not visit.browser.has('button[value="allow"]')
    visit.shot("sign-in-again-desktop")
    visit.browser.view(**PHONE)
    visit.shot("sign-in-again-phone")
    visit.press("sign_in")
    visit.log_in(visit.alice)
    visit.consent_is_asked("demo-app", visit.alice)
    visit.press("allow")
    assert visit.is_back("code")
    visit.nothing_was_blocked()


def an_unknown_client_gets_a_page_and_no_redirect(visit):
    visit.begin()
    request = {"client_id": "nobody", "response_type": "code", "redirect_uri": "https://elsewhere.example/cb"}
    url = visit.demo["gateway"] + METHODS + "authorize?" + urlencode(request)
    visit.browser.open(url)
    visit.browser.find("h1.bad")
    assert urlsplit(visit.browser.url).netloc == urlsplit(url).netloc, visit.browser.url
    visit.shot("error-desktop")
    visit.browser.view(**PHONE)
    visit.shot("error-phone")
    visit.browser.view(**PHONE, dark=True)
    visit.shot("error-phone-dark")


def a_form_post_reaches_the_client_by_itself(visit):
    visit.begin()
    visit.start("demo-app", response_mode="form_post")
    visit.log_in(visit.alice)
    visit.consent_is_asked("demo-app", visit.alice)
    visit.press("allow")
    assert visit.is_back("code")
    visit.nothing_was_blocked()


def desk_works_as_if_nothing_stood_before_it(visit):
    visit.begin()
    visit.browser.open(visit.demo["gateway"] + "/app")
    visit.log_in(visit.alice)
    assert visit.browser.find("#user").text == visit.alice["name"]
    # The realtime server has asked ERPNext, through the gateway, who this is.
    visit.browser.until(lambda: visit.browser.find("#realtime").text == "connected", "the realtime connection")
    visit.browser.find("#open-todo").click()
    assert visit.browser.find("#form-title").text == "todo-1"
    visit.browser.until(lambda: visit.browser.find("#realtime").text == "connected", "the realtime connection")
    uploaded_is_seen(visit, "from the browser test")
    visit.shot("desk-desktop")
    visit.nothing_was_blocked()
    visit.browser.find("#logout").click()
    visit.browser.find("#login_email")
    visit.browser.open(visit.demo["gateway"] + "/app")
    visit.browser.find("#login_email")
    assert "/login?redirect-to=" in visit.browser.url, visit.browser.url


def uploaded_is_seen(visit, text):
    """Uploads a file in Desk, and opens it from there."""
    with tempfile.TemporaryDirectory(prefix="empress-upload-") as folder:
        path = Path(folder) / "note.txt"
        path.write_text(text)
        visit.browser.find("#file").type(str(path))
        visit.browser.find("#upload").click()
        link = visit.browser.find("#uploaded:not([hidden])")
    assert link.text == "note.txt", link.text
    shown = visit.browser.run("return fetch(document.getElementById('uploaded').href).then(file => file.text())")
    assert shown == text, shown
    # Without the page's CSRF token ERPNext takes nothing, whatever cookie comes with it.
    refused = visit.browser.run("return fetch('/api/method/upload_file', {method: 'POST', body: new FormData()}).then(r => r.status)")
    assert refused == 400, refused
    visit.browser.complaints()


def posted(visit, endpoint, form):
    """What an endpoint answers to a client that asks by itself."""
    with urlopen(visit.demo["gateway"] + METHODS + endpoint, urlencode(form).encode()) as answer:
        return json.load(answer)


def an_agent_gets_what_its_user_ticks(visit):
    metadata = {"client_name": "Night clerk", "redirect_uris": [visit.demo["callback"]], "token_endpoint_auth_method": "none"}
    registration = Request(
        visit.demo["gateway"] + METHODS + "register_client",
        json.dumps(metadata).encode(),
        {"Content-Type": "application/json"},
    )
    with urlopen(registration) as answer:
        client = json.load(answer)["client_id"]
    request = {"client_id": client, "response_type": "code", "redirect_uri": visit.demo["callback"], "code_challenge": CHALLENGE}
    request |= {"code_challenge_method": "S256", "scope": "openid erp:read erp:write"}
    visit.begin(PHONE)
    visit.browser.open(visit.demo["gateway"] + METHODS + "authorize?" + urlencode(request))
    visit.log_in(visit.alice)
    box = visit.browser.find('input[type="checkbox"]')
    text = visit.browser.find("main").text
    assert "Night clerk" in text and "agent" in text and "registered itself" in text, text
    assert not visit.browser.run("return document.querySelector('input[type=checkbox]').checked"), "nobody has ticked it"
    visit.shot("agent-consent-phone")
    visit.browser.view(**PHONE, dark=True)
    visit.shot("agent-consent-phone-dark")
    visit.browser.view(**DESKTOP)
    visit.shot("agent-consent-desktop")
    box.click()
    assert visit.browser.run("return document.querySelector('input[type=checkbox]').checked")
    visit.press("allow")
    visit.browser.until(lambda: "code=" in visit.browser.url, "the way back")
    code = parse_qs(urlsplit(visit.browser.url).query)["code"][0]
    form = {"grant_type": "authorization_code", "code": code, "client_id": client, "code_verifier": VERIFIER}
    tokens = posted(visit, "get_token", form | {"redirect_uri": visit.demo["callback"]})
    assert tokens["scope"].split() == ["openid", "erp:read", "erp:write"], tokens["scope"]
    visit.browser.complaints()  # the demo's callback did not begin this


def a_device_is_let_in_with_its_code(visit):
    visit.begin(PHONE)
    device = posted(visit, "device_authorization", {"client_id": "demo-device", "scope": "openid all"})
    visit.browser.open(device["verification_uri_complete"])
    visit.log_in(visit.alice)
    visit.browser.find("#user_code")
    visit.shot("device-code-phone")
    visit.browser.find("button.main").click()
    visit.consent_is_asked("demo-device", visit.alice)
    assert device["user_code"] in visit.browser.find("main").text
    visit.shot("device-consent-phone")
    visit.browser.view(**DESKTOP, dark=True)
    visit.shot("device-consent-desktop-dark")
    visit.press("allow")
    visit.browser.until(lambda: not visit.browser.has("form"), "the page that says so")
    visit.shot("device-done-desktop-dark")
    grant = {"grant_type": "urn:ietf:params:oauth:grant-type:device_code", "device_code": device["device_code"]}
    assert posted(visit, "get_token", grant | {"client_id": "demo-device"})["access_token"]
    visit.nothing_was_blocked()


LANGUAGES = {"en": "ltr", "de": "ltr", "es": "ltr", "fr": "ltr", "pt": "ltr", "ar": "rtl", "hi": "ltr", "zh-Hans": "ltr"}
TAB, ENTER = "\ue004", "\ue007"


def speaks(visit, language):
    shown = visit.browser.run("return [document.documentElement.lang, document.documentElement.dir]")
    assert shown == [language, LANGUAGES[language]], shown


def enter(visit, user, password):
    """On the gateway's own login page."""
    for field, text in (("#usr", user), ("#pwd", password)):
        visit.browser.run(f"document.querySelector('{field}').value = ''")
        visit.browser.find(field).type(text)
    visit.browser.find("button.main").click()


def through_all_pages(visit, language, view):
    """Login, consent, connected applications, logout; gives what it showed."""
    kind = "phone" if view == PHONE else "desktop"
    visit.begin(view)
    visit.start("demo-app", ui_locales=language, scope="openid all profile email phone address roles offline_access")
    visit.browser.find("#usr")
    speaks(visit, language)
    visit.shot(f"own-login-{kind}-{language}")
    enter(visit, visit.alice["name"], "wrong")
    visit.browser.find("#problem")
    visit.shot(f"own-login-wrong-{kind}-{language}")
    visit.browser.complaints()  # Chromium complains of the status 403
    enter(visit, visit.alice["name"], visit.alice["password"])
    visit.consent_is_asked("demo-app", visit.alice)
    speaks(visit, language)
    visit.shot(f"own-consent-{kind}-{language}")
    visit.press("allow")
    assert visit.is_back("code")
    visit.browser.open(visit.demo["gateway"] + METHODS + "connected_apps?ui_locales=" + language)
    visit.browser.find("section")
    speaks(visit, language)
    visit.shot(f"own-apps-{kind}-{language}")
    visit.browser.open(visit.demo["gateway"] + METHODS + "end_session?ui_locales=" + language)
    visit.browser.find('button[value="logout"]')
    speaks(visit, language)
    visit.shot(f"own-logout-{kind}-{language}")
    visit.press("logout")
    visit.browser.until(lambda: not visit.browser.has("form"), "the page that says so")
    speaks(visit, language)
    visit.shot(f"own-logged-out-{kind}-{language}")
    visit.nothing_was_blocked()


def all_pages_speak_eight_languages_on_a_phone(visit):
    for language in LANGUAGES:
        through_all_pages(visit, language, PHONE)


def all_pages_are_good_on_a_desktop_in_both_directions(visit):
    for language in ("en", "ar"):
        through_all_pages(visit, language, DESKTOP)


def the_access_of_an_application_can_be_ended(visit):
    visit.begin()
    visit.start("demo-web")
    visit.browser.find("#usr")
    enter(visit, visit.bob["name"], visit.bob["password"])
    visit.consent_is_asked("demo-web", visit.bob)
    visit.press("allow")
    assert visit.is_back("code")
    visit.browser.open(visit.demo["gateway"] + METHODS + "connected_apps")
    visit.browser.find("section button").click()
    visit.browser.until(lambda: not visit.browser.has("section"), "the page without it")
    visit.browser.view(**DESKTOP, dark=True)
    visit.shot("own-apps-none-desktop-dark")
    visit.nothing_was_blocked()


def login_and_consent_work_by_keyboard_alone(visit):
    visit.begin()
    visit.start("demo-app", login_hint="")
    visit.browser.find("#usr")
    focus = "const s = getComputedStyle(document.activeElement); return [s.outlineStyle, parseFloat(s.outlineWidth)]"

    def tab_to(selector):
        for _ in range(12):
            if visit.browser.run("return document.activeElement.matches(arguments[0])", selector):
                break
            visit.browser.focused.type(TAB)
        style, width = visit.browser.run(focus)
        assert style != "none" and width >= 2, f"{selector}: the focus is not seen: {style} {width}"

    tab_to("#usr")
    visit.browser.focused.type(visit.alice["name"])
    tab_to("#pwd")
    visit.browser.focused.type(visit.alice["password"])
    tab_to("button.main")
    visit.browser.focused.type(ENTER)
    visit.consent_is_asked("demo-app", visit.alice)
    tab_to('button[value="allow"]')
    visit.shot("own-consent-focus-desktop")
    visit.browser.focused.type(ENTER)
    assert visit.is_back("code")
    visit.nothing_was_blocked()


# With the gateway's own login page, a logo and a colour.
OWN_PAGES = [
    all_pages_speak_eight_languages_on_a_phone,
    all_pages_are_good_on_a_desktop_in_both_directions,
    the_access_of_an_application_can_be_ended,
    login_and_consent_work_by_keyboard_alone,
]

TESTS = [
    allowing_leads_back_with_a_code_that_gives_tokens,
    denying_leads_back_with_access_denied,
    somebody_else_can_sign_in_from_the_consent_page,
    the_consent_page_is_good_on_a_phone,
    the_consent_page_speaks_the_users_language,
    a_fresh_login_is_asked_for_first,
    an_unknown_client_gets_a_page_and_no_redirect,
    a_form_post_reaches_the_client_by_itself,
    desk_works_as_if_nothing_stood_before_it,
    an_agent_gets_what_its_user_ticks,
    a_device_is_let_in_with_its_code,
]


@contextmanager
def running_demo(program, *options):
    """The demo's description; it ends when its standard input closes."""
    with subprocess.Popen([program, "--machine", *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.stdin.close()
            process.wait(timeout=30)


def passes(test, visit):
    name, began = test.__name__.replace("_", " "), time.monotonic()
    try:
        test(visit)
    except Exception:  # whatever goes wrong is a failed test
        visit.browser.screenshot(visit.screenshots / f"failed-{test.__name__}.png")
        print(f"FAIL  {name}\n{traceback.format_exc()}", flush=True)
        return False
    print(f"ok    {name} ({time.monotonic() - began:.1f} s)", flush=True)
    return True


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: test.py PATH-OF-THE-DEMO FOLDER-FOR-SCREENSHOTS")
    passed = []
    with Browser() as browser:
        for tests, options in ((TESTS, []), (OWN_PAGES, ["--own-login"])):
            with running_demo(sys.argv[1], *options) as demo:
                visit = Visit(browser, demo, Path(sys.argv[2]))
                passed += [passes(test, visit) for test in tests]
    failed = passed.count(False)
    print(f"Chromium: {len(passed) - failed} passed, {failed} failed; screenshots in {sys.argv[2]}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
