"""A headless Chromium, driven through chromedriver by plain HTTP (W3C WebDriver): the standard library is enough."""

import base64
import json
import re
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
ARGUMENTS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--lang=en-US",
]
# The driver is on loopback: no proxy of the environment may come between.
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Browser:
    """One Chromium with an empty profile. Use it in a `with`: it leaves no process behind."""

    def __init__(self, wait=60):
        self.wait = wait
        self.session = None

    def __enter__(self):
        self.profile = tempfile.mkdtemp(prefix="empress-chromium-")
        command = [shutil.which("chromedriver") or "/usr/bin/chromedriver", "--port=0"]
        self.driver = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            self._open_session(self._port())
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.session:
            self._call("DELETE", "")
        self.driver.terminate()
        self.driver.wait(timeout=60)
        shutil.rmtree(self.profile, ignore_errors=True)

    def _port(self):
        for line in self.driver.stdout:
            if found := re.search(r"started successfully on port (\d+)", line):
                return int(found[1])
        raise RuntimeError("chromedriver did not start")

    def _open_session(self, port):
        options = {
            "binary": shutil.which("chromium") or "/usr/bin/chromium",
            "args": [*ARGUMENTS, f"--user-data-dir={self.profile}"],
        }
        wanted = {"browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
        self.session = f"http://127.0.0.1:{port}/session"
        opened = self._call("POST", "", {"capabilities": {"alwaysMatch": wanted}})
        self.session += "/" + opened["sessionId"]

    def _call(self, method, path, body=None):
        data = None if method != "POST" else json.dumps(body or {}).encode()
        request = urllib.request.Request(self.session + path, data, {"Content-Type": "application/json"}, method=method)
        try:
            with OPENER.open(request, timeout=60) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise WebDriverError(json.load(error)["value"]) from None

    def open(self, url):
        self._call("POST", "/url", {"url": url})

    @property
    def url(self):
        return self._call("GET", "/url")

    def find(self, selector):
        """The element, waited for."""
        found = self.until(lambda: self._call("POST", "/elements", {"using": "css selector", "value": selector}), selector)
        return Element(self, found[0][ELEMENT])

    @property
    def focused(self):
        """The element that keys go to."""
        return Element(self, self._call("GET", "/element/active")[ELEMENT])

    def has(self, selector):
        return bool(self._call("POST", "/elements", {"using": "css selector", "value": selector}))

    def until(self, holds, what):
        deadline = time.monotonic() + self.wait
        while time.monotonic() < deadline:
            # While a page is replaced by the next, the driver may have none to ask.
            try:
                if result := holds():
                    return result
            except WebDriverError as error:
                what = f"{what} ({error})"
            time.sleep(0.05)
        raise AssertionError(f"waited in vain for {what} at {self.url}:\n{self.run('return document.body.innerText')}")

    def run(self, script, *arguments):
        return self._call("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def view(self, width, height, *, phone=False, dark=False):
        """How large the page is seen, and on what."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 2 if phone else 1, "mobile": phone}
        self._cdp("Emulation.setDeviceMetricsOverride", metrics)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._cdp("Emulation.setEmulatedMedia", {"features": [scheme]})

    def forget_cookies(self):
        self._cdp("Network.clearBrowserCookies", {})

    def _cdp(self, command, parameters):
        self._call("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def complaints(self):
        """What the console has against the pages since the last time, such as a breach of their content policy."""
        entries = self._call("POST", "/se/log", {"type": "browser"})
        return [entry["message"] for entry in entries if entry["level"] == "SEVERE"]

    def screenshot(self, path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(self._call("GET", "/screenshot")))


class Element:
    """One element of the page that is shown."""

    def __init__(self, browser, identity):
        self.browser = browser
        self.path = f"/element/{identity}"

    def click(self):
        self.browser._call("POST", self.path + "/click")

    def type(self, text):
        self.browser._call("POST", self.path + "/value", {"text": text})

    @property
    def text(self):
        return self.browser._call("GET", self.path + "/text")

    @property
    def size(self):
        return self.browser._call("GET", self.path + "/rect")


class WebDriverError(Exception):
    """What chromedriver refuses."""

    def __init__(self, value):
        super().__init__(f"{value['error']}: {value['message'].splitlines()[0]}")
