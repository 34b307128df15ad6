//! The command `crawl`; see [`crawl::cli`].

fn main() -> std::process::ExitCode {
    crawl::cli::main(crawl::cli::Registry::builtin())
}
