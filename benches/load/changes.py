"""What fails under load while the configuration is reloaded, and while new processes take over."""

import glob
import json
import os
import signal
import subprocess
import sys
import time

from . import exchange, proxies, report
from .drivers import PATH

LOAD_SECONDS, CHANGING_SECONDS = 20, 16
CHANGES = (("reload (SIGHUP)", signal.SIGHUP, 20), ("new binary (SIGUSR2)", signal.SIGUSR2, 3))


def changes(bench):
    proxy = proxies.gateway(bench, "gateway", name="changed")
    token = exchange.issue(proxy.port, 1)[0]
    exchange.wait_for_status(proxy.port, exchange.get(PATH, token), 200)
    pid, lines = proxy.pid, []
    try:
        for name, change, times in CHANGES:
            load = start_load(bench, proxy, token)
            time.sleep(1)
            for _ in range(times):
                os.kill(pid, change)
                time.sleep(CHANGING_SECONDS / times)
                if change == signal.SIGUSR2:
                    pid = successor(bench, pid)
            lines.append([f"{times} × {name}", *outcome(load)])
    finally:
        # No child of ours any more, if it has been replaced.
        os.kill(pid, signal.SIGTERM)
    return "\n\n".join([report.machine(bench.options.oha), report.table(["during", "answers", "failed"], lines)]) + "\n"


def start_load(bench, proxy, token):
    command = ["taskset", "-c", bench.cpus.load, bench.options.oha, "--no-tui", "--output-format", "json", "-z", f"{LOAD_SECONDS}s",
               "-c", str(bench.options.connections), "-H", f"Authorization: Bearer {token}", f"http://127.0.0.1:{proxy.port}{PATH}"]
    load = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    bench.started.append(load)
    return load


def outcome(load):
    """What was answered, and what was not."""
    result = json.loads(load.communicate()[0])
    failed = {kind: count for kind, count in result["errorDistribution"].items() if "deadline" not in kind}
    return ", ".join(f"{count:,} × {status}" for status, count in result["statusCodeDistribution"].items()), str(failed or 0)


def successor(bench, pid):
    """The process that has taken over from another one, which is gone by now."""
    found = [int(path.split("/")[2]) for path in glob.glob("/proc/[0-9]*/cmdline") if serves(path, f"{bench.folder}/changed.toml")]
    others = [other for other in found if other != pid]
    if len(others) != 1:
        sys.exit(f"one process should have taken over from {pid}, there are {others}")
    return others[0]


def serves(path, config):
    try:
        with open(path, "rb") as file:
            return config.encode() in file.read()
    except OSError:
        return False
