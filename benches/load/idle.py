"""What an idle connection costs in memory: the growth of the gateway's resident set by so many connections that have each
been served one request, and what is left of it a quarter of a minute after they have closed.

One gateway for each kind, since what one leaves behind the next would reuse.
"""

import asyncio
import resource
import ssl
import sys

from . import proxies, report
from .drivers import PATH
from .processes import note

KINDS = {"plain": None, "TLS, HTTP/1.1": "http/1.1", "TLS, HTTP/2": "h2"}
BODY, BODY_START = 1024, b'{"data":['
WARM, AT_ONCE = 50, 20
HTTP1 = f"GET {PATH} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
# :method GET, :scheme https, :path, :authority x, none of them kept in a table.
HEADERS = b"\x82\x87\x04" + bytes([len(PATH)]) + PATH.encode() + b"\x41\x01x"
# SETTINGS; HEADERS that end stream 1; then the SETTINGS of the server are acknowledged.
HTTP2 = (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes.fromhex("000000040000000000") + len(HEADERS).to_bytes(3, "big")
         + bytes.fromhex("010500000001") + HEADERS + bytes.fromhex("000000040100000000"))


async def served(reader, writer, http2):
    writer.write(HTTP2 if http2 else HTTP1)
    answer = b""
    while (at := answer.find(BODY_START)) < 0 or len(answer) - at < BODY:
        more = await reader.read(65536)
        if not more:
            sys.exit(f"the gateway closed a connection after {answer[:200]!r}")
        answer += more


async def measure(bench, kind, count):
    protocol = KINDS[kind]
    server = proxies.gateway(bench, "idle", threads=2, name=kind.replace(", ", "-").replace("/", ""))
    context = ssl.create_default_context(cafile=f"{bench.folder}/cert.pem") if protocol else None
    if context:
        context.set_alpn_protocols([protocol])
    port = server.tls_port if protocol else server.port

    async def connect():
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname="localhost" if protocol else None)
        await served(reader, writer, protocol == "h2")
        return writer

    # What is made once, by the first requests, is no part of a connection.
    warm = [await connect() for _ in range(WARM)]
    before = server.memory()
    writers = []
    while len(writers) < count:
        writers += await asyncio.gather(*(connect() for _ in range(min(AT_ONCE, count - len(writers)))))
    await asyncio.sleep(3)
    held = server.memory()
    for writer in writers:
        writer.transport.abort()
    # The allocator gives memory back after a while, and only when it is called for something.
    for _ in range(15):
        await asyncio.sleep(1)
        (await connect()).transport.abort()
    after = server.memory()
    for writer in warm:
        writer.transport.abort()
    server.stop()
    return [kind, f"{(held - before) * 1024 / count:.1f}", *(f"{memory:.0f}" for memory in (before, held, after))]


def idle(bench):
    count = bench.options.idle
    # As many here, and in the gateway, which inherits the limit.
    room = count + 1000
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < room:
        sys.exit(f"{count} connections need {room} descriptors; ulimit -Hn says {hard}")
    if soft != resource.RLIM_INFINITY:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, room), hard))
    lines = []
    for kind in KINDS:
        note(f"{count} connections: {kind}")
        lines.append(asyncio.run(measure(bench, kind, count)))
    heads = ["", "KiB a connection", "RSS before, MB", f"with {count:,}", "after they have gone"]
    return "\n\n".join([report.machine(bench.options.oha), report.table(heads, lines)]) + "\n"
