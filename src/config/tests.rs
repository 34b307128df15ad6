use super::*;
fn loader(text: &str) -> Loader {
    Loader::new().text("a.toml", text).environment(|name| match name {
        "TOKEN" => Some("s3cret".to_owned()),
        "DELAY" => Some("soon".to_owned()),
        "PAGES" => Some("12".to_owned()),
        _ => None,
    })
}
#[test]
fn dump() {
    for case in [
        "seeds = [\"demo:\"]\n\n[politeness]\ndely = \"1s\"\n",
        "seeds = [\"demo:\"]\n[politenes]\ndelay = 1\n",
        "[scope]\nmax-depth = 3\nseeds = [\"demo:\"]\n",
        "seeds = [\"demo:\"]\n[politeness]\ndelay = \"fast\"\njitter = 2\nmax-concurrency = -1\nmax-in-flight = \"many\"\n[robots]\nforbidden = \"dney\"\n",
        "seeds = [\"demo:\"\n[scope\nmax-depth = = 3\n",
        "seeds = [\"https://a.example/\"]\n",
        "",
        "[identity]\nname = \"bot/2\"\ncontact = \"me\"\n",
        "seeds = [\"demo:\", \"ftp://a.example/\", { label = \"x\" }, 7, \"not a url\", \"demo:x\"]\n",
        "seeds = [\"demo:\"]\n[[extract]]\nlabel = \"bok\"\n[extract.fields]\ntitle = \"h1[\"\nprice = { css = \"p\", atr = \"x\" }\nz = { regex = \"(\" }\ny = { attr = \"href\", html = true }\n[[follow]]\nlabel = \"book\"\ncss = \"a::attr(href)\"\n",
        "seeds = [\"demo:\"]\nspider = \"quotes\"\n[[extract]]\nfields = { a = \"b\" }\n",
        "seeds = [\"demo:\"]\n[net]\nallow = [\"10.0.0.0/8\", \"ten\"]\n[http]\nmax-body = \"big\"\nproxy = \"nowhere\"\nheaders = { authorization = \"Bearer ${MISSING}\", user-agent = \"x\" }\n",
        "seeds = [\"demo:\"]\n[politeness]\ndelay = \"${DELAY}\"\n[scope]\nmax-pages = \"${PAGES}\"\nmax-depth=\"${TOKEN}\"",
        "seeds = [\"demo:\"]\n[sink.csv]\npath = \"x.csv\"\n[sink.jsonl]\n",
        "seeds = [\"demo:\"]\nseeds = 3\n[a]\n[a]\n",
        "seeds = [\"https://a.example/\", \"https://b.example/\"]\nidentity.contact = \"me@a.example\"\nhttp.headers.authorization = \"x\"",
    ] {
        println!("=====\n{case}-----");
        match loader(case).load() {
            Err(e) => println!("{e}"),
            Ok(p) => println!("OK {p:#?}"),
        }
    }
    for set in [
        "politeness.dely=1",
        "x",
        "net.allow=[1",
        "politeness.delay=quick",
        "scope.max-depth=two",
        "identity.version=1.10",
        "net.allow=127.0.10.0/24",
    ] {
        println!("===== {set}");
        match loader("seeds = [\"demo:\"]").set(set).load() {
            Err(e) => println!("{e}"),
            Ok(p) => println!(
                "OK {} {:?}",
                p.identity.user_agent,
                p.explain()
                    .iter()
                    .filter(|e| e.origin != "default")
                    .collect::<Vec<_>>()
            ),
        }
    }
    for f in ["site", "books", "quotes", "docs"] {
        let p = Loader::new().file(format!("crawlers/{f}.toml")).load();
        match p {
            Err(e) => println!("{e}"),
            Ok(p) => println!("OK {p:#?}"),
        }
    }
}
