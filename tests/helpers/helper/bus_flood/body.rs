//! Message bodies that identify their writer and their number.

/// Maximum length of a body.
pub const MAX: usize = 1 << 20;

/// Returns the body of a writer's message number `seq` of `count`: mostly short, from 1 byte to one of 1 MiB.
pub fn of(writer: u64, seq: u64, count: u64) -> String {
    const CHARS: [char; 16] =
        ['a', 'Z', '0', ' ', '-', '\n', '\r', '\0', '"', '\\', '{', '}', 'é', '\u{85}', '\u{2028}', '🦀'];
    let mut random = Random(writer << 32 | seq);
    let len = if seq == writer % count { MAX } else { random.size() };
    let mut body = String::with_capacity(len);
    while body.len() < len {
        for byte in random.next().to_le_bytes() {
            let c = CHARS[usize::from(byte % 16)];
            match len - body.len() {
                0 => break,
                room if c.len_utf8() <= room => body.push(c),
                _ => body.push('.'),
            }
        }
    }
    body
}

/// Splitmix64 gives the same numbers in the process that writes and in the one that checks.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// 1 to 255 bytes, one in 20 up to 16 KiB, one in 1,000 up to 256 KiB.
    fn size(&mut self) -> usize {
        let most = match self.next() % 1000 {
            0 => 256 << 10,
            1..50 => 16 << 10,
            _ => 255,
        };
        usize::try_from(self.next() % most + 1).unwrap_or(MAX)
    }
}
