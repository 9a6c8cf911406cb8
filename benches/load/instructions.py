"""Instructions a request in user space, by callgrind: a figure that no other program can spoil.

A server runs under callgrind once. For each of its rows it is given a small and a large number of requests; the slope
between the two is free of what a load costs to set up. The processor's own SHA instructions are hidden by callgrind: a
hash counts as if there were none.
"""

import glob
import os
import re
import subprocess
import sys

from . import drivers, exchange, peers, proxies, report, rows
from .drivers import PATH
from .processes import Proxy, note

WARM, FEW, MANY = 200, 1_000, 4_000
CONNECTIONS = "8"


class Counted:
    """A server under callgrind."""

    def __init__(self, bench, name, start):
        self.bench, self.file = bench, os.path.join(bench.folder, f"callgrind-{name}")
        self.parts = 0
        note(f"starting {name} under callgrind")
        self.server = start(("valgrind", "--tool=callgrind", f"--callgrind-out-file={self.file}"))

    def since_last(self):
        """The instructions since this was asked last. callgrind writes a new part of its file, which it numbers."""
        command = ["callgrind_control", "-d", "asked", str(self.server.pid)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        files = [name for name in glob.glob(f"{self.file}.*") if re.search(r"\.\d+$", name)]
        if done.returncode or len(files) != self.parts + 1:
            sys.exit(f"callgrind gave no figures: {done.stdout} {done.stderr}")
        self.parts = len(files)
        newest = max(files, key=lambda name: int(name.rsplit(".", 1)[1]))
        with open(newest) as file:
            return sum(int(line.split()[1]) for line in file if line.startswith("totals:"))

    def load(self, request, status, count):
        drivers.oha(self.bench, self.server, request, status, ["-n", str(count), "-c", CONNECTIONS])
        return self.since_last()

    def slope(self, request, status):
        self.load(request, status, WARM)
        few, many = self.load(request, status, FEW), self.load(request, status, MANY)
        return (many - few) / (MANY - FEW)


def prepared(bench, shape):
    """A token and a revoked one, made by a gateway that runs at its full speed: under callgrind its store has both."""
    server = proxies.gateway(bench, shape)
    token, unknown = exchange.issue(server.port, 2)
    exchange.revoke(server.port, unknown)
    exchange.wait_for_status(server.port, exchange.get(PATH, token), 200)
    server.stop()
    return token, unknown


def instructions(bench):
    # A slow server is given the time that it needs.
    bench.options.seconds = 600
    wanted = [one for one in bench.options.rows if one.name in (*rows.COUNTED, *rows.COUNTED_PEERS)]
    if not wanted:
        sys.exit(f"instructions are counted of {', '.join((*rows.COUNTED, *rows.COUNTED_PEERS))} only")
    counts, left_out = {}, []
    for name in dict.fromkeys(one.proxy for one in wanted):
        of_this = [one for one in wanted if one.proxy == name]
        if name in peers.NAMES:
            missing = count_peer(bench, of_this[0], counts)
            if missing:
                left_out.append(f"{name} was left out: {missing}")
        else:
            count(bench, name, of_this, counts)
    return found(bench, [one for one in wanted if one.name in counts], counts, left_out)


def count(bench, name, wanted, counts):
    """The rows of one of our own servers."""
    token, unknown = (rows.JUNK, None) if name == "bare" else prepared(bench, name)
    counted = Counted(bench, name, lambda wrapper: proxies.bare(bench, wrapper) if name == "bare" else proxies.gateway(bench, name, wrapper))
    if name != "bare":
        exchange.wait_for_status(counted.server.port, exchange.get(PATH, token), 200)
    for one in wanted:
        tell(one, counts, counted.slope(rows.request_of(one, token, unknown), one.status))
    counted.server.stop()


def count_peer(bench, one, counts):
    """What is missing, if it can't be counted."""
    missing, command, port, token = peers.prepare(bench, one.name)
    if missing:
        return missing
    if command[0] == "nginx":
        # The process that is started is the one that works.
        command = [*command, "-g", "master_process off;"]
    counted = Counted(bench, one.name, lambda wrapper: Proxy(bench, one.name, [*wrapper, *command], port))
    tell(one, counts, counted.slope(rows.request_of(one, token, None), one.status))
    counted.server.stop()
    return None


def tell(one, counts, slope):
    counts[one.name] = slope
    note(f"{one.title}: {slope:,.0f}")


def found(bench, wanted, counts, left_out):
    lines = []
    for one in wanted:
        ratio = "1 ×" if one.name == one.base else f"{counts[one.name] / counts[one.base]:.3f} ×"
        lines.append([one.title, f"{counts[one.name]:,.0f}", ratio])
    parts = [
        report.machine(bench.options.oha),
        f"User-space instructions a request by callgrind, the slope between {FEW:,} and {MANY:,} requests at {CONNECTIONS} connections.",
        report.table(["", "instructions a request", "to bare Pingora"], lines),
    ]
    if {"junk", "gateway"} <= set(counts):
        parts.append(f"A junk token costs {counts['junk'] / counts['gateway']:.3f} × a request with a known token.")
    parts += [f"{line[0].upper()}{line[1:]}." for line in left_out]
    return "\n\n".join(parts) + "\n"
