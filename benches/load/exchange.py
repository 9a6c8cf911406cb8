"""Many requests that are all different, over keep-alive connections: what oha can't do. Issues and revokes tokens."""

import base64
import json
import re
import selectors
import socket
import sys
import time
import urllib.parse

from .configuration import CLIENT, SECRET

CONNECTIONS = 64
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.I)
PATIENCE = 60.0  # seconds without any answer
TOKEN_ENDPOINT = "/api/method/frappe.integrations.oauth2.get_token"
REVOCATION_ENDPOINT = "/api/method/frappe.integrations.oauth2.revoke_token"


def exchange(port, requests, connections=CONNECTIONS):
    """The answers to `requests`, whole HTTP/1.1 messages, in their order, as pairs of status and body."""
    answers = [None] * len(requests)
    waiting = iter(range(len(requests)))
    with selectors.DefaultSelector() as selector:
        for number in waiting:
            line = socket.create_connection(("127.0.0.1", port), PATIENCE)
            line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            selector.register(line, selectors.EVENT_READ, [number, b""])
            line.sendall(requests[number])
            if len(selector.get_map()) == connections:
                break
        while selector.get_map():
            ready = selector.select(PATIENCE)
            if not ready:
                sys.exit(f"port {port}: no answer for {PATIENCE:.0f} s")
            for key, _ in ready:
                received(selector, key, requests, answers, waiting)
    return answers


def received(selector, key, requests, answers, waiting):
    """Reads on; when an answer is whole, the next request goes out."""
    line, state = key.fileobj, key.data
    more = line.recv(65536)
    if not more:
        sys.exit(f"a connection was closed after {state[1][:200]!r}")
    state[1] += more
    head, found, body = state[1].partition(b"\r\n\r\n")
    length = LENGTH.search(head)
    if not found or len(body) < (int(length[1]) if length else 0):
        return
    answers[state[0]] = (int(head.split(b" ", 2)[1]), body)
    number = next(waiting, None)
    if number is None:
        selector.unregister(line)
        line.close()
        return
    state[:] = [number, b""]
    line.sendall(requests[number])


def form(path, fields):
    """A POST of the bench's client."""
    basic = base64.b64encode(f"{CLIENT}:{urllib.parse.quote(SECRET)}".encode()).decode()
    body = urllib.parse.urlencode(fields)
    return (f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Basic {basic}\r\n"
            f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n{body}").encode()


def get(path, token):
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n\r\n".encode()


def issue(port, count):
    """`count` access tokens of the bench's client, by client credentials."""
    request = form(TOKEN_ENDPOINT, {"grant_type": "client_credentials"})
    answers = until_ready(port, request)
    answers += exchange(port, [request] * (count - 1))
    for status, body in answers:
        if status != 200:
            sys.exit(f"port {port}: no token: {status} {body.decode(errors='replace')}")
    return [json.loads(body)["access_token"] for _, body in answers]


def revoke(port, token):
    status, body = exchange(port, [form(REVOCATION_ENDPOINT, {"token": token})])[0]
    if status != 200:
        sys.exit(f"port {port}: the token was not revoked: {status} {body.decode(errors='replace')}")


def until_ready(port, request, seconds=60):
    """A gateway that has not seen ERPNext's users yet answers 503."""
    end = time.monotonic() + seconds
    while True:
        answers = exchange(port, [request])
        if answers[0][0] != 503 or time.monotonic() > end:
            return answers
        time.sleep(0.1)


def wait_for_status(port, request, status, seconds=120):
    end = time.monotonic() + seconds
    while True:
        got, body = exchange(port, [request])[0]
        if got == status:
            return
        if time.monotonic() > end:
            sys.exit(f"port {port}: expected {status}, got {got} {body[:200].decode(errors='replace')}")
        time.sleep(0.2)
