use std::sync::{Arc, Mutex, PoisonError};

use super::Point;
use crate::config::Settings;
use crate::model::Revision;

/// Revisions that are known at once; the one that was asked for longest ago goes first.
const KNOWN_MAX: usize = 64;

/// What revisions gave this machine, by the settings of now: who asks for one again waits for no
/// rendering, where its tree is one of the repository's own (with layers and filters: where it was
/// live since). Shared by the views that are made with it; nothing is lost when it is.
#[derive(Clone, Debug, Default)]
pub struct Known(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    /// By which these were rendered.
    settings: Option<Arc<Settings>>,
    /// The one that was asked for last at the end.
    points: Vec<Point>,
}

impl Known {
    /// What a revision gives by these settings, if it is known.
    pub(super) fn recall(&self, settings: &Arc<Settings>, revision: &Revision) -> Option<Point> {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !inner.is_by(settings) {
            return None;
        }
        let at = inner.points.iter().position(|point| point.revision == *revision)?;
        let point = inner.points.remove(at);
        inner.points.push(point.clone());
        Some(point)
    }

    /// Remembers what a revision gave.
    pub(super) fn remember(&self, settings: &Arc<Settings>, point: &Point) {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !inner.is_by(settings) {
            *inner = Inner { settings: Some(Arc::clone(settings)), points: Vec::new() };
        }
        inner.points.retain(|known| known.revision != point.revision);
        if inner.points.len() >= KNOWN_MAX {
            inner.points.remove(0);
        }
        inner.points.push(point.clone());
    }
}

impl Inner {
    fn is_by(&self, settings: &Arc<Settings>) -> bool {
        self.settings.as_ref().is_some_and(|known| Arc::ptr_eq(known, settings))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Flags, Sources, load};
    use crate::model::{Digest, ObjectId};

    fn loaded() -> Arc<Settings> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("kconfigd.yaml");
        let yaml = "{state_dir: /s, gitops: {repository: /r}, live: {path: /l/live}}";
        std::fs::write(&file, yaml).unwrap();
        let sources =
            Sources { file: Some(file), environment: Vec::new(), flags: Flags::default() };
        Arc::new(load(&sources).unwrap().settings)
    }

    fn point(number: u8) -> Point {
        Point {
            tree: ObjectId([number; 20]),
            digest: Digest([number; 32]),
            files: 1,
            revision: Revision::parse(&format!("{number:040x}")).unwrap(),
            deployment: None,
        }
    }

    #[test]
    fn revisions_are_known_by_the_settings_that_rendered_them_and_the_oldest_goes_first() {
        let (known, settings) = (Known::default(), loaded());
        let points: Vec<Point> = (0..=KNOWN_MAX as u8).map(point).collect();
        points.iter().take(KNOWN_MAX).for_each(|point| known.remember(&settings, point));
        let recalled = |point: &Point| known.recall(&settings, &point.revision);
        assert_eq!(recalled(&points[0]).as_ref(), Some(&points[0]));
        known.remember(&settings, &points[KNOWN_MAX]);
        assert_eq!(recalled(&points[0]).as_ref(), Some(&points[0]), "asked for just before");
        assert_eq!(recalled(&points[1]), None, "asked for longest ago");
        assert_eq!(recalled(&points[KNOWN_MAX]).as_ref(), Some(&points[KNOWN_MAX]));
        let others = loaded();
        assert_eq!(known.recall(&others, &points[0].revision), None);
        known.remember(&others, &points[1]);
        assert_eq!(recalled(&points[0]), None, "the settings of before");
    }
}
