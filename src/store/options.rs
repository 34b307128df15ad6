//! How much of the machine the store on disk may use.

/// How much the store on disk may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiskOptions {
    /// Memory for blocks read from disk, in bytes. 16 MiB.
    pub cache_bytes: u64,
    /// Memory for writes until they are sorted into files, in bytes; as a rule one of these exists, or two, and up to four if the disk
    /// is slow. 32 MiB: what is sorted in large pieces is merged less often. A state keeps what it was begun with.
    pub memtable_bytes: u64,
    /// Journal on disk, in bytes: bounds the replay after a crash. 128 MiB, at least 64 MiB.
    pub journal_bytes: u64,
    /// Memory for the seen-set, in bytes: what is beyond is kept in sorted files, whose filters count too (1.5 bytes a URL, less
    /// if there is no room). 256 MiB: more than 6 million URLs stay in memory. At least 1 MiB is sensible.
    pub seen_bytes: u64,
    /// Files kept open; sockets want descriptors too. 128, at least 10.
    pub open_files: usize,
}

impl Default for DiskOptions {
    fn default() -> Self {
        Self {
            cache_bytes: 16 << 20,
            memtable_bytes: 32 << 20,
            journal_bytes: 128 << 20,
            seen_bytes: 256 << 20,
            open_files: 128,
        }
    }
}
