//! Files that are encrypted in the repository: what they become is held against the rules, in
//! memory, and nothing that they say is told.

use super::files::Looked;
use super::policies::Asked;
use super::{AtHand, Gate, Rules, Schemas, lfs, references, syntax};
use crate::config::Secrets;
use crate::gates::references::Facts;
use crate::model::{Finding, TreePath};
use crate::secrets::{self, Identities, Plain, Watch};

/// How encrypted files are looked at.
#[derive(Clone, Debug, Default)]
pub(super) enum Sealed {
    /// They stay encrypted on disk, and are held against the rules as they are.
    AsTheyAre,
    /// Nobody here can decrypt them: rules about what they hold are not asked. Whether they can be
    /// staged is found out later.
    #[default]
    Closed,
    /// They are decrypted with these.
    With(Identities),
}

/// [`Sealed`], and when to make it anew.
#[derive(Clone, Debug, Default)]
pub(super) struct Opening {
    settings: Option<Secrets>,
    watch: Watch,
    pub(super) sealed: Sealed,
    fingerprint: String,
}

impl Opening {
    pub(super) fn of(settings: &Secrets) -> Self {
        let mut opening = Self { settings: Some(settings.clone()), ..Self::default() };
        if !settings.decrypt {
            opening.sealed = Sealed::AsTheyAre;
        }
        opening.refresh();
        opening
    }

    /// Reads the identities where they are others now. Whether they are. Those that cannot be read
    /// at the moment are the ones they were.
    pub(super) fn refresh(&mut self) -> bool {
        let Some(settings) = self.settings.as_ref().filter(|settings| settings.decrypt) else {
            return false;
        };
        let now = self.watch.fingerprint(settings);
        let Some(now) = now.filter(|now| *now != self.fingerprint) else { return false };
        let Ok(identities) = Identities::read(settings) else { return false };
        self.sealed = Sealed::With(identities);
        self.fingerprint = now;
        true
    }

    /// What findings depend on.
    pub(super) fn word(&self) -> &str {
        match &self.sealed {
            Sealed::AsTheyAre => "as they are",
            Sealed::Closed | Sealed::With(_) => &self.fingerprint,
        }
    }
}

/// What an encrypted file becomes.
pub(super) enum Opened {
    /// It is none, or it is looked at as it is.
    AsItIs,
    /// Nobody here can decrypt it, or it is damaged.
    Closed,
    Plain(Plain),
}

pub(super) fn open(path: &TreePath, bytes: &[u8], rules: &Rules) -> Opened {
    let sealed = &rules.opening.sealed;
    if matches!(sealed, Sealed::AsTheyAre) || !secrets::may_be_encrypted(path, bytes) {
        return Opened::AsItIs;
    }
    let Sealed::With(identities) = sealed else { return Opened::Closed };
    match secrets::decrypt(path, bytes, identities, &rules.limits) {
        Ok(Some(plain)) => Opened::Plain(plain),
        Ok(None) => Opened::AsItIs,
        Err(_) => Opened::Closed,
    }
}

/// The path that says what a file is once it is decrypted.
fn shown(path: &TreePath) -> TreePath {
    let staged = secrets::staged_name(path.as_str()).and_then(|it| TreePath::parse(it).ok());
    staged.unwrap_or_else(|| path.clone())
}

/// What is said of an encrypted file; `None` where it is none, or is looked at as it is.
pub(super) fn look(
    path: &TreePath,
    bytes: &[u8],
    rules: &Rules,
    schemas: &Schemas<'_>,
) -> Option<Looked> {
    let plain = match open(path, bytes, rules) {
        Opened::AsItIs => return None,
        Opened::Closed => {
            let file = AtHand::new(path, bytes, rules, schemas);
            let findings = [lfs::check(&file), syntax::check(&file)].concat();
            return Some(Looked { findings, ..Looked::default() });
        }
        Opened::Plain(plain) => plain,
    };
    let shown = shown(path);
    let file = AtHand::new(&shown, plain.expose(), rules, schemas);
    let found = Gate::ALL.iter().filter_map(|gate| match gate {
        Gate::File(check) => Some(check(&file)),
        Gate::Tree(_) => None,
    });
    let findings = found.flatten().map(|finding| untold(finding, path)).collect();
    let facts = references::facts(&file);
    // Facts are remembered in the mirror's folder: what values say is left out.
    let facts = Facts { uses: Vec::new(), ..facts };
    Some(Looked { findings, facts, asked: file.into_asked(path, true) })
}

/// The documents of a file as it is in the repository, and as it is decrypted; `None` where they
/// cannot be read, which is said elsewhere.
pub(super) fn documents(
    path: &TreePath,
    bytes: &[u8],
    rules: &Rules,
) -> Option<(Asked, Option<Asked>)> {
    let schemas = Schemas::none();
    let as_it_is = AtHand::new(path, bytes, rules, &schemas).into_asked(path, false);
    let Opened::Plain(plain) = open(path, bytes, rules) else { return Some((as_it_is?, None)) };
    let shown = shown(path);
    let opened = AtHand::new(&shown, plain.expose(), rules, &schemas).into_asked(path, true);
    // What is encrypted as a whole says nothing before.
    let nothing = Asked {
        path: path.clone(),
        shown: shown.clone(),
        documents: Vec::new(),
        bytes: bytes.len(),
        is_sealed: true,
    };
    Some((as_it_is.unwrap_or(nothing), opened))
}

/// The same finding without a word of what the file says: rule, file and line are left.
fn untold(finding: Finding, path: &TreePath) -> Finding {
    Finding {
        file: Some(path.as_str().to_owned()),
        column: None,
        message: "what is decrypted of this file breaks the rule; more is not told of it"
            .to_owned(),
        hint: Some(
            "look at the decrypted file, whose line this is: `sops decrypt`, `age -d`".to_owned(),
        ),
        ..finding
    }
}
