//! Settings: the file, the environment and the flags (raw) become [`Settings`] (valid).
//!
//! May read the settings file and the environment it is given; never a credential, the network or
//! the state folder.

mod settings;

pub use settings::{
    Auth, DriftPolicy, FileModeRule, HistoryRewrite, HttpAuth, LiveMode, LiveSettings, Location,
    Mask, MaxDeletions, NodeSettings, Owner, Reference, RenderSettings, Settings, SourceSettings,
    SyncPolicy, Tls, Window, WindowKind,
};
