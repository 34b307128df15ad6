//! The command `crawl`; see [`crawl::cli`].

/// A crawl makes and drops many small things on several threads: the allocator is a tenth of its work, or a twentieth.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    crawl::cli::main(crawl::cli::Registry::builtin())
}
