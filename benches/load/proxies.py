"""Our side of the comparison: the gateway in its shapes, and bare Pingora. Each has one worker unless a run says otherwise."""

from .configuration import make_certificate, write_gateway
from .processes import Proxy, free_port

LONG = "30m"
PATIENT = {"server.keepalive_timeout": LONG, "server.header_timeout": LONG, "server.max_connections_per_address": 20_000}

# What is peculiar to each gateway of a run: settings, and the number of its rules.
SHAPES = {
    "gateway": ({}, 0),
    "logging": ({"log.access": True}, 0),
    "rules-10": ({}, 10),
    "rules-100": ({}, 100),
    "stranger": ({}, 0),
    "idle": (PATIENT, 0),
    # Looks tokens up and keeps next to none: what is left of the memory that they cost is the store's.
    "forgetful": ({"cache.capacity": 100}, 0),
}


def bare(bench, wrapper=(), threads=1, cpus=None, name="bare"):
    """Bare Pingora, plain and behind TLS."""
    port, tls_port = free_port(), free_port()
    certificate, key = make_certificate(bench.folder)
    command = [*wrapper, f"{bench.options.bin}/bare-pingora", f"127.0.0.1:{port}", f"127.0.0.1:{bench.upstream}", str(threads),
               f"127.0.0.1:{tls_port}", certificate, key]
    proxy = Proxy(bench, name, command, port, cpus)
    proxy.tls_port = tls_port
    return proxy


def gateway(bench, shape, wrapper=(), threads=1, cpus=None, keys_of=None, name=None, upstream=None):
    """A gateway of one of the `SHAPES`, plain and behind TLS. Started again by the same name it has its store still.

    With `keys_of` it recognises the tokens of the gateway of that name, and has none of them in its store.
    """
    name = name or shape
    port, tls_port = free_port(), free_port()
    certificate, key = make_certificate(bench.folder)
    peculiar, rules = SHAPES[shape]
    settings = {
        "server.listen": [f"127.0.0.1:{port}"],
        "server.public_url": f"http://127.0.0.1:{port}",
        "server.threads": threads,
        "server.tls.listen": [f"127.0.0.1:{tls_port}"],
        "server.tls.certificate_file": certificate,
        "server.tls.key_file": key,
        "admin.listen": f"127.0.0.1:{free_port()}",
        # Between two turns of a token's row minutes may pass: it is to be found in memory all the same.
        "cache.ttl": LONG,
        "tokens.access_ttl": "12h",
        **peculiar,
    }
    if keys_of:
        settings["store.secret_key_file"] = f"{bench.folder}/{keys_of}.key"
    config = write_gateway(bench.folder, name, upstream or bench.upstream, settings, rules)
    proxy = Proxy(bench, name, [*wrapper, f"{bench.options.bin}/empress-gateway", "serve", "--config", config], port, cpus)
    proxy.tls_port = tls_port
    return proxy
