//! Numbers in sentences.

/// "1 run", "2 runs".
#[must_use]
pub fn count(n: u64, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

/// "1.25", "0.004": an amount of US dollars with two digits after the point, and more if it is smaller than a cent.
#[must_use]
pub fn usd(amount: f64) -> String {
    if amount.abs() >= 0.01 || amount == 0.0 {
        return format!("{amount:.2}");
    }
    let text = format!("{amount:.6}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "0" { "less than 0.000001".to_owned() } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_singular() {
        let words: Vec<_> = [0, 1, 2].into_iter().map(|n| count(n, "run")).collect();
        assert_eq!(words, ["0 runs", "1 run", "2 runs"]);
    }

    #[test]
    fn a_small_amount_is_not_shown_as_zero() {
        for (amount, text) in [
            (0.0, "0.00"),
            (1.254, "1.25"),
            (0.01, "0.01"),
            (0.004, "0.004"),
            (0.000_023, "0.000023"),
            (0.000_000_1, "less than 0.000001"),
        ] {
            assert_eq!(usd(amount), text);
        }
    }
}
