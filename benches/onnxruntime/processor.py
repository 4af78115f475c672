"""What this processor is, and how busy other programs keep it (Linux; nothing elsewhere)."""

import os
import platform
import time
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


def name():
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor()


def busy_seconds():
    """Seconds that all cores together were not idle since the system started; stolen ones of virtual machines count."""
    user, nice, system, _, _, irq, softirq, steal, *_ = map(int, Path("/proc/stat").read_text().split()[1:11])
    return (user + nice + system + irq + softirq + steal) / TICKS


def seconds_of(process):
    """Seconds of computation of a process."""
    # The name, in brackets, may hold blanks.
    fields = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


class Others:
    """Measures the share of all cores that processes other than these take from here on."""

    def __init__(self, processes):
        self.processes = processes
        self.start = self.reading()

    def reading(self):
        try:
            own = sum(seconds_of(process) for process in self.processes)
            return time.monotonic(), busy_seconds() - own
        except OSError:
            return None

    def share(self):
        end = self.reading()
        if self.start is None or end is None:
            return None
        return max(0.0, (end[1] - self.start[1]) / (end[0] - self.start[0]) / os.cpu_count())
