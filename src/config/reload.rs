use super::settings::Settings;

/// The keys that differ and only count after a restart; SIGHUP takes all others.
#[must_use]
pub fn needs_restart(old: &Settings, new: &Settings) -> Vec<&'static str> {
    [
        ("state_dir", old.state_dir != new.state_dir),
        ("live.path", old.live.path != new.live.path),
        ("live.mode", old.live.mode != new.live.mode),
        ("api.listen", old.api.listen != new.api.listen),
        // Between certificates it changes at once; between HTTP and HTTPS it cannot.
        ("api.tls", old.api.tls.is_some() != new.api.tls.is_some()),
    ]
    .into_iter()
    .filter_map(|(key, differs)| differs.then_some(key))
    .collect()
}
