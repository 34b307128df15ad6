//! What a database knows of the crawls that write to it: how far each has come, and how to take its last steps back.
//!
//! A database commits before the crawl's state does. Killed in between, it is ahead of the state by a step, after a power cut by
//! some. So every step (one flush, one transaction) writes down how to undo it, in the same transaction, and the entries stay
//! until the state has certainly followed.
//!
//! Three tables keep it: `_crawl` (for each crawl: its round, where the round began, the last step, and up to which step
//! entries were dropped), `_crawl_tables` (which tables it writes) and `_crawl_undo`. Steps are counted on over all rounds: a
//! step of the last round can never be taken for one of this.

use super::database::{ADD_UNDO, Bound, Database, Fault, Undo};
use super::name::quoted;

const TABLES: [&str; 3] = [
    "CREATE TABLE IF NOT EXISTS _crawl (crawl TEXT PRIMARY KEY, round TEXT NOT NULL, began BIGINT NOT NULL, \
     position BIGINT NOT NULL, settled BIGINT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS _crawl_tables (crawl TEXT NOT NULL, name TEXT NOT NULL, keyed TEXT NOT NULL, \
     PRIMARY KEY (crawl, name))",
    "CREATE TABLE IF NOT EXISTS _crawl_undo (crawl TEXT NOT NULL, position BIGINT NOT NULL, entry BIGINT NOT NULL, \
     name TEXT NOT NULL, first BIGINT NOT NULL, last BIGINT NOT NULL, before TEXT, PRIMARY KEY (crawl, position, entry))",
];

/// How far a crawl has come.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Mark {
    /// Which round this was; empty before the first.
    pub(super) round: String,
    /// The last step before this round.
    pub(super) began: u64,
    /// The last step.
    pub(super) position: u64,
    /// Steps after this one can be taken back.
    pub(super) settled: u64,
}

/// Makes the tables of this module.
pub(super) fn prepare<D: Database>(db: &mut D) -> Result<(), Fault> {
    TABLES.iter().try_for_each(|sql| db.run(sql, &[]))
}

/// Does `work` in one transaction, all of it or nothing.
pub(super) fn in_one<D: Database, T>(
    db: &mut D,
    work: impl FnOnce(&mut D) -> Result<T, Fault>,
) -> Result<T, Fault> {
    db.run(D::BEGIN, &[])?;
    let done = work(db).and_then(|value| db.run("COMMIT", &[]).map(|()| value));
    if done.is_err() {
        // The first error is the one to tell; a connection that is gone has rolled back by itself.
        let _ = db.run("ROLLBACK", &[]);
    }
    done
}

/// Where a crawl stands; a new one at the very beginning.
pub(super) fn mark<D: Database>(db: &mut D, crawl: &str) -> Result<Mark, Fault> {
    let sql = format!("SELECT round, began, position, settled FROM _crawl WHERE crawl = $1{}", D::FOR_UPDATE);
    let rows = db.rows(&sql, &[crawl.into()])?;
    let Some([round, began, position, settled]) = rows.first().map(Vec::as_slice) else {
        return Ok(Mark::default());
    };
    let number =
        |value: &Bound| value.integer().and_then(|number| u64::try_from(number).ok()).unwrap_or_default();
    let round = round.text().unwrap_or_default().to_owned();
    Ok(Mark { round, began: number(began), position: number(position), settled: number(settled) })
}

pub(super) fn set_mark<D: Database>(db: &mut D, crawl: &str, mark: &Mark) -> Result<(), Fault> {
    let values: [Bound; 5] = [
        crawl.into(),
        mark.round.as_str().into(),
        mark.began.into(),
        mark.position.into(),
        mark.settled.into(),
    ];
    db.run(
        "INSERT INTO _crawl (crawl, round, began, position, settled) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (crawl) DO UPDATE SET round = excluded.round, began = excluded.began, \
         position = excluded.position, settled = excluded.settled",
        &values,
    )
}

/// Notes that the rows of this table with these `_id`s were not there.
pub(super) fn note_new<D: Database>(
    db: &mut D,
    table: &str,
    ids: &[i64],
    undo: &mut Undo,
) -> Result<(), Fault> {
    for (first, last) in ranges(ids) {
        let at: [Bound; 3] = [undo.crawl.as_str().into(), undo.position.into(), undo.entry.into()];
        let what = [table.into(), first.into(), last.into(), Bound::Null];
        db.run(ADD_UNDO, &[&at[..], &what[..]].concat())?;
        undo.entry += 1;
    }
    Ok(())
}

/// The numbers as ranges without a gap.
fn ranges(ids: &[i64]) -> Vec<(i64, i64)> {
    let mut sorted = ids.to_vec();
    sorted.sort_unstable();
    let mut ranges: Vec<(i64, i64)> = Vec::new();
    for id in sorted {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == id => *last = id,
            _ => ranges.push((id, id)),
        }
    }
    ranges
}

/// Takes back all steps after `to`, the last one first.
pub(super) fn undo<D: Database>(db: &mut D, crawl: &str, to: u64) -> Result<(), Fault> {
    let sql = "SELECT name, first, last, before FROM _crawl_undo WHERE crawl = $1 AND position > $2 \
               ORDER BY position DESC, entry DESC";
    for entry in db.rows(sql, &[crawl.into(), to.into()])? {
        let [Bound::Text(table), Bound::Integer(first), Bound::Integer(last), before] = &entry[..] else {
            return Err(Fault::Refused("its table _crawl_undo was changed by another program".to_owned()));
        };
        if db.columns(table)?.is_empty() {
            continue;
        }
        match before {
            Bound::Text(before) => db.restore(table, *first, before)?,
            _ => {
                let sql = format!("DELETE FROM {} WHERE _id BETWEEN $1 AND $2", quoted(table));
                db.run(&sql, &[(*first).into(), (*last).into()])?;
            }
        }
    }
    db.run("DELETE FROM _crawl_undo WHERE crawl = $1 AND position > $2", &[crawl.into(), to.into()])
}

/// Drops the entries of steps up to this one: the state has followed them for good.
pub(super) fn forget<D: Database>(db: &mut D, crawl: &str, up_to: u64) -> Result<(), Fault> {
    db.run("DELETE FROM _crawl_undo WHERE crawl = $1 AND position <= $2", &[crawl.into(), up_to.into()])?;
    db.run("UPDATE _crawl SET settled = $1 WHERE crawl = $2", &[up_to.into(), crawl.into()])
}

/// Who writes a table, and by which key: crawl and key.
pub(super) fn writers<D: Database>(db: &mut D, table: &str) -> Result<Vec<(String, String)>, Fault> {
    let rows = db.rows("SELECT crawl, keyed FROM _crawl_tables WHERE name = $1", &[table.into()])?;
    let text = |value: &Bound| value.text().unwrap_or_default().to_owned();
    Ok(rows.iter().map(|row| (text(&row[0]), text(&row[1]))).collect())
}

/// Notes that the crawl writes this table.
pub(super) fn enrol<D: Database>(db: &mut D, crawl: &str, table: &str, key: &str) -> Result<(), Fault> {
    db.run(
        "INSERT INTO _crawl_tables (crawl, name, keyed) VALUES ($1, $2, $3) ON CONFLICT (crawl, name) DO NOTHING",
        &[crawl.into(), table.into(), key.into()],
    )
}

/// Empties every table that the crawl writes.
pub(super) fn empty<D: Database>(db: &mut D, crawl: &str) -> Result<(), Fault> {
    for row in db.rows("SELECT name FROM _crawl_tables WHERE crawl = $1", &[crawl.into()])? {
        let table = row[0].text().unwrap_or_default();
        if let Some((other, _)) = writers(db, table)?.iter().find(|(writer, _)| writer != crawl) {
            return Err(Fault::Refused(format!(
                "a new round empties the table `{table}`, which the crawl `{other}` writes too: give one of them \
                 another `table`, a `key`, or exists = \"append\""
            )));
        }
        if !db.columns(table)?.is_empty() {
            db.run(&format!("DELETE FROM {}", quoted(table)), &[])?;
        }
    }
    Ok(())
}

/// The first table of the crawl that has rows.
pub(super) fn filled<D: Database>(db: &mut D, crawl: &str) -> Result<Option<String>, Fault> {
    for row in db.rows("SELECT name FROM _crawl_tables WHERE crawl = $1", &[crawl.into()])? {
        let table = row[0].text().unwrap_or_default();
        let sql = format!("SELECT _id FROM {} LIMIT 1", quoted(table));
        if !db.columns(table)?.is_empty() && !db.rows(&sql, &[])?.is_empty() {
            return Ok(Some(table.to_owned()));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_without_a_gap_are_one_range() {
        assert_eq!(ranges(&[]), []);
        assert_eq!(ranges(&[3, 1, 2, 7, 9, 8]), [(1, 3), (7, 9)]);
    }
}
