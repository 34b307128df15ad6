use std::sync::Arc;

use bytes::Bytes;

use super::*;
use crate::page::Page;
use crate::response::Response;
use crate::url::CanonicalUrl;

fn page_of(body: impl Into<Bytes>, content_type: &str) -> Page {
    let url = CanonicalUrl::parse("http://a.example/dir/page?x=1").unwrap();
    let mut response = Response::of(url.clone(), http::StatusCode::OK, body);
    response.headers.insert("content-type", content_type.parse().unwrap());
    Page::new(Arc::new(Request::get(url)), response)
}

fn page(body: &str) -> Page {
    page_of(body.to_owned(), "text/html; charset=utf-8")
}

fn form(body: &str) -> Form {
    page(body).forms().remove(0)
}

/// The query of a form with these fields inside.
fn sent(inside: &str) -> String {
    let request = form(&format!("<form>{inside}</form>")).request().unwrap();
    request.url.as_url().query().unwrap_or_default().to_owned()
}

#[test]
fn a_field_is_sent_if_it_has_a_name_and_a_value_that_counts() {
    let table = [
        ("<input name=a value=1>", "a=1"),
        ("<input name=a>", "a="),
        ("<input value=1>", ""),
        ("<input name=a value=1 disabled>", ""),
        ("<input name=a type=reset value=1><input name=b type=button value=1>", ""),
        (
            "<input name=a type=checkbox><input name=b type=checkbox checked><input name=c type=CHECKBOX checked value=x>",
            "b=on&c=x",
        ),
        ("<input name=a type=radio value=1 checked><input name=a type=radio value=2 checked>", "a=2"),
        ("<input name=a type=range><input name=b type=color>", "a=50&b=%23000000"),
        ("<textarea name=a>\n one\ntwo</textarea>", "a=+one%0D%0Atwo"),
        ("<input type=hidden name=_charset_ value=x>", "_charset_=UTF-8"),
        ("<input type=file name=a>", "a="),
        ("<object name=a></object><output name=b>x</output>", ""),
        ("<datalist><input name=a></datalist><input name=b>", "b="),
    ];
    for (inside, meant) in table {
        assert_eq!(sent(inside), meant, "{inside}");
    }
}

#[test]
fn of_a_list_what_is_selected_is_sent() {
    let table = [
        ("<select name=a><option>1<option>2</select>", "a=1"),
        ("<select name=a><option disabled>1<option>2</select>", "a=2"),
        ("<select name=a><option>1<option selected>2<option selected value=3>x</select>", "a=3"),
        ("<select name=a multiple><option selected>1<option>2<option selected>3</select>", "a=1&a=3"),
        ("<select name=a multiple><option>1</select>", ""),
        ("<select name=a size=4><option>1</select>", ""),
        ("<select name=a><option disabled selected value=''>choose<option>2</select>", ""),
        (
            "<select name=a><optgroup disabled><option>1</optgroup><option> two  words </select>",
            "a=two+words",
        ),
        ("<select name=a></select>", ""),
    ];
    for (inside, meant) in table {
        assert_eq!(sent(inside), meant, "{inside}");
    }
}

#[test]
fn a_disabled_fieldset_shuts_out_all_but_its_legend() {
    let inside = "<fieldset disabled><legend><input name=a></legend><legend><input name=b></legend><p><input name=c></fieldset><input name=d>";
    assert_eq!(sent(inside), "a=&d=");
}

#[test]
fn a_field_belongs_to_the_form_that_its_attribute_or_its_markup_names() {
    let page = page(
        "<form id=one></form><form id=two><input name=a form=one><input name=b></form><input name=c form=two><input name=d form=none><input name=e>",
    );
    let names = |id: &str| {
        let form = page.form(id).unwrap().unwrap();
        form.fields().iter().map(|field| field.name.clone()).collect::<Vec<_>>()
    };
    assert_eq!((names("#one"), names("#two")), (vec!["a".to_owned()], vec!["b".to_owned(), "c".to_owned()]));
}

#[test]
fn a_form_that_begins_in_a_table_has_the_fields_of_its_rows() {
    let form =
        form("<table><form action=/x><tr><td><input name=a value=1></td></tr></form></table><input name=b>");
    assert_eq!(form.request().unwrap().url.as_str(), "http://a.example/x?a=1");
}

#[test]
fn the_form_around_what_a_selector_finds_is_meant() {
    let page = page("<form id=one><input name=q></form><form id=two><p><input type=password name=p></form>");
    assert_eq!(page.form("input[type=password]").unwrap().unwrap().id(), Some("two"));
    assert!(page.form("#three").unwrap().is_none() && page.form("..").is_err());
    assert!(page.forms()[1].has_password() && !page.forms()[0].has_password());
}

#[test]
fn the_button_that_is_clicked_is_sent_and_decides() {
    let form = form(
        "<form method=post action=/a><input name=x value=1><button name=first value=1>a</button>\
         <input type=submit name=second value=2 formaction=/b formmethod=get>\
         <input type=image name=map formenctype=text/plain><button type=button name=idle></button></form>",
    );
    assert_eq!(form.buttons().collect::<Vec<_>>(), ["first", "second", "map"]);
    let enter = form.request().unwrap();
    assert_eq!((enter.method, enter.body.as_deref()), (Method::POST, Some(&b"x=1&first=1"[..])));
    let second = form.clone().click("second").request().unwrap();
    assert_eq!((second.method, second.url.as_str()), (Method::GET, "http://a.example/b?x=1&second=2"));
    let map = form.clone().click("map").request().unwrap();
    assert_eq!(map.body.as_deref(), Some(&b"x=1\r\nmap.x=0\r\nmap.y=0\r\n"[..]));
    assert_eq!(form.click("idle").request(), Err(FormError::NoButton));
}

#[test]
fn what_is_set_takes_the_place_of_what_was_there() {
    let form = form(
        "<form><input name=a value=1><input name=a value=2><input type=checkbox name=c value=x>\
         <input type=radio name=r value=1 checked><input type=radio name=r value=2><select name=s><option>1<option>2</select></form>",
    );
    let form = form.set("a", "3").set("c", "x").set("r", "2").set("s", "2").set("new", "n").add("new", "m");
    assert_eq!(form.request().unwrap().url.as_url().query(), Some("a=3&c=x&r=2&s=2&new=n&new=m"));
    assert_eq!(form.value("r"), Some("2"));
    let form = form.unset("a").unset("new").unset("s");
    assert_eq!(form.request().unwrap().url.as_url().query(), Some("c=x&r=2"));
}

#[test]
fn an_empty_action_is_the_page_and_get_replaces_its_query() {
    let form = form("<base href=/elsewhere/><form action=''><input name=q value='a b&c'></form>");
    assert_eq!(form.request().unwrap().url.as_str(), "http://a.example/dir/page?q=a+b%26c");
}

#[test]
fn what_cannot_be_sent_says_why() {
    for (body, meant) in [
        ("<form method=dialog>", FormError::Dialog),
        ("<form action='http://[x'>", FormError::NoAction),
        (
            "<form action='mailto:a@b.example'>",
            FormError::Action(UrlError::Scheme { scheme: "mailto".into() }),
        ),
    ] {
        assert_eq!(form(body).request(), Err(meant), "{body}");
    }
}

#[test]
fn text_is_sent_in_the_encoding_of_the_page_or_of_the_form() {
    let body = b"<form><input name=q value='caf\xe9 \xa4'></form>".to_vec();
    let latin = page_of(body.clone(), "text/html; charset=windows-1252").forms().remove(0);
    assert_eq!(
        latin.set("q", "é\u{4eac}").request().unwrap().url.as_url().query(),
        Some("q=%E9%26%2320140%3B")
    );
    let named = form("<form accept-charset='none windows-1252'><input name=q value=é></form>");
    assert_eq!(named.request().unwrap().url.as_url().query(), Some("q=%E9"));
    let wide = page_of(
        "<form><input name=q value=x></form>".encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>(),
        "text/html; charset=utf-16le",
    );
    assert_eq!(
        wide.forms().remove(0).set("q", "é").request().unwrap().url.as_url().query(),
        Some("q=%C3%A9")
    );
}

#[test]
fn several_parts_are_written_as_the_standard_has_them() {
    let form = form(
        "<form method=post enctype=multipart/form-data><input name='a\"b' value=1><input type=file name=f></form>",
    );
    let request = form.request().unwrap();
    let (name, boundary) = request.headers[0].1.split_once("boundary=").unwrap();
    assert_eq!(name, "multipart/form-data; ");
    let meant = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"a%22b\"\r\n\r\n1\r\n\
         --{boundary}\r\nContent-Disposition: form-data; name=\"f\"; filename=\"\"\r\nContent-Type: application/octet-stream\r\n\r\n\r\n\
         --{boundary}--\r\n"
    );
    assert_eq!(request.body.as_deref(), Some(meant.as_bytes()));
    assert_eq!(form.request().unwrap().fingerprint(), request.fingerprint());
}

#[test]
fn what_is_withheld_is_in_no_body_until_it_is_filled_in() {
    let form = form(
        "<form method=post><input name=user value=x><input name=token value='${password}'><input name=password></form>",
    );
    let (request, open) = form.request_without(&["user", "password", "more"]).unwrap();
    assert_eq!(request.body.as_deref(), Some(&b"user=&token=%24%7Bpassword%7D&password=&more="[..]));
    let filled = open.filled(|name| Some(format!("<{name}>")));
    assert_eq!(
        filled.body(),
        b"user=%3Cuser%3E&token=%24%7Bpassword%7D&password=%3Cpassword%3E&more=%3Cmore%3E"
    );
}

#[test]
fn a_page_of_very_many_fields_is_read_in_one_pass() {
    let mut body = "<form><fieldset disabled><legend>".to_owned();
    body.push_str(&"<input name=a>".repeat(50_000));
    body.push_str("</legend><select name=s>");
    body.push_str(&"<option>1".repeat(50_000));
    assert_eq!(form(&body).fields().len(), 50_000);
}
