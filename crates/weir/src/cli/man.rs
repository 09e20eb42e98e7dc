//! `weir man`: manual pages, from the same definition as the help.

use std::{fs, io, path::PathBuf};

use anyhow::Context;
use clap::{Args, CommandFactory};
use clap_mangen::Man;

use crate::cli::{
    Cli,
    output::{Exit, Failure, Output},
};

/// Flags of `weir man`.
#[derive(Clone, Debug, Args)]
pub(crate) struct ManArgs {
    /// Write weir.1 and a page for each command into this directory
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// A manual page.
struct Page {
    file_name: String,
    roff: Vec<u8>,
}

/// Carries out the command.
pub(crate) fn run(args: &ManArgs, output: &Output) -> anyhow::Result<Exit> {
    if output.is_json() {
        return Err(Failure::invalid("--json is for commands with results, these are pages: leave it out").into());
    }
    let pages = pages()?;
    let Some(directory) = &args.dir else {
        let main = pages.first().map_or_else(String::new, |page| String::from_utf8_lossy(&page.roff).into_owned());
        output.print(&main)?;
        return Ok(Exit::Done);
    };
    fs::create_dir_all(directory).with_context(|| format!("{} cannot be made", directory.display()))?;
    for page in &pages {
        let file = directory.join(&page.file_name);
        fs::write(&file, &page.roff).with_context(|| format!("{} cannot be written", file.display()))?;
    }
    output.line(format!("{} pages are in {}", pages.len(), directory.display()))?;
    Ok(Exit::Done)
}

/// Makes all pages, that of the program first.
fn pages() -> io::Result<Vec<Page>> {
    // Help about help would be a page for every command.
    let mut program = Cli::command().disable_help_subcommand(true);
    program.build();
    let mut pages = Vec::new();
    collect(&program, &mut pages)?;
    Ok(pages)
}

fn collect(command: &clap::Command, pages: &mut Vec<Page>) -> io::Result<()> {
    let name = command.get_display_name().unwrap_or_else(|| command.get_name());
    let mut roff = Vec::new();
    Man::new(command.clone()).render(&mut roff)?;
    pages.push(Page { file_name: format!("{name}.1"), roff });
    command.get_subcommands().filter(|inner| !inner.is_hide_set()).try_for_each(|inner| collect(inner, pages))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_page() {
        let pages = pages().expect("written to memory");
        let names: Vec<_> = pages.iter().map(|page| page.file_name.as_str()).collect();
        let expected = [
            "weir.1",
            "weir-dev.1",
            "weir-init.1",
            "weir-serve.1",
            "weir-emit.1",
            "weir-tail.1",
            "weir-replay.1",
            "weir-explain.1",
            "weir-apply.1",
            "weir-get.1",
            "weir-status.1",
            "weir-delete.1",
            "weir-subscription.1",
            "weir-subscription-pause.1",
            "weir-subscription-resume.1",
            "weir-subscription-drain.1",
            "weir-deadletter.1",
            "weir-deadletter-list.1",
            "weir-deadletter-show.1",
            "weir-deadletter-diff.1",
            "weir-deadletter-patch.1",
            "weir-deadletter-redrive.1",
            "weir-deadletter-discard.1",
            "weir-token.1",
            "weir-token-create.1",
            "weir-token-list.1",
            "weir-token-revoke.1",
            "weir-log.1",
            "weir-log-verify.1",
            "weir-log-inspect.1",
            "weir-log-repair.1",
            "weir-config.1",
            "weir-config-show.1",
            "weir-completions.1",
            "weir-man.1",
        ];
        assert_eq!(names, expected);
        for page in &pages {
            let text = String::from_utf8_lossy(&page.roff);
            assert!(text.contains(".SH NAME") && text.contains(".SH DESCRIPTION"), "{}:\n{text}", page.file_name);
        }
    }
}
