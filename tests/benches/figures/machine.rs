//! What must be known of the machine to read the figures.

use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;

use crate::Plan;

/// Prints processor, kernel, disk and the programs that are measured.
pub(crate) fn print(plan: &Plan) -> io::Result<()> {
    let cpus = fs::read_to_string("/proc/cpuinfo")?;
    let field = |name: &str| {
        let line = cpus.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.split_once(": ")).map_or("unknown", |(_, value)| value).to_owned()
    };
    let cores = std::thread::available_parallelism()?;
    println!("processor   {} × {}", cores, field("model name"));
    println!("kernel      {}", fs::read_to_string("/proc/sys/kernel/osrelease")?.trim());
    println!("disk        {}", disk(&plan.folder.canonicalize()?)?);
    println!("weir        {}", first_line(Command::new(&plan.weir).arg("--version")));
    println!("mosquitto   {}", first_line(Command::new("mosquitto").arg("-h")));
    println!("rounds      {} interleaved, {} s each, medians; spans are least–greatest", plan.rounds, plan.seconds);
    println!("repeat      cargo build --release -p weir && cargo bench -p system-tests -- [PART]...");
    Ok(())
}

/// Load over 1, 5 and 15 minutes.
pub(crate) fn load_average() -> io::Result<String> {
    let text = fs::read_to_string("/proc/loadavg")?;
    Ok(text.split(' ').take(3).collect::<Vec<_>>().join(" "))
}

fn first_line(command: &mut Command) -> String {
    let output = command.output().map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    output.ok().and_then(|text| text.lines().next().map(str::to_owned)).unwrap_or_else(|| "not installed".into())
}

/// File system, block device and its cache, of the mount that holds `folder`.
fn disk(folder: &Path) -> io::Result<String> {
    let mounts = fs::read_to_string("/proc/self/mounts")?;
    let fields = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    let holds = fields.filter(|fields| fields.len() > 2 && folder.starts_with(fields[1]));
    let Some(mount) = holds.max_by_key(|fields| fields[1].len()) else { return Ok("unknown".into()) };
    let device = Path::new(mount[0]).file_name().unwrap_or_default();
    let cache = fs::read_to_string(Path::new("/sys/class/block").join(device).join("queue/write_cache"));
    let cache = cache.map_or_else(|_| "unknown".into(), |cache| cache.trim().to_owned());
    Ok(format!("{} on {}, write cache: {cache}", mount[2], mount[0]))
}
