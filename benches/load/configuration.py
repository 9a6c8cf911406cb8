"""The configurations of the gateways of a run, and the certificate that they and their rivals show."""

import json
import os
import subprocess

CLIENT, SECRET = "bench", "the secret of the bench's client"
READER = ["read:Customer"]


def write_closed(path, text):
    """A file that nobody else may read, as the gateway wants it of a configuration that holds secrets."""
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    return path


def write_gateway(folder, name, upstream, settings, rules=0):
    """Writes NAME.toml. `settings` adds to what every run has, and takes its place; all its keys are full ones.

    With rules the client has no other scope than the one that the last rule asks for.
    """
    everything = {
        "erpnext.url": f"http://127.0.0.1:{upstream}",
        "erpnext.api_key": "gateway-key:gateway-secret",
        "erpnext.clients": "off",
        "erpnext.native_tokens": "refuse",
        "tokens.id_token_alg": "ES256",
        "store.path": f"{folder}/{name}.db",
        "store.secret_key_file": f"{folder}/{name}.key",
        "log.level": "warn",
        "log.access": False,
        "log.audit_file": f"{folder}/{name}.audit",
        **settings,
    }
    client = {
        "id": CLIENT,
        "secret": SECRET,
        "grant_types": ["client_credentials"],
        "scopes": READER if rules else ["all"],
        "service_user": "alice@example.com",
    }
    blocks = [lines_of(everything), "[[client]]\n" + lines_of(client)]
    blocks += ["[[route]]\n" + lines_of(rule) for rule in route_rules(rules)]
    return write_closed(os.path.join(folder, f"{name}.toml"), "\n".join(blocks))


def lines_of(keys):
    # Text, numbers, truth and lists are written alike in JSON and in TOML.
    return "".join(f"{key} = {json.dumps(value)}\n" for key, value in keys.items())


def route_rules(count):
    """`count` rules of both kinds; only the last one matches the request that is measured."""
    rules = []
    for number in range(count - 1):
        if number % 2:
            rules.append({"path": f"/api/method/app.area_{number}.call", "methods": ["POST"], "scopes": [f"app:{number}"]})
        else:
            rules.append({"path": f"/api/resource/Doctype{number}/{{name}}", "methods": ["GET"], "scopes": [f"read:Doctype{number}"]})
    if count:
        rules.append({"path": "/api/resource/{doctype}", "methods": ["GET"], "scopes": ["read:{doctype}"]})
    return rules


def make_certificate(folder):
    """cert.pem and key.pem for localhost, good for a day."""
    certificate, key = f"{folder}/cert.pem", f"{folder}/key.pem"
    if not os.path.exists(certificate):
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1",
             "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", certificate],
            check=True, stderr=subprocess.DEVNULL)
        os.chmod(key, 0o600)
    return certificate, key
