"""The processes of a run: started on processors of their own, asked for their CPU time and memory, and all of them ended."""

import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

TICKS = os.sysconf("SC_CLK_TCK")


class Processors:
    """Who runs where: the proxies on the first processor, the load on the second, the upstream on the third if there is one."""

    def __init__(self):
        self.all = sorted(os.sched_getaffinity(0))
        if len(self.all) < 2:
            sys.exit("two processors are needed: one for the proxies, one for the load and the upstream")
        self.proxy, self.load, self.upstream = str(self.all[0]), str(self.all[1]), str(self.all[min(2, len(self.all) - 1)])


class Proxy:
    """A server that runs. Its output is in a file of its name."""

    def __init__(self, bench, name, command, port, cpus=None):
        self.name, self.port, self.tls_port = name, port, None
        self.log = os.path.join(bench.folder, f"{name}.log")
        pinned = ["taskset", "-c", cpus or bench.cpus.proxy, *command]
        with open(self.log, "ab") as file:
            self.process = subprocess.Popen(pinned, stdin=subprocess.DEVNULL, stdout=file, stderr=file, cwd=bench.folder)
        bench.started.append(self.process)
        wait_for(port, self)

    @property
    def pid(self):
        return self.process.pid

    def cpu(self):
        return cpu_of(self.pid)

    def memory(self):
        """The resident set in MB, that of the processes that it has started included."""
        return sum(resident(pid) for pid in (self.pid, *descendants(self.pid)))

    def last_words(self):
        with open(self.log, errors="replace") as file:
            return "".join(file.readlines()[-10:]).strip()

    def stop(self):
        end(self.process)


class Bench:
    """A folder, an upstream, and everything that has been started."""

    def __init__(self, options):
        self.options = options
        self.cpus = Processors()
        self.folder = tempfile.mkdtemp(prefix="empress-bench-")
        self.started = []
        self.fast_upstream = None
        signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))

    @property
    def upstream(self):
        """The port of an upstream that answers at once. It is started when it is first asked for."""
        if not self.fast_upstream:
            port = free_port()
            command = [f"{self.options.bin}/examples/bench_upstream", str(port)]
            self.fast_upstream = Proxy(self, "upstream", command, port, self.cpus.upstream)
        return self.fast_upstream.port

    def end(self, failed):
        for process in reversed(self.started):
            end(process)
        if failed:
            print(f"what the servers said is in {self.folder}", file=sys.stderr)
        else:
            shutil.rmtree(self.folder, ignore_errors=True)

    def others_since(self, since=None):
        """CPU seconds of what is not ours; since a reading, as the number of processors that it kept busy."""
        with open("/proc/stat") as file:
            fields = [int(field) / TICKS for field in file.readline().split()[1:]]
        ours = sum(sum(cpu_of(process.pid)) for process in self.started if process.poll() is None)
        for who in (resource.RUSAGE_CHILDREN, resource.RUSAGE_SELF):
            used = resource.getrusage(who)
            ours += used.ru_utime + used.ru_stime
        now = (sum(fields[:8]) - fields[3] - fields[4] - ours, time.monotonic())
        return now if since is None else (now[0] - since[0]) / (now[1] - since[1])


def note(text):
    """What a run is doing at the moment; what it found goes elsewhere."""
    print(text, file=sys.stderr, flush=True)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(port, server, seconds=120):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if server.process.poll() is not None:
            sys.exit(f"{server.name} ended with {server.process.returncode}: {server.last_words()}")
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    sys.exit(f"{server.name}: nothing listens on port {port}: {server.last_words()}")


def end(process):
    if process.poll() is not None:
        return
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(60)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def descendants(pid):
    found = []
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/children") as file:
                found += [int(child) for child in file.read().split()]
    except OSError:
        return []
    return found + [deeper for child in found for deeper in descendants(child)]


def cpu_of(pid):
    """User and system seconds of a process and of those that it has started; of one that has ended, none."""
    user = system = 0.0
    for one in (pid, *descendants(pid)):
        try:
            with open(f"/proc/{one}/stat") as file:
                fields = file.read().rsplit(")", 1)[1].split()
        except OSError:
            continue
        user += int(fields[11]) / TICKS
        system += int(fields[12]) / TICKS
    return user, system


def resident(pid):
    try:
        with open(f"/proc/{pid}/status") as file:
            return int(re.search(r"VmRSS:\s+(\d+)", file.read())[1]) / 1024
    except (OSError, TypeError):
        return 0.0
