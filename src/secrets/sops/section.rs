use zeroize::Zeroizing;

use super::super::{Identities, Problem, SecretsError, age};
use crate::document::{Node, Value};

/// Recipients of one file.
const RECIPIENTS_MAX: usize = 1_000;
/// Bytes of the key that all values of a file are encrypted with.
const DATA_KEY: usize = 32;
/// Services and formats whose keys are not asked for, as the section and as people name them.
const OTHERS: [(&str, &str); 7] = [
    ("pgp", "PGP keys"),
    ("kms", "AWS KMS"),
    ("gcp_kms", "Google Cloud KMS"),
    ("azure_kv", "Azure Key Vault"),
    ("hc_vault", "HashiCorp Vault"),
    ("hckms", "Huawei Cloud KMS"),
    ("key_groups", "key groups"),
];

/// What a file says of how it is encrypted.
#[derive(Debug, Default)]
pub(super) struct Section {
    /// Recipients of age, and the data key encrypted to each.
    pub(super) age: Vec<(String, String)>,
    /// Other holders of the data key, in words.
    pub(super) others: Vec<&'static str>,
    /// Key groups beyond the first.
    pub(super) is_split: bool,
    pub(super) mac: String,
    pub(super) last_modified: String,
    pub(super) mac_only_encrypted: bool,
    pub(super) rules: Rules,
}

/// Which values are to be encrypted.
#[derive(Debug, Default)]
pub(super) struct Rules {
    pub(super) unencrypted_suffix: Option<String>,
    pub(super) encrypted_suffix: Option<String>,
    pub(super) unencrypted_regex: Option<String>,
    pub(super) encrypted_regex: Option<String>,
    /// Whether comments have a say: which these are is lost in parsing.
    pub(super) by_comments: bool,
}

impl Section {
    /// Reads the `sops` mapping of a document.
    pub(super) fn of_node(node: &Node) -> Result<Self, Problem> {
        let text = |key: &str| node.get(key).and_then(Node::text).map(str::to_owned);
        let groups = node.get("key_groups").map_or(&[][..], items);
        let mut section = Self { is_split: groups.len() > 1, ..Self::default() };
        // One group alone may be written as a group, or at the top.
        for holders in [Some(node), groups.first()].into_iter().flatten() {
            section.age.extend(holders.get("age").map_or(&[][..], items).iter().map(|entry| {
                let text = |key| entry.get(key).and_then(Node::text).unwrap_or_default().to_owned();
                (text("recipient"), text("enc"))
            }));
            let has = |key: &str| key != "key_groups" && holders.get(key).is_some_and(is_some);
            section.others.extend(OTHERS.iter().filter(|(key, _)| has(key)).map(|(_, it)| *it));
        }
        section.fill(text)
    }

    /// Reads the pairs behind `sops_` of a dotenv file.
    pub(super) fn of_pairs(pairs: &[(&str, String)]) -> Result<Self, Problem> {
        let text = |key: &str| pairs.iter().find(|(k, _)| *k == key).map(|(_, v)| v.clone());
        let mut section = Self::default();
        for (key, recipient) in pairs {
            let entry =
                key.strip_prefix("age__list_").and_then(|it| it.strip_suffix("__map_recipient"));
            if let Some(n) = entry {
                let sealed = text(&format!("age__list_{n}__map_enc")).unwrap_or_default();
                section.age.push((recipient.clone(), sealed));
            }
        }
        let has = |key: &str| pairs.iter().any(|(k, _)| k.starts_with(&format!("{key}__list_")));
        section.is_split = has("key_groups");
        section.others = OTHERS.iter().filter(|(key, _)| has(key)).map(|(_, it)| *it).collect();
        section.fill(text)
    }

    fn fill(mut self, text: impl Fn(&str) -> Option<String>) -> Result<Self, Problem> {
        let some = |key: &str| text(key).filter(|value| !value.is_empty());
        self.mac = some("mac").ok_or(Problem::Section("it has no `mac`"))?;
        self.last_modified =
            some("lastmodified").ok_or(Problem::Section("it has no `lastmodified`"))?;
        self.mac_only_encrypted = some("mac_only_encrypted").is_some_and(|it| it == "true");
        self.rules = Rules {
            unencrypted_suffix: some("unencrypted_suffix"),
            encrypted_suffix: some("encrypted_suffix"),
            unencrypted_regex: some("unencrypted_regex"),
            encrypted_regex: some("encrypted_regex"),
            by_comments: some("unencrypted_comment_regex").is_some()
                || some("encrypted_comment_regex").is_some(),
        };
        Ok(self)
    }

    /// The key that all values are encrypted with, by the first recipient that is one of ours.
    pub(super) fn data_key(
        &self,
        identities: &Identities,
    ) -> Result<Zeroizing<[u8; DATA_KEY]>, SecretsError> {
        if self.is_split {
            return Err(Problem::Shamir.into());
        }
        if self.age.len() > RECIPIENTS_MAX {
            return Err(Problem::Section("it has more than 1000 recipients").into());
        }
        let ours = identities.recipients();
        for (recipient, sealed) in &self.age {
            let key = match age::decrypt(sealed.as_bytes(), identities) {
                Ok(key) => key,
                // It says that it is for us, and it is not.
                Err(_) if ours.contains(recipient) => {
                    let what = "the key for one of our recipients cannot be decrypted";
                    return Err(Problem::Section(what).into());
                }
                Err(_) => continue,
            };
            let key: Option<[u8; DATA_KEY]> = key.as_slice().try_into().ok();
            let key = key.ok_or(Problem::Section("its key has not 32 bytes"))?;
            return Ok(Zeroizing::new(key));
        }
        Err(SecretsError::NoIdentity { to: self.told() })
    }

    /// Whom it is encrypted to, in words.
    fn told(&self) -> String {
        const NAMED: usize = 5;
        const NAME_CHARS_MAX: usize = 80;
        let mut named: Vec<&str> =
            self.age.iter().map(|(recipient, _)| recipient.as_str()).take(NAMED).collect();
        named.extend(&self.others);
        if self.age.len() > NAMED {
            named.push("more");
        }
        let short = |it: &&str| it.chars().take(NAME_CHARS_MAX).collect::<String>();
        let named: Vec<String> =
            named.iter().map(|it| short(it).escape_debug().to_string()).collect();
        if named.is_empty() { "nobody".to_owned() } else { named.join(", ") }
    }
}

fn items(node: &Node) -> &[Node] {
    match &node.value {
        Value::Sequence(items) => items,
        _ => &[],
    }
}

fn is_some(node: &Node) -> bool {
    !items(node).is_empty()
}
