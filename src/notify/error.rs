use std::path::PathBuf;

/// What can go wrong on our side of a notification. No message holds a secret or a node's URL.
#[derive(Debug, thiserror::Error)]
pub enum NotifyError {
    /// A file with secrets cannot be read.
    #[error("cannot read the secret file {}", path.display())]
    SecretFile {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file with secrets is not one.
    #[error("the secret file {} {problem}", path.display())]
    SecretFileShape {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and what to do.
        problem: &'static str,
    },
    /// A line in a file with secrets is not a key.
    #[error("{}:{line}: {problem}", path.display())]
    SecretLine {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it, and what to do; never the line itself.
        problem: &'static str,
    },
    /// The HTTP client cannot be made.
    #[error("cannot set up the HTTP client for notifications")]
    Client(#[source] reqwest::Error),
    /// The body of an event cannot be written.
    #[error("cannot write the body of event {event}")]
    Body {
        /// The event's id.
        event: String,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// Something in an event cannot be part of a request's headers.
    #[error("event {event} cannot be put into a request's headers")]
    Header {
        /// The event's id.
        event: String,
        /// Why.
        #[source]
        source: reqwest::header::InvalidHeaderValue,
    },
    /// An event says nothing of a commit.
    #[error("event {event} says nothing of a commit that a forge could show")]
    NoCommit {
        /// The event's id.
        event: String,
    },
    /// The body of an event does not fit the limit, however much is left out.
    #[error("event {event} does not fit {limit} bytes; raise limits.webhook_body_bytes_max")]
    BodyLimit {
        /// The event's id.
        event: String,
        /// The limit, in bytes.
        limit: usize,
    },
}
