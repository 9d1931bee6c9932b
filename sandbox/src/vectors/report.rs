//! What a run of vectors found, and how it is printed.

use std::collections::BTreeMap;
use std::fmt;

use super::compare::{Exception, Findings};
use super::file::{Exchange, Vector};
use super::template::redact;

/// What became of one vector.
#[derive(Debug)]
pub struct Outcome {
    /// The vector's name.
    pub name: String,
    /// The transport: names are not unique without it.
    pub transport: &'static str,
    /// The vector's group.
    pub group: String,
    /// What was found.
    pub verdict: Verdict,
}

impl Outcome {
    pub(super) fn new(vector: &Vector, verdict: Verdict) -> Self {
        let transport = match &vector.exchange {
            Ok(Exchange::Grpc(..)) => "grpc",
            Ok(Exchange::Http(..)) => "http",
            Ok(Exchange::Stack(exchange)) => exchange.transport(),
            Err(_) => "unreadable",
        };
        Self { name: vector.name.clone(), transport, group: vector.group.clone(), verdict }
    }
}

/// How a vector did.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// As recorded, or different by these rules only.
    Passed(Vec<Exception>),
    /// Different; each line names what was expected and what came. No line holds a token.
    Failed(Vec<String>),
    /// Not run, by this rule.
    LeftOut(Exception),
}

impl From<Findings> for Verdict {
    fn from(found: Findings) -> Self {
        if !found.differences.is_empty() {
            Self::Failed(found.differences.iter().map(|line| redact(line)).collect())
        } else if found.exceptions.contains(&Exception::CannotSend) {
            Self::LeftOut(Exception::CannotSend)
        } else {
            Self::Passed(found.exceptions)
        }
    }
}

/// What became of a file's vectors. Displayed: the differences, the exceptions by name, and, as the last line,
/// `N passed, M failed`; what was left out is counted as neither.
#[derive(Debug, Default)]
pub struct Report {
    /// One for each vector, in file order.
    pub outcomes: Vec<Outcome>,
}

impl Report {
    /// How many passed.
    pub fn passed(&self) -> usize {
        self.outcomes.iter().filter(|outcome| matches!(outcome.verdict, Verdict::Passed(_))).count()
    }

    /// The names of those that failed.
    pub fn failed(&self) -> Vec<&str> {
        let failed = self.outcomes.iter().filter(|outcome| matches!(outcome.verdict, Verdict::Failed(_)));
        failed.map(|outcome| outcome.name.as_str()).collect()
    }

    /// Of each group, how many were run, and how many there are.
    pub fn groups(&self) -> BTreeMap<&str, (usize, usize)> {
        let mut groups = BTreeMap::<_, (usize, usize)>::new();
        for outcome in &self.outcomes {
            let (run, all) = groups.entry(outcome.group.as_str()).or_default();
            *run += usize::from(!matches!(outcome.verdict, Verdict::LeftOut(_)));
            *all += 1;
        }
        groups
    }

    /// The vectors that each exception was used for.
    pub fn exceptions(&self) -> BTreeMap<Exception, Vec<&Outcome>> {
        let mut used = BTreeMap::<_, Vec<_>>::new();
        for outcome in &self.outcomes {
            let exceptions = match &outcome.verdict {
                Verdict::Passed(exceptions) => exceptions.as_slice(),
                Verdict::LeftOut(exception) => std::slice::from_ref(exception),
                Verdict::Failed(_) => &[],
            };
            for exception in exceptions {
                used.entry(*exception).or_default().push(outcome);
            }
        }
        used
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Outcome { name, transport, verdict, .. } in &self.outcomes {
            if let Verdict::Failed(differences) = verdict {
                writeln!(f, "FAILED {name} ({transport})")?;
                for difference in differences {
                    // One line each, whatever a server sent.
                    writeln!(f, "    {}", difference.replace('\n', "\\n").replace('\r', "\\r"))?;
                }
            }
        }
        let exceptions = self.exceptions();
        let used: usize = exceptions.values().map(Vec::len).sum();
        writeln!(f, "{used} exceptions")?;
        for (exception, outcomes) in exceptions {
            writeln!(f, "  {} x {}", outcomes.len(), exception.rule())?;
            if exception == Exception::Sequence {
                for (group, count) in counted(outcomes.iter().map(|outcome| outcome.group.as_str())) {
                    writeln!(f, "      group {group}: {count}")?;
                }
                continue;
            }
            for Outcome { name, transport, .. } in outcomes {
                writeln!(f, "      {name} ({transport})")?;
            }
        }
        writeln!(f, "{} passed, {} failed", self.passed(), self.failed().len())
    }
}

fn counted<'a>(names: impl Iterator<Item = &'a str>) -> BTreeMap<&'a str, usize> {
    let mut counts = BTreeMap::new();
    names.for_each(|name| *counts.entry(name).or_default() += 1);
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_counts_and_what_is_left_out_is_neither() {
        let outcome = |name: &str, verdict| {
            let group = if name == "d" { "x" } else { "y" }.to_owned();
            Outcome { name: name.into(), transport: "grpc", group, verdict }
        };
        let report = Report {
            outcomes: vec![
                outcome("a", Verdict::Passed(vec![])),
                outcome("b", Verdict::Passed(vec![Exception::GetStatus])),
                outcome("c", Verdict::Failed(vec!["body: expected \"x\ny\", came nothing".into()])),
                outcome("d", Verdict::LeftOut(Exception::CannotSend)),
            ],
        };
        assert_eq!((report.passed(), report.failed()), (2, vec!["c"]));
        assert_eq!(report.groups(), BTreeMap::from([("x", (0, 1)), ("y", (3, 3))]));
        let text = report.to_string();
        assert!(
            text.starts_with("FAILED c (grpc)\n    body: expected \"x\\ny\", came nothing\n2 exceptions\n"),
            "{text}"
        );
        assert!(text.contains("1 x left out") && text.contains("      d (grpc)\n"), "{text}");
        assert!(text.ends_with("\n2 passed, 1 failed\n"), "{text}");
    }

    #[test]
    fn differences_hold_no_token() {
        let mut found = Findings::default();
        found.differ("body", "x", "eyJhbGciOiJub25lIn0.eyJpc3MiOiJ4In0.");
        let Verdict::Failed(lines) = Verdict::from(found) else { panic!("it differs") };
        assert_eq!(lines, ["body: expected x, came <token>"]);
    }
}
