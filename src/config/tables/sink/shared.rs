//! The keys that all tables of sinks have, and those of sinks that write files.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::check::Check;
use crate::config::path::Path;
use crate::config::problem::did_you_mean;
use crate::config::tables::fields::compiled;
use crate::config::units::{Size, Time};
use crate::sink::files::{Compress, Exists, FileOptions, Finish, Rotate};
use crate::sink::template::Template;
use crate::sink::{Choice, Condition, NO_KIND, SEEN, Wants};
use crate::spider::declarative::ExtractRule;

/// What an item has beside its fields.
const BESIDE: [&str; 2] = ["kind", "url"];

/// What a sink's table must know of the rest of the file.
pub(in crate::config) struct Around<'a> {
    /// The crawl's name.
    pub(in crate::config) name: &'a str,
    /// The rules that items come from, with the fields that items have in the end; none if a spider in code reads the pages.
    pub(in crate::config) extract: &'a [ExtractRule],
}

impl Around<'_> {
    /// The fields of items of these kinds (of all, if none is named), in the order of the rules.
    pub(super) fn fields(&self, kinds: &[String]) -> Vec<&str> {
        let mut fields: Vec<&str> = Vec::new();
        let is_wanted =
            |rule: &&ExtractRule| kinds.is_empty() || kinds.iter().any(|kind| kind == kind_of(rule));
        for field in self.extract.iter().filter(is_wanted).flat_map(|rule| &rule.fields) {
            if !fields.contains(&field.name.as_str()) {
                fields.push(&field.name);
            }
        }
        fields
    }

    /// The kinds of items that the rules give.
    pub(super) fn kinds(&self) -> Vec<&str> {
        let mut kinds: Vec<&str> = Vec::new();
        for kind in self.extract.iter().map(kind_of) {
            if !kinds.contains(&kind) {
                kinds.push(kind);
            }
        }
        kinds
    }

    /// A field that no item has would never be there. A spider in code may yield any.
    pub(super) fn check_field(&self, field: &str, place: &Path, check: &mut Check<'_>) {
        let known = self.fields(&[]);
        let is_known = BESIDE.contains(&field) || SEEN.contains(&field) || known.contains(&field);
        if !is_known && !known.is_empty() {
            let hint = did_you_mean(field, &known);
            check.wrong_with(place, format!("no [[extract]] has a field {field:?}"), hint);
        }
    }
}

fn kind_of(rule: &ExtractRule) -> &str {
    rule.kind.as_deref().unwrap_or(NO_KIND)
}

/// Which items are written when pages are visited again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "Items")]
pub(super) enum ItemChoice {
    /// Those of every page.
    #[default]
    All,
    /// Those of new pages, and of pages whose items are others than at the last visit.
    Changed,
}

/// How a closed file is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "Compress")]
pub(super) enum CompressChoice {
    Gzip,
    Zstd,
    None,
}

/// What becomes of files that are there when a round begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "Exists")]
pub(super) enum ExistsChoice {
    /// They are written anew.
    #[default]
    Overwrite,
    /// Items follow what is there.
    Append,
    /// The run ends before it begins.
    Fail,
}

/// When a file gets its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "Finish")]
pub(super) enum FinishChoice {
    /// It is written under its name.
    #[default]
    InPlace,
    /// It ends in `.part` until it is complete.
    Rename,
}

/// The keys of [`Choice`], out of a table.
pub(super) struct ChoiceKeys {
    pub(super) items: Option<ItemChoice>,
    pub(super) kinds: Vec<String>,
    pub(super) fields: Vec<String>,
    pub(super) rename: Vec<(String, String)>,
    pub(super) conditions: Vec<(String, String)>,
}

impl ChoiceKeys {
    /// `place` is that of the table.
    pub(super) fn build(self, place: &Path, around: &Around<'_>, check: &mut Check<'_>) -> Choice {
        let known = around.kinds();
        let kinds = place.key("kinds");
        for (kind, place) in self.kinds.iter().zip(check.items(&kinds)) {
            if !known.is_empty() && !known.contains(&kind.as_str()) {
                let hint = did_you_mean(kind, &known);
                check.wrong_with(&place, format!("no [[extract]] gives items of the kind {kind:?}"), hint);
            }
        }
        for (field, place) in self.fields.iter().zip(check.items(&place.key("fields"))) {
            around.check_field(field, &place, check);
        }
        for (field, _) in &self.rename {
            around.check_field(field, &place.key("rename").key(field), check);
        }
        let conditions = self.conditions.into_iter().filter_map(|(field, pattern)| {
            let place = place.key("where").key(&field);
            around.check_field(&field, &place, check);
            let pattern = check.taken(&place, compiled(&pattern))?;
            Some(Condition { field, pattern })
        });
        Choice {
            conditions: conditions.collect(),
            wants: match self.items.unwrap_or_default() {
                ItemChoice::All => Wants::Everything,
                ItemChoice::Changed => Wants::Changes,
            },
            kinds: self.kinds,
            fields: self.fields,
            rename: self.rename,
        }
    }
}

/// The keys of files, out of a table.
pub(super) struct FileKeys {
    pub(super) path: Option<PathBuf>,
    pub(super) rotate_size: Option<Size>,
    pub(super) rotate_every: Option<Time>,
    pub(super) rotate_items: Option<u64>,
    pub(super) compress: Option<CompressChoice>,
    pub(super) exists: Option<ExistsChoice>,
    pub(super) finish: Option<FinishChoice>,
}

impl FileKeys {
    /// `place` is that of the table. `None` if there is no path.
    pub(super) fn build(
        self,
        place: &Path,
        around: &Around<'_>,
        check: &mut Check<'_>,
    ) -> Option<(PathBuf, FileOptions)> {
        let rotate = Rotate {
            size: self.rotate_size.map(|size| size.0),
            every: self.rotate_every.map(|time| time.0),
            items: self.rotate_items,
        };
        let more = "expected more than 0";
        check.must(rotate.size != Some(0), &place.key("rotate-size"), more);
        check.must(rotate.every.is_none_or(|time| !time.is_zero()), &place.key("rotate-every"), more);
        check.must(rotate.items != Some(0), &place.key("rotate-items"), more);
        let files = FileOptions {
            rotate,
            compress: self.compress.map(|compress| match compress {
                CompressChoice::Gzip => Compress::Gzip,
                CompressChoice::Zstd => Compress::Zstd,
                CompressChoice::None => Compress::None,
            }),
            exists: match self.exists.unwrap_or_default() {
                ExistsChoice::Overwrite => Exists::Overwrite,
                ExistsChoice::Append => Exists::Append,
                ExistsChoice::Fail => Exists::Fail,
            },
            finish: match self.finish.unwrap_or_default() {
                FinishChoice::InPlace => Finish::InPlace,
                FinishChoice::Rename => Finish::Rename,
            },
        };
        let path = path_of(self.path, &place.key("path"), around, check)?;
        if path.as_os_str() == "-" {
            for key in ["rotate-size", "rotate-every", "rotate-items", "compress"] {
                let key = place.key(key);
                if check.is_there(&key) {
                    check.wrong(
                        &key,
                        "the standard output is one plain stream: write to a file, or pipe it on",
                    );
                }
            }
        }
        Some((path, files))
    }
}

/// A path with its placeholders checked, and the crawl's name in its place.
pub(super) fn path_of(
    path: Option<PathBuf>,
    place: &Path,
    around: &Around<'_>,
    check: &mut Check<'_>,
) -> Option<PathBuf> {
    let Some(path) = path.filter(|path| !path.as_os_str().is_empty()) else {
        check.missing(place, "write the file that the items go to");
        return None;
    };
    let named = match path.to_str() {
        Some(text) => PathBuf::from(text.replace("{name}", around.name)),
        None => path,
    };
    check.taken(place, Template::parse(&named))?;
    Some(named)
}

/// The table of a sink: its own keys, and those of every sink. With `files:` also those of every sink that writes files.
macro_rules! sink_table {
    (files: $(#[$meta:meta])* $name:ident as $schema:tt { $($(#[$note:meta])* $key:ident: $type:ty,)* }) => {
        sink_table! {
            $(#[$meta])*
            $name as $schema {
                /// The file, relative to the current directory; its folder is made if need be. "-" is the standard output.
                /// `{name}` stands for the crawl's name, `{kind}` for the kind of the items (a file for each), `{date}` and
                /// `{time}` for when the round or the part began (UTC), `{round}` and `{part}` for their numbers.
                path: Option<std::path::PathBuf>,
                $($(#[$note])* $key: $type,)*
                /// A part has at most this many bytes before it is compressed; then the next one begins.
                rotate_size: Option<crate::config::units::Size>,
                /// A part is written for so long, from its first item on; then the next one begins.
                rotate_every: Option<crate::config::units::Time>,
                /// A part has at most this many items; then the next one begins.
                #[schemars(range(min = 1))]
                rotate_items: Option<u64>,
                /// `"gzip"`, `"zstd"` or `"none"`: how a file is compressed when it is closed. Default: by its ending, .gz or .zst.
                compress: Option<shared::CompressChoice>,
                /// What becomes of files that are there when a round begins: `"overwrite"`, `"append"` or `"fail"`. Default
                /// "overwrite".
                exists: Option<shared::ExistsChoice>,
                /// `"in-place"`, or `"rename"`: a file ends in .part until it is complete. Default "in-place".
                finish: Option<shared::FinishChoice>,
            }
        }

        impl $name {
            fn take_files(&mut self) -> shared::FileKeys {
                shared::FileKeys {
                    path: self.path.take(),
                    rotate_size: self.rotate_size.take(),
                    rotate_every: self.rotate_every.take(),
                    rotate_items: self.rotate_items.take(),
                    compress: self.compress.take(),
                    exists: self.exists.take(),
                    finish: self.finish.take(),
                }
            }
        }
    };
    ($(#[$meta:meta])* $name:ident as $schema:tt { $($(#[$note:meta])* $key:ident: $type:ty,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Default, serde::Deserialize, schemars::JsonSchema)]
        #[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
        #[schemars(rename = $schema)]
        pub(super) struct $name {
            $($(#[$note])* $key: $type,)*
            /// `"all"`: every round writes the items of every page; `"changed"`: only those of new pages and of pages whose
            /// items are others than at the last visit. Default "all".
            items: Option<shared::ItemChoice>,
            /// Only items of these kinds; those without a kind are "item". Default: of all.
            kinds: Vec<String>,
            /// Only these fields, in this order. Beside its own fields an item has "kind", "url", "first_seen", "last_changed"
            /// and "round". Default: all of its own.
            fields: Vec<String>,
            /// Fields that are called otherwise in the output: name = "name there".
            #[serde(deserialize_with = "crate::config::tables::ordered::ordered")]
            #[schemars(with = "std::collections::BTreeMap<String, String>")]
            rename: Vec<(String, String)>,
            /// Only items in which each of these fields matches its regular expression: field = "regex".
            #[serde(deserialize_with = "crate::config::tables::ordered::ordered")]
            #[schemars(with = "std::collections::BTreeMap<String, String>")]
            r#where: Vec<(String, String)>,
        }

        impl $name {
            fn take_choice(&mut self) -> shared::ChoiceKeys {
                shared::ChoiceKeys {
                    items: self.items.take(),
                    kinds: std::mem::take(&mut self.kinds),
                    fields: std::mem::take(&mut self.fields),
                    rename: std::mem::take(&mut self.rename),
                    conditions: std::mem::take(&mut self.r#where),
                }
            }
        }
    };
}
pub(super) use sink_table;
