//! Removes the runner's preamble from a prompt, for the agents in this binary, which know their run without it.

/// Returns the prompt itself. The preamble names the agent's environment and ends with a line of dashes.
pub(super) fn without(prompt: &str) -> &str {
    match prompt.split_once("\n---\n") {
        Some((preamble, rest)) if preamble.contains("JRUN_") => rest.trim_start_matches('\n'),
        _ => prompt,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_preamble_is_left_out() {
        for (prompt, words) in [
            ("in $JRUN_TASK_FOLDER\n\n---\n\nLook\n---\nthere", "Look\n---\nthere"),
            ("a\n---\nb", "a\n---\nb"),
            ("a", "a"),
        ] {
            assert_eq!(without(prompt), words);
        }
    }
}
