//! What was measured, each figure beside the bar that it has to pass.

use std::fmt::Write as _;
use std::time::Duration;

use serde::Serialize;

/// One figure.
#[derive(Debug, Serialize)]
pub(super) struct Figure {
    /// What was measured.
    name: &'static str,
    value: f64,
    unit: &'static str,
    /// The most that it may be.
    #[serde(skip_serializing_if = "Option::is_none")]
    bar: Option<f64>,
    /// Whether it is within its bar.
    #[serde(skip_serializing_if = "Option::is_none")]
    passed: Option<bool>,
    /// More of it, in words.
    #[serde(skip_serializing_if = "String::is_empty")]
    note: String,
}

/// All figures, in their order.
#[derive(Debug, Default, Serialize)]
#[serde(transparent)]
pub(super) struct Figures(Vec<Figure>);

impl Figures {
    /// A figure without a bar.
    pub(super) fn add(&mut self, name: &'static str, value: f64, unit: &'static str) -> &mut Figure {
        self.0.push(Figure {
            name,
            value: rounded(value),
            unit,
            bar: None,
            passed: None,
            note: String::new(),
        });
        self.0.last_mut().expect("it was put there above")
    }

    /// Whether every figure is within its bar.
    pub(super) fn passed(&self) -> bool {
        self.0.iter().all(|figure| figure.passed != Some(false))
    }

    /// A line for each.
    pub(super) fn table(&self) -> String {
        let mut text = String::new();
        for figure in &self.0 {
            let Figure { name, value, unit, note, .. } = figure;
            let bar = figure.bar.map_or(String::new(), |bar| {
                let word = if figure.passed == Some(true) { "pass" } else { "FAIL" };
                format!("{word}, at most {bar} {unit}").trim_end().to_owned()
            });
            let tail = [bar, note.clone()]
                .into_iter()
                .filter(|part| !part.is_empty())
                .collect::<Vec<_>>()
                .join("; ");
            let line = format!("{name:<44} {value:>10} {unit:<7} {tail}");
            writeln!(text, "{}", line.trim_end()).expect("a String takes everything");
        }
        text
    }
}

impl Figure {
    /// It may not be more than this.
    pub(super) fn at_most(&mut self, bar: f64) -> &mut Self {
        self.bar = Some(bar);
        self.passed = Some(self.value <= bar);
        self
    }

    /// More of it, in words.
    pub(super) fn note(&mut self, note: String) -> &mut Self {
        self.note = note;
        self
    }
}

/// Three digits that matter.
fn rounded(value: f64) -> f64 {
    let digits = if value >= 100.0 { 1.0 } else { 100.0 };
    (value * digits).round() / digits
}

/// Microseconds each.
pub(super) fn each(time: Duration, count: u64) -> f64 {
    time.as_secs_f64() * 1e6 / count.max(1) as f64
}

/// Milliseconds.
pub(super) fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// Binary megabytes.
pub(super) fn mebi(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_above_its_bar_fails_all_of_them() {
        let mut figures = Figures::default();
        figures.add("cost of a page", 119.96, "us").at_most(120.0);
        assert!(figures.passed());
        figures.add("longest pause", 101.26, "ms").at_most(100.0).note("of a commit".to_owned());
        assert!(!figures.passed());
        let table = figures.table();
        let lines: Vec<_> = table.lines().collect();
        assert!(lines[0].ends_with("120 us      pass, at most 120 us"), "{}", lines[0]);
        assert!(lines[1].ends_with("101 ms      FAIL, at most 100 ms; of a commit"), "{}", lines[1]);
    }
}
