use super::table::Key;
use super::table::Kind::{
    Address, AnyMap, Bool, Bytes, Count, Deletions, Duration, Items, Labels, Mode, Owner, Path,
    Pause, Percent, Text, Texts, Url, Word,
};

macro_rules! keys {
    ($($path:literal: $kind:expr, $default:literal, $example:literal => $about:literal;)*) => {
        &[$(Key { path: $path, kind: $kind, default: $default, example: $example, about: $about }),*]
    };
}

/// Every key of `kconfigd.yaml`, in the order of the documentation.
///
/// Default and example are YAML; the default `null` is nothing, or what the text says.
pub(super) const KEYS: &[Key] = keys! {
    "profile": Text, "null", "developer_node"
        => "The profile that this node runs: `profiles/<name>.yaml` of the tree.";
    "needs": Word(&["everything", "profile"]), "everything", "profile"
        => "What of the folders `profiles/`, `agents/`, `plugins/` and `klp/` is part of the tree: everything, or only what `profile` uses, so that this machine has nothing that it does not need. See [profiles](profiles.md#only-what-it-needs).";
    "state_dir": Path, "null", "/var/lib/kconfigd"
        => "The folder of the mirror, the journal, the socket and the lock. Without it: `$STATE_DIRECTORY`, else `/var/lib/kconfigd` for root, else `$XDG_STATE_HOME/kconfigd` or `~/.local/state/kconfigd`.";
    "shutdown_grace": Duration { min_ms: 0 }, "10s", "30s"
        => "How long a pass may still take after SIGTERM or SIGINT before it is undone.";

    "gitops.repository": Text, "null", "https://git.example.com/kos-config"
        => "What is followed: `https://`, `http://`, `ssh://`, `git@host:path`, `file://`, a path, or `embedded` for a repository in the state folder that you push to. Required to sync.";
    "gitops.branch": Text, "null", "production"
        => "Follow a branch. One of `branch`, `tag`, `semver`, `commit`, `ref`; without any, the remote's HEAD.";
    "gitops.tag": Text, "null", "v1.4.0"
        => "Follow a tag, also when it moves.";
    "gitops.semver": Text, "null", "\">=1.2, <2\""
        => "Follow the highest tag in a semver range; a leading `v` of the tag does not count.";
    "gitops.commit": Text, "null", "8f3c2d0a9b7e6f5d4c3b2a190807f6e5d4c3b2a1"
        => "Stay at one commit, by its full id.";
    "gitops.ref": Text, "null", "refs/pull/7/head"
        => "Follow any reference, by its full name.";
    "gitops.path": Text, "\"\"", "nodes/edge"
        => "The folder of the repository that is the root of the tree; empty: the repository's own.";
    "gitops.include": Texts, "[\"**\"]", "[profiles/, system.env]"
        => "gitignore-style patterns of what is part of the tree.";
    "gitops.exclude": Texts, "[]", "[docs/]"
        => "gitignore-style patterns of what is not, though it is included.";
    "gitops.layers": Texts, "[]", "[base, sites/berlin]"
        => "Folders below `path` that are merged in this order: mappings of YAML files deep (null deletes), other files replaced. Empty: no layers.";
    "gitops.sync_interval": Duration { min_ms: 10 }, "5m", "30s"
        => "How often the repository is asked for news.";
    "gitops.jitter": Percent, "10%", "25%"
        => "By how much of itself the interval varies, so that many machines do not ask at once.";
    "gitops.timeout": Duration { min_ms: 1 }, "60s", "2m"
        => "How long asking or fetching may take in all.";
    "gitops.auto_sync": Bool, "true", "false"
        => "Whether a new revision is applied by itself. `false`: it is checked, planned, and held for `kconfigd apply`.";
    "gitops.rollback_limit": Count { min: 0, max: 10_000 }, "10", "25"
        => "How many earlier deployments can be returned to.";
    "gitops.history_rewrite": Word(&["refuse", "allow"]), "refuse", "allow"
        => "Whether a head is taken that does not descend from the last accepted one (branch, HEAD and ref only). Another repository or reference in this file starts a new line.";
    "gitops.write_back.mode": Word(&["push", "branch", "off"]), "push", "branch"
        => "Where a profile goes that is written over the API, as a commit: `push` to the branch that is followed, `branch` to one of its own for review, `off` nowhere. See [profiles](profiles.md#writing-them).";
    "gitops.submodules": Word(&["off", "on"]), "off", "on"
        => "Whether submodules are part of the tree.";
    "gitops.proxy": Url, "null", "http://proxy.example.com:3128"
        => "HTTP proxy towards the git server. Without it, `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` of the environment count.";
    "gitops.webhook_secret_file": Path, "null", "webhook.key"
        => "The secret that push webhooks at `POST /hooks/git` of `serve` are verified with, one a line: during a change all of them count. Without it none is taken. See [push webhooks](push-webhooks.md).";

    "gitops.commit_status.forge": Word(&["github", "gitlab", "gitea"]), "null", "gitea"
        => "Whose API the statuses of commits are sent to; `gitea` is Forgejo's too. Without it, what the repository's address tells. See [commit status](commit-status.md).";
    "gitops.commit_status.api_url": Url, "null", "https://git.example.com/api/v1"
        => "The API's address. Without it, what follows from the repository's.";
    "gitops.commit_status.project": Text, "null", "kos/config"
        => "The repository as the forge names it. Without it, what the repository's address tells.";
    "gitops.commit_status.token_file": Path, "null", "forge.token"
        => "The file with an access token that may set statuses. With it, the forge is told what becomes of each commit.";
    "gitops.commit_status.context": Text, "null", "config/edge-1"
        => "The name of the status at the commit. Without it, `kconfigd/` and the name of this machine.";
    "gitops.commit_status.target_url": Text, "null", "https://edge-1.example.com/diff?to={revision}"
        => "Where the status leads; `{revision}` is the commit.";

    "gitops.auth.username": Text, "null", "deploy"
        => "The user name that goes with `token_file` (without it `x-access-token`) or `password_file`.";
    "gitops.auth.token_file": Path, "null", "git.token"
        => "An access token, sent as the password of HTTP basic authentication.";
    "gitops.auth.bearer_token_file": Path, "null", "git.bearer"
        => "A token, sent as `Authorization: Bearer`.";
    "gitops.auth.password_file": Path, "null", "git.password"
        => "The password of `username`.";
    "gitops.auth.netrc_file": Path, "null", "/etc/kconfigd/netrc"
        => "A netrc file; its entry for the host counts.";
    "gitops.auth.ssh_key_file": Path, "null", "id_ed25519"
        => "A private key for SSH. Without it, the user's own keys and agent.";
    "gitops.auth.passphrase_file": Path, "null", "id_ed25519.pass"
        => "The passphrase of `ssh_key_file`.";
    "gitops.auth.known_hosts_file": Path, "null", "known_hosts"
        => "The host keys that are accepted. Without it, the user's and the system's. A key that is in none is refused.";

    "gitops.tls.ca_file": Path, "null", "ca.pem"
        => "A private certificate authority; it is then the only one that counts.";
    "gitops.tls.client_cert_file": Path, "null", "client.pem"
        => "The certificate that we show to the git server.";
    "gitops.tls.client_key_file": Path, "null", "client.key"
        => "That certificate's key.";

    "gitops.windows": Items, "[]", "[{kind: allow, schedule: \"0 0 2 * * Sat\", duration: 2h, timezone: Europe/Berlin}]"
        => "When new revisions may be applied. No windows: always. Inside an open `deny`: never. With `allow` windows: only inside one of them. What waited is applied when the window opens.";
    "gitops.windows[].kind": Word(&["allow", "deny"]), "null", "allow"
        => "What the window does.";
    "gitops.windows[].schedule": Text, "null", "\"0 0 2 * * Sat\""
        => "When it opens: cron with six or seven fields (seconds first, `1` is Sunday, year last), or the five fields of Unix cron (`0` and `7` are Sunday).";
    "gitops.windows[].duration": Duration { min_ms: 1000 }, "null", "2h"
        => "How long it stays open, in real time also when the clocks change.";
    "gitops.windows[].timezone": Text, "UTC", "Europe/Berlin"
        => "The time zone of `schedule`, by its IANA name.";

    "gitops.verify.mode": Word(&["off", "warn", "require"]), "off", "require"
        => "What follows from a signature that is missing or wrong: `off` looks at none, `warn` tells it, `require` refuses the revision. See [trust](trust.md).";
    "gitops.verify.what": Word(&["head", "all", "tag"]), "head", "all"
        => "What has to be signed: the commit that is to be live (`head`), it and every commit since the last accepted one (`all`), or the tag that names it (`tag`, with `gitops.tag` or `gitops.semver`).";
    "gitops.verify.allowed_signers_file": Path, "null", "allowed_signers"
        => "The SSH keys that may sign, one a line, as `ssh-keygen` and git have them. Read at each use.";
    "gitops.verify.revoked_keys_file": Path, "null", "revoked_keys"
        => "SSH keys that were taken back, one public key a line: what they signed is refused, whenever that was. Read at each use.";
    "gitops.verify.keyring_file": Path, "null", "keyring.asc"
        => "The OpenPGP keys that may sign, as `gpg --export` writes them. Read at each use.";

    "live.path": Path, "/etc/kos/config", "/srv/kos/config"
        => "What consumers open. Its parent also holds the trees, in `.<name>.trees`.";
    "live.mode": Word(&["symlink", "exchange"]), "symlink", "exchange"
        => "How the tree is shown: a link, renamed over the one before, or a real folder, exchanged in one step.";
    "live.drift": Word(&["repair", "report", "off"]), "repair", "report"
        => "What is done when somebody else changed the live tree.";
    "live.drift_interval": Duration { min_ms: 10 }, "1m", "10m"
        => "How often the live tree is compared with what it should be.";
    "live.adopt": Bool, "false", "true"
        => "What happens to a folder or link at `path` that is not ours: `false` refuses to start, `true` moves it to `<name>.before-kconfigd`.";
    "live.max_deletions": Deletions, "50%", "200"
        => "A revision that leaves the tree smaller by more than this part or number of files, and by at least ten, is held; so is an empty one.";
    "live.reuse_after": Duration { min_ms: 0 }, "10m", "1h"
        => "How long a tree that left the history is left alone for those who still read it.";
    "live.owner": Owner, "null", "kos:kos"
        => "Who the files are given to: `user:group`, `user` or `:group`, by name or number. Without it, whoever runs kconfigd.";
    "live.file_modes": Items, "[{match: secrets.env, mode: \"0600\"}]", "[{match: \"*.key\", mode: \"0640\"}]"
        => "Files whose permissions differ from git's.";
    "live.file_modes[].match": Text, "null", "secrets.env"
        => "gitignore-style pattern of the files.";
    "live.file_modes[].mode": Mode, "null", "\"0600\""
        => "Their permissions: octal, in quotes, at most `0777`.";

    "secrets.decrypt": Bool, "true", "false"
        => "Whether files that SOPS or age encrypted are decrypted when they are staged; `false` brings them as they are. See [secrets](secrets.md).";
    "secrets.age_identities_file": Path, "null", "age.key"
        => "The age identities that they are decrypted with, one a line, as `age-keygen` writes them. Read at each use.";
    "secrets.age_credential": Text, "null", "kconfigd.age"
        => "The name of a systemd credential (`LoadCredential=`, `LoadCredentialEncrypted=`) that holds age identities. Read at each use.";

    "nodes": Items, "[]", "[{name: edge-1, url: \"http://127.0.0.1:9001/hooks/config\", secret_file: edge-1.key}]"
        => "Who is told over HTTP when the live tree changes.";
    "nodes[].name": Text, "null", "edge-1"
        => "The node's name: letters, digits, `.`, `_` and `-`; unique.";
    "nodes[].url": Url, "null", "http://127.0.0.1:9001/hooks/config"
        => "Where it listens: `http` or `https`.";
    "nodes[].secret_file": Path, "null", "edge-1.key"
        => "The file with what we sign with, `whsec_…` (HMAC-SHA256) or `whsk_…` (Ed25519), one a line; during a change all of them sign.";
    "nodes[].timeout": Duration { min_ms: 1 }, "10s", "3s"
        => "How long one attempt may take.";
    "nodes[].labels": Labels, "{}", "{ring: canary}"
        => "Labels of the node.";
    "nodes[].events": Texts, "[]", "[config.applied, config.rolled_back]"
        => "The events it is told of; empty: all of them.";
    "nodes[].paths": Texts, "[\"**\"]", "[agents/]"
        => "gitignore-style patterns: told only when one of these files changed.";
    "nodes[].deliver_for": Duration { min_ms: 0 }, "3d", "12h"
        => "How long an event is tried before it is given up and shown as failed.";

    "api.listen": Address, "\"127.0.0.1:8740\"", "\"[::1]:8740\""
        => "The address and port that `kconfigd serve` listens on.";
    "audit.keep_for": Duration { min_ms: 3_600_000 }, "400d", "90d"
        => "How long records of the audit trail are kept; what goes leaves a signed beginning. See [security](security.md#the-audit-trail).";
    "audit.checkpoint_file": Path, "null", "/mnt/witness/edge-1.checkpoints"
        => "A file that checkpoints of the audit trail are written to, a line each: somewhere that whoever can write the state folder cannot. See [witnesses](security.md#witnesses).";
    "audit.checkpoint_ref": Text, "null", "refs/kconfigd/audit/edge-1"
        => "A reference of the repository that is followed that checkpoints are pushed to, as a chain of commits of its own.";
    "audit.checkpoint_every": Duration { min_ms: 1000 }, "1m", "15m"
        => "How often a checkpoint goes there, where anything was written to the trail since the one before.";
    "api.tls.cert_file": Path, "null", "server.pem"
        => "The server's certificate and those that lead to its authority, in PEM: `serve` then speaks HTTPS. Read again when it changes. See [security](security.md#tls).";
    "api.tls.key_file": Path, "null", "server.key"
        => "That certificate's key, in PEM.";
    "api.tls.client_ca_file": Path, "null", "clients-ca.pem"
        => "Who signs the certificates of clients, in PEM: nobody is let in then without one.";
    "api.tls.clients": Items, "[]", "[{name: scheduler.example.com, role: viewer}]"
        => "Clients that need no token: those whose certificate is for one of these names. Needs `client_ca_file`.";
    "api.tls.clients[].name": Text, "null", "scheduler.example.com"
        => "A DNS name or an IP address of the certificate (its subject alternative names); the name in the audit trail; unique.";
    "api.tls.clients[].role": Text, "null", "viewer"
        => "As of a token.";
    "api.tokens": Items, "[]", "[{name: ci, token_file: ci.token, role: publisher}]"
        => "Tokens, each with the role of whoever shows it, beside the first admin token in `<state_dir>/admin.token`.";
    "api.tokens[].name": Text, "null", "ci"
        => "Who has it: the name in the audit trail; unique.";
    "api.tokens[].token_file": Path, "null", "ci.token"
        => "The file with the token, or with `sha256:` and its hash in hexadecimal. Read again when it changes.";
    "api.tokens[].role": Text, "null", "publisher"
        => "`viewer`, `operator`, `publisher`, `admin`, or one of `api.roles`.";
    "api.jwt.issuer": Text, "null", "https://id.example.com/realms/edge"
        => "Who issues JSON Web Tokens that are taken, exactly as their `iss`. Needs `audience`. See [security](security.md#json-web-tokens).";
    "api.jwt.audience": Text, "null", "kconfigd"
        => "Whom they are issued for: what their `aud` has to hold.";
    "api.jwt.jwks_url": Url, "null", "https://id.example.com/realms/edge/protocol/openid-connect/certs"
        => "Where the issuer's keys are, as a key set. Without it and `key_file`, they are found by the issuer's own description (OpenID Connect Discovery).";
    "api.jwt.key_file": Path, "null", "issuer.pem"
        => "The issuer's key in a file: a public key or a certificate in PEM, or a key set. Read again when it changes; no network is needed.";
    "api.jwt.algorithms": Texts, "[]", "[ES256, EdDSA]"
        => "How tokens may be signed: `RS256`, `RS384`, `RS512`, `PS256`, `PS384`, `PS512`, `ES256`, `ES384`, `EdDSA`. Empty: all of these.";
    "api.jwt.role_claim": Text, "role", "realm_access.roles"
        => "The claim that names the role, or a list of which the first one counts that is a role here. Dots lead into claims.";
    "api.jwt.ca_file": Path, "null", "ca.pem"
        => "A private certificate authority of the issuer; it is then the only one that counts.";
    "api.jwt.keep_keys": Duration { min_ms: 60_000 }, "24h", "4h"
        => "How long keys go on counting while the issuer cannot be asked for them again.";
    "api.rate_limit.reads": Text, "100000/s", "500/s"
        => "How much one caller may read within a time, as `100/s`, `600/m`, `1000/h` or `off`; an address ten times as much. See [security](security.md#rate-limits).";
    "api.rate_limit.looks": Text, "1200/m", "120/m"
        => "The same for what reads trees: diffs, profiles, trials of documents.";
    "api.rate_limit.writes": Text, "300/m", "30/m"
        => "The same for orders, and profiles that are written.";
    "api.rate_limit.hooks": Text, "600/m", "off"
        => "Push webhooks from one address within a time.";
    "api.roles": AnyMap, "{}", "{scheduler: {actions: [read], paths: [agents/schedulerAgent.yaml]}}"
        => "Roles beside the built-in ones: a name, with `actions` and, where not all files may be seen, `paths`. See [security](security.md).";

    "validation.preset": Word(&["none", "kos"]), "none", "kos"
        => "Rules that come with kconfigd: `kos` knows the layout of a kOS configuration, its profiles, agents, plugins, themes and federation. See [validation](validation.md).";
    "validation.schemas": Items, "[]", "[{match: [\"services/*.yaml\"], schema: schemas/service.yaml}]"
        => "JSON Schemas (2020-12, as YAML or JSON) that files are held against.";
    "validation.schemas[].match": Texts, "null", "[\"services/*.yaml\"]"
        => "gitignore-style patterns of the YAML and JSON files; each of their documents is checked.";
    "validation.schemas[].schema": Text, "null", "schemas/service.yaml"
        => "The schema's file: in the tree, or on the node where the path starts with `/` or `./`.";
    "validation.references": Items, "[]", "[{from: {files: [\"sites/*.yaml\"], key: \"services[]\"}, to: {files: [\"services/*.yaml\"]}}]"
        => "Names in files that must be found as other files of the tree.";
    "validation.references[].from.files": Texts, "null", "[\"sites/*.yaml\"]"
        => "gitignore-style patterns of the files that name others.";
    "validation.references[].from.key": Text, "null", "services[]"
        => "The key that holds the names: `a.b` for a key in a mapping, `a[]` for every item of a list, `a.*` for every value of a mapping.";
    "validation.references[].to.files": Texts, "null", "[\"services/*.yaml\"]"
        => "Paths of the tree with one `*`, which stands for the name; one of them has to be there.";
    "validation.policies": Texts, "[]", "[\"policy/**\", ./policies]"
        => "Files with rules in Rego that documents are held against: gitignore-style patterns of the tree's files, or files, folders and patterns of the node where they start with `/` or `./`. Only `*.rego` is taken. See [policies](policies.md).";
    "validation.policy_data": Texts, "[]", "[\"policy/data/**\"]"
        => "YAML and JSON files that the policies see under `data`, named the same way.";
    "validation.leaks": Word(&["off", "warn", "refuse"]), "warn", "refuse"
        => "What is done about credentials in plain text: tokens and keys of known shapes, and values under suspicious keys that look made up. With the preset `kos` the default is `refuse`.";
    "validation.leak_allow": Items, "[]", "[{match: [\"tests/**\"], reason: keys that open nothing}]"
        => "What looks like a credential and is none. In the file itself: `# kconfigd:allow-leak REASON` in the line.";
    "validation.leak_allow[].match": Texts, "null", "[\"tests/**\"]"
        => "gitignore-style patterns of the files.";
    "validation.leak_allow[].rule": Text, "null", "private_key"
        => "The rule without its family (`leak.private_key`); without it, all of them.";
    "validation.leak_allow[].reason": Text, "null", "keys that open nothing"
        => "Why: for who reads it later.";
    "validation.fail_on": Word(&["error", "warning"]), "error", "warning"
        => "The least severity of a finding that refuses a revision.";
    "checks": Items, "[]", "[{name: nginx, run: [nginx, -t, -p, \"{tree}\"]}]"
        => "Programs that may veto a tree before it is live, run in order on the staged tree. See [checks](checks.md).";
    "checks[].name": Text, "null", "nginx"
        => "Its name, unique; findings are called `check.<name>`.";
    "checks[].run": Texts, "null", "[nginx, -t, -p, \"{tree}\"]"
        => "The program and its arguments, without a shell; `{tree}` is the path of the staged tree.";
    "checks[].timeout": Duration { min_ms: 1 }, "30s", "2m"
        => "How long it may take. One that takes longer is ended, and the revision waits.";

    "reload": Items, "[]", "[{name: nginx, paths: [nginx/], run: [systemctl, reload, nginx]}]"
        => "What is told once a tree is live, in order: each entry whose paths changed, once. One that fails counts as failed health: the tree before comes back. See [health](checks-and-health.md).";
    "reload[].name": Text, "null", "nginx"
        => "Its name, unique.";
    "reload[].paths": Texts, "[\"**\"]", "[nginx/]"
        => "gitignore-style patterns: it is run when one of these files changed.";
    "reload[].run": Texts, "[]", "[systemctl, reload, nginx]"
        => "A program and its arguments, without a shell; `{tree}` is the live path. One of `run`, `signal` and `http` has to be there.";
    "reload[].signal.pid_file": Path, "\"\"", "/run/nginx.pid"
        => "The file with the number of the process that gets a signal.";
    "reload[].signal.signal": Word(&["HUP", "USR1", "USR2", "WINCH", "INT", "TERM"]), "HUP", "USR1"
        => "The signal that it gets.";
    "reload[].http.url": Text, "\"\"", "http://127.0.0.1:2019/reload"
        => "Where a request is sent, without a body; any 2xx is success.";
    "reload[].http.method": Word(&["GET", "POST", "PUT"]), "POST", "PUT"
        => "The request's method.";
    "reload[].timeout": Duration { min_ms: 1 }, "30s", "5s"
        => "How long it may take.";

    "health.probes": Items, "[]", "[{name: web, http: {url: \"http://127.0.0.1:8080/healthz\"}}]"
        => "What has to be well for `health.bake_time` after a tree became live; else the last confirmed tree comes back. See [health](checks-and-health.md).";
    "health.probes[].name": Text, "null", "web"
        => "Its name, unique.";
    "health.probes[].http.url": Text, "\"\"", "http://127.0.0.1:8080/healthz"
        => "An address that has to answer GET. One of `http`, `tcp` and `run` has to be there.";
    "health.probes[].http.status": Count { min: 100, max: 599 }, "200", "204"
        => "The status that it has to answer with; redirects are not followed.";
    "health.probes[].tcp": Text, "\"\"", "127.0.0.1:5432"
        => "A host and a port that have to take a connection.";
    "health.probes[].run": Texts, "[]", "[/usr/local/bin/myapp, --healthy]"
        => "A program that has to end with 0; as in `checks`, with the live path as `{tree}`.";
    "health.bake_time": Duration { min_ms: 0 }, "30s", "2m"
        => "How long the health has to hold until a deployment is confirmed. Newer revisions wait meanwhile.";
    "health.interval": Duration { min_ms: 10 }, "1s", "5s"
        => "How often the probes are asked. One probe may take as long, at least a second and at most ten.";
    "health.failures": Count { min: 1, max: 1000 }, "3", "5"
        => "How many failures of one probe in a row roll back. One that fails when the time is over does too.";
    "alerts": Items, "[]", "[{name: ops, slack: {url_file: slack.url}, remind_every: 4h}]"
        => "Who is told of problems and of their end. See [alerts](alerts.md).";
    "alerts[].name": Text, "null", "ops"
        => "Its name: letters, digits, `.`, `_` and `-`; unique.";
    "alerts[].slack.url_file": Path, "\"\"", "slack.url"
        => "Slack: the file with the address of an incoming webhook, which is a credential. One of `slack`, `pagerduty` and `webhook` has to be there.";
    "alerts[].pagerduty.routing_key_file": Path, "\"\"", "pagerduty.key"
        => "PagerDuty, Events API v2: the file with the integration's routing key.";
    "alerts[].pagerduty.url": Url, "https://events.pagerduty.com/v2/enqueue", "https://events.eu.pagerduty.com/v2/enqueue"
        => "Where PagerDuty takes events.";
    "alerts[].webhook.url": Url, "\"\"", "https://alerts.example.com/kconfigd"
        => "A webhook: where a signed CloudEvent is sent.";
    "alerts[].webhook.secret_file": Path, "\"\"", "alerts.key"
        => "What it is signed with, as in `nodes[].secret_file`.";
    "alerts[].problems": Texts, "[]", "[rolled_back, unhealthy]"
        => "The problems it is told of; empty: all of them. See [the list](alerts.md#problems).";
    "alerts[].severity": Word(&["warning", "error", "critical"]), "warning", "error"
        => "The least severity that it is told of.";
    "alerts[].after": Duration { min_ms: 0 }, "1m", "10m"
        => "How long a problem has to last before it is told: what passes by itself wakes nobody.";
    "alerts[].remind_every": Pause { min_ms: 1000 }, "off", "4h"
        => "How often it is told again that a problem is still there.";
    "alerts[].timeout": Duration { min_ms: 1 }, "10s", "3s"
        => "How long one attempt may take.";
    "alerts[].deliver_for": Duration { min_ms: 0 }, "3d", "12h"
        => "How long it is tried before it is given up and shown as failed.";

    "limits.files_max": Count { min: 1, max: 10_000_000 }, "200000", "500000"
        => "Files in a tree.";
    "limits.file_bytes_max": Bytes { min: 1 }, "16 MiB", "64 MiB"
        => "Bytes in one file.";
    "limits.tree_bytes_max": Bytes { min: 1 }, "1 GiB", "4 GiB"
        => "Bytes in all files of a tree.";
    "limits.fetch_bytes_max": Bytes { min: 1 }, "2 GiB", "8 GiB"
        => "Bytes that one fetch may bring.";
    "limits.path_bytes_max": Count { min: 1, max: 4096 }, "4096", "1024"
        => "Bytes in one path.";
    "limits.depth_max": Count { min: 1, max: 510 }, "64", "32"
        => "Folders above a file.";
    "limits.yaml_aliases_max": Count { min: 1, max: 1_000_000 }, "10000", "100"
        => "Aliases that one YAML file may expand.";
    "limits.yaml_depth_max": Count { min: 1, max: 200 }, "64", "32"
        => "Mappings and lists inside each other in one document.";
    "limits.yaml_documents_max": Count { min: 1, max: 100_000 }, "1000", "50"
        => "Documents in one YAML file.";
    "limits.policy_time_max": Duration { min_ms: 1 }, "1s", "500ms"
        => "How much of a processor's time one rule of the policies may take on one document, or on all of them together.";
    "limits.policy_memory_bytes_max": Bytes { min: 1 }, "512 MiB", "256 MiB"
        => "Memory that the process may take which evaluates policies.";
    "limits.webhook_body_bytes_max": Bytes { min: 4096 }, "20 KiB", "64 KiB"
        => "Bytes in the body of one webhook that we send.";
    "limits.http_body_bytes_max": Bytes { min: 4096 }, "3 MiB", "1 MiB"
        => "Bytes in the body of one request that we are sent.";
    "limits.exec_output_bytes_max": Bytes { min: 1 }, "64 KiB", "16 KiB"
        => "Bytes kept of what one program prints.";
    "limits.mirror_packs_max": Count { min: 1, max: 10_000 }, "50", "20"
        => "Packs in the mirror before it is packed anew, at the next rest; with four times as many it is at once.";

    "telemetry.otlp_endpoint": Url, "null", "http://collector.example.com:4318"
        => "An OpenTelemetry collector that takes traces as OTLP over HTTP, in JSON: they go to `/v1/traces` below it. Without it nothing is traced. See [operations](operations.md#traces).";
    "telemetry.headers_file": Path, "null", "otlp.headers"
        => "Headers for the collector, one a line, as `Authorization: Bearer …`. Read at each use.";
    "telemetry.service_name": Text, "kconfigd", "kconfigd-edge"
        => "What the collector knows this service by (`service.name`).";
    "telemetry.sample": Percent, "100%", "10%"
        => "The part of all passes that are traced, with their deliveries.";

    "mask.files": Texts, "[]", "[\"*.pem\"]"
        => "gitignore-style patterns of files whose values are hidden in every output.";
    "mask.keys": Texts, "[]", "[pin]"
        => "Names of keys whose values are hidden, as a part of the key and in any case, beside those that are known to be secret.";
};
