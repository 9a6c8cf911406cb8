"""What was found, as Markdown."""

import datetime
import os
import re
import subprocess

from .measure import LOUD

QUIET = 0.15  # processors that other programs may keep busy


def machine(oha):
    with open("/proc/cpuinfo") as file:
        model = re.search(r"model name\s*:\s*(.*)", file.read())
    versions = [first_line(tool, "--version") for tool in ("rustc", oha)]
    return (f"{datetime.date.today()}, {model[1] if model else os.uname().machine}, {os.cpu_count()} CPUs, "
            f"Linux {os.uname().release}, {', '.join(version for version in versions if version)}")


def first_line(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True).stdout.split("\n")[0]
    except OSError:
        return ""


def table(heads, rows):
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" if line[0] else f"| {' | '.join(line)} |".replace("|  |", "| |", 1) for line in lines)


def number(value):
    return f"{value:.1f}" if value < 100 else f"{value:,.0f}"


def load_report(measured, options):
    """The table of a run, and the sentences under it."""
    rows = []
    for one in measured.rows:
        ratio, low, high = measured.ratios(one.name, one.base)
        against = "1 ×" if one.name == one.base else f"{ratio:.2f} × ({low:.2f}–{high:.2f})"
        user, system, cpu = (measured.median(one.name, what) for what in ("user", "system", "cpu"))
        rows.append([one.title, f"{number(cpu)} ({number(user)}/{number(system)})", against, f"{measured.median(one.name, 'rps'):,.0f}",
                     f"{measured.median(one.name, 'p50'):,.0f}", f"{measured.median(one.name, 'p99'):,.0f}", f"{measured.memory[one.name]:.0f}"])
    heads = ["", "CPU µs a request (user/system)", "to bare Pingora (quartiles)", "requests a second", "p50 µs", "p99 µs", "RSS MB"]
    parts = [
        machine(options.oha),
        f"Slices of {options.seconds} s, {options.rounds} for each row, {options.connections} keep-alive connections, one worker, answers of 1 KB. "
        "A ratio is to bare Pingora with the same kind of request and load, the median of the rounds.",
        table(heads, rows),
        *notes(measured),
    ]
    return "\n\n".join(parts) + "\n"


def notes(measured):
    lines = []
    if {"junk", "gateway"} <= set(measured.slices):
        lines.append(f"A junk token costs {measured.ratios('junk', 'gateway')[0]:.2f} × a request with a known token.")
    if measured.bytes_a_token is not None:
        lines.append(f"A token in memory costs {measured.bytes_a_token:,.0f} bytes (growth of the resident set by "
                     "using each once, less that of a gateway that looks them up and does not keep them).")
    lines += [f"{left_out[0].upper()}{left_out[1:]}." for left_out in measured.left_out]
    loud, every = measured.loud()
    if loud:
        lines.append(f"During {loud} of {every} slices other programs kept more than {LOUD} CPUs busy. "
                     "A row does without such slices if half of its own were quiet.")
    others = measured.others()
    verdict = "trust the ratios to a few percent" if others < QUIET else "too much, run it again on a quiet machine"
    lines.append(f"Other programs kept {others:.2f} of {os.cpu_count()} CPUs busy at the median: {verdict}.")
    return lines
