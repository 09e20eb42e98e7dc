//! `weir init`: a small application to begin with. Nothing that is there is overwritten.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::Context;
use clap::Args;
use serde_json::json;
use weir_domain::ErrorKind;

use crate::{
    cli::output::{Exit, Failure, Output, Paint},
    manifest::FILE_NAME,
};

/// The files of the application. The manifest comes last: where something fails before it, there is no application.
const FILES: [(&str, &str); 2] =
    [("functions/confirm.js", include_str!("init/confirm.js")), (FILE_NAME, include_str!("init/weir.toml"))];

/// Flags of `weir init`.
#[derive(Clone, Debug, Args)]
pub(crate) struct InitArgs {
    /// The directory of the application; it is made where it is not there
    #[arg(value_name = "DIR", default_value = ".")]
    directory: PathBuf,
}

/// Carries out the command.
pub(crate) fn run(args: &InitArgs, output: &Output) -> anyhow::Result<Exit> {
    let directory = &args.directory;
    let files = FILES.map(|(name, text)| (directory.join(name), text));
    // A link to nothing is there as well.
    if let Some((there, _)) = files.iter().find(|(path, _)| fs::symlink_metadata(path).is_ok()) {
        let message = format!("{} is there already, and stays as it is: name another directory", there.display());
        return Err(Failure::new(ErrorKind::Conflict, message).into());
    }
    for (path, text) in &files {
        write(path, text)?;
    }
    let shown: Vec<String> = files.iter().map(|(path, _)| path.display().to_string()).collect();
    if output.is_json() {
        output.json(&json!({ "directory": directory.display().to_string(), "files": shown }))?;
        return Ok(Exit::Done);
    }
    output.line(format!("made {}", shown.join(" and ")))?;
    output.note(Paint::Dim, format!("run it with: weir dev {}", directory.display()));
    output.note(Paint::Dim, "and then: weir emit --type order.placed --source /shop --data '{\"order\":\"7001\"}'");
    Ok(Exit::Done)
}

/// Writes a file that is not there yet.
fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    if let Some(above) = path.parent() {
        fs::create_dir_all(above).with_context(|| format!("{} cannot be made", above.display()))?;
    }
    // One that has come meanwhile is an error, and stays.
    let made = OpenOptions::new().write(true).create_new(true).open(path);
    let written = made.and_then(|mut file| file.write_all(text.as_bytes()));
    written.with_context(|| format!("{} cannot be written", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{cli::output::Captured, manifest::Manifest};

    #[test]
    fn what_it_writes_is_a_sound_application_and_nothing_is_overwritten() {
        let place = tempfile::tempdir().expect("a directory");
        let args = InitArgs { directory: place.path().join("shop") };
        let captured = Captured::default();
        let output = captured.output(true, None);
        assert_eq!(run(&args, &output).expect("made"), Exit::Done);
        assert!(captured.text().contains("confirm.js"), "{}", captured.text());
        let loaded = Manifest::load(&args.directory).expect("a sound manifest");
        assert_eq!((loaded.desired.functions.len(), loaded.desired.subscriptions.len()), (1, 1));

        let manifest = args.directory.join(FILE_NAME);
        fs::write(&manifest, "# mine").expect("written");
        fs::remove_dir_all(args.directory.join("functions")).expect("removed");
        let error = run(&args, &output).expect_err("there is a manifest");
        assert!(error.to_string().ends_with("weir.toml is there already, and stays as it is: name another directory"));
        assert_eq!(fs::read_to_string(&manifest).expect("readable"), "# mine");
        assert!(!args.directory.join("functions").exists(), "nothing is written where it cannot be whole");
    }
}
