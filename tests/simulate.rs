//! `crawl simulate` as a user meets it: figures, determinism, and what is said about bad files.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::fs;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

const CRAWLER: &str = "seeds = [\"https://shop.example/\"]\n[identity]\ncontact = \"me@example.com\"\n";

const LIMITED: &str = "\
about = \"A shop that bears a request every two seconds.\"
[[site]]
origin = \"*\"
pages = 100_000
latency = { median = 0.2, sigma = 0.35 }
limit = { requests = 10, seconds = 20 }
";

/// A folder with a crawler file and a scenario.
struct Desk(TempDir);

struct Ran {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Desk {
    fn with(crawler: &str, scenario: &str) -> Self {
        let desk = Self(tempfile::tempdir().unwrap());
        fs::write(desk.0.path().join("shop.toml"), crawler).unwrap();
        fs::write(desk.0.path().join("s.toml"), scenario).unwrap();
        desk
    }

    fn simulate(&self, more: &[&str]) -> Ran {
        let mut command = Command::new(env!("CARGO_BIN_EXE_crawl"));
        command.args(["simulate", "shop.toml", "--scenario", "s.toml"]).args(more);
        let output = command.current_dir(self.0.path()).env_remove("RUST_LOG").output().unwrap();
        Ran {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    fn files(&self) -> Vec<String> {
        let files = fs::read_dir(self.0.path()).unwrap();
        let mut names: Vec<_> = files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

impl Ran {
    fn json(&self) -> Value {
        assert_eq!(self.code, Some(0), "{}{}", self.out, self.err);
        serde_json::from_str(&self.out).unwrap()
    }

    fn refused(&self) -> &str {
        assert_eq!((self.code, self.out.as_str()), (Some(2), ""), "{}", self.err);
        &self.err
    }
}

fn refusal(crawler: &str, scenario: &str) -> String {
    Desk::with(crawler, scenario).simulate(&[]).refused().to_owned()
}

#[test]
fn the_same_seed_prints_the_same_to_the_byte_and_another_seed_does_not() {
    let desk = Desk::with(CRAWLER, LIMITED);
    let simulate = |seed: &str, log: &str| {
        let ran = desk.simulate(&["--hours", "2", "--seed", seed, "--transcript", log]);
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
        (ran.out, fs::read(desk.0.path().join(log)).unwrap())
    };
    let first = simulate("1", "log");
    assert_eq!(first, simulate("1", "log"));
    assert_ne!(first.1, simulate("2", "log").1);
    assert!(first.0.contains("0 of the rules of politeness"), "{}", first.0);
    assert_eq!(desk.files(), ["log", "s.toml", "shop.toml"]);
}

#[test]
fn a_day_of_fifty_thousand_pages_is_done_in_no_time() {
    let open = "[[site]]\norigin = \"https://shop.example\"\npages = 49_999\n";
    let told = Desk::with(CRAWLER, open).simulate(&["--json"]).json();
    assert_eq!(told["end"], "complete");
    assert_eq!(told["items"], 50_000);
    let total = &told["measures"]["total"];
    assert_eq!((&total["pages"], &total["throttled"]), (&50_000.into(), &0.into()));
    assert!(total["efficiency"].as_f64().unwrap() > 0.9, "{total}");
    assert_eq!(told["breaches"], Value::Array(Vec::new()));
}

#[test]
fn a_crawl_that_parks_itself_is_run_again_when_its_wait_is_over() {
    let hourly =
        LIMITED.replace("requests = 10, seconds = 20", "window = \"fixed\", requests = 100, seconds = 3600");
    let told = Desk::with(CRAWLER, &hourly).simulate(&["--json", "--hours", "5"]).json();
    assert!(told["runs"].as_u64().unwrap() >= 4, "{told}");
    assert!(told["measures"]["total"]["pages"].as_u64().unwrap() >= 350, "{told}");
    assert_eq!(told["measures"]["by-hour"].as_array().unwrap().len(), 5);
}

#[test]
fn the_rules_of_the_file_read_the_simulated_pages() {
    let crawler = format!(
        "{CRAWLER}[[extract]]\nscope = \"main\"\nfields = {{ title = \"h1\" }}\n[[follow]]\ncss = \"ul.next\"\n"
    );
    let told = Desk::with(&crawler, LIMITED).simulate(&["--hours", "1"]);
    assert!(told.out.contains("give the [[site]] a `template`"), "{}", told.out);
    let template = "template = \"<main><h1>{path}</h1></main><ul class=next>{links}</ul>\"\npages = 20";
    let fitting = LIMITED.replace("pages = 100_000", template);
    let told = Desk::with(&crawler, &fitting).simulate(&["--json"]).json();
    assert_eq!((&told["items"], &told["end"]), (&21.into(), &"complete".into()));
}

#[test]
fn expectations_that_are_not_met_end_it_with_code_1() {
    let hopeful = format!("{LIMITED}[expect]\nthrottled-first-hour = 0\nmin-efficiency = 2.0\n");
    let ran = Desk::with(CRAWLER, &hopeful).simulate(&["--hours", "1"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.out.contains("Not as expected:\n"), "{}", ran.out);
    assert!(ran.out.contains("min-efficiency: "), "{}", ran.out);
}

#[test]
fn what_is_wrong_with_a_scenario_is_told_with_file_line_and_key() {
    let told = refusal(CRAWLER, &LIMITED.replace("pages", "page"));
    assert!(told.contains("`site[0].page`: unknown field `page`"), "{told}");
    assert!(told.contains(" --> s.toml:4:1"), "{told}");
    let told = refusal(CRAWLER, &LIMITED.replace("seconds = 20", "seconds = -20"));
    assert!(told.contains("`site[0].limit.seconds`: -20 is not in"), "{told}");
    assert!(told.contains(" --> s.toml:6:36"), "{told}");
    let told = refusal(CRAWLER, "[[site]\n");
    assert!(told.contains(" --> s.toml:1:"), "{told}");
    assert!(refusal(CRAWLER, "").contains("missing field `site`"));
}

#[test]
fn a_seed_that_nobody_answers_at_is_a_slip() {
    let told = refusal(CRAWLER, &LIMITED.replace('*', "https://other.example"));
    assert!(told.contains("no [[site]] of s.toml is at https://shop.example"), "{told}");
    let told = refusal("seeds = [\"demo:\"]\n", LIMITED);
    assert!(told.contains("`demo:` is a server on the machine's own clock"), "{told}");
    let elsewhere = format!("{LIMITED}[crawl]\nseeds = [\"http://localhost/\"]\n");
    let ran = Desk::with("seeds = [\"demo:\"]\n", &elsewhere).simulate(&["--hours", "0.1"]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let ran = Desk::with(CRAWLER, LIMITED).simulate(&["--hours", "0"]);
    assert!(ran.refused().contains("--hours 0"), "{}", ran.err);
}

#[test]
fn the_example_of_the_documentation_runs_as_it_says() {
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/simulate.md")).unwrap();
    let block = |open: &str| page.split(open).nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let desk = Desk::with(block("```toml\n"), block("```toml scenario\n"));
    let told = desk.simulate(&["--json"]).json();
    assert_eq!(told["breaches"], Value::Array(Vec::new()));
    let adapted = told["measures"]["total"]["adapted"].as_array().unwrap();
    assert_eq!(adapted.len(), 2);
}

#[test]
fn every_key_of_a_scenario_is_told_in_the_documentation() {
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/simulate.md")).unwrap();
    for table in [
        "\n",
        "[crawl]\n",
        "[[site.rule]]\n",
        "[site.limit]\n",
        "[expect]\n",
        "[[expect.host]]\n",
        "[[expect.arrival]]\n",
    ] {
        let site = "[[site]]\norigin = \"*\"\n";
        let told = match table {
            "\n" => refusal(CRAWLER, &format!("{site}nonsense = 1\n")),
            table => refusal(CRAWLER, &format!("{site}{table}nonsense = 1\n")),
        };
        let known = told.split("expected one of ").nth(1).unwrap().lines().next().unwrap();
        for key in known.split('`').skip(1).step_by(2) {
            assert!(page.contains(&format!("`{key}`")), "{table}: `{key}` is not told");
        }
    }
}
