use super::loader;
#[test]
fn dump() {
    println!("@@@an_unknown_key_is_shown_with_what_may_have_been_meant");
    println!(
        "{}",
        loader("seeds = [\"demo:\"]\n\n[politeness]\ndely = \"1s\"\n")
            .load()
            .unwrap_err()
    );
    println!("@@@a_table_that_does_not_exist_is_an_unknown_key_too");
    println!(
        "{}",
        loader("seeds = [\"demo:\"]\n[politenes]\ndelay = 1\n")
            .load()
            .unwrap_err()
    );
    println!("@@@a_key_that_is_like_no_other_gets_the_list_of_keys");
    println!(
        "{}",
        loader("seeds = [\"demo:\"]\n[retry]\nzzz = 1\n")
            .load()
            .unwrap_err()
    );
    println!("@@@seeds_below_a_table_are_told_where_they_belong");
    println!(
        "{}",
        loader("[scope]\nmax-depth = 3\nseeds = [\"demo:\"]\n")
            .load()
            .unwrap_err()
    );
    println!("@@@all_problems_come_at_once_in_the_order_of_the_file");
    println!("{}", loader("seeds = [\"demo:\"]\n[politeness]\ndelay = \"fast\"\njitter = 2\nmax-concurrency = -1\nmax-in-flight = \"many\"\nspeed = 9\n[robots]\nforbidden = \"dney\"\n").load().unwrap_err());
    println!("@@@what_is_no_toml_is_told_once_a_line");
    println!(
        "{}",
        loader("seeds = [\"demo:\"]\nscope = = 3\n[a\n[b]\n[b]\n")
            .load()
            .unwrap_err()
    );
    println!("@@@a_crawl_beyond_this_machine_needs_a_contact");
    println!(
        "{}",
        loader("seeds = [\"https://a.example/\"]\n").load().unwrap_err()
    );
    println!("@@@a_crawl_needs_seeds");
    println!(
        "{}",
        loader("[identity]\nname = \"bot/2\"\ncontact = \"me\"\n")
            .load()
            .unwrap_err()
    );
    println!("@@@seeds_are_checked_one_by_one");
    println!(
        "{}",
        loader("seeds = [\"demo:\", \"ftp://a.example/\", { label = \"x\" }, 7, \"demo:x\"]\n")
            .load()
            .unwrap_err()
    );
    println!("@@@a_seed_out_of_scope_is_a_problem");
    println!("{}", loader("seeds = [\"http://127.0.0.1/private/\"]\n[scope]\nexclude = [\"/private/\"]\ninclude = [\"re:(\"]\nhosts = [\"http://a.example/\"]\n").load().unwrap_err());
    println!("@@@rules_for_pages_are_checked");
    println!("{}", loader("seeds = [\"demo:\"]\n[[extract]]\nlabel = \"bok\"\n[extract.fields]\ntitle = \"h1[\"\nprice = { css = \"p\", atr = \"x\" }\nz = { regex = \"(\" }\ny = { attr = \"href\", html = true }\n[[extract]]\n[[follow]]\nlabel = \"book\"\ncss = \"a::attr(href)\"\n").load().unwrap_err());
    println!("@@@a_spider_in_code_excludes_rules_in_the_file");
    println!(
        "{}",
        loader("seeds = [\"demo:\"]\nspider = \"quotes\"\n[[extract]]\nfields = { a = \"b\" }\n")
            .load()
            .unwrap_err()
    );
    println!("@@@addresses_sizes_proxies_and_headers_are_checked");
    println!("{}", loader("seeds = [\"demo:\"]\n[net]\nallow = [\"10.0.0.0/8\", \"ten\"]\n[http]\nmax-body = \"big\"\nproxy = \"nowhere\"\nheaders = { user-agent = \"x\", \"a b\" = \"c\" }\n[hosts.\"a.example:80\"]\ndelay = \"1s\"\n").load().unwrap_err());
    println!("@@@a_variable_that_is_not_set_is_named");
    println!(
        "{}",
        loader("seeds = [\"demo:\"]\nhttp.headers.x-key = \"Bearer ${MISSING}\"\n")
            .load()
            .unwrap_err()
    );
    println!("@@@sinks_are_checked_against_the_fields");
    println!("{}", loader("seeds = [\"demo:\"]\n[[extract]]\nfields = { title = \"h1\" }\n[sink.csv]\npath = \"x\"\ncolumns = [\"kind\", \"titel\"]\n[sink.jsonl]\n").load().unwrap_err());
    println!("@@@credentials_for_every_host_are_refused");
    println!("{}", loader("seeds = [\"https://a.example/\", \"https://b.example/\"]\nidentity.contact = \"me@a.example\"\nhttp.headers.authorization = \"x\"\n").load().unwrap_err());
    println!("@@@an_assignment_is_shown_as_it_was_given");
    println!(
        "{}",
        loader("seeds = [\"demo:\"]")
            .set("politeness.dely=1")
            .set("x")
            .set("net.allow=[1")
            .set("scope.max-depth=two")
            .load()
            .unwrap_err()
    );
    println!("@@@END");
}
