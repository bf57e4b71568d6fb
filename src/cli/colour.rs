//! Decides if and how output is coloured. Colour only repeats what a word already says.

use clap::ValueEnum;

use config::Environment;

/// When to print in colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum ColorWhen {
    /// On a terminal, unless $NO_COLOR is set; elsewhere only with $CLICOLOR_FORCE.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The destination of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    Terminal,
    Elsewhere,
}

/// The colouring of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Colour {
    /// Coloured.
    On,
    /// Plain text.
    #[default]
    Off,
}

/// The meaning of a word, which its colour repeats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Style {
    /// No special meaning.
    #[default]
    Plain,
    /// Success.
    Good,
    /// Failure.
    Bad,
    /// Still in progress, or worth a look.
    Notable,
    /// Less important than the text beside it.
    Faint,
    /// More important than the text beside it.
    Strong,
}

impl Colour {
    /// Decides in this order: the flag, <https://no-color.org>, <https://bixense.com/clicolors>, the terminal.
    pub(super) fn decide(when: ColorWhen, environment: &Environment, target: Target) -> Self {
        let forced = environment.get("CLICOLOR_FORCE").is_some_and(|v| v != "0");
        let dumb = environment.get("TERM") == Some("dumb") || environment.get("CLICOLOR") == Some("0");
        let on = match when {
            ColorWhen::Always => true,
            ColorWhen::Never => false,
            ColorWhen::Auto if environment.get_os("NO_COLOR").is_some() => false,
            ColorWhen::Auto => forced || (target == Target::Terminal && !dumb),
        };
        if on { Self::On } else { Self::Off }
    }

    /// Returns the text in its style.
    #[must_use]
    pub fn paint(self, style: Style, text: &str) -> String {
        let code = match (self, style) {
            (Self::Off, _) | (Self::On, Style::Plain) => return text.to_owned(),
            (Self::On, Style::Good) => "32",
            (Self::On, Style::Bad) => "1;31",
            (Self::On, Style::Notable) => "33",
            (Self::On, Style::Faint) => "2",
            (Self::On, Style::Strong) => "1",
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_says_whether_to_colour() {
        use ColorWhen::{Always, Auto, Never};
        use Target::{Elsewhere, Terminal};
        for (when, variables, target, colour) in [
            (Auto, &[][..], Terminal, Colour::On),
            (Auto, &[], Elsewhere, Colour::Off),
            (Auto, &[("NO_COLOR", "1")], Terminal, Colour::Off),
            (Auto, &[("NO_COLOR", "")], Terminal, Colour::On),
            (Auto, &[("CLICOLOR_FORCE", "1")], Elsewhere, Colour::On),
            (Auto, &[("CLICOLOR_FORCE", "0")], Elsewhere, Colour::Off),
            (Auto, &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], Terminal, Colour::Off),
            (Auto, &[("CLICOLOR", "0")], Terminal, Colour::Off),
            (Auto, &[("TERM", "dumb")], Terminal, Colour::Off),
            (Always, &[("NO_COLOR", "1")], Elsewhere, Colour::On),
            (Never, &[("CLICOLOR_FORCE", "1")], Terminal, Colour::Off),
        ] {
            let environment: Environment = variables.iter().copied().collect();
            assert_eq!(
                Colour::decide(when, &environment, target),
                colour,
                "{when:?} {variables:?} {target:?}"
            );
        }
    }
}
