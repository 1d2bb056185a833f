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

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &str) -> Result<Vec<Vec<u8>>, &'static str> {
        blocks(lines, "THING")
    }

    #[test]
    fn headers_checksums_and_what_stands_between_blocks_are_passed_over() {
        let one = "-----BEGIN THING-----\nVersion: 1\nComment: two: three\n\nYWJj\nZGVm\n=abcd\n-----END THING-----\n";
        let two = "-----BEGIN THING-----\nZ2hp\n-----END THING-----\n";
        let text = format!("before\n{one}between\n{two}");
        assert_eq!(read(&text), Ok(vec![b"abcdef".to_vec(), b"ghi".to_vec()]));
    }

    #[test]
    fn a_colon_behind_the_headers_is_no_base64() {
        let behind = "-----BEGIN THING-----\n\nYWJj\na: b\n-----END THING-----\n";
        assert_eq!(read(behind), Err("its lines are not base64"));
        let empty = "-----BEGIN THING-----\n\na: b\n-----END THING-----\n";
        assert_eq!(read(empty), Err("its lines are not base64"));
    }

    #[test]
    fn padding_at_the_beginning_of_a_line_is_no_checksum_unless_it_is_as_long() {
        let with = |line: &str| {
            read(&format!("-----BEGIN THING-----\n\nYWI\n{line}\n-----END THING-----\n"))
        };
        assert_eq!(with("="), Ok(vec![b"ab".to_vec()]));
        assert_eq!(with("=\n=abcd"), Ok(vec![b"ab".to_vec()]));
        let short = "-----BEGIN THING-----\nYWJjZ\nGVm\n-----END THING-----\n";
        assert_eq!(read(short), Ok(vec![b"abcdef".to_vec()]), "five characters alone are none");
    }

    #[test]
    fn a_block_has_an_end() {
        assert_eq!(read("-----BEGIN THING-----\nYWJj\n"), Err("it has a beginning and no end"));
        assert_eq!(read("nothing\n"), Ok(Vec::new()));
    }
}
