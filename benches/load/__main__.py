"""Started by benches/load.sh: reads the options, and runs what they ask for. Load goes to 127.0.0.1 only."""

import argparse
import json
import sys

from . import measure, plot, report, rows
from .processes import Bench


def parsed(arguments):
    parser = argparse.ArgumentParser(prog="benches/load.sh")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--instructions", action="store_true", help="count instructions by callgrind instead")
    mode.add_argument("--threads", action="store_true", help="what a second worker brings instead")
    mode.add_argument("--changes", action="store_true", help="count what fails during reloads and upgrades instead")
    mode.add_argument("--idle", type=int, nargs="?", const=2000, metavar="COUNT",
                      help="the memory of COUNT idle connections instead (2000)")
    mode.add_argument("--bodies", type=int, nargs="?", const=1024, metavar="MB", help="memory while a body of so many MB passes instead (1024)")
    mode.add_argument("--self-test", action="store_true", help="check what this program reckons with, without any load")
    parser.add_argument("--peers", action="store_true", help="measure nginx, nginx with Lua, HAProxy and Envoy as well")
    parser.add_argument("--only", nargs="+", metavar="ROW", help=f"these rows, and what they are held against: {', '.join(rows.BY_NAME)}")
    parser.add_argument("--rounds", type=int, default=8, help="slices of each row (8)")
    parser.add_argument("--seconds", type=int, default=1, help="length of a slice (1)")
    parser.add_argument("--connections", type=int, default=16, help="keep-alive connections (16)")
    parser.add_argument("--table", metavar="FILE", help="where the table goes, instead of the standard output")
    parser.add_argument("--plot", metavar="FILE", help="a plot of the CPU time a request, as SVG: the rows that are held against 'bare'")
    parser.add_argument("--json", metavar="FILE", help="what was measured of each slice")
    parser.add_argument("--no-build", action="store_true", help="measure the programs that are there")
    for hidden in ("--oha", "--bin", "--envoy"):
        parser.add_argument(hidden, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if min(options.rounds, options.seconds, options.connections) < 1:
        parser.error("--rounds, --seconds and --connections are numbers from 1 on")
    try:
        options.rows = rows.chosen(options.only, options.peers)
    except ValueError as error:
        parser.error(str(error))
    return options


def load(bench):
    options = bench.options
    measured = measure.measure(bench, options.rows)
    if options.json:
        with open(options.json, "w") as file:
            slices = {name: [one._asdict() for one in slices] for name, slices in measured.slices.items()}
            json.dump({"machine": report.machine(options.oha), "slices": slices, "memory": measured.memory}, file, indent=1)
    if options.plot:
        with open(options.plot, "w") as file:
            file.write(plot.svg("What a request costs", report.machine(options.oha), bars(measured)))
    return report.load_report(measured, options)


def bars(measured):
    """Of the rows that get the same request under the same load: those can be looked at side by side."""
    drawn = []
    for one in [one for one in measured.rows if one.base == "bare"] or measured.rows:
        user, system, cpu = (measured.median(one.name, what) for what in ("user", "system", "cpu"))
        # The median of a sum is not the sum of the medians; the table's figure is the bar's length.
        share = cpu / (user + system)
        drawn.append(plot.Bar(one.title, user * share, system * share, one.title.startswith("gateway")))
    return drawn


def run(options):
    """What was found, as Markdown."""
    bench, failed = Bench(options), True
    try:
        found = chosen_mode(options)(bench)
        failed = False
    finally:
        bench.end(failed)
    return found


def chosen_mode(options):
    # Each is loaded when it is asked for.
    if options.instructions:
        from .instructions import instructions as mode
    elif options.threads:
        from .workers import workers as mode
    elif options.changes:
        from .changes import changes as mode
    elif options.idle is not None:
        from .idle import idle as mode
    elif options.bodies is not None:
        from .bodies import bodies as mode
    else:
        mode = load
    return mode


def main():
    options = parsed(sys.argv[1:])
    if options.self_test:
        from .self_test import self_test
        sys.exit(self_test())
    found = run(options)
    if options.table:
        with open(options.table, "w") as file:
            file.write(found)
    else:
        print(found, end="")


main()
