#!/usr/bin/env python3
"""What an idle connection costs in memory: the growth of the gateway's resident set by COUNT connections that have each been
served one request, and what is left of it a quarter of a minute after they have closed.

    benches/idle.py BINARY [COUNT]      COUNT is 2000 by default; openssl must be there to make a certificate

One gateway for each kind, since what one leaves behind the next would reuse."""

import asyncio, os, re, socket, ssl, subprocess, sys, tempfile

BINARY, COUNT = os.path.abspath(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 2000
# SETTINGS; HEADERS of `GET /`, :scheme https, :authority x; then the SETTINGS of the server are acknowledged.
HTTP2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes.fromhex("000000040000000000" "000006010500000001" "828784410178" "000000040100000000")
HTTP1 = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


async def upstream(reader, writer):
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"content-length: (\d+)", head, re.I)
            if length:
                await reader.readexactly(int(length[1]))
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n{\"data\":[]}")
    except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
        writer.close()


def resident(pid):
    with open(f"/proc/{pid}/status") as status:
        return int(re.search(r"VmRSS:\s+(\d+)", status.read())[1])


async def served(reader, writer, http2):
    writer.write(HTTP2 if http2 else HTTP1)
    answer = b""
    # The one DATA frame of stream 1 ends it.
    while b"{\"data\":[]}" not in answer:
        more = await reader.read(65536)
        if not more:
            sys.exit("the gateway closed a connection")
        answer += more


async def measure(folder, kind, up):
    tls, http2 = kind != "plain", kind == "TLS, HTTP/2"
    plain, behind_tls = free_port(), free_port()
    config = os.path.join(folder, kind.replace(", ", "-").replace("/", "") + ".toml")
    with open(os.open(config, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
        file.write(f"""
            server.listen = ["127.0.0.1:{plain}"]
            server.public_url = "http://127.0.0.1:{plain}"
            server.threads = 2
            server.keepalive_timeout = "10m"
            server.header_timeout = "10m"
            server.max_connections_per_address = 20000
            server.tls.listen = ["127.0.0.1:{behind_tls}"]
            server.tls.certificate_file = "{folder}/cert.pem"
            server.tls.key_file = "{folder}/key.pem"
            admin.listen = "127.0.0.1:{free_port()}"
            erpnext.url = "http://127.0.0.1:{up}"
            erpnext.api_key = "gateway-key:gateway-secret"
            erpnext.clients = "off"
            erpnext.native_tokens = "refuse"
            store.path = "{config}.db"
            store.secret_key_file = "{config}.key"
            log.level = "warn"
            log.access = false
        """)
    process = subprocess.Popen([BINARY, "serve", "--config", config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    context = ssl.create_default_context(cafile=f"{folder}/cert.pem") if tls else None
    if context:
        context.set_alpn_protocols(["h2"] if http2 else ["http/1.1"])
    port = behind_tls if tls else plain

    async def connect():
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname="localhost" if tls else None)
        await served(reader, writer, http2)
        return writer

    try:
        for _ in range(600):
            try:
                (await connect()).close()
                break
            except OSError:
                await asyncio.sleep(0.1)
        # What is made once, by the first requests, is no part of a connection.
        warm = [await connect() for _ in range(50)]
        before = resident(process.pid)
        writers = []
        while len(writers) < COUNT:
            writers += await asyncio.gather(*(connect() for _ in range(min(20, COUNT - len(writers)))))
        await asyncio.sleep(3)
        held = resident(process.pid)
        for writer in writers:
            writer.transport.abort()
        # The allocator gives memory back after a while, and only when it is called for something.
        for _ in range(15):
            await asyncio.sleep(1)
            (await connect()).close()
        after = resident(process.pid)
        print(f"{kind:14} {(held - before) / COUNT:6.1f} KiB a connection, "
              f"{before / 1024:.0f} MiB before, {held / 1024:.0f} with {COUNT}, {after / 1024:.0f} after they have gone", flush=True)
        del warm
    finally:
        process.terminate()
        process.wait()


async def main():
    server = await asyncio.start_server(upstream, "127.0.0.1", 0)
    up = server.sockets[0].getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1", "-subj", "/CN=localhost",
             "-addext", "subjectAltName=DNS:localhost", "-keyout", f"{folder}/key.pem", "-out", f"{folder}/cert.pem"],
            check=True, stderr=subprocess.DEVNULL)
        os.chmod(f"{folder}/key.pem", 0o600)
        for kind in ("plain", "TLS, HTTP/1.1", "TLS, HTTP/2"):
            await measure(folder, kind, up)


asyncio.run(main())
