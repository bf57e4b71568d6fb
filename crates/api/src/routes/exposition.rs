//! The text format of Prometheus, version 0.0.4: families of samples, each with its type and a line of help.
//! <https://prometheus.io/docs/instrumenting/exposition_formats/>

use std::fmt::Write as _;

/// The type of a figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The figure only grows.
    Counter,
    /// The figure rises and falls.
    Gauge,
    /// Counts of values up to each bound.
    Histogram,
}

impl Kind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// The text of an exposition, family by family.
#[derive(Debug, Default)]
pub(super) struct Exposition(String);

impl Exposition {
    /// Adds a family; a sample is the text after the family's name, and its value.
    pub(super) fn samples(
        &mut self,
        name: &str,
        kind: Kind,
        help: &str,
        samples: impl IntoIterator<Item = (String, f64)>,
    ) {
        let text = &mut self.0;
        // Writing to a `String` cannot fail.
        let _ = writeln!(text, "# HELP conductor_{name} {help}\n# TYPE conductor_{name} {}", kind.as_str());
        for (behind, value) in samples {
            let _ = writeln!(text, "conductor_{name}{behind} {value}");
        }
        text.push('\n');
    }

    /// Adds a family of whole numbers.
    pub(super) fn counts(
        &mut self,
        name: &str,
        kind: Kind,
        help: &str,
        samples: impl IntoIterator<Item = (String, u64)>,
    ) {
        self.samples(name, kind, help, samples.into_iter().map(|(behind, n)| (behind, number(n))));
    }

    /// Adds a family of one sample.
    pub(super) fn one(&mut self, name: &str, kind: Kind, help: &str, value: f64) {
        self.samples(name, kind, help, [(String::new(), value)]);
    }

    /// Adds a family of one whole number.
    pub(super) fn count(&mut self, name: &str, kind: Kind, help: &str, n: u64) {
        self.one(name, kind, help, number(n));
    }

    /// Returns the whole text.
    pub(super) fn into_text(self) -> String {
        self.0
    }
}

/// Formats `{name="value",…}` with escaped values.
pub(super) fn labels(labels: &[(&str, &str)]) -> String {
    let escaped = |value: &str| value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    let all: Vec<String> =
        labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
    format!("{{{}}}", all.join(","))
}

#[expect(clippy::cast_precision_loss, reason = "the format has floating point numbers only")]
pub(super) fn number(n: u64) -> f64 {
    n as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_ends_no_line() {
        assert_eq!(labels(&[("a", "x\"} 1\n\\"), ("b", "")]), r#"{a="x\"} 1\n\\",b=""}"#);
        let mut all = Exposition::default();
        all.count("live_tasks", Kind::Gauge, "Live", 2);
        assert_eq!(
            all.into_text(),
            "# HELP conductor_live_tasks Live\n# TYPE conductor_live_tasks gauge\nconductor_live_tasks 2\n\n"
        );
    }
}
