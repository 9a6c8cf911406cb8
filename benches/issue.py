"""Started by issue.sh. Measures what the release binary does where tokens are issued, looked up and purged.

The gateway and everything else share all processors; CPU time is that of the gateway's process in /proc/PID/stat, so
what the load takes is not in it. Load goes to 127.0.0.1 only.
"""

import argparse, datetime, json, os, re, shutil, signal, socket, subprocess, sys, tempfile, time, urllib.error, urllib.request

TICKS = os.sysconf("SC_CLK_TCK")
CACHED = 200_000
FLOOD = 1_000_000


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def until(what, holds, seconds=120):
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            sys.exit(f"waited in vain: {what}")
        time.sleep(0.002)


class Bench:
    def __init__(self, options):
        self.options = options
        self.folder = tempfile.mkdtemp(prefix="empress-issue-", dir=options.folder)
        self.started = []
        self.upstream = free_port()
        self.started.append(subprocess.Popen([f"{options.bin}/examples/bench_upstream", str(self.upstream)], cwd=self.folder))

    def end(self):
        for process in reversed(self.started):
            if process.poll() is None:
                process.terminate()
                process.wait()
        shutil.rmtree(self.folder)

    def path(self, name):
        return os.path.join(self.folder, name)


class Gateway:
    """A gateway that runs."""

    def __init__(self, bench, name, algorithm="ES256"):
        self.bench, self.name = bench, name
        self.port, self.admin = free_port(), free_port()
        with open(os.open(bench.path(f"{name}.toml"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(f"""
                server.listen = ["127.0.0.1:{self.port}"]
                server.public_url = "http://127.0.0.1:{self.port}"
                admin.listen = "127.0.0.1:{self.admin}"
                erpnext.url = "http://127.0.0.1:{bench.upstream}"
                erpnext.site_name = "erp.localhost"
                erpnext.api_key = "gateway-key:gateway-secret"
                erpnext.clients = "off"
                erpnext.native_tokens = "refuse"
                tokens.id_token_alg = "{algorithm}"
                tokens.code_ttl = "10m"
                cache.ttl = "1h"
                limits.authorize = "10000000/m"
                store.path = "{bench.path(name)}.db"
                store.secret_key_file = "{bench.path(name)}.key"
                log.level = "warn"
                log.access = false
                log.audit_file = "{bench.path(name)}.audit"
                [[client]]
                id = "bench"
                secret = "the-secret-of-the-benchs-client"
                redirect_uris = ["https://bench.example/cb"]
                skip_consent = true
                [[client]]
                id = "app"
                auth_method = "none"
                redirect_uris = ["http://127.0.0.1/cb"]
                skip_consent = true
                [[client]]
                id = "service"
                secret = "the-secret-of-the-benchs-service"
                grant_types = ["client_credentials"]
                service_user = "alice@example.com"
            """)
        began = time.monotonic()
        with open(bench.path(f"{name}.log"), "ab") as log:
            command = [f"{bench.options.bin}/empress-gateway", "serve", "--config", bench.path(f"{name}.toml")]
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        bench.started.append(self.process)
        until("the gateway is ready", self.is_ready)
        self.start = time.monotonic() - began

    def is_ready(self):
        if self.process.poll() is not None:
            with open(self.bench.path(f"{self.name}.log")) as log:
                sys.exit(f"the gateway does not start: {log.read()}")
        try:
            return urllib.request.urlopen(f"http://127.0.0.1:{self.admin}/readyz", timeout=10).status == 200
        except OSError:
            return False

    def cpu(self):
        with open(f"/proc/{self.process.pid}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def memory(self):
        with open(f"/proc/{self.process.pid}/status") as file:
            return int(re.search(r"VmRSS:\s+(\d+)", file.read())[1]) / 1024

    def metric(self, start):
        text = urllib.request.urlopen(f"http://127.0.0.1:{self.admin}/metrics", timeout=10).read().decode()
        return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(start))

    def load(self, *work, connections=None):
        return Load(self, connections or self.bench.options.connections, work)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)


class Load:
    """A load that is prepared when this is made, and runs between `go` and `result`."""

    def __init__(self, gateway, connections, work):
        self.gateway = gateway
        command = [f"{gateway.bench.options.bin}/examples/token_load", str(gateway.port), str(connections), *map(str, work)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        gateway.bench.started.append(self.process)
        if self.process.stdout.readline() != "ready\n":
            sys.exit(f"token_load could not prepare {work}")

    def go(self):
        self.cpu = self.gateway.cpu()
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return self

    def runs(self):
        return self.process.poll() is None

    def result(self, status=200):
        result = json.loads(self.process.communicate()[0] or "null")
        if not result or status and set(result["statuses"]) != {str(status)}:
            sys.exit(f"expected {status} only: {result}")
        count = sum(result["statuses"].values())
        cpu = (self.gateway.cpu() - self.cpu) / count * 1e6
        return dict(result, count=count, rate=count / result["seconds"], cpu=cpu)


def row(name, result):
    print(f"| {name} | {result['rate']:,.0f} | {result['cpu']:.0f} | {result['p50'] / 1000:.1f} | {result['p99'] / 1000:.1f} | "
          f"{result['most'] / 1000:.1f} |", flush=True)


def head():
    print("| | a second | CPU µs each | p50 ms | p99 ms | longest ms |\n|---|---|---|---|---|---|")


def issue(bench):
    options = bench.options
    print(f"{options.count} of each, {options.connections} connections, every answer after its commit\n")
    head()
    for algorithm in options.algorithms.split(","):
        gateway = Gateway(bench, algorithm, algorithm)
        for kind in options.kinds.split(","):
            gateway.load(kind, 500).go().result()
            for _ in range(options.rounds):
                row(f"{kind}, {algorithm}", gateway.load(kind, options.count).go().result())
            # RS256 takes most of a processor at that rate: its bound is what it can sign.
            if kind == "code" and algorithm != "RS256":
                paced = gateway.load(kind, options.count, connections=f"{options.connections}@{options.rate}")
                row(f"{kind}, {algorithm}, {options.rate:,} a second", paced.go().result())
        gateway.stop()


def fill(bench, name, count, *options):
    files = [f"{bench.path(name)}.db", f"{bench.path(name)}.key"]
    command = [f"{bench.options.bin}/examples/fill_store", *files, str(count), *map(str, options)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def fill_or_take(bench, name, count):
    """A store with grants, and a sample of their tokens."""
    if not bench.options.filled:
        return fill(bench, name, count, "--sample", CACHED, bench.path("sample"))
    for file in os.listdir(bench.folder):
        if file.startswith(f"{name}.db"):
            os.remove(bench.path(file))
    for file, place in (("store.db", f"{name}.db"), ("store.key", f"{name}.key"), ("sample", "sample")):
        shutil.move(os.path.join(bench.options.filled, file), bench.path(place))
    return "taken as it was"


def size(bench, name):
    with open(f"{bench.path(name)}.db") as file:
        return os.fstat(file.fileno()).st_size


def store(bench):
    count, name = bench.options.store, "store"
    gateway = Gateway(bench, name)
    print(f"An empty store: ready after {gateway.start:.2f} s, {gateway.memory():.0f} MB.")
    gateway.stop()
    print(f"Filling: {fill_or_take(bench, name, count)}.", flush=True)
    print(f"{count:,} flows: {size(bench, name) / 2**20:,.0f} MB, {size(bench, name) / count:.0f} bytes each.")
    os.sync()
    gateway = Gateway(bench, name)
    print(f"Ready after {gateway.start:.2f} s.")
    gateway.load("client_credentials", 1000).go().result()
    print(f"After 1,000 requests {gateway.memory():.0f} MB.\n")
    head()
    row("code, before", gateway.load("code", bench.options.count).go().result())
    before = gateway.memory()
    row(f"{CACHED:,} access tokens for the first time", gateway.load("present", bench.path("sample")).go().result())
    cached = gateway.memory()
    row("the same ones again", gateway.load("present", bench.path("sample")).go().result())
    print(f"\n{CACHED:,} tokens in memory: {cached:.0f} MB; {(cached - before) * 2**20 / CACHED:.0f} bytes each.", flush=True)
    # A code's tombstone, a grant and two tokens each.
    print(f"Filling with a million expired rows: {fill(bench, name, 250_000, '--expired')}.\n", flush=True)
    purging(bench, gateway, name)
    gateway.stop()


def purging(bench, gateway, name):
    """Issues tokens while the expired ones go."""
    left = lambda: query(bench, name, "SELECT count(*) FROM (SELECT 1 FROM access_tokens WHERE site = 'default' "
                                      f"AND expires_at <= {int(time.time() * 1000)} LIMIT 1000)")
    began = time.monotonic()
    head()
    while left() and time.monotonic() - began < 1800:
        row("code, while expired ones go", gateway.load("code", bench.options.count).go().result())
    print(f"\nPurged within {time.monotonic() - began:.0f} s.\n")
    head()
    row("code, after", gateway.load("code", bench.options.count).go().result())


def query(bench, name, sql):
    import sqlite3
    connection = sqlite3.connect(f"{bench.path(name)}.db")
    try:
        return connection.execute(sql).fetchone()[0]
    finally:
        connection.close()


def flood(bench):
    """Known tokens are hits as before while a million unknown ones and a million of junk come in."""
    name = "flood"
    Gateway(bench, name).stop()
    fill_or_take(bench, name, CACHED)
    gateway = Gateway(bench, name)
    hits = lambda: (gateway.metric('empress_cache_lookups_total{result="hit"}'), gateway.metric("empress_cache_lookups_total"))
    head()
    row("known, for the first time", gateway.load("present", bench.path("sample")).go().result())
    for kind, work in (("none", None), ("unknown", (FLOOD, f"{bench.path(name)}.key")), ("junk", (FLOOD,))):
        under = gateway.load(kind, *work) if work else None
        known = gateway.load("present", bench.path("sample"), connections=16)
        memory, (hit, all) = gateway.memory(), hits()
        if under:
            under.go()
        row(f"known, flood: {kind}", known.go().result())
        if under:
            row(f"the flood: {kind}", under.result(401))
            again = gateway.load("present", bench.path("sample"), connections=16)
            row("known, afterwards", again.go().result())
        print(f"  memory {memory:.0f} → {gateway.memory():.0f} MB, hits {hits()[0] - hit:,.0f} of {hits()[1] - all:,.0f} look-ups")
    gateway.stop()


def machine():
    with open("/proc/cpuinfo") as file:
        model = re.search(r"model name\s*:\s*(.*)", file.read())
    rustc = subprocess.run(["rustc", "--version"], capture_output=True, text=True).stdout.strip()
    return (f"{datetime.date.today()}, {model[1] if model else os.uname().machine}, {os.cpu_count()} CPUs, "
            f"Linux {os.uname().release}, {rustc}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="benches/issue.sh")
    parser.add_argument("--store", type=int, metavar="N", help="measure a store of N tokens instead")
    parser.add_argument("--filled", metavar="FOLDER", help="where a store.db, its store.key and a sample of fill_store's are, to be used up")
    parser.add_argument("--flood", action="store_true", help="measure the hit rate under floods instead")
    parser.add_argument("--count", type=int, default=10_000, help="requests in a run (default 10000)")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each kind (default 3)")
    parser.add_argument("--connections", type=int, default=64, help="keep-alive connections (default 64)")
    parser.add_argument("--rate", type=int, default=2000, help="codes a second in the run that is paced (default 2000)")
    parser.add_argument("--kinds", default="code,client_credentials,refresh,rotate")
    parser.add_argument("--algorithms", default="ES256,RS256")
    parser.add_argument("--folder", help="where store and logs are kept meanwhile (default: the system's temporary folder)")
    parser.add_argument("--bin", required=True, help=argparse.SUPPRESS)
    options = parser.parse_args()
    bench = Bench(options)
    try:
        print(machine())
        (flood if options.flood else store if options.store else issue)(bench)
    finally:
        bench.end()
