"""CPU time, throughput, latency and memory: slices of load in turn, several rounds, so that a drifting machine spoils little.

CPU time is that of the proxy's process in /proc/PID/stat before and after a slice, divided by the answers in it. A ratio
is the median of the ratios within each round.
"""

import os
import statistics
import sys
from typing import NamedTuple

from . import drivers, exchange, peers, proxies
from .drivers import PATH
from .processes import note
from .rows import JUNK, request_of

LOUD = 0.3  # processors: a slice during which other programs kept more of them busy tells little
TRIES = 3
STEP = 30_000  # the tokens in turn go on by so many a second from round to round: more than are used


class Slice(NamedTuple):
    """One row in one round; times in microseconds, `others` in processors."""

    user: float
    system: float
    rps: float
    p50: float
    p99: float
    others: float

    @property
    def cpu(self):
        return self.user + self.system


class Field:
    """The processes that the chosen rows need, with their tokens."""

    def __init__(self, bench, rows):
        self.bench, self.proxies, self.tokens = bench, {}, {}
        self.unknown = self.turn_file = self.bytes_a_token = None
        needed = {one.proxy for one in rows}
        many = max((one.turn for one in rows if one.proxy in ("gateway", "stranger")), default=0)
        if "bare" in needed:
            self.proxies["bare"] = proxies.bare(bench)
        if "gateway" in needed or "stranger" in needed:
            self.start_gateway(many)
        for shape in ("logging", "rules-10", "rules-100"):
            if shape in needed:
                self.start_shape(shape)
        if "stranger" in needed:
            self.proxies["stranger"] = stranger = proxies.gateway(bench, "stranger", keys_of="gateway")
            exchange.issue(stranger.port, 1)  # so it is ready
        self.peers = peers.start(bench, needed)
        self.left_out = self.peers.left_out
        self.proxies |= self.peers.servers
        self.tokens |= self.peers.tokens

    def start_shape(self, shape):
        proxy = proxies.gateway(self.bench, shape)
        self.proxies[shape], self.tokens[shape] = proxy, exchange.issue(proxy.port, 1)[0]

    def start_gateway(self, many):
        """With its tokens; started anew after they have been made, so that its memory is that of checking them."""
        if many:
            note(f"making {many:,} tokens")
        proxy = proxies.gateway(self.bench, "gateway")
        tokens = exchange.issue(proxy.port, many + 2)
        self.unknown = tokens.pop()
        exchange.revoke(proxy.port, self.unknown)
        proxy.stop()
        self.tokens["gateway"] = tokens.pop()
        if many:
            self.turn_file = os.path.join(self.bench.folder, "tokens")
            with open(self.turn_file, "w") as file:
                file.write("\n".join(tokens) + "\n")
            forgetful = proxies.gateway(self.bench, "forgetful", name="gateway")
            look_ups = self.use_each(forgetful, tokens)
            forgetful.stop()
        self.proxies["gateway"] = proxy = proxies.gateway(self.bench, "gateway")
        if many:
            self.bytes_a_token = (self.use_each(proxy, tokens) - look_ups) * 1024 * 1024 / len(tokens)

    def use_each(self, proxy, tokens):
        """Uses each token once; by how many MB that made the gateway grow."""
        note(f"using {len(tokens):,} tokens once each")
        one = exchange.get(PATH, self.tokens["gateway"])
        exchange.wait_for_status(proxy.port, one, 200)
        exchange.exchange(proxy.port, [one] * 5_000)
        before = proxy.memory()
        answers = exchange.exchange(proxy.port, [exchange.get(PATH, token) for token in tokens])
        refused = sum(status != 200 for status, _ in answers)
        if refused:
            sys.exit(f"{refused} of {len(tokens)} tokens were refused")
        return proxy.memory() - before

    def turn_of(self, one):
        """The file of tokens of a row; bare Pingora, which looks at none, gets any."""
        path = os.path.join(self.bench.folder, f"tokens-{one.turn}")
        if not os.path.exists(path):
            source = [JUNK] * one.turn
            if self.turn_file:
                with open(self.turn_file) as file:
                    source = file.read().split()[:one.turn]
            with open(path, "w") as file:
                file.write("\n".join(source) + "\n")
        return path

    def slice(self, one, turn):
        """A load of a row's own kind."""
        proxy, options = self.proxies[one.proxy], self.bench.options
        if one.turn:
            start = turn * STEP * options.seconds
            return sliced(self.bench, proxy, lambda: drivers.wrk(self.bench, proxy, self.turn_of(one), start, one.status))
        request = request_of(one, self.tokens.get(one.proxy, JUNK), self.unknown)
        return sliced(self.bench, proxy, lambda: drivers.oha(self.bench, proxy, request, one.status, for_a_slice(options)))


def for_a_slice(options):
    """oha's options."""
    return ["-z", f"{options.seconds}s", "-c", str(options.connections)]


def sliced(bench, proxy, drive):
    """What a load costs a proxy; once more, if the machine stood still."""
    for _ in range(TRIES):
        before, reading = proxy.cpu(), bench.others_since()
        try:
            load = drive()
        except drivers.Stalled:
            note(f"{proxy.name} answered nothing: once more")
            continue
        after, others = proxy.cpu(), bench.others_since(reading)
        user, system = ((now - then) / load.answers * 1e6 for now, then in zip(after, before))
        return Slice(user, system, load.rps, load.p50, load.p99, others)
    sys.exit(f"{proxy.name} answered nothing {TRIES} times")


class Measured(NamedTuple):
    """What came out: the rows, their slices by name, the memory after the load, what else there is to say."""

    rows: list
    slices: dict
    memory: dict
    bytes_a_token: float | None
    left_out: list

    def median(self, name, what):
        return statistics.median(getattr(self.slices[name][turn], what) for turn in calm(self.slices[name]))

    def ratios(self, name, base):
        turns = calm(self.slices[name], self.slices[base])
        return paired(*([slices[turn].cpu for turn in turns] for slices in (self.slices[name], self.slices[base])))

    def loud(self):
        """How many slices were spoiled by other programs, and of how many."""
        every = [one for slices in self.slices.values() for one in slices]
        return sum(one.others > LOUD for one in every), len(every)

    def others(self):
        return statistics.median(one.others for slices in self.slices.values() for one in slices)


def calm(*rows):
    """The rounds in which other programs were quiet during the slices of all these rows; all rounds, if half were not."""
    every = range(len(rows[0]))
    quiet = [turn for turn in every if all(slices[turn].others <= LOUD for slices in rows)]
    return quiet if len(quiet) * 2 >= len(every) else list(every)


def paired(these, those):
    """The median of the ratios within each round, and the quartiles."""
    ratios = sorted(this / that for this, that in zip(these, those) if that)
    if len(ratios) < 2:
        return (ratios or [float("nan")]) * 3
    low, middle, high = statistics.quantiles(ratios, n=4, method="inclusive")
    return middle, low, high


def measure(bench, rows):
    options = bench.options
    field = Field(bench, rows)
    rows = [one for one in rows if one.proxy in field.proxies]
    note(f"a load of each of {len(rows)} rows, to warm up")
    for one in rows:
        field.slice(one, options.rounds)
    slices = {one.name: [] for one in rows}
    for turn in range(options.rounds):
        note(f"round {turn + 1} of {options.rounds}")
        # In turn from the front and from the back, so that drift favours nobody.
        for one in rows[:: 1 if turn % 2 == 0 else -1]:
            slices[one.name].append(field.slice(one, turn))
    memory = {one.name: field.proxies[one.proxy].memory() for one in rows}
    return Measured(rows, slices, memory, field.bytes_a_token, field.left_out)
