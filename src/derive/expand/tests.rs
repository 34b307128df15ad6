//! What the compiler says about structs that cannot be read.

use proc_macro2::TokenStream;
use quote::quote;

use super::*;

fn expanded(input: TokenStream) -> Result<TokenStream> {
    item(&syn::parse2(input)?)
}

/// The errors, one a line.
fn told(input: TokenStream) -> String {
    let wrong = expanded(input).expect_err("it must not expand");
    wrong.into_iter().map(|error| error.to_string() + "\n").collect()
}

/// The errors of a field with these attributes.
fn of_field(attribute: impl quote::ToTokens) -> String {
    told(quote!(
        struct Book {
            #[item(#attribute)]
            title: String,
        }
    ))
}

#[track_caller]
fn says(told: &str, part: &str) {
    assert!(told.contains(part), "{told}\nlacks\n{part}");
}

#[test]
fn every_good_attribute_expands() {
    let input = quote! {
        #[item(scope = ".book", scope_json = "$.a[*]", kind = "book", css(price = ".price"))]
        pub struct Book {
            #[item(css = "h1, h2 > a:nth-child(2)")]
            title: String,
            price: f64,
            #[item(css = "a::attr(href)")]
            a: Option<Url>,
            #[item(css = "::attr(id)", regex = r"\d+")]
            #[item(default = 3)]
            b: u32,
            #[item(attr = "id", json = "$..x[?@.y > 1]", decimal_sign = ",")]
            c: f64,
            #[item(css = "time", format = "%d.%m.%Y")]
            d: Vec<Date>,
            #[item(css = "i", with = a::b::c)]
            e: std::option::Option<u8>,
            #[item(nested)]
            f: Row,
            #[item(skip)]
            g: Vec<u8>,
            #[item(text)]
            h: String,
            #[item(html, css = "p")]
            i: String,
            #[item(url, with = "f")]
            j: String,
            #[item(attr = "hidden", exists)]
            k: bool,
        }
    };
    let code = expanded(input).expect("it is all right").to_string();
    for part in [
        "Shape :: new (\"Book\") . of_kind (\"book\") . scope_css (\".book\") . scope_json (\"$.a[*]\")",
        "Field :: new (\"price\") . css (\".price\")",
        "Field :: new (\"a\") . css (\"a\") . attribute (\"href\")",
        "Field :: new (\"b\") . attribute (\"id\") . regex (r\"\\d+\")",
        "e : place . option_with (SHAPE . at (6usize) , & a :: b :: c) ?",
        "g : :: std :: default :: Default :: default ()",
        "k : place . exists (SHAPE . at (12usize))",
    ] {
        says(&code, part);
    }
}

#[test]
fn only_structs_with_named_fields_and_without_parameters_are_items() {
    says(
        &told(quote!(
            enum Book {
                A,
            }
        )),
        "an item is a struct",
    );
    says(
        &told(quote!(
            struct Book(String);
        )),
        "an item has named fields",
    );
    says(
        &told(quote!(
            struct Book;
        )),
        "an item has named fields",
    );
    says(
        &told(quote!(
            struct Book<T> {
                #[item(css = "a")]
                a: T,
            }
        )),
        "no generic parameters",
    );
    says(
        &told(quote!(
            struct Book<'a> {
                #[item(css = "a")]
                a: &'a str,
            }
        )),
        "no generic parameters",
    );
}

#[test]
fn a_wrong_selector_is_told_with_its_reason() {
    says(&of_field(quote!(css = "h1[")), "`h1[` is not a CSS selector: ");
    says(&of_field(quote!(css = "a::first-word")), "of the `::` forms there are `::text` and `::attr(name)`");
    says(&of_field(quote!(css = "a::attr()")), "is no attribute's name");
    says(&of_field(quote!(css = " ")), "`css` is empty");
    says(&of_field(quote!(attr = "a b")), "`a b` is no attribute's name");
    let scope = told(quote! {
        #[item(scope = "a::attr(x)")]
        struct Book { #[item(css = "a")] a: String }
    });
    says(&scope, "at the end of a field's `css`");
}

#[test]
fn a_wrong_pattern_path_format_or_sign_is_told_with_its_reason() {
    says(&of_field(quote!(css = "a", regex = "(")), "`(` is not a regular expression: ");
    says(&of_field(quote!(css = "a", regex = "(a)(b)")), "one group at most");
    says(&of_field(quote!(json = "a.b")), "it begins with `$`");
    says(&of_field(quote!(json = "$.a[")), "`$.a[` is not a JSONPath: ");
    says(&of_field(quote!(css = "a", format = "dd.mm")), "write it as in `%d.%m.%Y`");
    says(&of_field(quote!(css = "a", format = "%Q")), "is not the format of a date");
    says(&of_field(quote!(css = "a", decimal_sign = ";")), "a decimal sign is");
}

#[test]
fn keys_that_do_not_go_together_are_told_with_the_reason() {
    says(&of_field(quote!(css = "a", attr = "x", html)), "`attr` and `html` do not go together");
    says(
        &of_field(quote!(skip, css = "a")),
        "`skip` and `css` do not go together: a field with `skip` is not read",
    );
    says(&of_field(quote!(url, attr = "href")), "for a link write `css = \"a\", attr = \"href\"`");
    says(&of_field(quote!(css = "a", exists, regex = "b")), "`exists` and `regex` do not go together");
    says(&of_field(quote!(nested, css = "a")), "with `css` or `json` a struct needs no `nested`");
    says(&of_field(quote!(css = "a", html, json = "$")), "`html` and `json` do not go together");
    says(&of_field(quote!(css = "a", with = "f", format = "%d")), "`with` and `format` do not go together");
    says(&of_field(quote!(css = "a::attr(b)", attr = "c")), "the selector's end says already what is taken");
    says(&of_field(quote!(exists)), "`exists` wants a selector or an attribute");
    let optional = told(quote!(
        struct Book {
            #[item(css = "a", default)]
            a: Option<u8>,
        }
    ));
    says(&optional, "an Option is None and a Vec empty where nothing is found");
}

#[test]
fn a_field_says_where_it_comes_from() {
    says(
        &told(quote!(
            struct Book {
                title: String,
            }
        )),
        "where does `title` come from? Write `#[item(css = ",
    );
    says(&of_field(quote!(default)), "where does `title` come from?");
}

#[test]
fn unknown_keys_and_missing_values_are_told_with_what_there_is() {
    says(&of_field(quote!(selector = "a")), "no such key: there are css, json, url, nested");
    says(
        &told(quote!(
            #[item(scop = "a")]
            struct Book {
                #[item(url)]
                a: String,
            }
        )),
        "there are scope, scope_json, kind",
    );
    says(&of_field(quote!(css)), "`css` wants a value: `css = \"…\"`");
    says(&of_field(quote!(html = "a")), "`html` stands alone");
    says(&of_field(quote!(css = "a", css = "b")), "`css` stands here twice");
    says(
        &told(quote!(
            #[item(css = ".a")]
            struct Book {
                #[item(url)]
                a: String,
            }
        )),
        "at the struct write `scope = ",
    );
    let unknown = told(quote!(
        #[item(css(b = ".b"))]
        struct Book {
            #[item(url)]
            a: String,
        }
    ));
    says(&unknown, "there is no field `b`");
    let twice = told(quote!(
        #[item(css(a = ".b"))]
        struct Book {
            #[item(css = "a")]
            a: String,
        }
    ));
    says(&twice, "`css` stands here twice");
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let all = told(quote! {
        struct Book {
            #[item(css = "h1[")]
            title: String,
            price: f64,
            #[item(css = "i", regex = "[")]
            isbn: String,
        }
    });
    assert_eq!(all.matches(" is not a ").count() + all.matches("where does").count(), 3, "{all}");
}
