//! `weir config show`: the settings that a server would have, and where each value comes from.

use serde_json::Value;

use crate::{
    cli::{
        ConfigCommand, SettingsArgs,
        output::{Exit, Output, Paint, Table},
    },
    settings::{self, Origins, Settings, Sources},
};

/// Puts the settings together as `weir serve` does.
pub(crate) fn load(args: &SettingsArgs) -> anyhow::Result<(Settings, Origins)> {
    let sources = Sources {
        defaults: Settings::default(),
        file: args.config.clone(),
        environment: settings::environment(),
        flags: args.flags(),
    };
    Ok(Settings::load(&sources)?)
}

/// Carries out the command.
pub(crate) fn run(command: &ConfigCommand, output: &Output) -> anyhow::Result<Exit> {
    let ConfigCommand::Show(args) = command;
    let (settings, origins) = load(args)?;
    let values = serde_json::to_value(&settings)?;
    let rows = origins.iter().map(|(key, origin)| (key, value(&values, key), origin));
    if output.is_json() {
        let rows = rows.map(|(key, value, origin)| {
            let row = [("key", Value::from(key)), ("value", value), ("origin", Value::from(origin))];
            Value::from_iter(row)
        });
        output.json(&rows.collect::<Vec<Value>>())?;
        return Ok(Exit::Done);
    }
    let mut table = Table::with_heading(&["setting", "value", "origin"]);
    for (key, value, origin) in rows {
        let value = match value {
            Value::String(text) => text,
            Value::Null => "-".into(),
            other => other.to_string(),
        };
        table.row([(key.to_owned(), Paint::Strong), (value, Paint::Plain), (origin.to_owned(), Paint::Dim)]);
    }
    output.table(&table)?;
    Ok(Exit::Done)
}

fn value(values: &Value, key: &str) -> Value {
    let value = values.pointer(&format!("/{}", key.replace('.', "/"))).cloned().unwrap_or_default();
    // That it is set may be seen.
    if settings::SECRETS.contains(&key) && !value.is_null() { "*****".into() } else { value }
}
