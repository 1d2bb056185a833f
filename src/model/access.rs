use super::deployment::words;

words! {
    /// Something that a caller of the API may or may not do.
    Action {
        /// See status, history, profiles, diffs, events and metrics.
        Read = "read",
        /// Hold documents against the gates.
        Validate = "validate",
        /// Make a revision live, or ask for a look at the source.
        Apply = "apply",
        /// Go back to an earlier deployment.
        Rollback = "rollback",
        /// Stop the agent, and let it go on.
        Suspend = "suspend",
        /// Put the live tree right.
        Repair = "repair",
        /// Write profiles into the repository.
        ProfilesWrite = "profiles:write",
        /// Send deliveries to nodes again.
        NodesWrite = "nodes:write",
        /// Read the audit trail.
        AuditRead = "audit:read",
    }
}

words! {
    /// How it is known who a caller is.
    Known {
        /// Whoever may open the control socket.
        Socket = "socket",
        /// A token of the settings, or the first admin token.
        Token = "token",
        /// A JSON Web Token.
        Jwt = "jwt",
        /// A client's certificate.
        Certificate = "certificate",
        /// A session of the dashboard.
        Session = "session",
        /// A signature over the request, such as a forge's.
        Signature = "signature",
        /// Not at all.
        Nobody = "nobody",
        /// kconfigd itself.
        Agent = "agent",
    }
}

words! {
    /// How a JSON Web Token may be signed (RFC 7518, section 3.1; RFC 8037): with a key that others
    /// may know, never with a shared secret, and never not at all.
    JwtAlgorithm {
        /// RSA with PKCS#1 v1.5 padding and SHA-256.
        Rs256 = "RS256",
        /// The same with SHA-384.
        Rs384 = "RS384",
        /// The same with SHA-512.
        Rs512 = "RS512",
        /// RSA with PSS padding and SHA-256.
        Ps256 = "PS256",
        /// The same with SHA-384.
        Ps384 = "PS384",
        /// The same with SHA-512.
        Ps512 = "PS512",
        /// ECDSA on P-256 with SHA-256.
        Es256 = "ES256",
        /// ECDSA on P-384 with SHA-384.
        Es384 = "ES384",
        /// Ed25519.
        EdDsa = "EdDSA",
    }
}

/// Who did or tried something: what the audit trail says of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct By {
    /// The name.
    pub name: String,
    /// How that is known.
    pub known: Known,
    /// The address they came from, without the port; `None`: this machine, by the socket.
    pub from: Option<String>,
}

impl By {
    /// Somebody who may open the control socket.
    #[must_use]
    pub fn operator(name: impl Into<String>) -> Self {
        Self { name: name.into(), known: Known::Socket, from: None }
    }

    /// kconfigd itself, following its settings.
    #[must_use]
    pub fn agent() -> Self {
        Self { name: "kconfigd".to_owned(), known: Known::Agent, from: None }
    }
}

/// What a caller may do, and with which files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// Its name.
    pub name: String,
    /// What may be done.
    pub actions: Vec<Action>,
    /// gitignore-style patterns of the files that may be seen and written; empty: all of them.
    pub paths: Vec<String>,
}

impl Role {
    /// The roles that are always there, the least one first.
    #[must_use]
    pub fn built_in() -> Vec<Self> {
        use Action::{
            Apply, AuditRead, NodesWrite, ProfilesWrite, Read, Repair, Rollback, Suspend, Validate,
        };
        let role = |name: &str, actions: &[Action]| Self {
            name: name.to_owned(),
            actions: actions.to_vec(),
            paths: Vec::new(),
        };
        vec![
            role("viewer", &[Read, Validate]),
            role(
                "operator",
                &[Read, Validate, Apply, Rollback, Suspend, Repair, NodesWrite, AuditRead],
            ),
            role("publisher", &[Read, Validate, ProfilesWrite]),
            role("admin", Action::ALL),
        ]
    }

    /// Whether it has the right to an action.
    #[must_use]
    pub fn may(&self, action: Action) -> bool {
        self.actions.contains(&action)
    }
}
