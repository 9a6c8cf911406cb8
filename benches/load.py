"""Started by load.sh. Measures the release binary against bare Pingora, one slice of load after another.

The proxies run on CPU 0, one thread each; oha and the upstream on CPU 1. CPU time is utime and stime of the proxy's
process in /proc/PID/stat before and after a slice, divided by the answers in it. A ratio is the median of the ratios
within each round, so that a machine whose speed drifts spoils it little. Load goes to 127.0.0.1 only.
"""

import argparse, base64, datetime, glob, json, os, re, resource, signal, socket, statistics, subprocess, sys, tempfile, time
import urllib.error, urllib.parse, urllib.request

TICKS = os.sysconf("SC_CLK_TCK")
PATH = "/api/resource/Customer"
JUNK = "emp_at_" + "A" * 43  # our format, wrong checksum
CLIENT, SECRET = "bench", "the secret of the bench's client"
PROXY_CPU, LOAD_CPU = "0", "1"
QUIET = 0.15  # processors that other programs may keep busy


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(port, process, seconds=30):
    end = time.time() + seconds
    while time.time() < end:
        if process.poll() is not None:
            sys.exit(f"{process.args} ended with {process.returncode}")
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    sys.exit(f"nothing listens on port {port}")


class Proxy:
    """A proxy that runs, and what was measured of it."""

    def __init__(self, bench, command, port, log):
        self.port = port
        with open(os.path.join(bench.folder, log), "wb") as file:
            self.process = subprocess.Popen(
                ["taskset", "-c", PROXY_CPU, *command], stdin=subprocess.DEVNULL, stdout=file, stderr=file, cwd=bench.folder
            )
        bench.started.append(self.process)
        wait_for(port, self.process, 120)

    def cpu(self):
        return cpu_of(self.process.pid)

    def memory(self):
        with open(f"/proc/{self.process.pid}/status") as file:
            return int(re.search(r"VmRSS:\s+(\d+)", file.read())[1]) / 1024

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Bench:
    def __init__(self, options):
        self.options = options
        self.folder = tempfile.mkdtemp(prefix="empress-bench-")
        self.started = []
        self.upstream = free_port()
        upstream = [f"{options.bin}/examples/bench_upstream", str(self.upstream)]
        self.started.append(subprocess.Popen(["taskset", "-c", LOAD_CPU, *upstream], cwd=self.folder))
        wait_for(self.upstream, self.started[-1])

    def end(self):
        for process in reversed(self.started):
            if process.poll() is None:
                process.terminate()
                process.wait()

    def bare(self, wrapper=()):
        port = free_port()
        command = [*wrapper, f"{self.options.bin}/bare-pingora", f"127.0.0.1:{port}", f"127.0.0.1:{self.upstream}"]
        return Proxy(self, command, port, "bare.log")

    def gateway(self, name, access_log=False, wrapper=()):
        port, config = free_port(), os.path.join(self.folder, f"{name}.toml")
        with open(os.open(config, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(f"""
                server.listen = ["127.0.0.1:{port}"]
                server.public_url = "http://127.0.0.1:{port}"
                server.threads = 1
                admin.listen = "127.0.0.1:{free_port()}"
                erpnext.url = "http://127.0.0.1:{self.upstream}"
                erpnext.api_key = "gateway-key:gateway-secret"
                erpnext.clients = "off"
                erpnext.native_tokens = "refuse"
                tokens.id_token_alg = "ES256"
                store.path = "{self.folder}/{name}.db"
                store.secret_key_file = "{self.folder}/{name}.key"
                log.level = "warn"
                log.access = {str(access_log).lower()}
                log.audit_file = "{self.folder}/{name}.audit"
                [[client]]
                id = "{CLIENT}"
                secret = "{SECRET}"
                grant_types = ["client_credentials"]
                scopes = ["all"]
                service_user = "alice@example.com"
            """)
        return Proxy(self, [*wrapper, f"{self.options.bin}/empress-gateway", "serve", "--config", config], port, f"{name}.log")

    def tokens(self, proxy, count):
        """Access tokens, each of which has been used once."""
        tokens = []
        basic = base64.b64encode(f"{CLIENT}:{urllib.parse.quote(SECRET)}".encode()).decode()
        for _ in range(count):
            url = f"http://127.0.0.1:{proxy.port}/api/method/frappe.integrations.oauth2.get_token"
            request = urllib.request.Request(url, b"grant_type=client_credentials", {"Authorization": f"Basic {basic}"})
            try:
                with urllib.request.urlopen(request, timeout=10) as answer:
                    tokens.append(json.load(answer)["access_token"])
            except urllib.error.HTTPError as error:
                sys.exit(f"no token: {error} {error.read().decode()}")
        for token in tokens:
            self.load(proxy, token, ["-n", "1", "-c", "1"], 200)
        return tokens

    def wait_for_status(self, proxy, token, status, seconds=120):
        """Under callgrind the first look at ERPNext's users takes a while: until then the answer is 503."""
        request = urllib.request.Request(f"http://127.0.0.1:{proxy.port}{PATH}", None, {"Authorization": f"Bearer {token}"})
        end = time.time() + seconds
        while True:
            try:
                with urllib.request.urlopen(request, timeout=30) as answer:
                    got = answer.status
            except urllib.error.HTTPError as error:
                got = error.code
            if got == status:
                return
            if time.time() > end:
                sys.exit(f"port {proxy.port}: expected {status}, got {got}")
            time.sleep(0.2)

    def load(self, proxy, token, amount, status):
        command = ["taskset", "-c", LOAD_CPU, self.options.oha, "--no-tui", "--output-format", "json", *amount,
                   "-H", f"Authorization: Bearer {token}", f"http://127.0.0.1:{proxy.port}{PATH}"]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"oha: {done.stderr}")
        result = json.loads(done.stdout)
        counts = result["statusCodeDistribution"]
        if set(counts) != {str(status)}:
            sys.exit(f"port {proxy.port}: expected {status} only, got {counts} {result.get('errorDistribution')}")
        return counts[str(status)], result

    def slice(self, proxy, token, status, seconds):
        amount = ["-z", f"{seconds}s", "-c", str(self.options.connections)]
        before, reading = proxy.cpu(), self.others_since()
        answers, result = self.load(proxy, token, amount, status)
        after, others = proxy.cpu(), self.others_since(reading)
        user, system = ((after[i] - before[i]) / answers * 1e6 for i in (0, 1))
        return dict(
            user=user, system=system, cpu=user + system, rps=result["summary"]["requestsPerSec"],
            p99=result["latencyPercentiles"]["p99"] * 1e6, others=others,
        )

    def others_since(self, since=None):
        """CPU seconds of what is not ours; since a reading, as the number of processors that it kept busy."""
        with open("/proc/stat") as file:
            fields = [int(field) / TICKS for field in file.readline().split()[1:]]
        ended = resource.getrusage(resource.RUSAGE_CHILDREN)
        ours = ended.ru_utime + ended.ru_stime + sum(sum(cpu_of(process.pid)) for process in self.started)
        now = (sum(fields[:8]) - fields[3] - fields[4] - ours, time.monotonic())
        return now if since is None else (now[0] - since[0]) / (now[1] - since[1])


def cpu_of(pid):
    """User and system seconds of a process; of one that has ended, none."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
    except FileNotFoundError:
        return 0.0, 0.0
    return int(fields[11]) / TICKS, int(fields[12]) / TICKS


def machine():
    with open("/proc/cpuinfo") as file:
        model = re.search(r"model name\s*:\s*(.*)", file.read())
    versions = [subprocess.run([tool, "--version"], capture_output=True, text=True).stdout.split("\n")[0] for tool in ("rustc", OHA)]
    return (f"{datetime.date.today()}, {model[1] if model else os.uname().machine}, {os.cpu_count()} CPUs, "
            f"Linux {os.uname().release}, {', '.join(versions)}")


def measure(bench):
    options = bench.options
    bare, plain, logging = bench.bare(), bench.gateway("gateway"), bench.gateway("logging", access_log=True)
    tokens = {proxy: bench.tokens(proxy, options.tokens) for proxy in (plain, logging)}
    rows = {
        "bare Pingora, no check": (bare, lambda round: "none", 200),
        "gateway": (plain, lambda round: tokens[plain][round % options.tokens], 200),
        "gateway, access log on": (logging, lambda round: tokens[logging][round % options.tokens], 200),
        "gateway, junk token (401)": (plain, lambda round: JUNK, 401),
    }
    for proxy, token, status in rows.values():
        bench.slice(proxy, token(0), status, 2)
    idle = {proxy: proxy.memory() for proxy in (bare, plain)}
    measured = {name: [] for name in rows}
    for round in range(options.rounds):
        # In turn from the front and from the back, so that drift favours nobody.
        for name, (proxy, token, status) in list(rows.items())[:: 1 if round % 2 == 0 else -1]:
            measured[name].append(bench.slice(proxy, token(round), status, options.seconds))
    median = lambda name, what: statistics.median(slice[what] for slice in measured[name])
    ratio = lambda name, base: statistics.median(a["cpu"] / b["cpu"] for a, b in zip(measured[name], measured[base]))
    print(machine())
    print(f"{options.rounds} slices of {options.seconds} s each, {options.connections} connections, answers of 1 KB\n")
    print("| | CPU µs a request (user/system) | to bare Pingora | requests a second | p99 µs |\n|---|---|---|---|---|")
    base = next(iter(rows))
    for name in rows:
        cells = (f"{median(name, 'cpu'):.1f} ({median(name, 'user'):.1f}/{median(name, 'system'):.1f})",
                 f"{ratio(name, base):.2f} ×", f"{median(name, 'rps'):,.0f}", f"{median(name, 'p99'):,.0f}")
        print(f"| {name} | {' | '.join(cells)} |")
    print(f"\nA junk token costs {ratio('gateway, junk token (401)', 'gateway'):.2f} × a proxied request.")
    print(f"Memory after the load: bare Pingora {bare.memory():.0f} MB, gateway {plain.memory():.0f} MB "
          f"(after the first slice {idle[bare]:.0f} and {idle[plain]:.0f} MB).")
    others = [slice["others"] for slices in measured.values() for slice in slices]
    print(f"Other programs kept {statistics.median(others):.2f} of {os.cpu_count()} CPUs busy at the median: "
          f"{'trust the ratios to a few percent' if statistics.median(others) < QUIET else 'too much, run it again on a quiet machine'}.")
    if options.json:
        with open(options.json, "w") as file:
            json.dump(measured, file)


def instructions(bench):
    """The slope between two bounded loads: what a start and idling take cancels out. User space only."""
    native = bench.gateway("counted")
    token = bench.tokens(native, 1)[0]
    native.stop()  # its keys, the token and the shadow token are in the store now

    def total(start, token, status, requests):
        out = os.path.join(bench.folder, "callgrind")
        for old in glob.glob(f"{out}*"):
            os.remove(old)
        proxy = start(("valgrind", "--tool=callgrind", f"--callgrind-out-file={out}"))
        bench.wait_for_status(proxy, token, status)
        bench.load(proxy, token, ["-n", "16", "-c", "8"], status)
        bench.load(proxy, token, ["-n", str(requests), "-c", "8"], status)
        proxy.stop()
        count = 0
        for name in glob.glob(f"{out}*"):
            with open(name) as file:
                count += sum(int(line.split()[1]) for line in file if line.startswith("totals:"))
        return count

    def slope(name, start, token, status):
        few, many = (total(start, token, status, requests) for requests in (1000, 5000))
        result = (many - few) / 4000
        print(f"{name}: {result:,.0f} instructions a request", flush=True)
        return result

    print(machine())
    bare = slope("bare Pingora, no check", bench.bare, "none", 200)
    gateway = slope("gateway", lambda wrapper: bench.gateway("counted", wrapper=wrapper), token, 200)
    junk = slope("gateway, junk token (401)", lambda wrapper: bench.gateway("counted", wrapper=wrapper), JUNK, 401)
    print(f"gateway to bare Pingora: {gateway / bare:.3f}; junk token to a proxied request: {junk / gateway:.3f}")


def changes(bench):
    """What fails under oha while the configuration is reloaded and new processes take over."""
    proxy = bench.gateway("changed")
    token = bench.tokens(proxy, 1)[0]
    bench.wait_for_status(proxy, token, 200)
    pid = proxy.process.pid
    for name, change, times in (("reload (SIGHUP)", signal.SIGHUP, 20), ("new binary (SIGUSR2)", signal.SIGUSR2, 3)):
        command = ["taskset", "-c", LOAD_CPU, bench.options.oha, "--no-tui", "--output-format", "json", "-z", "20s",
                   "-c", str(bench.options.connections), "-H", f"Authorization: Bearer {token}", f"http://127.0.0.1:{proxy.port}{PATH}"]
        load = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        time.sleep(1)
        for _ in range(times):
            os.kill(pid, change)
            time.sleep(16 / times)
            if change == signal.SIGUSR2:
                pid = successor(pid)
        result = json.loads(load.communicate()[0])
        failed = {kind: count for kind, count in result["errorDistribution"].items() if "deadline" not in kind}
        print(f"{times} × {name}: {result['statusCodeDistribution']}, failed: {failed or 0}", flush=True)
    os.kill(pid, signal.SIGTERM)


def successor(pid):
    """The process that has taken over from another one, which is gone by now."""
    found = [int(stat.split("/")[2]) for stat in glob.glob("/proc/[0-9]*/stat") if is_gateway(stat)]
    others = [other for other in found if other != pid]
    if len(others) != 1:
        sys.exit(f"one process should have taken over from {pid}, there are {others}")
    return others[0]


def is_gateway(stat):
    try:
        with open(stat.replace("/stat", "/cmdline"), "rb") as file:
            return b"changed.toml" in file.read()
    except OSError:
        return False


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="benches/load.sh")
    parser.add_argument("--instructions", action="store_true", help="count instructions by callgrind instead")
    parser.add_argument("--changes", action="store_true", help="count what fails during reloads and upgrades instead")
    parser.add_argument("--rounds", type=int, default=12, help="slices of each kind (default 12)")
    parser.add_argument("--seconds", type=int, default=2, help="length of a slice (default 2)")
    parser.add_argument("--connections", type=int, default=16, help="keep-alive connections (default 16)")
    parser.add_argument("--tokens", type=int, default=8, help="access tokens, used in turn (default 8)")
    parser.add_argument("--json", help="a file for what was measured of each slice")
    parser.add_argument("--oha", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--bin", required=True, help=argparse.SUPPRESS)
    options = parser.parse_args()
    OHA = options.oha
    bench = Bench(options)
    try:
        (changes if options.changes else instructions if options.instructions else measure)(bench)
    finally:
        bench.end()
