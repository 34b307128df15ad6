//! From the struct to the code that reads it.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Data, DeriveInput, Error, Expr, ExprLit, Field, Fields, Ident, Lit, LitStr, Result, Type};

use crate::attributes::{Fallback, FieldKeys, StructKeys};
use crate::check::{self, Take};

/// A field and its keys.
struct Target<'a> {
    name: &'a Ident,
    ty: &'a Type,
    keys: FieldKeys,
}

/// Judges what a key was given.
type Check = fn(&LitStr) -> Result<()>;

/// Whether a field may be absent, or is there several times: read off its type's name, which is all that can be seen here.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Many {
    One,
    Perhaps,
    All,
}

/// The implementations for one struct, or everything that is wrong with it.
pub(crate) fn item(input: &DeriveInput) -> Result<TokenStream> {
    let fields = named_fields(input)?;
    let own = StructKeys::read(&input.attrs)?;
    let mut targets = collect(fields.map(target))?;
    spread_css(&own, &mut targets)?;
    let shape = shape(&input.ident, &own)?;
    let described = collect(targets.iter().map(described))?;
    let read = targets.iter().enumerate().map(|(index, target)| read(index, target));
    let name = &input.ident;
    Ok(quote! {
        const _: () = {
            static SHAPE: ::std::sync::LazyLock<::crawl::extract::typed::Shape> =
                ::std::sync::LazyLock::new(|| #shape #(.field(#described))*);

            #[automatically_derived]
            impl ::crawl::extract::typed::FromPage for #name {
                fn shape() -> &'static ::crawl::extract::typed::Shape {
                    &SHAPE
                }

                fn read(
                    place: &::crawl::extract::typed::Place<'_>,
                ) -> ::std::result::Result<Self, ::std::boxed::Box<::crawl::extract::FieldError>> {
                    ::std::result::Result::Ok(Self { #(#read),* })
                }
            }

            #[automatically_derived]
            impl ::crawl::extract::typed::FromSpot for #name {
                fn scope() -> ::std::option::Option<&'static ::crawl::extract::typed::Scope> {
                    SHAPE.scope()
                }

                fn from_spot(
                    spot: &::crawl::extract::typed::Place<'_>,
                    field: &::crawl::extract::typed::Field,
                ) -> ::std::result::Result<::std::option::Option<Self>, ::crawl::extract::typed::Fault> {
                    ::crawl::extract::typed::nested(spot, field)
                }
            }
        };
    })
}

fn named_fields(input: &DeriveInput) -> Result<impl Iterator<Item = &Field>> {
    let Data::Struct(data) = &input.data else {
        return Err(Error::new(
            input.ident.span(),
            "an item is a struct: only structs have named fields to fill",
        ));
    };
    let Fields::Named(fields) = &data.fields else {
        let told = "an item has named fields, as in `struct Book { title: String }`";
        return Err(Error::new(input.ident.span(), told));
    };
    if !input.generics.params.is_empty() {
        let told = "an item has no generic parameters: its selectors are compiled once, for one type";
        return Err(Error::new(input.generics.span(), told));
    }
    Ok(fields.named.iter())
}

fn target(field: &Field) -> Result<Target<'_>> {
    let name = field.ident.as_ref().ok_or_else(|| Error::new(field.span(), "a field without a name"))?;
    Ok(Target { name, ty: &field.ty, keys: FieldKeys::read(&field.attrs)? })
}

/// All values, or all errors in one.
fn collect<T>(results: impl Iterator<Item = Result<T>>) -> Result<Vec<T>> {
    let (mut values, mut wrong) = (Vec::new(), None::<Error>);
    for result in results {
        match (result, &mut wrong) {
            (Ok(value), _) => values.push(value),
            (Err(error), Some(wrong)) => wrong.combine(error),
            (Err(error), None) => wrong = Some(error),
        }
    }
    wrong.map_or(Ok(values), Err)
}

/// Gives the selectors that stand at the struct to their fields.
fn spread_css(own: &StructKeys, targets: &mut [Target<'_>]) -> Result<()> {
    let given = own.css.iter().map(|(name, css)| {
        let target = targets.iter_mut().find(|target| target.name == name);
        let target = target.ok_or_else(|| Error::new(name.span(), format!("there is no field `{name}`")))?;
        target.keys.add_css(css)
    });
    collect(given).map(drop)
}

fn shape(name: &Ident, own: &StructKeys) -> Result<TokenStream> {
    let name = name.to_string();
    let mut shape = quote!(::crawl::extract::typed::Shape::new(#name));
    if let Some(kind) = own.text("kind") {
        shape.extend(quote!(.of_kind(#kind)));
    }
    if let Some(css) = own.text("scope") {
        check::css(css)?;
        shape.extend(quote!(.scope_css(#css)));
    }
    if let Some(path) = own.text("scope_json") {
        check::json_path(path)?;
        shape.extend(quote!(.scope_json(#path)));
    }
    Ok(shape)
}

/// The description of a field that is used at run time.
fn described(target: &Target<'_>) -> Result<TokenStream> {
    let keys = &target.keys;
    placed(target)?;
    let name = target.name.to_string();
    let mut field = quote!(::crawl::extract::typed::Field::new(#name));
    field.extend(selected(keys)?);
    if let Some(attribute) = keys.text("attr") {
        check::attribute_name(&attribute.value(), attribute.span())?;
        field.extend(quote!(.attribute(#attribute)));
    }
    for (key, method) in [("html", quote!(.html())), ("url", quote!(.page_url()))] {
        field.extend(keys.has(key).then_some(method));
    }
    let checked: [(&str, Check); 4] = [
        ("json", check::json_path),
        ("regex", check::regex),
        ("decimal_sign", check::decimal_sign),
        ("format", check::date_format),
    ];
    for (key, check) in checked {
        let Some(text) = keys.text(key) else { continue };
        check(text)?;
        let method = Ident::new(key, text.span());
        field.extend(quote!(.#method(#text)));
    }
    Ok(field)
}

/// Whether it is said where the field comes from, and whether its type goes with that.
fn placed(target: &Target<'_>) -> Result<()> {
    let (name, keys) = (target.name, &target.keys);
    if !keys.is_placed() {
        let told = format!(
            "where does `{name}` come from? Write `#[item(css = \"…\")]`, one of json, attr, text, html, url, or \
             `nested` for a struct that is read in the same place, or `skip`"
        );
        return Err(Error::new(name.span(), told));
    }
    if keys.has("default") && many(target.ty) != Many::One {
        let told = "an Option is None and a Vec empty where nothing is found: leave `default` out";
        return Err(Error::new(keys.span("default"), told));
    }
    if keys.has("exists") && !keys.has("css") && !keys.has("attr") {
        let told =
            "`exists` wants a selector or an attribute to look for: add `css = \"…\"` or `attr = \"…\"`";
        return Err(Error::new(keys.span("exists"), told));
    }
    Ok(())
}

fn selected(keys: &FieldKeys) -> Result<TokenStream> {
    let Some(literal) = keys.text("css") else {
        return Ok(TokenStream::new());
    };
    let selector = check::field_selector(literal)?;
    let css = selector.css.map(|css| quote!(.css(#css)));
    let take = match selector.take {
        Some(_) if keys.has("attr") || keys.has("html") => {
            let told = "the selector's end says already what is taken: leave out `attr` and `html`, or the `::` form";
            return Err(Error::new(literal.span(), told));
        }
        Some(Take::Attribute(name)) => Some(quote!(.attribute(#name))),
        Some(Take::Text) | None => None,
    };
    Ok(quote!(#css #take))
}

/// The initializer of one field.
fn read(index: usize, target: &Target<'_>) -> TokenStream {
    let Target { name, ty, keys } = target;
    // Errors about the field's type are shown where it stands.
    let field = quote_spanned!(ty.span()=> SHAPE.at(#index));
    let value = if keys.has("skip") {
        quote_spanned!(ty.span()=> ::std::default::Default::default())
    } else if keys.has("exists") {
        quote_spanned!(ty.span()=> place.exists(#field))
    } else if let Some(fallback) = keys.fallback() {
        let found = match keys.parser() {
            Some(parser) => quote_spanned!(parser.span()=> place.option_with(#field, &#parser)?),
            None => quote_spanned!(ty.span()=> place.value::<::std::option::Option<#ty>>(#field)?),
        };
        let fallback = fallback_code(&fallback, ty);
        quote!(match #found {
            ::std::option::Option::Some(found) => found,
            ::std::option::Option::None => #fallback,
        })
    } else if let Some(parser) = keys.parser() {
        let method = match many(ty) {
            Many::One => "one_with",
            Many::Perhaps => "option_with",
            Many::All => "list_with",
        };
        let method = Ident::new(method, parser.span());
        quote_spanned!(parser.span()=> place.#method(#field, &#parser)?)
    } else {
        quote_spanned!(ty.span()=> place.value::<#ty>(#field)?)
    };
    quote!(#name: #value)
}

/// A text is turned into the field's type, any other expression is taken as it stands.
fn fallback_code(fallback: &Fallback<'_>, ty: &Type) -> TokenStream {
    match fallback {
        Fallback::OfType => quote_spanned!(ty.span()=> ::std::default::Default::default()),
        Fallback::Code(code @ Expr::Lit(ExprLit { lit: Lit::Str(_), .. })) => {
            quote_spanned!(code.span()=> ::std::convert::Into::into(#code))
        }
        Fallback::Code(code) => quote!(#code),
    }
}

fn many(ty: &Type) -> Many {
    let Type::Path(path) = ty else { return Many::One };
    match path.path.segments.last() {
        Some(last) if last.ident == "Option" => Many::Perhaps,
        Some(last) if last.ident == "Vec" => Many::All,
        _ => Many::One,
    }
}

#[cfg(test)]
mod tests;
