//! The checksum of a line of JSON: `"crc":"<8 hex digits>"` as its last key, the CRC-32C of the bytes before `,"crc"`.
//!
//! It shows bits that a disk, a cable or a copy has flipped. It is no protection against people: a line that was written
//! by hand, or by an older version, has none and counts all the same.

/// The parts around the digits.
const OPEN: &[u8; 8] = br#","crc":""#;
const CLOSE: &[u8; 2] = br#""}"#;
const DIGITS: usize = 8;
const LENGTH: usize = OPEN.len() + DIGITS + CLOSE.len();

/// The key of the checksum.
pub const KEY: &str = "crc";

/// The verdict on a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checksum {
    /// The line has none.
    Absent,
    /// The line is as it was written.
    Right,
    /// The line was changed after it had been written.
    Wrong,
}

/// Adds the checksum to a line: an object in JSON that is not empty, without a newline.
pub fn add(line: &mut Vec<u8>) {
    reserve(line);
    renew(line);
}

/// Adds room for the checksum to a line that is not final yet; [`renew`] fills it in.
pub fn reserve(line: &mut Vec<u8>) {
    debug_assert!(line.len() > 2 && line.ends_with(b"}"), "an object");
    line.pop();
    line.extend_from_slice(OPEN);
    line.extend_from_slice(&[b'0'; DIGITS]);
    line.extend_from_slice(CLOSE);
}

/// Computes the checksum of a changed line again, at its place.
pub fn renew(line: &mut [u8]) {
    let Some(content) = line.len().checked_sub(LENGTH) else { return };
    let digits = digits(&line[..content]);
    let from = content + OPEN.len();
    line[from..from + DIGITS].copy_from_slice(&digits);
}

/// Checks a line, given without its newline.
#[must_use]
pub fn check(line: &[u8]) -> Checksum {
    let Some(at) = line.len().checked_sub(LENGTH).filter(|at| *at > 0) else { return Checksum::Absent };
    let (content, end) = line.split_at(at);
    let (open, end) = end.split_at(OPEN.len());
    let (found, close) = end.split_at(DIGITS);
    let changed = differences(open, OPEN) + differences(close, CLOSE);
    let hex = found.iter().filter(|digit| digit.is_ascii_hexdigit()).count();
    // One flipped bit may lie in the key or in a digit.
    if changed > 1 || hex < DIGITS - 1 {
        return Checksum::Absent;
    }
    match (changed, *found == digits(content)) {
        (0, true) => Checksum::Right,
        (0, false) | (1, true) => Checksum::Wrong,
        // Another key of the same length, with a value that looks like a checksum.
        _ => Checksum::Absent,
    }
}

fn differences(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).filter(|(a, b)| a != b).count()
}

fn digits(content: &[u8]) -> [u8; DIGITS] {
    let sum = crc32c::crc32c(content).to_be_bytes();
    let mut digits = [0; DIGITS];
    for (pair, byte) in digits.chunks_exact_mut(2).zip(sum) {
        let hex = |nibble: u8| b"0123456789abcdef"[usize::from(nibble)];
        pair.copy_from_slice(&[hex(byte >> 4), hex(byte & 15)]);
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(text: &str) -> Vec<u8> {
        let mut line = text.as_bytes().to_vec();
        add(&mut line);
        line
    }

    #[test]
    fn the_sum_is_that_of_the_standard() {
        // The check value of CRC-32C: RFC 3720, "123456789".
        assert_eq!(&digits(b"123456789"), b"e3069283");
        let line = sealed(r#"{"a":1}"#);
        let text = String::from_utf8(line.clone()).unwrap();
        assert!(text.starts_with(r#"{"a":1,"crc":""#) && text.ends_with(r#""}"#), "{text}");
        assert_eq!(line.len(), r#"{"a":1}"#.len() + LENGTH - 1);
        let value: serde_json::Value = serde_json::from_slice(&line).unwrap();
        assert_eq!(value["crc"].as_str().unwrap().as_bytes(), digits(br#"{"a":1"#));
    }

    #[test]
    fn each_flipped_bit_is_seen() {
        let line = sealed(r#"{"msg_id":"MSG-1","body":"größer"}"#);
        assert_eq!(check(&line), Checksum::Right);
        for bit in 0..line.len() * 8 {
            let mut flipped = line.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(check(&flipped), Checksum::Wrong, "bit {bit}");
        }
    }

    #[test]
    fn a_line_by_hand_needs_none() {
        for text in [
            "",
            "{}",
            r#"{"crc":"00000000"}"#,
            r#"{"body":"x"}"#,
            r#"{"body":"x","src":"deadbeef"}"#,
            r#"{"body":"x","crc":"mine, really"}"#,
            r#"{"body":"x","crc":"the best"}"#,
            r#"{"body":"x","crc":"0000000"}"#,
        ] {
            assert_eq!(check(text.as_bytes()), Checksum::Absent, "{text}");
        }
        assert_eq!(check(br#"{"body":"x","crc":"deadbeef"}"#), Checksum::Wrong);
    }

    #[test]
    fn a_changed_line_gets_a_new_sum_at_the_same_place() {
        let mut line = sealed(r#"{"key":"secret"}"#);
        line[8..14].copy_from_slice(b"******");
        assert_eq!(check(&line), Checksum::Wrong);
        renew(&mut line);
        assert_eq!(check(&line), Checksum::Right);
    }
}
