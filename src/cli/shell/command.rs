//! What can be typed.

use super::super::args::ArticleForm;
use super::super::look::query::By;

/// A line as it is understood.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line<'l> {
    /// An empty one, or a remark behind `#`.
    Nothing,
    Command(Command<'l>),
}

/// One command with what stands behind it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Command<'l> {
    Ask(By, &'l str),
    /// The text of the page, or of what the selector finds.
    Text(&'l str),
    /// The source of the page, or the HTML inside of what the selector finds.
    Html(&'l str),
    /// Links whose URL or text holds this.
    Links(&'l str),
    Headers,
    Title,
    Meta,
    JsonLd,
    Structured,
    Article(ArticleForm),
    /// What the rules give, as on a page that was reached with this label.
    Items(Option<&'l str>),
    /// A field, and what the crawler file says of it; without, what was asked last.
    Rule(&'l str, Option<&'l str>),
    Fetch(&'l str),
    Save(&'l str),
    Help,
    Quit,
}

/// Why a line is not understood.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum CommandError {
    #[error("there is no command `{word}`{}: `help` lists them", .meant.map(|meant| format!("; did you mean `{meant}`?")).unwrap_or_default())]
    Unknown { word: String, meant: Option<&'static str> },
    #[error("`{0}` needs something behind it: `help` shows what")]
    Bare(&'static str),
    #[error("an article has two forms: `article text` and `article markdown`")]
    Form,
}

/// Every command: its word, what stands behind it, and what it does.
const COMMANDS: [(&str, &str, &str); 18] = [
    ("css", "SELECTOR", "what it finds: `css h1`, `css a.next::attr(href)`"),
    ("xpath", "EXPRESSION", "what it finds: `xpath //h1/@id`"),
    ("json", "PATH", "what it finds in a JSON answer: `json $.items[*].name`"),
    ("re", "EXPRESSION", "what it finds in the source: its first group, or the whole match"),
    ("text", "[SELECTOR]", "the text of the page, or of what is found"),
    ("html", "[SELECTOR]", "the source of the page, or the HTML inside of what is found"),
    ("links", "[PART]", "its links, or those with this in URL or text"),
    ("headers", "", "status and header fields of the answer"),
    ("title", "", "its title"),
    ("meta", "", "`<meta>`, Open Graph, and what it asks of robots"),
    ("ld", "", "its JSON-LD"),
    ("structured", "", "JSON-LD, microdata, Open Graph and meta"),
    ("article", "[text|markdown]", "its main text"),
    ("items", "[LABEL]", "what the rules of the crawler file take from it"),
    (
        "rule",
        "NAME [= VALUE]",
        "a line for [extract.fields], tried here: `rule price = \".price\"`; without value: the last expression",
    ),
    ("fetch", "URL", "the next page, asked for as politely as in a run; may be relative"),
    ("save", "FILE", "write the body to a new file"),
    ("quit", "", "leave"),
];

/// What `help` prints.
pub(super) fn help() -> String {
    let row =
        |(word, behind, what): &(&str, &str, &str)| format!("{:<26} {what}\n", format!("{word} {behind}"));
    COMMANDS.iter().map(row).collect()
}

/// Reads a line.
pub(super) fn read(line: &str) -> Result<Line<'_>, CommandError> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return Ok(Line::Nothing);
    }
    let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    command(word, rest.trim()).map(Line::Command)
}

fn command<'l>(word: &str, rest: &'l str) -> Result<Command<'l>, CommandError> {
    let needs = |word| if rest.is_empty() { Err(CommandError::Bare(word)) } else { Ok(rest) };
    Ok(match word {
        "css" => Command::Ask(By::Css, needs("css")?),
        "xpath" => Command::Ask(By::XPath, needs("xpath")?),
        "json" => Command::Ask(By::Json, needs("json")?),
        "re" | "regex" => Command::Ask(By::Regex, needs("re")?),
        "text" => Command::Text(rest),
        "html" => Command::Html(rest),
        "links" => Command::Links(rest),
        "headers" => Command::Headers,
        "title" => Command::Title,
        "meta" => Command::Meta,
        "ld" => Command::JsonLd,
        "structured" => Command::Structured,
        "article" => Command::Article(article_form(rest)?),
        "items" => Command::Items((!rest.is_empty()).then_some(rest)),
        "rule" => rule(needs("rule")?)?,
        "fetch" => Command::Fetch(needs("fetch")?),
        "save" => Command::Save(needs("save")?),
        "help" | "?" => Command::Help,
        "quit" | "exit" => Command::Quit,
        word => return Err(unknown(word)),
    })
}

fn article_form(word: &str) -> Result<ArticleForm, CommandError> {
    match word {
        "" | "text" => Ok(ArticleForm::Text),
        "markdown" => Ok(ArticleForm::Markdown),
        _ => Err(CommandError::Form),
    }
}

fn rule(rest: &str) -> Result<Command<'_>, CommandError> {
    match rest.split_once('=') {
        None => Ok(Command::Rule(rest, None)),
        Some((name, value)) if !name.trim().is_empty() && !value.trim().is_empty() => {
            Ok(Command::Rule(name.trim(), Some(value.trim())))
        }
        Some(_) => Err(CommandError::Bare("rule")),
    }
}

fn unknown(word: &str) -> CommandError {
    let distance = |known: &str| strsim::damerau_levenshtein(known, word);
    let closest = COMMANDS.iter().map(|(known, ..)| *known).min_by_key(|known| distance(known));
    let meant = closest.filter(|known| distance(known) <= 1 + known.len() / 4);
    CommandError::Unknown { word: word.chars().take(40).collect(), meant }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_word_and_what_stands_behind_it() {
        let read = |line| read(line).unwrap();
        assert_eq!(read("  css  a > b "), Line::Command(Command::Ask(By::Css, "a > b")));
        assert_eq!(read("rule a = \"b = c\""), Line::Command(Command::Rule("a", Some("\"b = c\""))));
        assert_eq!(read("rule a"), Line::Command(Command::Rule("a", None)));
        assert_eq!(read("items"), Line::Command(Command::Items(None)));
        assert_eq!((read(""), read("# css a")), (Line::Nothing, Line::Nothing));
    }

    #[test]
    fn what_is_no_command_says_what_may_have_been_meant() {
        let told = |line| read(line).unwrap_err().to_string();
        assert_eq!(
            told("hedaers"),
            "there is no command `hedaers`; did you mean `headers`?: `help` lists them"
        );
        assert_eq!(told("frobnicate"), "there is no command `frobnicate`: `help` lists them");
        assert_eq!(told("css"), "`css` needs something behind it: `help` shows what");
        assert_eq!(read("rule =").unwrap_err(), CommandError::Bare("rule"));
    }

    #[test]
    fn help_has_every_command_and_every_command_is_understood() {
        for (word, ..) in COMMANDS {
            assert!(help().contains(word));
            let line = format!("{word} {}", if word == "article" { "text" } else { "x" });
            assert!(read(&line).is_ok(), "{line}");
        }
    }
}
