//! Formulates the findings: one sentence, and the Markdown around it.

use std::fmt::Write;

use super::{
    child::ChildAnswer,
    language::{BINARY, OTHER},
    question::{Question, Subject},
    survey::{Count, LEFT_OUT, Survey},
};

/// Maximum number of names that a sentence lists.
const NAMED: usize = 8;

/// The findings, and the place that they are about.
#[derive(Debug)]
pub struct Findings<'a> {
    /// The question.
    pub question: &'a Question,
    /// The place, as a reader of the answer knows it: a folder's name, or a path in it.
    pub place: String,
    /// Paths in the prompt that do not exist here.
    pub missing: &'a [String],
    /// The owner of that folder.
    pub home: Home,
    /// The content of the place.
    pub survey: &'a Survey,
    /// The answer of a child task.
    pub child: Option<ChildAnswer>,
}

/// The owner of the folder that the agent works in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Home {
    /// A user's work.
    Work,
    /// The task itself, with its own files in the folder.
    Task,
}

impl Findings<'_> {
    /// The answer in one sentence.
    #[must_use]
    pub fn headline(&self) -> String {
        let place = &self.place;
        let total = self.survey.total();
        if total.files == 0 {
            return format!("there are no files to look at in {place}");
        }
        if let Some(language) = self.question.language {
            let count = self.survey.languages.get(language).copied().unwrap_or_default();
            return format!("{place} has {} of {language} in {}", lines(count), files(count));
        }
        match (self.question.subject, self.survey.largest.first()) {
            (Subject::Files, _) => format!("{place} has {}", files(total)),
            (Subject::Languages, _) => format!("{place} is written in {}", self.names_of_languages()),
            (Subject::Largest, Some(file)) => {
                format!("the longest file of {place} is {} with {}", file.path, plural(file.lines, "line"))
            }
            _ => format!("{place} has {} in {}", lines(total), files(total)) + &self.mostly(),
        }
    }

    /// The whole answer, for output.md.
    #[must_use]
    pub fn markdown(&self) -> String {
        let mut text = format!("# {}\n\n", sentence(&self.headline()));
        if self.question.subject == Subject::Beyond {
            text.push_str(
                "This is the built-in demo agent: it has no model behind it and can only count. \
                 The task itself is not done; give it to another agent.\n\n",
            );
        }
        if self.home == Home::Task {
            text.push_str("The task works in its own folder. With `--cwd` it works in another one.\n\n");
        }
        for name in self.missing {
            line(&mut text, format_args!("There is no `{name}` here.\n"));
        }
        if self.survey.total().files > 0 {
            self.tables(&mut text);
        }
        if let Some(ChildAnswer { folder, headline }) = &self.child {
            line(&mut text, format_args!("A child task looked at `{folder}`: {headline}.\n"));
        }
        self.limits(&mut text);
        text
    }

    fn tables(&self, text: &mut String) {
        text.push_str("| language | files | lines | bytes |\n|---|---:|---:|---:|\n");
        let mut rows: Vec<(&str, Count)> = self.languages().collect();
        let total = self.survey.total();
        if rows.len() > 1 {
            rows.push(("**all**", total));
        }
        for (language, Count { files, lines, bytes }) in rows {
            let (files, lines, bytes) = (grouped(files), grouped(lines), grouped(bytes));
            line(text, format_args!("| {language} | {files} | {lines} | {bytes} |"));
        }
        if total.files > 1 {
            text.push_str("\n## The longest files\n\n| file | language | lines |\n|---|---|---:|\n");
            for file in &self.survey.largest {
                line(text, format_args!("| {} | {} | {} |", file.path, file.language, grouped(file.lines)));
            }
        }
        text.push('\n');
    }

    fn limits(&self, text: &mut String) {
        let survey = self.survey;
        let mut notes = Vec::new();
        if !survey.left_out.is_empty() {
            notes.push(format!("{} (folders of tools)", listed(&survey.left_out)));
        }
        if survey.not_files > 0 {
            notes.push(format!(
                "{} (links are not followed)",
                plural(survey.not_files, "link or special file")
            ));
        }
        if !survey.unreadable.is_empty() {
            notes.push(format!("{} (not readable)", listed(&survey.unreadable)));
        }
        if let Some(limit) = survey.ended_by {
            notes.push(format!(
                "the rest: the survey ended at its limit of {limit}, so the figures are too low"
            ));
        }
        if !notes.is_empty() {
            text.push_str("## Not looked at\n\n");
            for note in notes {
                line(text, format_args!("- {note}"));
            }
        }
    }

    /// The languages, most lines first.
    fn languages(&self) -> impl Iterator<Item = (&'static str, Count)> {
        let mut rows: Vec<_> = self.survey.languages.iter().map(|(name, count)| (*name, *count)).collect();
        rows.sort_by(|(a, x), (b, y)| y.lines.cmp(&x.lines).then_with(|| a.cmp(b)));
        rows.into_iter()
    }

    fn names_of_languages(&self) -> String {
        let named: Vec<String> =
            self.languages().map(|(name, _)| name.to_owned()).filter(|n| n != BINARY && n != OTHER).collect();
        if named.is_empty() { "no language that I know".to_owned() } else { listed(&named) }
    }

    /// The language with most lines, and its share.
    fn mostly(&self) -> String {
        let all = self.survey.total().lines;
        match self.languages().find(|(name, _)| *name != OTHER && *name != BINARY) {
            Some((name, count)) if count.lines * 2 >= all && all > 0 => {
                format!(", {} % of them {name}", count.lines * 100 / all)
            }
            _ => String::new(),
        }
    }
}

/// The folders that are left out, for the log.
#[must_use]
pub fn left_out() -> String {
    listed(&LEFT_OUT.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())
}

/// "12 files".
#[must_use]
pub fn files(count: Count) -> String {
    plural(count.files, "file")
}

/// "1,234 lines".
#[must_use]
pub fn lines(count: Count) -> String {
    plural(count.lines, "line")
}

fn plural(n: u64, what: &str) -> String {
    format!("{} {what}{}", grouped(n), if n == 1 { "" } else { "s" })
}

/// Formats a number with separators: 12,345.
fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn listed(names: &[String]) -> String {
    let shown = names.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(NAMED) {
        0 => shown,
        more => format!("{shown} and {} more", grouped(more as u64)),
    }
}

/// Capitalises a sentence, unless it begins with a path.
fn sentence(text: &str) -> String {
    let capital = ["the ", "there "].iter().any(|word| text.starts_with(word));
    if capital { format!("T{}", &text[1..]) } else { text.to_owned() }
}

fn line(text: &mut String, words: std::fmt::Arguments<'_>) {
    // Writing to a `String` cannot fail.
    let _ = writeln!(text, "{words}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::survey::LargeFile;

    fn survey() -> Survey {
        let count = |files, lines, bytes| Count { files, lines, bytes };
        let large = |path: &str, language, lines| LargeFile { path: path.to_owned(), language, lines };
        Survey {
            languages: [
                ("Rust", count(3, 1200, 40_000)),
                ("TOML", count(1, 34, 900)),
                ("binary", count(1, 0, 1_234_567)),
            ]
            .into(),
            largest: vec![large("src/a.rs", "Rust", 900), large("Cargo.toml", "TOML", 34)],
            left_out: vec![".git".to_owned()],
            not_files: 1,
            unreadable: Vec::new(),
            ended_by: None,
        }
    }

    fn findings<'a>(question: &'a Question, survey: &'a Survey) -> Findings<'a> {
        Findings { question, place: "demo".to_owned(), missing: &[], home: Home::Work, survey, child: None }
    }

    #[test]
    fn the_headline_answers_the_question() {
        let (survey, empty) = (survey(), Survey::default());
        for (prompt, headline) in [
            ("What does this tree consist of?", "demo has 1,234 lines in 5 files, 97 % of them Rust"),
            ("How many lines are there?", "demo has 1,234 lines in 5 files, 97 % of them Rust"),
            ("How many lines of TOML?", "demo has 34 lines of TOML in 1 file"),
            ("How many lines of Go?", "demo has 0 lines of Go in 0 files"),
            ("How many files?", "demo has 5 files"),
            ("Which languages?", "demo is written in Rust, TOML"),
            ("What is the largest file?", "the longest file of demo is src/a.rs with 900 lines"),
        ] {
            assert_eq!(findings(&Question::of(prompt), &survey).headline(), headline, "{prompt}");
        }
        let question = Question::of("How many lines?");
        assert_eq!(findings(&question, &empty).headline(), "there are no files to look at in demo");
    }

    #[test]
    fn the_report_is_whole() {
        let (survey, question) = (survey(), Question::of("report"));
        assert_eq!(
            findings(&question, &survey).markdown(),
            "# demo has 1,234 lines in 5 files, 97 % of them Rust\n\n\
             | language | files | lines | bytes |\n\
             |---|---:|---:|---:|\n\
             | Rust | 3 | 1,200 | 40,000 |\n\
             | TOML | 1 | 34 | 900 |\n\
             | binary | 1 | 0 | 1,234,567 |\n\
             | **all** | 5 | 1,234 | 1,275,467 |\n\n\
             ## The longest files\n\n\
             | file | language | lines |\n\
             |---|---|---:|\n\
             | src/a.rs | Rust | 900 |\n\
             | Cargo.toml | TOML | 34 |\n\n\
             ## Not looked at\n\n\
             - .git (folders of tools)\n\
             - 1 link or special file (links are not followed)\n"
        );
    }

    #[test]
    fn what_cannot_be_done_is_admitted() {
        let (survey, question) = (Survey::default(), Question::of("Fix the login"));
        let missing = ["lib/".to_owned()];
        let mut findings = findings(&question, &survey);
        findings.missing = &missing;
        findings.home = Home::Task;
        let text = findings.markdown();
        for part in ["There are no files", "can only count", "`--cwd`", "There is no `lib/` here."] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}
