//! Bytes in lines of text: `-----BEGIN LABEL-----`, headers, base64, `-----END LABEL-----`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The bytes of every block of this label, in order. What stands between blocks is passed over, as
/// `gpg` does; OpenPGP's checksum, which protects from nothing but bad lines, too.
pub(super) fn blocks(text: &str, label: &str) -> Result<Vec<Vec<u8>>, &'static str> {
    let (begin, end) = (format!("-----BEGIN {label}-----"), format!("-----END {label}-----"));
    let mut blocks = Vec::new();
    let mut lines = text.lines().map(str::trim_end);
    while lines.any(|line| line == begin) {
        let mut base64 = String::new();
        let mut is_closed = false;
        let mut may_be_header = true;
        for line in lines.by_ref() {
            if line == end {
                is_closed = true;
                break;
            }
            match line {
                "" => may_be_header = false,
                _ if may_be_header && line.contains(':') => {}
                _ if line.starts_with('=') && line.len() == 5 => {}
                _ => {
                    may_be_header = false;
                    base64.push_str(line);
                }
            }
        }
        if !is_closed {
            return Err("it has a beginning and no end");
        }
        blocks.push(STANDARD.decode(base64).map_err(|_| "its lines are not base64")?);
    }
    Ok(blocks)
}
