//! The command line of this run as another one that goes on with it.

use super::render::safe;

/// The command that goes on with an interrupted run. `run` itself goes on with what is left, and has flags that
/// `resume` has not.
pub(super) fn resume_command(words: impl Iterator<Item = String>) -> String {
    let words: Vec<_> = words.skip(1).filter(|word| word != "--fresh").collect();
    let resumes = !words.iter().any(|word| word == "--watch" || word.starts_with("--max-age"));
    let mut command = vec!["crawl".to_owned()];
    for word in words {
        command.push(if resumes && word == "run" { "resume".to_owned() } else { quoted(&word) });
    }
    command.join(" ")
}

/// A word as a shell reads it.
fn quoted(word: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./:=@%+,".contains(letter);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", safe(&word.replace('\'', "'\\''")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interrupted_run_says_how_to_go_on() {
        let words = ["/bin/crawl", "run", "a.toml", "--fresh", "--set", "net.allow=[\"10.0.0.0/8\"]"];
        let command = resume_command(words.into_iter().map(str::to_owned));
        assert_eq!(command, "crawl resume a.toml --set 'net.allow=[\"10.0.0.0/8\"]'");
        let words = ["/bin/crawl", "run", "a.toml", "--watch"];
        assert_eq!(resume_command(words.into_iter().map(str::to_owned)), "crawl run a.toml --watch");
    }
}
