"""What is measured, a row each: which process gets which request, and what it is held against."""

from typing import NamedTuple

from .drivers import Request

JUNK = "emp_at_" + "A" * 43  # our format, wrong checksum
COOKIE = "sid=4c1f0bd3a8f64b1fa8d8f5e86f1c6d4c2ab8d3a1b9f7e5c0d2a4; system_user=yes; full_name=Alice; user_id=alice%40example.com"
BODY = '{"customer_name":"Bench","customer_type":"Company","territory":"All Territories"}'


class Row(NamedTuple):
    """`credential` is token, junk, unknown or cookie; with `turn` each request carries another of so many tokens."""

    name: str
    title: str
    proxy: str
    base: str = "bare"
    credential: str = "token"
    status: int = 200
    post: bool = False
    tls: bool = False
    http2: bool = False
    turn: int = 0


def row(name, title, proxy="gateway", **rest):
    return Row(name, title, proxy, **rest)


ROWS = (
    row("bare", "bare Pingora, no check", "bare"),
    row("gateway", "gateway, a known token"),
    row("log", "gateway, access log on", "logging"),
    row("rules-10", "gateway, 10 rules, the last one matches", "rules-10"),
    row("rules-100", "gateway, 100 rules, the last one matches", "rules-100"),
    row("cookie", "gateway, no token, a login's cookies", credential="cookie"),
    row("junk", "gateway, a junk token (401)", credential="junk", status=401),
    row("unknown", "gateway, a token remembered as unknown (401)", credential="unknown", status=401),
    row("bare-post", f"bare Pingora, POST of {len(BODY)} bytes", "bare", base="bare-post", post=True),
    row("post", f"gateway, POST of {len(BODY)} bytes", base="bare-post", post=True),
    row("bare-tls", "bare Pingora, TLS", "bare", base="bare-tls", tls=True),
    row("tls", "gateway, TLS", base="bare-tls", tls=True),
    row("bare-h2", "bare Pingora, TLS and HTTP/2", "bare", base="bare-h2", tls=True, http2=True),
    row("h2", "gateway, TLS and HTTP/2", base="bare-h2", tls=True, http2=True),
    row("bare-turn", "bare Pingora, under wrk", "bare", base="bare-turn", turn=1_000),
    row("tokens-1000", "gateway, 1,000 tokens in turn", base="bare-turn", turn=1_000),
    row("tokens-100000", "gateway, 100,000 tokens in turn", base="bare-turn", turn=100_000),
    row("unknown-turn", "gateway, each token another unknown one (401)", "stranger", base="bare-turn", credential="unknown",
        status=401, turn=100_000),
)
PEER_ROWS = (
    row("nginx", "nginx, no check", "nginx"),
    row("nginx-auth", "nginx, auth_request with its cache", "nginx-auth"),
    row("nginx-lua", "nginx + Lua, tokens in a shared dictionary", "nginx-lua"),
    row("haproxy", "HAProxy, no check", "haproxy"),
    row("haproxy-hs256", "HAProxy, jwt_verify HS256", "haproxy-hs256"),
    row("envoy", "Envoy, no check", "envoy"),
    row("envoy-rs256", "Envoy, jwt_authn RS256 with its cache", "envoy-rs256"),
)
BY_NAME = {one.name: one for one in (*ROWS, *PEER_ROWS)}
# These are counted in instructions; the others differ by the kernel's work, or by what is under the gateway.
COUNTED = ("bare", "gateway", "rules-100", "cookie", "junk", "unknown", "bare-post", "post")
# Envoy is too large for callgrind.
COUNTED_PEERS = ("nginx", "nginx-auth", "nginx-lua", "haproxy", "haproxy-hs256")


def chosen(names, peers):
    """The rows of a run in their order: those named and what they are held against, or all."""
    everything = (*ROWS, *PEER_ROWS) if peers else ROWS
    if not names:
        return list(everything)
    strange = [name for name in names if name not in BY_NAME]
    if strange:
        raise ValueError(f"no row is called {', '.join(strange)}; there are {', '.join(BY_NAME)}")
    wanted = {*names, *(BY_NAME[name].base for name in names)}
    if peers:
        wanted |= {peer.name for peer in PEER_ROWS}
    return [one for one in (*ROWS, *PEER_ROWS) if one.name in wanted]


def request_of(one, token, unknown):
    """The request of a row that sends the same one all the time."""
    credential = {"token": token, "junk": JUNK, "unknown": unknown, "cookie": ""}[one.credential]
    return Request(
        bearer=credential,
        cookie=COOKIE if one.credential == "cookie" else "",
        body=BODY if one.post else "",
        tls=one.tls,
        http2=one.http2,
    )
