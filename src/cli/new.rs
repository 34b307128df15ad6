//! `crawl new`: a project with a spider, a crawler file and a test that needs no network.

use std::fs;
use std::path::Path;

use super::args::NewArgs;
use super::exit::{Exit, Failure};
use super::render::tell;

/// Every file of a new project: where it lies and what is in it, with `{{name}}`, `{{type}}` and `{{dependency}}` left open.
const FILES: [(&str, &str); 7] = [
    ("Cargo.toml", include_str!("new/Cargo.toml.txt")),
    (".gitignore", "/target\n/.crawl\n/out\n"),
    ("README.md", include_str!("new/README.md.txt")),
    ("crawlers/{{name}}.toml", include_str!("new/crawler.toml.txt")),
    ("src/main.rs", include_str!("new/main.rs.txt")),
    ("src/lib.rs", include_str!("new/lib.rs.txt")),
    ("tests/pages.rs", include_str!("new/pages.rs.txt")),
];

pub(super) fn new(args: &NewArgs) -> Result<Exit, Failure> {
    check_name(&args.name)?;
    let dir = Path::new(&args.name);
    if dir.exists() {
        return Err(Failure::Usage(format!("`{}` is there already: choose another name", args.name)));
    }
    let dependency = dependency(args.path.as_deref())?;
    for (path, text) in FILES {
        write(&dir.join(filled(path, args, &dependency)), &filled(text, args, &dependency))?;
    }
    tell(&format!(
        "made {name}/; next:\n  cd {name}\n  cargo test                                  reads a stored page, without network\n  cargo run -- run crawlers/{name}.toml",
        name = args.name
    ));
    Ok(Exit::COMPLETE)
}

/// What cargo accepts as a package's name, and no path.
fn check_name(name: &str) -> Result<(), Failure> {
    let good =
        |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || matches!(letter, '-' | '_');
    let fits = name.chars().all(good)
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.len() <= 64;
    // These name the crate itself, the standard library, and the test harness.
    let taken = ["crawl", "std", "core", "alloc", "test", "proc_macro"].contains(&name);
    if fits && !taken {
        return Ok(());
    }
    Err(Failure::Usage(format!(
        "`{name}` cannot name a project: use lower-case letters, digits, `-` and `_`, beginning with a letter, and no name of a known crate"
    )))
}

fn dependency(path: Option<&Path>) -> Result<String, Failure> {
    let Some(path) = path else {
        return Ok(format!("crawl = \"{}\"", env!("CARGO_PKG_VERSION")));
    };
    let full = fs::canonicalize(path).map_err(Failure::file(path))?;
    let text = serde_json::Value::from(full.to_string_lossy()).to_string();
    Ok(format!("crawl = {{ path = {text} }}"))
}

fn filled(text: &str, args: &NewArgs, dependency: &str) -> String {
    text.replace("{{name}}", &args.name)
        .replace("{{crate}}", &args.name.replace('-', "_"))
        .replace("{{type}}", &type_name(&args.name))
        .replace("{{dependency}}", dependency)
}

/// `my-shop` as `MyShop`.
fn type_name(name: &str) -> String {
    let capital = |part: &str| part[..1].to_ascii_uppercase() + &part[1..];
    name.split(['-', '_']).filter(|part| !part.is_empty()).map(capital).collect()
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(Failure::file(folder))?;
    fs::write(path, text).map_err(Failure::file(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_that_cargo_accepts() {
        assert!(["shop", "my-shop2", "a_b"].iter().all(|name| check_name(name).is_ok()));
        assert!(["", "../x", "Shop", "2shop", "crawl", "a b"].iter().all(|name| check_name(name).is_err()));
    }

    #[test]
    fn a_name_becomes_a_type() {
        assert_eq!([type_name("my-shop2"), type_name("a_b-")], ["MyShop2", "AB"]);
    }
}
