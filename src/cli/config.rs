use super::args::{ConfigAction, ConfigArgs, Global, SourceArgs};
use super::exit::{Exit, Failure};
use super::render::{GOOD, Output};
use crate::config;

/// `config check` and `config schema`.
pub(super) fn run(global: &Global, args: ConfigArgs, output: &Output) -> Result<Exit, Failure> {
    match args.action {
        ConfigAction::Check => check(global, output),
        ConfigAction::Schema => {
            let schema = config::schema();
            let text = serde_json::to_string_pretty(&schema).unwrap_or_default();
            output.result(&schema, |page| page.line(text))?;
            Ok(Exit::Done)
        }
    }
}

fn check(global: &Global, output: &Output) -> Result<Exit, Failure> {
    let loaded = config::load(&super::sync::sources(global, &SourceArgs::default()))?;
    for warning in &loaded.warnings {
        output.note(&warning.to_string());
    }
    let keys: Vec<Row> = loaded.keys.iter().map(Row::of).collect();
    let body = Body { format_version: 1, file: loaded.settings.file.clone(), keys };
    output.result(&body, |page| {
        let file = loaded.settings.file.as_ref();
        let file =
            file.map_or_else(|| "flags and environment".to_owned(), |f| f.display().to_string());
        let valid = page.styled(GOOD.bold(), "valid");
        page.line(format!("{valid}: {file}"));
        let rows: Vec<Vec<String>> = body
            .keys
            .iter()
            .map(|row| vec![row.key.to_owned(), row.value.to_string(), row.origin.clone()])
            .collect();
        page.table(&["KEY", "VALUE", "FROM"], &rows);
    })?;
    Ok(Exit::Done)
}

#[derive(serde::Serialize)]
struct Body {
    format_version: u32,
    file: Option<std::path::PathBuf>,
    keys: Vec<Row>,
}

#[derive(serde::Serialize)]
struct Row {
    key: &'static str,
    value: serde_json::Value,
    origin: String,
}

impl Row {
    fn of(key: &config::Effective) -> Self {
        Self { key: key.key, value: key.value.clone(), origin: key.origin.to_string() }
    }
}
