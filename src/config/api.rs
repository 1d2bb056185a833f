//! `api`: where it listens, and who may do what.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::decode::glob;
use super::jwt::{self, JwtSettings};
use super::rates::{self, Rates};
use super::reader::Reader;
use super::table::nearest;
use super::values::{self, Read, shown};
use crate::document::{Node, Value};
use crate::model::{Action, Role};

/// Who may reach the API, and what they may do there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiSettings {
    /// Where `serve` listens.
    pub listen: SocketAddr,
    /// The certificate that it shows; `None`: plain HTTP.
    pub tls: Option<ServerTls>,
    /// The tokens, each for one role.
    pub tokens: Vec<TokenSettings>,
    /// JSON Web Tokens of an issuer; `None`: none are taken.
    pub jwt: Option<JwtSettings>,
    /// How much may be asked within a time.
    pub rates: Rates,
    /// All roles, the built-in ones first.
    pub roles: Vec<Role>,
}

/// TLS towards those who call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerTls {
    /// The certificate and those that lead to its authority, in PEM.
    pub cert_file: PathBuf,
    /// Its key, in PEM.
    pub key_file: PathBuf,
    /// Who signs the certificates of clients; `None`: they show none.
    pub client_ca_file: Option<PathBuf>,
    /// Clients that are known by their certificates.
    pub clients: Vec<ClientSettings>,
}

/// A client that is known by its certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientSettings {
    /// A name that the certificate is for.
    pub name: String,
    /// The name of a role.
    pub role: String,
}

/// A token and what it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenSettings {
    /// Who has it: the name in the audit trail.
    pub name: String,
    /// The file with the token, or with `sha256:` and its hash.
    pub token_file: PathBuf,
    /// The name of a role.
    pub role: String,
}

impl ApiSettings {
    /// A role by its name.
    #[must_use]
    pub fn role(&self, name: &str) -> Option<&Role> {
        self.roles.iter().find(|role| role.name == name)
    }
}

/// Reads the group; `None` had findings.
pub(super) fn read(reader: &mut Reader<'_>) -> Option<ApiSettings> {
    let roles = roles(reader);
    Some(ApiSettings {
        listen: listen(reader)?,
        tls: tls(reader, &roles),
        tokens: tokens(reader, &roles),
        jwt: jwt::read(reader),
        rates: rates::read(reader),
        roles,
    })
}

fn listen(reader: &mut Reader<'_>) -> Option<SocketAddr> {
    reader.optional("api.listen", |node| {
        let written = values::text(node)?;
        written.parse().map_err(|_| {
            let examples = "127.0.0.1:8740 or [::1]:8740";
            format!("{} is not an IP address and a port such as {examples}", shown(&written))
        })
    })
}

fn tls(reader: &mut Reader<'_>, roles: &[Role]) -> Option<ServerTls> {
    let cert_file = reader.path("api.tls.cert_file");
    let key_file = reader.path("api.tls.key_file");
    let client_ca_file = reader.path("api.tls.client_ca_file");
    let clients = clients(reader, roles);
    if !clients.is_empty() && client_ca_file.is_none() {
        reader.wrong("api.tls.clients", "needs `client_ca_file` beside it");
    }
    match (cert_file, key_file) {
        (Some(cert_file), Some(key_file)) => {
            Some(ServerTls { cert_file, key_file, client_ca_file, clients })
        }
        (None, None) => {
            if client_ca_file.is_some() {
                reader
                    .wrong("api.tls.client_ca_file", "needs `cert_file` and `key_file` beside it");
            }
            None
        }
        (None, Some(_)) => {
            reader.wrong("api.tls.key_file", "needs `cert_file` beside it");
            None
        }
        (Some(_), None) => {
            reader.wrong("api.tls.cert_file", "needs `key_file` beside it");
            None
        }
    }
}

fn clients(reader: &mut Reader<'_>, roles: &[Role]) -> Vec<ClientSettings> {
    let mut names: Vec<String> = Vec::new();
    reader.items("api.tls.clients", "api.tls.clients[]", |item| {
        let name = item.required("api.tls.clients[].name", |node| {
            let name = values::text(node)?;
            match rustls_pki_types::ServerName::try_from(name.as_str()) {
                Ok(_) => Ok(name),
                Err(_) => Err(format!("{} is neither a DNS name nor an IP address", shown(&name))),
            }
        });
        if let Some(name) = name.as_ref().filter(|name| names.contains(name)) {
            item.wrong("api.tls.clients[].name", &format!("{} is there twice", shown(name)));
        }
        names.extend(name.clone());
        let role = item.required("api.tls.clients[].role", |node| {
            let role = values::text(node)?;
            known(&role, roles).map(|()| role)
        });
        Some(ClientSettings { name: name?, role: role? })
    })
}

fn tokens(reader: &mut Reader<'_>, roles: &[Role]) -> Vec<TokenSettings> {
    let mut names: Vec<String> = vec!["admin".to_owned()];
    reader.items("api.tokens", "api.tokens[]", |item| {
        let name = item.required("api.tokens[].name", values::text)?;
        if names.contains(&name) {
            let why = if name == "admin" {
                "that is the first admin token's"
            } else {
                "it is there twice"
            };
            item.wrong("api.tokens[].name", &format!("{}: {why}", shown(&name)));
        }
        names.push(name.clone());
        let role = item.required("api.tokens[].role", |node| {
            let role = values::text(node)?;
            known(&role, roles).map(|()| role)
        });
        item.required("api.tokens[].token_file", values::text)?;
        let token_file = item.path("api.tokens[].token_file")?;
        Some(TokenSettings { name, token_file, role: role? })
    })
}

fn known(role: &str, roles: &[Role]) -> Read<()> {
    if roles.iter().any(|known| known.name == role) {
        return Ok(());
    }
    let names: Vec<&str> = roles.iter().map(|role| role.name.as_str()).collect();
    Err(match nearest(role, names.iter().copied()) {
        Some(meant) => format!("{} is not a role; did you mean `{meant}`?", shown(role)),
        None => format!("{} is not a role; there are {}", shown(role), names.join(", ")),
    })
}

/// Roles of the settings, behind the built-in ones.
fn roles(reader: &mut Reader<'_>) -> Vec<Role> {
    let mut roles = Role::built_in();
    let own = reader.optional("api.roles", |node| {
        let Value::Mapping(pairs) = &node.value else {
            return Err(format!("a mapping of names to roles is expected, not {}", node.kind()));
        };
        pairs.iter().map(|(name, value)| role(name, value)).collect::<Read<Vec<Role>>>()
    });
    for role in own.unwrap_or_default() {
        if roles.iter().any(|known| known.name == role.name) {
            reader
                .wrong("api.roles", &format!("{} is built in, or there twice", shown(&role.name)));
        } else {
            roles.push(role);
        }
    }
    roles
}

fn role(name: &Node, value: &Node) -> Read<Role> {
    let name = values::text(name)?;
    let Value::Mapping(pairs) = &value.value else {
        return Err(format!("{}: `actions` and `paths` are expected", shown(&name)));
    };
    let mut role = Role { name, actions: Vec::new(), paths: Vec::new() };
    for (key, value) in pairs {
        match key.text().unwrap_or_default() {
            "actions" => {
                let words = values::texts(value)?;
                role.actions = words.iter().map(|word| action(word)).collect::<Read<_>>()?;
            }
            "paths" => {
                role.paths = values::list(value)?.iter().map(glob).collect::<Read<_>>()?;
            }
            other => {
                let name = shown(&role.name);
                return Err(format!(
                    "{name}: {} is not a key of a role; those are `actions` and `paths`",
                    shown(other)
                ));
            }
        }
    }
    if role.actions.is_empty() {
        return Err(format!("{}: `actions` is missing: what may it do?", shown(&role.name)));
    }
    Ok(role)
}

fn action(word: &str) -> Read<Action> {
    Action::from_word(word).ok_or_else(|| {
        let words: Vec<&str> = Action::ALL.iter().map(|action| action.as_str()).collect();
        let meant = match nearest(word, words.iter().copied()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("there are {}", words.join(", ")),
        };
        format!("{} is not an action; {meant}", shown(word))
    })
}
