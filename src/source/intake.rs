//! A pack on its way into the mirror, in bounded memory: libgit2 indexes it while it arrives.
//!
//! A pack has to be complete. libgit2 would complete one of differences to what is here, but goes on
//! for ever, taking more and more memory, with one whose differences give what it has already.
//! Differences in an order that makes it begin anew for each are given up in time.

use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use git2::{Error, ErrorClass, Indexer};

use crate::memory;
use crate::model::Limits;
use crate::objects::{Indexing, Mirror};
use crate::progress::Progress;

use super::{LARGE_FETCH_BYTES, SourceError};

/// How many objects a pack may have for each file that a tree may have: folders, commits, and some
/// commits at once.
const OBJECTS_PER_FILE_MAX: u64 = 8;

/// How much of what is new is taken with the commits in between: more is asked for without them.
const LITTLE_OBJECTS_MAX: u64 = 20_000;
const LITTLE_BYTES_MAX: u64 = 32 * 1024 * 1024;

/// How long working out differences may take once all has come, unless somebody says less.
const WORKING_OUT_MAX: Duration = Duration::from_mins(10);

/// How often what libgit2 has mapped of a large pack is let go of: it would keep all of it mapped until
/// the end, whatever bounds it has.
const LET_GO_EVERY: Duration = Duration::from_millis(10);

/// What a pack starts with: `PACK`, version, number of objects.
const PACK_HEADER_BYTES: usize = 12;

/// Receives one pack.
pub(super) struct Intake<'o> {
    indexer: Option<Indexer<'o>>,
    header: Vec<u8>,
    bytes: u64,
    bytes_max: u64,
    objects_max: u64,
    time_max: Duration,
    place: String,
    mirror: &'o Mirror,
    progress: Progress,
    /// `None` once it is with what works the pack through.
    alone: Option<Indexing>,
}

impl<'o> Intake<'o> {
    /// Starts a pack from `place` for the mirror.
    pub(super) fn start(
        mirror: &'o Mirror,
        limits: &Limits,
        place: &str,
    ) -> Result<Self, SourceError> {
        let store = |source| SourceError::Store { path: mirror.path().to_owned(), source };
        let folder = mirror.path().join("objects/pack");
        let alone = Indexing::begin();
        Ok(Self {
            indexer: Some(Indexer::new(None, &folder, 0, false).map_err(store)?),
            header: Vec::with_capacity(PACK_HEADER_BYTES),
            bytes: 0,
            bytes_max: limits.fetch_bytes_max,
            objects_max: limits.files_max.saturating_mul(OBJECTS_PER_FILE_MAX),
            time_max: WORKING_OUT_MAX,
            place: place.to_owned(),
            mirror,
            progress: Progress::default(),
            alone: Some(alone),
        })
    }

    /// Tells `progress` how many bytes have come.
    pub(super) fn reporting_to(mut self, progress: &Progress) -> Self {
        self.progress = progress.clone();
        self
    }

    /// Takes no longer than this once all has come.
    pub(super) const fn within(mut self, time: Duration) -> Self {
        self.time_max = time;
        self
    }

    /// Takes no more than is worth having beside what is wanted.
    pub(super) fn little(mut self) -> Self {
        self.bytes_max = self.bytes_max.min(LITTLE_BYTES_MAX);
        self.objects_max = self.objects_max.min(LITTLE_OBJECTS_MAX);
        self
    }

    /// Takes the next bytes.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Result<(), SourceError> {
        self.bytes += bytes.len() as u64;
        self.progress.add(bytes.len() as u64);
        if self.bytes > self.bytes_max {
            return Err(self.over("limits.fetch_bytes_max", self.bytes_max));
        }
        if self.header.len() < PACK_HEADER_BYTES {
            let missing = PACK_HEADER_BYTES - self.header.len();
            self.header.extend(bytes.iter().take(missing));
            if self.objects().is_some_and(|count| count > self.objects_max) {
                return Err(self.over("8 x limits.files_max", self.objects_max));
            }
        }
        let written = self.indexer.as_mut().map_or(Ok(()), |indexer| indexer.write_all(bytes));
        // What libgit2 says is within what `Write` wants.
        written.map_err(|error| {
            let source = error.into_inner().and_then(|inner| inner.downcast::<Error>().ok());
            self.failed(source.map_or_else(|| Error::last_error(-1), |source| *source))
        })
    }

    /// Ends the pack: its objects are in the mirror. Gives its size in bytes.
    pub(super) fn finish(mut self) -> Result<u64, SourceError> {
        match self.objects() {
            // libgit2 makes no pack of nothing
            Some(0) => Ok(self.bytes),
            Some(_) => {
                let Some(mut indexer) = self.indexer.take() else { return Ok(self.bytes) };
                let until = Instant::now() + self.time_max;
                let mut room = self.make_room();
                indexer.progress(move |_| {
                    let now = Instant::now();
                    if let Some(room) = &mut room {
                        room.keep(now);
                    }
                    now < until
                });
                match indexer.commit() {
                    Ok(_) => Ok(self.bytes),
                    Err(_) if Instant::now() >= until => Err(SourceError::TimedOut {
                        place: self.place.clone(),
                        doing: "working out the differences",
                        limit: self.time_max,
                    }),
                    Err(error) => Err(self.failed(error)),
                }
            }
            None => Err(self.damaged("the pack ends early")),
        }
    }

    /// Before a large pack is worked through again.
    fn make_room(&mut self) -> Option<Room> {
        if self.bytes < LARGE_FETCH_BYTES {
            return None;
        }
        memory::give_back();
        let folder = self.mirror.path().join("objects/pack").canonicalize().ok()?;
        Some(Room { alone: self.alone.take()?, folder, kept_at: Instant::now() })
    }

    fn objects(&self) -> Option<u64> {
        let count = self.header.get(8..PACK_HEADER_BYTES)?.try_into().ok()?;
        Some(u64::from(u32::from_be_bytes(count)))
    }

    fn over(&self, limit: &'static str, max: u64) -> SourceError {
        SourceError::Limit { place: self.place.clone(), limit, max }
    }

    fn damaged(&self, problem: &str) -> SourceError {
        SourceError::Damaged { place: self.place.clone(), problem: problem.to_owned() }
    }

    /// The disk's fault or the sender's.
    fn failed(&self, error: Error) -> SourceError {
        if matches!(error.class(), ErrorClass::Os | ErrorClass::Filesystem | ErrorClass::NoMemory) {
            SourceError::Store { path: self.mirror.path().to_owned(), source: error }
        } else {
            self.damaged(&format!("its pack cannot be read ({})", error.message()))
        }
    }
}

/// Keeps what is mapped of the pack small while it is worked through.
struct Room {
    alone: Indexing,
    folder: PathBuf,
    kept_at: Instant,
}

impl Room {
    /// For what the indexer calls.
    fn keep(&mut self, now: Instant) {
        if now - self.kept_at >= LET_GO_EVERY {
            self.kept_at = now;
            self.alone.let_go(&self.folder);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_what_is_not_needed_only_little_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let mirror = Mirror::open_or_create(&folder.path().join("repo.git")).unwrap();
        let limits = Limits::default();
        let header = |objects: u64| {
            let count = u32::try_from(objects).unwrap().to_be_bytes();
            [b"PACK".as_slice(), &2_u32.to_be_bytes(), &count].concat()
        };
        let start = || Intake::start(&mirror, &limits, "there").unwrap();
        start().little().take(&header(LITTLE_OBJECTS_MAX)).unwrap();
        let error = start().little().take(&header(LITTLE_OBJECTS_MAX + 1)).unwrap_err();
        assert!(matches!(error, SourceError::Limit { .. }), "{error}");
        start().take(&header(LITTLE_OBJECTS_MAX + 1)).unwrap();
    }

    #[test]
    fn differences_that_take_too_long_are_given_up() {
        let folder = tempfile::tempdir().unwrap();
        let mirror = Mirror::open_or_create(&folder.path().join("repo.git")).unwrap();
        let mut builder = mirror.repository().packbuilder().unwrap();
        for last in ["1", "2"] {
            let text = (0..500).map(|n| format!("{n}: {}\n", n * 7919)).collect::<String>();
            let id = mirror.repository().blob((text + last).as_bytes()).unwrap();
            builder.insert_object(id, None).unwrap();
        }
        let mut pack = Vec::new();
        let taken = builder.foreach(|bytes| {
            pack.extend_from_slice(bytes);
            true
        });
        taken.unwrap();
        let start = || {
            let mut intake = Intake::start(&mirror, &Limits::default(), "there").unwrap();
            intake.take(&pack).unwrap();
            intake
        };
        let error = start().within(Duration::ZERO).finish().unwrap_err();
        assert!(matches!(error, SourceError::TimedOut { .. }), "{error}");
        assert_eq!(mirror.pack_count().unwrap(), 0);
        start().finish().unwrap();
        assert_eq!(mirror.pack_count().unwrap(), 1);
    }
}
