//! Keeps the servers and the generator out of each other's way: one core each, and a quota of CPU
//! time for the servers.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};

/// Microseconds in which the quota may be used.
const PERIOD: u32 = 10_000;

/// A control group with a quota of CPU time. It is removed when this is dropped, which its
/// processes must not outlive.
pub(crate) struct Quota(PathBuf);

impl Quota {
    /// Lets processes use together at most `cores` cores, such as 0.5.
    pub(crate) fn new(cores: f64) -> Result<Self> {
        let name = format!("counterweight-overload-{}", std::process::id());
        let quota = (f64::from(PERIOD) * cores).round().to_string();
        let v1 = Path::new("/sys/fs/cgroup/cpu");
        if v1.join("cpu.cfs_quota_us").exists() {
            let group = Self::create(v1.join(name))?;
            group.write("cpu.cfs_period_us", &PERIOD.to_string())?;
            group.write("cpu.cfs_quota_us", &quota)?;
            return Ok(group);
        }
        let group = Self::create(Path::new("/sys/fs/cgroup").join(name))?;
        group.write("cpu.max", &format!("{quota} {PERIOD}"))?;
        Ok(group)
    }

    /// Moves a process and all its threads into the group.
    pub(crate) fn add(&self, process: u32) -> Result<()> {
        self.write("cgroup.procs", &process.to_string())
    }

    fn create(path: PathBuf) -> Result<Self> {
        fs::create_dir(&path).with_context(|| {
            format!(
                "cannot make the control group {}; --quota needs the rights of root",
                path.display()
            )
        })?;
        Ok(Self(path))
    }

    fn write(&self, file: &str, value: &str) -> Result<()> {
        let path = self.0.join(file);
        fs::write(&path, value).with_context(|| format!("cannot write {}", path.display()))
    }
}

impl Drop for Quota {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}

/// Keeps this process on one core.
pub(crate) fn stay_on_core(core: usize) -> Result<()> {
    let (core, process) = (core.to_string(), std::process::id().to_string());
    let status = Command::new("taskset")
        .args(["--all-tasks", "--cpu-list", "--pid", &core, &process])
        .stdout(Stdio::null())
        .status()
        .context("cannot run `taskset`; it comes with util-linux")?;
    ensure!(
        status.success(),
        "this process cannot be kept on core {core}"
    );
    Ok(())
}
