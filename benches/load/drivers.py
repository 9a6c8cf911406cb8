"""The loads: oha where one request is sent again and again, wrk where each one carries another token."""

import json
import os
import subprocess
import sys
from typing import NamedTuple

PATH = "/api/resource/Customer"
TURN_SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "turn.lua")
MARGIN = 60  # seconds after which a load that should have ended is given up


class Request(NamedTuple):
    """What is sent to `PATH`."""

    bearer: str = ""
    cookie: str = ""
    body: str = ""
    tls: bool = False
    http2: bool = False


class Load(NamedTuple):
    """What a load was answered. Latencies are in microseconds."""

    answers: int
    rps: float
    p50: float
    p99: float


class Stalled(Exception):
    """Nothing was answered, and nothing failed: the machine stood still for as long as the load was to last."""


def oha(bench, server, request, status, amount, cpus=None):
    """`amount` are oha's options -n or -z, and -c."""
    port, scheme = (server.tls_port, "https") if request.tls else (server.port, "http")
    command = ["taskset", "-c", cpus or bench.cpus.load, bench.options.oha, "--no-tui", "--output-format", "json", *amount]
    if not cpus:
        command += ["--worker-threads", "1"]
    if request.bearer:
        command += ["-H", f"Authorization: Bearer {request.bearer}"]
    if request.cookie:
        command += ["-H", f"Cookie: {request.cookie}"]
    if request.body:
        command += ["-m", "POST", "-T", "application/json", "-d", request.body]
    if request.tls:
        command.append("--insecure")
    if request.http2:
        command.append("--http2")
    result = json.loads(output_of([*command, f"{scheme}://127.0.0.1:{port}{PATH}"], bench.options.seconds))
    return judge_oha(result, status, server.name)


def judge_oha(result, status, name):
    counts = result["statusCodeDistribution"]
    # What is under way when the time is up is given up, and counted as an error.
    failed = {kind: count for kind, count in result["errorDistribution"].items() if "deadline" not in kind}
    if not counts and not failed:
        raise Stalled
    if set(counts) != {str(status)} or failed:
        sys.exit(f"{name}: expected {status} only, got {counts}, failed: {failed or 0}")
    latency = result["latencyPercentiles"]
    return Load(counts[str(status)], result["summary"]["requestsPerSec"], latency["p50"] * 1e6, latency["p99"] * 1e6)


def wrk(bench, server, tokens, start, status):
    """Each request carries the next token of a file, from number `start` on."""
    options = bench.options
    command = ["taskset", "-c", bench.cpus.load, "wrk", "-t1", f"-c{options.connections}", f"-d{options.seconds}s",
               "-s", TURN_SCRIPT, f"http://127.0.0.1:{server.port}{PATH}", tokens, str(start)]
    for line in output_of(command, options.seconds).splitlines():
        if line.startswith("JSON "):
            return judge_wrk(json.loads(line[5:]), status, server.name)
    sys.exit(f"{server.name}: wrk gave no result")


def judge_wrk(result, status, name):
    # wrk tells only how many answers were errors, not which.
    expected = result["answers"] if status >= 400 else 0
    if not result["answers"] and not result["broken"]:
        raise Stalled
    if result["refused"] != expected or result["broken"]:
        sys.exit(f"{name}: expected {status} only, got {result}")
    return Load(result["answers"], result["answers"] / result["seconds"], result["p50"], result["p99"])


def output_of(command, seconds):
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + MARGIN)
    if done.returncode:
        sys.exit(f"{command[3]}: {done.stderr or done.stdout}")
    return done.stdout
