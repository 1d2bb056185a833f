use std::path::Path;

use super::local::{Local, embedded_path};
use super::{Fetched, Head, Source, SourceError};
use crate::config::{Location, SourceSettings};
use crate::model::{Limits, Revision};
use crate::objects::Mirror;

/// The repository that the settings name.
pub struct Remote {
    kind: Kind,
}

enum Kind {
    Local(Local),
}

impl Remote {
    /// The repository, not asked yet.
    ///
    /// # Errors
    /// When a file that it needs cannot be read.
    pub fn new(
        settings: &SourceSettings,
        _limits: &Limits,
        state_dir: &Path,
        _runtime: tokio::runtime::Handle,
    ) -> Result<Self, SourceError> {
        let reference = settings.reference.clone();
        let kind = match &settings.location {
            Location::Path(path) => Kind::Local(Local::at(path.clone(), reference)),
            Location::Embedded => {
                Kind::Local(Local::embedded(embedded_path(state_dir), reference)?)
            }
            other => {
                return Err(SourceError::Unreachable {
                    place: format!("{other:?}"),
                    detail: "not yet".to_owned(),
                    retry_after: None,
                });
            }
        };
        Ok(Self { kind })
    }
}

impl Source for Remote {
    fn ask(&mut self) -> Result<Head, SourceError> {
        match &mut self.kind {
            Kind::Local(local) => local.ask(),
        }
    }

    fn fetch(
        &mut self,
        head: &Head,
        since: Option<&Revision>,
        mirror: &Mirror,
    ) -> Result<Fetched, SourceError> {
        match &mut self.kind {
            Kind::Local(local) => local.fetch(head, since, mirror),
        }
    }
}
