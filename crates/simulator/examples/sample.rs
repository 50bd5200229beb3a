//! Writes a simulated feed to a folder: `sample DIR [REQUESTS]`.
use counterweight_simulator::{Config, simulate};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let out = args.next().ok_or("usage: sample DIR [REQUESTS]")?;
    let mut config = Config::default();
    if let Some(requests) = args.next() {
        config.requests = requests.parse()?;
    }
    let summary = simulate(&config, out.as_ref(), |_| {})?;
    eprintln!("{summary:?}");
    Ok(())
}
