"""Memory and CPU time while a large body passes through, up and down: the resident set before, and the highest seen."""

import re
import socket
import socketserver
import ssl
import sys
import threading
import time
from typing import NamedTuple

from . import proxies, report
from .processes import note

MB = 1024 * 1024
CHUNK = bytes(256 * 1024)
UP, DOWN = "/api/method/upload_file", "/private/files/large.bin"
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.I)
LOOK = 0.02  # seconds between two looks at the memory


class Upstream(socketserver.ThreadingTCPServer):
    """Takes an upload of any size, gives a download of `size` bytes, and knows of no users."""

    daemon_threads = allow_reuse_address = True

    def __init__(self, size):
        self.size, self.received = size, 0
        super().__init__(("127.0.0.1", 0), Connection)
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Address(NamedTuple):
    """Where an upstream is that is no process of its own."""

    port: int


class Connection(socketserver.StreamRequestHandler):
    def handle(self):
        while head := read_head(self.rfile):
            took = take(self.rfile, length_of(head))
            down = head.startswith(f"GET {DOWN} ".encode())
            if head.startswith(f"POST {UP} ".encode()):
                self.server.received = took
            body = b'{"data":[]}'
            size = self.server.size if down else len(body)
            self.wfile.write(f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {size}\r\n\r\n".encode())
            if down:
                give(self.wfile, size)
            else:
                self.wfile.write(body)


def read_head(file):
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        line = file.readline()
        if not line:
            return b""
        head += line
    return head


def length_of(head):
    found = LENGTH.search(head)
    return int(found[1]) if found else 0


def take(file, size):
    left = size
    while left and (more := file.read1(min(left, len(CHUNK)))):
        left -= len(more)
    return size - left


def give(file, size):
    for _ in range(size // len(CHUNK)):
        file.write(CHUNK)
    file.write(CHUNK[: size % len(CHUNK)])


class Highest:
    """The highest resident set of a server while this is entered."""

    def __init__(self, server):
        self.server, self.seen, self.over = server, server.memory(), threading.Event()
        self.thread = threading.Thread(target=self.look)

    def look(self):
        while not self.over.wait(LOOK):
            self.seen = max(self.seen, self.server.memory())

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()


def passed(server, tls, way, size):
    """Sends or fetches a body, and returns how many bytes of it arrived at the other end by the client's reckoning."""
    line = socket.create_connection(("127.0.0.1", server.tls_port if tls else server.port))
    if tls:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        line = context.wrap_socket(line)
    with line, line.makefile("rwb") as file:
        if way == "up":
            file.write(f"POST {UP} HTTP/1.1\r\nHost: x\r\nContent-Type: application/octet-stream\r\nContent-Length: {size}\r\n\r\n".encode())
            give(file, size)
        else:
            file.write(f"GET {DOWN} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        file.flush()
        head = read_head(file)
        if b" 200 " not in head[:16]:
            sys.exit(f"{way}: {head.decode(errors='replace')}")
        took = take(file, length_of(head))
        return size if way == "up" else took


def bodies(bench):
    size = bench.options.bodies * MB
    upstream = Upstream(size)
    bench.fast_upstream = Address(upstream.server_address[1])
    servers = {"bare Pingora": proxies.bare(bench), "gateway": proxies.gateway(bench, "gateway")}
    lines = [one_body(server, upstream, (name, kind, way)) for name, server in servers.items() for kind in ("plain", "TLS") for way in ("up", "down")]
    upstream.shutdown()
    heads = ["", "MB a second", "CPU ms a MB", "RSS before, MB", "highest, MB"]
    return "\n\n".join([report.machine(bench.options.oha), report.table(heads, lines)]) + "\n"


def one_body(server, upstream, what):
    name, kind, way = what
    title = f"{name}, {upstream.size // MB:,} MB {way}, {kind}"
    note(title)
    # A small one first: what is made once is no part of it.
    passed(server, kind == "TLS", way, MB)
    before, used, began = server.memory(), sum(server.cpu()), time.monotonic()
    with Highest(server) as highest:
        arrived = passed(server, kind == "TLS", way, upstream.size)
    took, used = time.monotonic() - began, sum(server.cpu()) - used
    arrived = upstream.received if way == "up" else arrived
    if arrived != upstream.size:
        sys.exit(f"{title}: {arrived} of {upstream.size} bytes arrived")
    megabytes = upstream.size / MB
    return [title, f"{megabytes / took:,.0f}", f"{used * 1000 / megabytes:.2f}", f"{before:.0f}", f"{highest.seen:.0f}"]
