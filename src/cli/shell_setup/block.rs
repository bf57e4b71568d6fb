//! Our block in a file that belongs to the user, between two marker lines.

/// The line before our block.
pub(super) const BEGIN: &str = "# >>> run-agent shell-setup >>>";
/// The line after our block.
pub(super) const END: &str = "# <<< run-agent shell-setup <<<";

/// A file that has only one of the two marker lines, or has them in the wrong order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Torn;

/// Returns the file with our block: in its old place, else at the end.
pub(super) fn with(file: &[u8], part: &str) -> Result<Vec<u8>, Torn> {
    let block = format!("{BEGIN}\n{part}{END}\n");
    let (before, behind) = match place(file)? {
        Some((from, to)) => (file[..from].to_vec(), &file[to..]),
        None => (file.to_vec(), &b""[..]),
    };
    let mut new = before;
    if !new.is_empty() && !new.ends_with(b"\n") {
        new.push(b'\n');
    }
    new.extend_from_slice(block.as_bytes());
    new.extend_from_slice(behind);
    Ok(new)
}

/// Returns the file without our block.
pub(super) fn without(file: &[u8]) -> Result<Vec<u8>, Torn> {
    Ok(match place(file)? {
        Some((from, to)) => [&file[..from], &file[to..]].concat(),
        None => file.to_vec(),
    })
}

/// Returns the bounds of our block.
fn place(file: &[u8]) -> Result<Option<(usize, usize)>, Torn> {
    let (mut begins, mut ends) = (Vec::new(), Vec::new());
    let mut at = 0;
    for line in file.split_inclusive(|b| *b == b'\n') {
        match line.trim_ascii_end() {
            text if text == BEGIN.as_bytes() => begins.push(at),
            text if text == END.as_bytes() => ends.push(at + line.len()),
            _ => {}
        }
        at += line.len();
    }
    match (begins.as_slice(), ends.as_slice()) {
        ([], []) => Ok(None),
        ([from], [to]) if from < to => Ok(Some((*from, *to))),
        _ => Err(Torn),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_in_comes_out_and_nothing_else() {
        for file in ["", "alias x=y\n", "a\n\nb\n", "# caf\u{e9}\n"] {
            let with_it = with(file.as_bytes(), "f\n").unwrap();
            assert_eq!(with(&with_it, "f\n").unwrap(), with_it, "a second time changes nothing");
            assert_eq!(without(&with_it).unwrap(), file.as_bytes());
            assert_eq!(without(file.as_bytes()).unwrap(), file.as_bytes());
        }
        // A last line without a newline gets one, and its text stays.
        let ended = with(b"last", "f\n").unwrap();
        assert_eq!(without(&ended).unwrap(), b"last\n");
        // Text behind our block stays behind it.
        let middle = format!("a\n{BEGIN}\nold\n{END}\nz\n");
        assert_eq!(
            with(middle.as_bytes(), "new\n").unwrap(),
            format!("a\n{BEGIN}\nnew\n{END}\nz\n").into_bytes()
        );
        assert!(with(b"\xff\xfe\n", "f\n").unwrap().starts_with(b"\xff\xfe\n"));
    }

    #[test]
    fn a_torn_block_is_left_alone() {
        for file in [
            format!("{BEGIN}\nx\n"),
            format!("{END}\n"),
            format!("{END}\n{BEGIN}\n"),
            format!("{BEGIN}\n{BEGIN}\n{END}\n"),
        ] {
            assert_eq!(
                (with(file.as_bytes(), ""), without(file.as_bytes())),
                (Err(Torn), Err(Torn)),
                "{file}"
            );
        }
    }
}
