//! `weir dev`: the server with the application of a directory, a live picture, and reloading when files change.

mod changes;
mod watching;

use std::path::Path;

use tokio_util::sync::CancellationToken;
use weir_catalog::{SubscriptionKind, diff};
use weir_domain::SpaceName;
use weir_flow::Flow;
use weir_log::{LogEngine, Read};

use crate::{app::App, manifest::Loaded, naming::counted, picture::Picture};

pub(crate) use watching::Follower;

/// Makes the space what the manifest says, for the first time.
pub(crate) async fn begin(loaded: &Loaded, flow: &Flow, events_url: &str, picture: &Picture) {
    apply(flow, loaded, picture).await;
    introduce(flow, &loaded.space, events_url, picture);
}

/// What came of carrying out what is different.
#[derive(Default)]
struct Applied {
    done: usize,
    failed: usize,
}

/// Carries out what is different, and tells of each part of it. A command that fails is shown, and the others are still
/// carried out.
async fn apply(flow: &Flow, loaded: &Loaded, picture: &Picture) -> Applied {
    let catalog = flow.catalog();
    let present = catalog.space_or_empty(&loaded.space);
    let mut applied = Applied::default();
    for command in diff(present, loaded.desired.clone()) {
        let told = changes::tell(&command, present);
        match flow.change(&loaded.space, command).await {
            Ok(_) => {
                applied.done += 1;
                if let Some((action, what)) = told {
                    picture.changed(action, &what);
                }
            }
            Err(error) => {
                applied.failed += 1;
                let what = told.map_or_else(String::new, |(_, what)| format!("{what}: "));
                picture.bad(&format!("not done: {what}{}", weir_domain::error_chain(&error)));
            }
        }
    }
    applied
}

/// Says where the server is and what it knows.
pub(crate) fn greet(app: &App, directory: &Path, data_dir: &Path, picture: &Picture) {
    picture.say(format!("weir {}  {}", env!("CARGO_PKG_VERSION"), directory.display()));
    picture.say(format!("  events         {}", app.events_url));
    picture.say(format!("  configuration  {}", app.config_url));
    picture.say(format!("  log            {}, at position {}", data_dir.display(), app.end()));
    if let Some(cut) = &app.recovered.cut {
        picture.bad(&format!(
            "  {} bytes of an unfinished write were cut off {}; a copy is in {}",
            cut.bytes, cut.file, cut.kept_in
        ));
    }
}

/// Shows what the application consists of.
fn introduce(flow: &Flow, space: &SpaceName, events_url: &str, picture: &Picture) {
    let catalog = flow.catalog();
    for it in catalog.space_or_empty(space).subscriptions() {
        match it.kind {
            SubscriptionKind::Sync => {
                picture.say(format!("  {} {events_url}{} → {}", it.method.as_str(), it.path, it.function));
            }
            SubscriptionKind::Async => picture.say(format!("  ● {} → {}", it.event_type.as_str(), it.function)),
        }
    }
    picture.say("  press Ctrl-C to stop\n");
}

/// Says what a stop waits for, when one is asked for.
pub(crate) async fn take_leave(flow: &Flow, picture: &Picture, stop: &CancellationToken) {
    stop.cancelled().await;
    let calls = counted(flow.calls() as u64, "call");
    picture.say(format!("stopping, {calls} in flight; Ctrl-C again ends at once"));
}

/// Shows every event that enters the space, until told to stop.
pub(crate) async fn show_entries(
    log: std::sync::Arc<dyn LogEngine>,
    space: SpaceName,
    picture: Picture,
    stop: CancellationToken,
) {
    let mut end = log.durable_end();
    let mut next = end.borrow().next();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            changed = end.changed() => if changed.is_err() { return },
        }
        loop {
            match log.read(Read::forward(space.clone(), next)).await {
                Ok(page) => {
                    page.events.iter().for_each(|recorded| picture.entered(recorded));
                    next = page.next;
                    if page.end {
                        break;
                    }
                }
                Err(error) => {
                    picture.bad(&format!("the log cannot be read: {}", weir_domain::error_chain(&error)));
                    break;
                }
            }
        }
    }
}
