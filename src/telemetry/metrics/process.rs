//! What the kernel knows of this process, read from /proc when the metrics are asked for.

use std::fs;

use prometheus::{Counter, IntGauge};

use super::register::Register;

/// Linux counts these times in hundredths of a second (`USER_HZ`) whatever the kernel's own tick.
const TICKS_PER_SECOND: f64 = 100.0;

pub(super) struct ProcessMetrics {
    cpu: Counter,
    memory: IntGauge,
    open_files: IntGauge,
}

impl ProcessMetrics {
    pub(super) fn new(register: &Register) -> Self {
        let started =
            register.float_gauge("empress_process_start_time_seconds", "When the process started, since the epoch");
        if let (Some(boot), Some(stat)) = (boot_time(), Stat::read()) {
            started.set(boot + stat.start_ticks / TICKS_PER_SECOND);
        }
        Self {
            cpu: register.float_counter("empress_process_cpu_seconds_total", "CPU time used, user and system"),
            memory: register.gauge("empress_process_resident_memory_bytes", "Memory in use"),
            open_files: register.gauge("empress_process_open_fds", "Open files and sockets"),
        }
    }

    pub(super) fn refresh(&self) {
        if let Some(stat) = Stat::read() {
            self.cpu.inc_by((stat.cpu_ticks / TICKS_PER_SECOND - self.cpu.get()).max(0.0));
        }
        if let Some(bytes) = resident_bytes() {
            self.memory.set(bytes);
        }
        if let Ok(files) = fs::read_dir("/proc/self/fd") {
            self.open_files.set(i64::try_from(files.count()).unwrap_or(i64::MAX));
        }
    }
}

/// proc_pid_stat(5).
struct Stat {
    cpu_ticks: f64,
    start_ticks: f64,
}

impl Stat {
    fn read() -> Option<Self> {
        Self::parse(&fs::read_to_string("/proc/self/stat").ok()?)
    }

    /// The process's name stands in parentheses and may hold anything: fields count from behind it, with number 3.
    fn parse(text: &str) -> Option<Self> {
        let fields: Vec<&str> = text.rsplit_once(") ")?.1.split(' ').collect();
        let number = |field: usize| fields.get(field - 3)?.parse::<f64>().ok();
        Some(Self { cpu_ticks: number(14)? + number(15)?, start_ticks: number(22)? })
    }
}

fn boot_time() -> Option<f64> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
}

fn resident_bytes() -> Option<i64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<i64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_name_with_parentheses_and_blanks_does_not_move_the_fields() {
        let text = "7 (a) b (c) S 1 7 7 0 -1 4194304 9 0 0 0 250 50 0 0 20 0 4 0 12345 1000 200";
        let stat = Stat::parse(text).expect("a stat line");
        assert!((stat.cpu_ticks - 300.0).abs() < f64::EPSILON);
        assert!((stat.start_ticks - 12345.0).abs() < f64::EPSILON);
        assert!(Stat::parse("").is_none());
    }
}
