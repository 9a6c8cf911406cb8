"""What a second worker brings: CPU time a request with two workers against one, and throughput where there is room for it.

With four processors or more the workers have theirs to themselves, and the throughput tells. With fewer the load and the
upstream share the workers' processors: throughput then says how the machine is shared out. CPU time still tells what the
workers cost each other (locks, cache lines, wake-ups), and with it the most that two free processors could bring.
"""

import statistics

from . import drivers, exchange, proxies, report
from .drivers import PATH
from .measure import for_a_slice, paired, sliced
from .processes import note
from .rows import BY_NAME, JUNK, request_of

ENOUGH = 4
KINDS = ("bare", "gateway")


class Places:
    """The processors of one worker, of two, and of the load with the upstream."""

    def __init__(self, every):
        self.apart = len(every) >= ENOUGH
        listed = lambda some: ",".join(map(str, some))
        self.one = listed(every[:1] if self.apart else every)
        self.two = listed(every[:2] if self.apart else every)
        self.rest = listed(every[2:] if self.apart else every)


def workers(bench):
    options, places = bench.options, Places(bench.cpus.all)
    bench.cpus.upstream = places.rest
    servers, tokens = {}, {}
    for count in (1, 2):
        cpus = places.one if count == 1 else places.two
        servers["bare", count] = proxies.bare(bench, threads=count, cpus=cpus, name=f"bare-{count}")
        server = servers["gateway", count] = proxies.gateway(bench, "gateway", threads=count, cpus=cpus, name=f"gateway-{count}")
        tokens["gateway", count] = exchange.issue(server.port, 1)[0]
        exchange.wait_for_status(server.port, exchange.get(PATH, tokens["gateway", count]), 200)
    slices = {key: [] for key in servers}
    for turn in range(-1, options.rounds):
        note(f"round {turn + 1} of {options.rounds}" if turn >= 0 else "warming up")
        for key in list(servers)[:: 1 if turn % 2 == 0 else -1]:
            request = request_of(BY_NAME[key[0]], tokens.get(key, JUNK), None)
            load = lambda: drivers.oha(bench, servers[key], request, 200, for_a_slice(options), places.rest)
            measured = sliced(bench, servers[key], load)
            if turn >= 0:
                slices[key].append(measured)
    return found(bench, places, slices)


def found(bench, places, slices):
    median = lambda key, what: statistics.median(getattr(one, what) for one in slices[key])
    lines, sentences = [], []
    for kind in KINDS:
        for count in (1, 2):
            key = kind, count
            busy = statistics.median(one.cpu * one.rps / 1e6 for one in slices[key])
            lines.append([f"{BY_NAME[kind].title}, {count} worker{'s'[: count - 1]}",
                          f"{median(key, 'cpu'):.1f} ({median(key, 'user'):.1f}/{median(key, 'system'):.1f})",
                          f"{median(key, 'rps'):,.0f}", f"{busy:.2f}"])
        one, two = slices[kind, 1], slices[kind, 2]
        cost, low, high = paired([each.cpu for each in two], [each.cpu for each in one])
        gain = paired([each.rps for each in two], [each.rps for each in one])[0]
        sentences.append(f"{kind}: a request costs {cost:.3f} × ({low:.3f}–{high:.3f}) with two workers: two free processors bring "
                         f"{min(2, 2 / cost):.2f} × at most. Throughput here: {gain:.2f} ×.")
    if places.apart:
        how = f"Workers on processors {places.two} (one: {places.one}), load and upstream on {places.rest}; where the workers are not busy throughout, the load was the limit."
    else:
        how = (f"Load, upstream and workers share {len(bench.cpus.all)} processors, so throughput does not tell what two free ones would bring, and "
               "the two workers run at the same time only a part of it: what they cost each other may be more than is seen here.")
    heads = ["", "CPU µs a request (user/system)", "requests a second", "processors kept busy"]
    return "\n\n".join([report.machine(bench.options.oha), how, report.table(heads, lines), *sentences]) + "\n"
