//! Finds the calls of run-agent in a line of shell, as texts for users contain them.

/// The calls of run-agent in a line of shell.
pub fn calls(line: &str) -> Vec<Vec<String>> {
    let words = words(line);
    let ends =
        |word: &str| ["|", "&&", ";"].contains(&word) || word.starts_with('>') || word.starts_with("2>");
    let begins = words.iter().enumerate().filter(|(_, word)| *word == "run-agent");
    let plain = begins.map(|(at, _)| words[at..].iter().take_while(|w| !ends(w)).cloned().collect());
    let inner = words.iter().filter_map(|word| Some(word.split_once("<(")?.1.trim_end_matches(')')));
    plain.chain(inner.flat_map(calls)).collect()
}

/// Splits a line of shell into words, without the quotes.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for c in line.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, ' ') => words.extend(word.take()),
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}
