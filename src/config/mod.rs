//! Settings: the file, the environment and the flags (raw) become [`Settings`] (valid).
//!
//! One table ([`keys()`]) knows every key, its environment twin, kind, default and meaning; the
//! reader, `config check`, the JSON Schema and `docs/configuration.md` all go by it. What was
//! given is laid over each other key by key (file, environment, flags), then read with types;
//! everything that is wrong is found at once, with its place.
//!
//! May read the settings file, `/etc/passwd`, `/etc/group`, and the environment it is given; never
//! a credential, the network, or what the state folder holds.

mod alerts;
mod api;
mod audit;
mod commit_status;
mod decode;
mod effective;
mod error;
mod gather;
mod git;
mod jwt;
mod keys;
mod load;
mod location;
mod paths;
mod policies;
mod programs;
mod rates;
mod reader;
mod reload;
mod schema;
mod secrets;
mod settings;
mod table;
mod telemetry;
mod validation;
mod values;
mod verify;

pub use alerts::{AlertSettings, AlertWay};
pub use api::{ApiSettings, ServerTls, TokenSettings};
pub use audit::AuditSettings;
pub use commit_status::{CommitStatusSettings, Forge};
pub use effective::Effective;
pub use error::{ConfigError, Listed};
pub use gather::Origin;
pub use jwt::{JwtKeys, JwtSettings, is_loopback, trusted};
pub(crate) use load::load_bytes;
pub use load::{Flags, Loaded, Sources, Tested, load, load_state_dir, load_tested};
pub(crate) use location::location;
pub use paths::user_name;
pub use policies::RulePattern;
pub use programs::{Action, Ask, Check, Health, Probe, Reload};
pub use rates::{ADDRESS_SHARE, Rates};
pub use reload::needs_restart;
pub use schema::schema;
pub use secrets::Secrets;
pub use settings::{
    Auth, DriftPolicy, FileModeRule, HistoryRewrite, HttpAuth, LiveMode, LiveSettings, Location,
    Mask, MaxDeletions, NodeSettings, Owner, Reference, RenderSettings, Settings, SourceSettings,
    SyncPolicy, Tls, Window, WindowKind, WriteBack,
};
pub use table::{Key, Kind, keys};
pub use telemetry::Telemetry;
pub use validation::{
    KeyPath, LeakAllowed, LeakPolicy, Preset, ReferenceRule, RuleFile, SchemaRule, Step, Validation,
};
pub use values::{parse_duration, show_duration};
pub use verify::{Verify, VerifyMode, VerifyWhat};

#[cfg(test)]
mod tests;
