//! A file in the form for a bundle: of the same length, with its secrets overwritten.

use std::io::{self, Read};

use base::{
    checksum::{self, Checksum},
    fsx::ReadFile,
    telemetry::Redactor,
};

/// Numbers of bytes that are masked in one piece.
#[derive(Clone, Copy)]
struct Sizes {
    /// A block, which ends with a line.
    block: u64,
    /// The longest line. A longer one is cut between two words.
    line: u64,
}

const SIZES: Sizes = Sizes { block: 1024 * 1024, line: 32 * 1024 * 1024 };
/// The longest private key that is expected. A marker line of a key without its end does not hide the rest of a file.
const LONGEST_KEY: u64 = 64 * 1024;
/// A byte that is part of no secret. It stands for bytes that are not UTF-8 while a block is searched.
const NO_TEXT: u8 = 0x1a;

/// Reads a file up to a length, masked.
pub(super) struct Masked<'a> {
    file: &'a ReadFile,
    redactor: &'a Redactor,
    with: u8,
    sizes: Sizes,
    next: u64,
    end: u64,
    block: Vec<u8>,
    taken: usize,
    overwritten: u64,
    /// A private key that began in an earlier block.
    key: Option<OpenKey>,
}

/// A private key that ends in a later block.
struct OpenKey {
    /// The marker behind the key.
    end: String,
    /// Bytes of the key in earlier blocks.
    masked: u64,
}

impl<'a> Masked<'a> {
    pub(super) fn new(file: &'a ReadFile, end: u64, redactor: &'a Redactor, with: u8) -> Self {
        Self {
            file,
            redactor,
            with,
            sizes: SIZES,
            next: 0,
            end,
            block: Vec::new(),
            taken: 0,
            overwritten: 0,
            key: None,
        }
    }

    /// Returns the number of bytes masked so far.
    pub(super) fn masked(&self) -> u64 {
        self.overwritten
    }

    fn fill(&mut self) -> io::Result<()> {
        let mut want = self.sizes.block;
        let bytes = loop {
            let mut bytes = self
                .file
                .read_range(self.next, self.end.min(self.next + want))
                .map_err(|e| io::Error::other(e.to_string()))?;
            // A file that was truncated in the meantime is padded, because the archive already contains its length.
            let missing = self.end.min(self.next + want) - self.next - bytes.len() as u64;
            bytes.extend(std::iter::repeat_n(b'\n', usize::try_from(missing).unwrap_or(0)));
            let last = self.next + bytes.len() as u64 == self.end;
            match bytes.iter().rposition(|b| *b == b'\n') {
                _ if last => break bytes,
                Some(at) => {
                    bytes.truncate(at + 1);
                    break bytes;
                }
                None if want >= self.sizes.line => {
                    let word =
                        bytes.iter().rposition(|b| b.is_ascii_whitespace() || matches!(b, b'"' | b','));
                    bytes.truncate(word.map_or(bytes.len(), |at| at + 1));
                    break bytes;
                }
                None => want *= 2,
            }
        };
        self.next += bytes.len() as u64;
        self.block.clear();
        self.taken = 0;
        self.mask(&bytes);
        self.overwritten += bytes.iter().zip(&self.block).filter(|(a, b)| a != b).count() as u64;
        renew_checksums(&bytes, &mut self.block);
        Ok(())
    }

    /// Appends the masked bytes to the block.
    fn mask(&mut self, bytes: &[u8]) {
        // A broken byte in the middle of a secret does not divide it.
        let mut text = String::with_capacity(bytes.len());
        for chunk in bytes.utf8_chunks() {
            text.push_str(chunk.valid());
            text.extend(std::iter::repeat_n(char::from(NO_TEXT), chunk.invalid().len()));
        }
        let of_key = self.rest_of_key(&text);
        let masked = self.redactor.mask(&text[of_key..], self.with);
        let hidden = |b: u8| if b == b'\n' { b } else { self.with };
        self.block.extend(bytes[..of_key].iter().map(|b| hidden(*b)));
        self.block.extend(
            bytes[of_key..]
                .iter()
                .zip(masked.bytes())
                .map(|(own, new)| if new == NO_TEXT { *own } else { new }),
        );
        if let Some(end) = open_key(&text[of_key..]) {
            self.key = Some(OpenKey { end, masked: 0 });
        }
    }

    /// Returns how many bytes at the beginning of a block belong to a key that began in an earlier one.
    fn rest_of_key(&mut self, text: &str) -> usize {
        let Some(key) = &mut self.key else { return 0 };
        if let Some(at) = text.find(&key.end) {
            let length = at + key.end.len();
            self.key = None;
            return length;
        }
        let left = usize::try_from(LONGEST_KEY.saturating_sub(key.masked)).unwrap_or(usize::MAX);
        key.masked += text.len() as u64;
        if left < text.len() {
            self.key = None;
        }
        text.floor_char_boundary(left)
    }
}

/// Gives masked lines with a correct checksum the checksum of their new content. A damaged line stays damaged.
fn renew_checksums(own: &[u8], masked: &mut [u8]) {
    let mut from = 0;
    for line in own.split_inclusive(|b| *b == b'\n') {
        let text = line.strip_suffix(b"\n").unwrap_or(line);
        let new = &mut masked[from..from + text.len()];
        if *text != *new && checksum::check(text) == Checksum::Right {
            checksum::renew(new);
        }
        from += line.len();
    }
}

/// Returns the marker that ends the private key which begins in a text and does not end in it.
fn open_key(text: &str) -> Option<String> {
    let (_, behind) = text.rsplit_once("-----BEGIN ")?;
    let kind =
        behind.split_once("-----").map(|(kind, _)| kind).filter(|kind| kind.ends_with("PRIVATE KEY"))?;
    let end = format!("-----END {kind}-----");
    (!behind.contains(&end)).then_some(end)
}

impl Read for Masked<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.taken == self.block.len() && self.next < self.end {
            self.fill()?;
        }
        let rest = &self.block[self.taken..];
        let n = rest.len().min(buffer.len());
        buffer[..n].copy_from_slice(&rest[..n]);
        self.taken += n;
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use base::fsx::{Durability, RelPath, Root};

    use super::*;

    /// Small ones show the same, and take less time.
    const SMALL: Sizes = Sizes { block: 4096, line: 16384 };

    /// Returns the text of a masked file with these bytes.
    fn masked(content: &[u8]) -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::create(folder.path(), Durability::Never).unwrap();
        let name = RelPath::new("file").unwrap();
        root.replace(&name, content).unwrap();
        let file = root.open_read(&name).unwrap();
        let redactor = Redactor::default();
        let mut reader = Masked::new(&file, content.len() as u64, &redactor, b'*');
        reader.sizes = SMALL;
        let mut masked = Vec::new();
        reader.read_to_end(&mut masked).unwrap();
        assert_eq!(masked.len(), content.len());
        masked
    }

    fn key(lines: usize) -> String {
        let body = format!("{}\n", "Ab3/".repeat(16)).repeat(lines);
        format!("-----BEGIN RSA PRIVATE KEY-----\n{body}-----END RSA PRIVATE KEY-----\n")
    }

    #[test]
    fn a_key_is_hidden_at_every_place_of_a_block_boundary() {
        let key = key(30);
        let block = usize::try_from(SMALL.block).unwrap();
        for into in [1, 20, 31, 32, 33, 100, key.len() / 2, key.len() - 30, key.len() - 1, key.len()] {
            let mut content = "words\n".repeat((block - into) / 6);
            content.push_str(&"x".repeat(block - into - content.len()));
            content.replace_range(content.len() - 1.., "\n");
            content.push_str(&key);
            content.push_str("words after the key\n");
            let text = String::from_utf8(masked(content.as_bytes())).unwrap();
            assert!(!text.contains("Ab3/"), "{into}");
            assert!(text.ends_with("words after the key\n"), "{into}");
            assert!(text.starts_with("words\n"), "{into}");
        }
    }

    #[test]
    fn a_masked_line_has_the_checksum_of_what_is_left() {
        let token = format!("ghp_{}", "0a1B".repeat(9));
        let mut line = format!(r#"{{"body":"{token}"}}"#).into_bytes();
        checksum::add(&mut line);
        let mut damaged = line.clone();
        damaged[2] ^= 1;
        let content = [line, damaged, b"{}".to_vec()].join(&b'\n');
        let masked = masked(&content);
        assert!(!masked.windows(4).any(|four| four == b"0a1B"));
        let verdicts: Vec<Checksum> = masked.split(|b| *b == b'\n').map(checksum::check).collect();
        assert_eq!(verdicts, [Checksum::Right, Checksum::Wrong, Checksum::Absent]);
    }

    #[test]
    fn a_broken_byte_does_not_uncover_a_key() {
        let mut content = key(30).into_bytes();
        let middle = content.len() / 2;
        content[middle] = 0xff;
        content.extend(b"after \xfe that\n");
        let masked = masked(&content);
        assert!(!masked.windows(4).any(|four| four == b"Ab3/"));
        assert!(masked.ends_with(b"\nafter \xfe that\n"), "other broken bytes stay");
    }

    #[test]
    fn a_marker_without_an_end_hides_no_whole_file() {
        let lines = "a line of a log\n".repeat(20_000);
        let text =
            String::from_utf8(masked(format!("-----BEGIN PRIVATE KEY-----\n{lines}").as_bytes())).unwrap();
        assert!(text.ends_with("a line of a log\n"));
    }

    #[test]
    fn a_line_without_an_end_is_cut_between_two_words() {
        let token = format!("ghp_{}", "0a1B".repeat(9));
        let size = usize::try_from(SMALL.line).unwrap() + 4096;
        let content = format!("{token} ").repeat(size / (token.len() + 1));
        assert!(!String::from_utf8(masked(content.as_bytes())).unwrap().contains("ghp_"));
    }
}
