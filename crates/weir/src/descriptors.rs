//! How many files the process may have open, and how many of these connections may take. A file is a descriptor here: a
//! connection is one, and so are the files of the log.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use weir_domain::ErrorKind;

use crate::cli::output::Failure;

/// The Events API and the Configuration API.
const APIS: u64 = 2;

/// What is left for the log, its index, calls of functions and the like: a quarter of all, and no more than this.
const RESERVE_MAX: u64 = 4096;

/// What a server works with: some twenty files of its own, and connections and calls beside them. With fewer it would begin,
/// and then not find one for what it must write.
const FILES_LEAST: u64 = 128;

/// Raises the limit of open files as far as the process may, and returns what it is then; none where there is no limit.
///
/// The lower limit that a process begins with is for programs of an older kind, which cannot work with large numbers. A
/// server that stays with it has no room for as many connections as it is meant to have.
pub(crate) fn raise() -> Option<u64> {
    let limit = getrlimit(Resource::Nofile);
    if limit.current == limit.maximum {
        return limit.current;
    }
    match setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }) {
        Ok(()) => limit.maximum,
        Err(error) => {
            tracing::warn!(%error, limit = limit.current, "the limit of open files cannot be raised");
            limit.current
        }
    }
}

/// Checks that there may be enough open files for a server.
///
/// # Errors
/// [`ErrorKind::Unavailable`] where there may not.
pub(crate) fn check(files_max: Option<u64>) -> Result<(), Failure> {
    match files_max {
        Some(files_max) if files_max < FILES_LEAST => Err(Failure::new(
            ErrorKind::Unavailable { retry_after: None },
            format!(
                "the hard limit of open files is {files_max}, and a server needs {FILES_LEAST} at least: raise it, such as \
                 by ulimit -Hn or LimitNOFILE of systemd"
            ),
        )),
        _ => Ok(()),
    }
}

/// Returns how many connections each API may have: as many as wanted, as far as the limit of open files allows.
pub(crate) fn connections_max(wanted: usize, files_max: Option<u64>) -> usize {
    let Some(files_max) = files_max else { return wanted };
    let reserve = (files_max / 4).min(RESERVE_MAX);
    let allowed = usize::try_from((files_max - reserve) / APIS).unwrap_or(usize::MAX).max(1);
    if allowed < wanted {
        tracing::info!(
            wanted,
            allowed,
            files_max,
            "each API takes fewer connections than connections.open_max: raise the hard limit of open files for more"
        );
    }
    wanted.min(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_files_to_the_rest() {
        let check = |wanted: usize, files_max: Option<u64>, expected: usize| {
            assert_eq!(connections_max(wanted, files_max), expected, "{wanted} of {files_max:?}");
        };
        check(16_384, None, 16_384);
        check(16_384, Some(u64::MAX), 16_384);
        check(16_384, Some(1_048_576), 16_384);
        check(16_384, Some(20_096), 8_000);
        check(16_384, Some(1024), 384);
        check(100, Some(1024), 100);
        check(16_384, Some(0), 1);
    }

    #[test]
    fn a_server_does_not_begin_with_too_few_files() {
        for enough in [None, Some(FILES_LEAST), Some(u64::MAX)] {
            check(enough).expect("enough");
        }
        for few in [0, FILES_LEAST - 1] {
            let failure = check(Some(few)).expect_err("too few");
            assert_eq!(failure.kind(), ErrorKind::Unavailable { retry_after: None });
            assert!(failure.to_string().contains(&format!("is {few}, and a server needs 128")), "{failure}");
        }
    }

    #[test]
    fn the_limit_is_raised_as_far_as_it_may_be() {
        let hard = getrlimit(Resource::Nofile).maximum;
        assert_eq!(raise(), hard);
        assert_eq!(getrlimit(Resource::Nofile), Rlimit { current: hard, maximum: hard });
        // A second time there is nothing left to do.
        assert_eq!(raise(), hard);
    }
}
