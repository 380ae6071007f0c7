//! Packs a provider's program into a provider archive, the only form in which a host loads one from a file.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{anyhow, bail, Context as _};
use nkeys::KeyPair;
use provider_archive::ProviderArchive;

const USAGE: &str = "\
Usage: parpack NAME VERSION PROGRAM ARCHIVE.par.gz
Write PROGRAM into a new provider archive for hosts of this machine's kind.
";

async fn pack(name: &str, version: &str, program: &Path, archive: &Path) -> anyhow::Result<()> {
    // The library appends .gz to any other name, and the file would not be where it was asked for.
    if archive.extension().is_none_or(|extension| extension != "gz") {
        bail!("{}: the name of an archive ends in .gz", archive.display());
    }
    let bytes = std::fs::read(program).with_context(|| format!("cannot read {}", program.display()))?;
    let target = format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS);
    let mut contents = ProviderArchive::new(name, "wasmctl", None, Some(version.to_owned()));
    contents
        .add_library(&target, &bytes)
        .map_err(|problem| anyhow!("cannot add {}: {problem}", program.display()))?;
    // Hosts without a policy check no issuer, so the keys need not outlive the call.
    contents
        .write(archive, &KeyPair::new_account(), &KeyPair::new_service(), true)
        .await
        .map_err(|problem| anyhow!("cannot write {}: {problem}", archive.display()))?;
    let size = std::fs::metadata(archive)
        .map(|found| found.len())
        .unwrap_or_default();
    eprintln!("parpack: {} for {target}, {size} bytes", archive.display());
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [name, version, program, archive] = arguments.as_slice() else {
        eprint!("{USAGE}");
        return ExitCode::from(2);
    };
    match pack(name, version, Path::new(program), Path::new(archive)).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("parpack: {problem:#}");
            ExitCode::FAILURE
        }
    }
}
