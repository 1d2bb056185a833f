//! Power is cut, or an error comes, in front of every disk verb of every way; then the promises
//! are held against what is left.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex};

use rustix::io::Errno;

use super::told_source::Told;
use super::{Agent, Parts};
use crate::board::Board;
use crate::clock::ManualClock;
use crate::config::{self, Flags, LiveMode, Settings, Sources};
use crate::journal::Journal;
use crate::model::{PassOutcome, Report, Revision, Timestamp, Trigger, WishKind};
use crate::objects::{Item, ItemKind, Mirror};
use crate::secrets::tests::writer;
use crate::trees::Trees;
use crate::trees::sim::{Bug, Fault, PowerIsOut, SimDisk, Unsynced};

type Files = BTreeMap<PathBuf, Vec<u8>>;

pub(super) const LIVE: &str = "/etc/config";

/// Commits in a mirror that all machines of a run read: made once, since making them is slow.
struct Commits {
    folder: tempfile::TempDir,
    revisions: Vec<Revision>,
    contents: BTreeMap<Revision, Files>,
}

static COMMITS: LazyLock<Commits> = LazyLock::new(Commits::make);

/// A machine that can lose its power: what outlives that is in here.
pub(super) struct Machine {
    pub(super) disk: Arc<SimDisk>,
    pub(super) journal: Journal,
    head: Arc<Mutex<Revision>>,
    pub(super) clock: ManualClock,
    settings: Arc<Settings>,
}

impl Commits {
    fn make() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mirror = Mirror::open_or_create(&folder.path().join("repo.git")).unwrap();
        let mut commits = Self { folder, revisions: Vec::new(), contents: BTreeMap::new() };
        (0..8).for_each(|n| commits.add(&mirror, n));
        commits
    }

    fn add(&mut self, mirror: &Mirror, n: usize) {
        let file = |name: &str, text: &str| Item {
            name: name.into(),
            id: mirror.write_blob(text.as_bytes()).unwrap(),
            kind: ItemKind::File(crate::model::FileMode::Regular),
        };
        let text = format!("number: {n}\n");
        let only = format!("only-{n}");
        let below = [file("a.yaml", &text), file("b.yaml", "same: 1\n")];
        let below = mirror.write_tree(&below).unwrap();
        let folder = Item { name: "folder".into(), id: below, kind: ItemKind::Folder };
        // A folder that changes with every second commit only.
        let half = format!("half: {}\n", n / 2);
        let id = mirror.write_tree(&[file("c.yaml", &half)]).unwrap();
        let slow = Item { name: "slow".into(), id, kind: ItemKind::Folder };
        // A file that is decrypted, and changes with every second commit.
        let sealed = writer::armored(&writer::age(half.as_bytes(), &[writer::ALICE]));
        let items = [
            file("number", &text),
            file("same", "same\n"),
            file("sealed.age", &sealed),
            file(&only, &only),
            folder,
            slow,
        ];
        let tree = mirror.write_tree(&items).unwrap();
        let repository = mirror.repository();
        let who = git2::Signature::new("a", "a@example.com", &git2::Time::new(0, 0)).unwrap();
        let tree = repository.find_tree(git2::Oid::from_bytes(&tree.0).unwrap()).unwrap();
        let id = repository.commit(None, &who, &who, &text, &tree, &[]).unwrap();
        let revision = Revision::parse(&id.to_string()).unwrap();
        let files = [
            ("number", text.as_str()),
            ("same", "same\n"),
            ("sealed", &half),
            (&only, &only),
            ("folder/a.yaml", &text),
            ("folder/b.yaml", "same: 1\n"),
            ("slow/c.yaml", &half),
        ];
        let files = files.map(|(path, text)| (PathBuf::from(path), text.as_bytes().to_vec()));
        self.contents.insert(revision.clone(), Files::from(files));
        self.revisions.push(revision);
    }
}

impl Machine {
    pub(super) fn new(mode: LiveMode) -> Self {
        let sources = Sources {
            flags: Flags {
                state_dir: Some(COMMITS.folder.path().to_owned()),
                repository: Some("/nowhere".to_owned()),
                branch: None,
                live: Some(LIVE.into()),
            },
            environment: vec![
                ("KCONFIGD_GITOPS__ROLLBACK_LIMIT".to_owned(), "2".to_owned()),
                ("KCONFIGD_LIVE__REUSE_AFTER".to_owned(), "1s".to_owned()),
            ],
            ..Sources::default()
        };
        let mut settings = config::load(&sources).unwrap().settings;
        settings.live.mode = mode;
        let identities = "fixtures/secrets/mock.txt";
        settings.secrets.age_identities_file =
            Some(Path::new(env!("CARGO_MANIFEST_DIR")).join(identities));
        let machine = Self {
            disk: Arc::new(SimDisk::with_folders(&["/etc"])),
            journal: Journal::open_in_memory().unwrap(),
            head: Arc::new(Mutex::new(COMMITS.revisions[0].clone())),
            clock: ManualClock::at(Timestamp(1_000_000)),
            settings: Arc::new(settings),
        };
        machine.show(0);
        machine
    }

    /// Other settings, from the next start on.
    pub(super) fn set(&mut self, change: impl FnOnce(&mut Settings)) {
        let mut settings = (*self.settings).clone();
        change(&mut settings);
        self.settings = Arc::new(settings);
    }

    /// The journal is gone.
    pub(super) fn forget(&mut self) {
        self.journal = Journal::open_in_memory().unwrap();
    }

    pub(super) fn show(&self, n: usize) {
        *self.head.lock().unwrap() = COMMITS.revisions[n].clone();
    }

    /// What the source shows.
    pub(super) fn head(&self) -> Revision {
        self.head.lock().unwrap().clone()
    }

    /// What sources that are told of it show.
    pub(super) fn shown(&self) -> Arc<Mutex<Revision>> {
        Arc::clone(&self.head)
    }

    /// Starts an agent, as after a boot: recovery first.
    pub(super) fn start(&self) -> Agent {
        let disk = self.disk.clone();
        let limit = self.settings.policy.rollback_limit;
        let trees = Trees::open(&self.settings.live, limit, disk, None).unwrap();
        let mut agent = Agent::new(Parts {
            settings: self.settings.clone(),
            source: Box::new(Told { head: self.head.clone(), works: None }),
            trees,
            journal: self.journal.clone(),
            clock: Arc::new(self.clock.clone()),
            board: Board::default(),
        })
        .unwrap()
        .preparing();
        agent.recover().unwrap();
        agent
    }

    pub(super) fn pass(&self, agent: &mut Agent) -> Arc<Report> {
        self.clock.advance(std::time::Duration::from_secs(5));
        let report = agent.pass(Trigger::Command);
        agent.tidy_up();
        agent.sweep();
        report
    }

    pub(super) fn wish(&self, kind: &WishKind) {
        self.journal.wish(kind, &crate::model::By::operator("test"), None, Timestamp(0)).unwrap();
    }

    /// Somebody writes to a file of the live tree.
    pub(super) fn scribble(&self, path: &str, text: &str) {
        use crate::trees::Disk;
        let live = Path::new(LIVE);
        let link = self.disk.read_link(live).map(|t| String::from_utf8(t).unwrap());
        let tree = link.map_or_else(|_| live.to_owned(), |t| Path::new("/etc").join(t));
        self.disk.scribble(&tree.join(path), text.as_bytes());
    }

    /// What a reader of the live path sees.
    pub(super) fn seen(&self) -> Option<Files> {
        use crate::trees::{Disk, Kind};
        let live = Path::new(LIVE);
        let folder = match self.disk.stat(live).unwrap()?.kind {
            Kind::Link => {
                use std::os::unix::ffi::OsStrExt as _;
                let target = self.disk.read_link(live).unwrap();
                Path::new("/etc").join(std::ffi::OsStr::from_bytes(&target))
            }
            _ => live.to_owned(),
        };
        Some(self.disk.files(&folder))
    }

    /// What outlives a power cut for certain: what the journal says is live, unless it is just about
    /// to be something else.
    pub(super) fn settled(&self) -> Option<Option<&'static Files>> {
        if self.journal.intent().unwrap().is_some() {
            return None;
        }
        let live = self.journal.standing().unwrap().live;
        Some(live.map(|live| &COMMITS.contents[&live.revision]))
    }

    /// Promises 1, 2 and 3: a whole tree is live, it is one of these, and the journal says so.
    pub(super) fn holds_promises(&self, one_of: &[Option<usize>], context: &str) {
        let seen = self.seen();
        let allowed: Vec<Option<&Files>> =
            one_of.iter().map(|n| n.map(|n| &COMMITS.contents[&COMMITS.revisions[n]])).collect();
        assert!(allowed.contains(&seen.as_ref()), "{context}: a reader sees {seen:?}");
        let recorded = self.journal.standing().unwrap().live.map(|live| live.revision);
        let recorded = recorded.map(|revision| &COMMITS.contents[&revision]);
        assert_eq!(recorded, seen.as_ref(), "{context}: the journal says something else");
        let rows = self.journal.history(100, None).unwrap().items;
        let live = rows.iter().filter(|d| d.outcome == crate::model::Outcome::Live).count();
        assert_eq!(live, usize::from(seen.is_some()), "{context}: {rows:?}");
    }
}

/// One of the ways: what is live before, what is done, what is live after.
pub(super) struct Way {
    pub(super) name: &'static str,
    prepare: fn(&Machine, &mut Agent),
    act: fn(&Machine, &mut Agent),
    pub(super) before: Option<usize>,
    pub(super) after: usize,
}

pub(super) const WAYS: &[Way] = &[
    Way {
        name: "first sync",
        prepare: |_, _| {},
        act: |m, a| drop(m.pass(a)),
        before: None,
        after: 0,
    },
    Way {
        name: "change",
        prepare: |m, a| {
            m.pass(a);
            m.show(1);
        },
        act: |m, a| drop(m.pass(a)),
        before: Some(0),
        after: 1,
    },
    Way {
        name: "tree reuse and pruning",
        prepare: |m, a| {
            for n in 0..6 {
                m.show(n);
                m.pass(a);
            }
            m.show(6);
        },
        act: |m, a| drop(m.pass(a)),
        before: Some(5),
        after: 6,
    },
    Way {
        name: "rollback",
        prepare: |m, a| {
            m.pass(a);
            m.show(1);
            m.pass(a);
            m.wish(&WishKind::Rollback { to: None, hold: false });
        },
        act: |m, a| drop(m.pass(a)),
        before: Some(1),
        after: 0,
    },
    Way {
        name: "repair",
        prepare: |m, a| {
            m.pass(a);
            m.wish(&WishKind::Repair);
        },
        act: |m, a| {
            m.scribble("number", "number: 0\n");
            drop(m.pass(a));
        },
        before: Some(0),
        after: 0,
    },
];

pub(super) fn run(
    way: &Way,
    mode: LiveMode,
    bug: Option<Bug>,
    fault: Option<(usize, Fault)>,
) -> (Machine, Vec<&'static str>) {
    let (machine, agent) = prepared(way, mode);
    machine.disk.seed(bug);
    machine.disk.plan(fault);
    let machine = acted(way, machine, agent);
    let verbs = machine.disk.verbs();
    machine.disk.seed(None);
    (machine, verbs)
}

/// A machine on which the way may be taken.
pub(super) fn prepared(way: &Way, mode: LiveMode) -> (Machine, Agent) {
    let machine = Machine::new(mode);
    let mut agent = machine.start();
    (way.prepare)(&machine, &mut agent);
    (machine, agent)
}

/// Takes the way, to its end or until the power is out.
pub(super) fn acted(way: &Way, machine: Machine, mut agent: Agent) -> Machine {
    let ended = catch_unwind(AssertUnwindSafe(|| (way.act)(&machine, &mut agent)));
    if let Err(panic) = ended {
        assert!(panic.is::<PowerIsOut>(), "{}: a panic of our own", way.name);
    }
    machine
}

/// Starts again, and goes on to one of these.
pub(super) fn converges(machine: &Machine, way: &Way, to: &[Option<usize>], context: &str) {
    let mut agent = machine.start();
    machine.holds_promises(&[way.before, Some(way.after)], context);
    for _ in 0..2 {
        machine.pass(&mut agent);
    }
    machine.holds_promises(to, context);
}

/// Cuts the power before every verb of every way. Gives how many points that were.
pub(super) fn cut_everywhere(mode: LiveMode, bug: Option<Bug>) -> usize {
    let points = WAYS.iter().map(|way| cut_along(way, mode, bug)).sum();
    println!("{mode:?}: {points} crash points");
    points
}

/// Cuts the power before every verb of a way. Gives how many points that were.
pub(super) fn cut_along(way: &Way, mode: LiveMode, bug: Option<Bug>) -> usize {
    let mut points = 0;
    let (machine, verbs) = run(way, mode, bug, None);
    machine.holds_promises(&[Some(way.after)], way.name);
    for (at, verb) in verbs.iter().enumerate() {
        for unsynced in [Unsynced::Dropped, Unsynced::Kept, Unsynced::Torn] {
            let (machine, _) = run(way, mode, bug, Some((at, Fault::PowerCut)));
            let settled = machine.settled();
            machine.disk.cut(unsynced);
            let context =
                format!("{} {mode:?}: cut before verb {at} ({verb}), {unsynced:?}", way.name);
            if let Some(settled) = settled {
                assert_eq!(machine.seen().as_ref(), settled, "{context}: it was complete");
            }
            converges(&machine, way, &[Some(way.after)], &context);
            points += 1;
        }
    }
    println!("{} {mode:?}: {} verbs: {}", way.name, verbs.len(), verbs.join(" "));
    points
}

/// Of so many errors one is tried at a verb, unless the long form is asked for.
const SAMPLE: usize = 3;

/// Lets every verb of every way fail, in these ways by turns. Gives how many points that were.
pub(super) fn fail_everywhere(mode: LiveMode, errors: &[Errno], bug: Option<Bug>) -> usize {
    let long = std::env::var_os("KCONFIGD_TEST_ROUNDS").is_some() || errors.len() < SAMPLE;
    let mut points = 0;
    for way in WAYS {
        let (_, verbs) = run(way, mode, bug, None);
        for (at, verb) in verbs.iter().enumerate() {
            for (number, error) in errors.iter().enumerate() {
                if !long && (at + number) % SAMPLE != 0 {
                    continue;
                }
                let (machine, _) = run(way, mode, bug, Some((at, Fault::Error(*error))));
                let context = format!("{} {mode:?}: {error} at verb {at} ({verb})", way.name);
                machine.holds_promises(&[way.before, Some(way.after)], &context);
                // An operator whose order failed was told so, and it is not given again.
                let stays = if way.name == "rollback" { way.before } else { Some(way.after) };
                converges(&machine, way, &[Some(way.after), stays], &context);
                points += 1;
            }
        }
    }
    println!("{mode:?}: {points} errors");
    points
}

#[test]
fn power_lost_before_any_verb_leaves_a_whole_tree_with_links() {
    cut_everywhere(LiveMode::Symlink, None);
}

#[test]
fn power_lost_before_any_verb_leaves_a_whole_tree_with_exchange() {
    cut_everywhere(LiveMode::Exchange, None);
}

/// What a disk says when it fails, is full or used up, may not be written or opened.
pub(super) const ERRORS: &[Errno] =
    &[Errno::IO, Errno::NOSPC, Errno::DQUOT, Errno::ROFS, Errno::MFILE, Errno::ACCESS];

#[test]
fn an_error_at_any_verb_leaves_a_whole_tree_and_the_next_pass_converges() {
    for mode in [LiveMode::Symlink, LiveMode::Exchange] {
        assert!(fail_everywhere(mode, ERRORS, None) > 200);
    }
}

#[test]
fn a_rollback_after_an_edit_in_place_gives_the_right_bytes() {
    let machine = Machine::new(LiveMode::Symlink);
    let mut agent = machine.start();
    machine.pass(&mut agent);
    machine.show(1);
    machine.pass(&mut agent);
    // `same` is one file under two names: written through the live tree, the earlier one has it too.
    machine.scribble("same", "scribbled\n");
    machine.wish(&WishKind::Rollback { to: None, hold: false });
    let report = machine.pass(&mut agent);
    assert_eq!(report.outcome, PassOutcome::Returned, "{}", report.message);
    machine.holds_promises(&[Some(0)], "rollback after an edit in place");
}

#[test]
fn a_tree_that_was_made_ready_and_not_to_its_end_is_durable_before_it_is_live() {
    for mode in [LiveMode::Symlink, LiveMode::Exchange] {
        let tidy = |fault| {
            let machine = Machine::new(mode);
            let mut agent = machine.start();
            for n in 0..4 {
                machine.show(n);
                machine.pass(&mut agent);
            }
            machine.show(4);
            machine.clock.advance(std::time::Duration::from_secs(5));
            agent.pass(Trigger::Command);
            machine.disk.plan(fault);
            agent.tidy_up();
            let verbs = machine.disk.verbs();
            machine.disk.plan(None);
            (machine, agent, verbs)
        };
        let (_, _, verbs) = tidy(None);
        for (at, verb) in verbs.iter().enumerate() {
            for unsynced in [Unsynced::Dropped, Unsynced::Torn] {
                let fault = Some((at, Fault::Error(rustix::io::Errno::NOSPC)));
                let (machine, mut agent, _) = tidy(fault);
                machine.show(5);
                agent.pass(Trigger::Command);
                machine.disk.cut(unsynced);
                drop(machine.start());
                let context = format!("{mode:?}: no room at verb {at} ({verb}), {unsynced:?}");
                machine.holds_promises(&[Some(5)], &context);
            }
        }
    }
}
