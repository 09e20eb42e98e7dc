//! `weir completions`: the script with which a shell completes commands and flags.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::cli::{
    Cli,
    output::{Exit, Failure, Output},
};

/// Flags of `weir completions`.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// Which shell
    #[arg(value_name = "SHELL", value_enum)]
    shell: Shell,
}

/// Carries out the command.
pub(crate) fn run(args: &CompletionsArgs, output: &Output) -> anyhow::Result<Exit> {
    if output.is_json() {
        return Err(Failure::invalid("--json is for commands with results, this is a script: leave it out").into());
    }
    output.print(&script(args.shell))?;
    Ok(Exit::Done)
}

fn script(shell: Shell) -> String {
    let mut bytes = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "weir", &mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;

    #[test]
    fn every_command_and_flag_is_completed_by_every_shell() {
        for shell in Shell::value_variants() {
            let script = script(*shell);
            for command in Cli::command().get_subcommands() {
                assert!(script.contains(command.get_name()), "{shell} does not know {}", command.get_name());
                for argument in command.get_arguments().filter_map(|argument| argument.get_long()) {
                    assert!(script.contains(argument), "{shell} does not know --{argument}");
                }
            }
        }
    }
}
