//! Numbers as people write them.

use super::{ConvertError, Wanted};

/// Characters that may group digits beside `.` and `,`: spaces, which stand before exactly three digits, and apostrophes.
const GROUPING: [char; 7] = [' ', '\u{a0}', '\u{202f}', '\u{2009}', '\'', '\u{2019}', '_'];

/// Digits that a number may have: more are no quantity.
const MAX_DIGITS: usize = 400;

/// The sign between the whole part of a number and its fraction. The other one then groups digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecimalSign {
    /// `1,234.50`
    Point,
    /// `1.234,50`
    Comma,
}

/// How the numbers of a page are written.
///
/// Without a decimal sign these rules decide, in this order:
///
/// 1. Both `.` and `,`: the later one is the decimal sign (`1,234.50`, `1.234,50`).
/// 2. One of them several times: it groups digits (`1.234.567`).
/// 3. A single `,` before exactly three digits, behind one to three that do not begin with `0`: it groups (`1,234` is 1234).
/// 4. Any other single sign is the decimal sign (`1.234` is 1.234, `3,5` is 3.5, `0,125` is 0.125).
///
/// A page that writes `1.234` for a thousand and more needs [`DecimalSign::Comma`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NumberStyle {
    /// The sign before the fraction; `None`: by the rules above.
    pub decimal_sign: Option<DecimalSign>,
}

/// Reads the first number in a text as a whole number. A fraction of zeros is none: `3.00` is 3.
///
/// # Errors
/// If there is no number, if it has a fraction, if its digits are not grouped in threes, or if it is too large.
///
/// ```
/// use crawl::extract::convert::{NumberStyle, integer};
/// let style = NumberStyle::default();
/// assert_eq!(integer("In stock (22 available)", &style), Ok(22));
/// assert_eq!(integer("−1 234 pcs", &style), Ok(-1234));
/// assert!(integer("£51.77", &style).is_err());
/// ```
pub fn integer(text: &str, style: &NumberStyle) -> Result<i64, ConvertError> {
    let fault = |reason: &str| ConvertError::new(Wanted::Integer, text, reason);
    let number = first_number(text, *style).map_err(|reason| fault(&reason))?;
    if number.exponent.is_some() || number.fraction.bytes().any(|digit| digit != b'0') {
        return Err(fault("it has a fraction or an exponent; read it as a decimal"));
    }
    let sign = if number.is_negative { "-" } else { "" };
    format!("{sign}{}", number.whole)
        .parse()
        .map_err(|_| fault("it does not fit into 64 bits; keep it as text"))
}

/// Reads the first number in a text. Currency signs, units and words around it do not matter.
///
/// # Errors
/// If there is no number, if its digits are not grouped in threes, or if it is too large.
///
/// ```
/// use crawl::extract::convert::{DecimalSign, NumberStyle, decimal};
/// let style = NumberStyle::default();
/// assert_eq!(decimal("£51.77", &style), Ok(51.77));
/// assert_eq!(decimal("1.234,50 €", &style), Ok(1234.5));
/// assert_eq!(decimal("1.234", &style), Ok(1.234));
/// let comma = NumberStyle { decimal_sign: Some(DecimalSign::Comma) };
/// assert_eq!(decimal("1.234", &comma), Ok(1234.0));
/// ```
pub fn decimal(text: &str, style: &NumberStyle) -> Result<f64, ConvertError> {
    let fault = |reason: &str| ConvertError::new(Wanted::Decimal, text, reason);
    let number = first_number(text, *style).map_err(|reason| fault(&reason))?;
    let plain = number.plain();
    let value: f64 = plain.parse().map_err(|_| fault("its digits cannot be read"))?;
    if value.is_finite() { Ok(value) } else { Err(fault("it is too large; keep it as text")) }
}

/// A number, taken apart.
#[derive(Debug, Default)]
struct Number {
    is_negative: bool,
    whole: String,
    fraction: String,
    exponent: Option<String>,
}

impl Number {
    fn plain(&self) -> String {
        let sign = if self.is_negative { "-" } else { "" };
        let zero = if self.fraction.is_empty() { "0" } else { "" };
        let exponent = self.exponent.as_deref().unwrap_or("0");
        format!("{sign}{}.{}{zero}e{exponent}", self.whole, self.fraction)
    }
}

/// A run of digits, and the sign in front of it if it is not the first.
#[derive(Debug)]
struct Group {
    sign: Option<char>,
    digits: String,
}

fn first_number(text: &str, style: NumberStyle) -> Result<Number, String> {
    let (before, from) = start(text).ok_or("there is no digit in it")?;
    let (groups, behind) = groups(from)?;
    let sign = decimal_sign(&groups, style);
    let mut number = Number { is_negative: is_negative(before), ..Number::default() };
    for (at, group) in groups.iter().enumerate() {
        if group.sign.is_some() && group.sign == sign {
            if at + 1 != groups.len() {
                return Err(unread(&groups));
            }
            number.fraction.clone_from(&group.digits);
        } else {
            number.whole.push_str(&group.digits);
        }
    }
    check_groups(&groups, sign)?;
    if number.whole.is_empty() {
        number.whole.push('0');
    }
    number.exponent = exponent(behind);
    Ok(number)
}

/// Splits where the first number begins: at its first digit, or at a decimal sign right before it (`.5`).
fn start(text: &str) -> Option<(&str, &str)> {
    let (at, _) = text.char_indices().find(|(_, c)| digit(*c).is_some())?;
    let before = &text[..at];
    let leading = before.strip_suffix(['.', ',']);
    let begins_there = |rest: &&str| !rest.ends_with(|c: char| c.is_alphanumeric() || c == '.' || c == ',');
    let at = leading.filter(begins_there).map_or(at, str::len);
    Some(text.split_at(at))
}

/// The digits of the number that `text` begins with, and what comes behind.
fn groups(text: &str) -> Result<(Vec<Group>, &str), String> {
    let mut groups = Vec::new();
    let mut total = 0;
    let mut rest = text;
    loop {
        let sign = rest.chars().next().filter(|c| digit(*c).is_none());
        let after = &rest[sign.map_or(0, char::len_utf8)..];
        let digits: String = after.chars().map_while(digit).take(MAX_DIGITS + 1).collect();
        if !goes_on(sign, &digits, groups.last()) {
            return Ok((groups, rest));
        }
        total += digits.len();
        if total > MAX_DIGITS {
            return Err("it has too many digits for a number; keep it as text".to_owned());
        }
        let taken: usize = after.chars().take(digits.len()).map(char::len_utf8).sum();
        rest = &after[taken..];
        groups.push(Group { sign, digits });
    }
}

/// Whether a sign and the digits behind it still belong to the number.
fn goes_on(sign: Option<char>, digits: &str, last: Option<&Group>) -> bool {
    let Some(sign) = sign else {
        return last.is_none() && !digits.is_empty();
    };
    if matches!(sign, '.' | ',') {
        return !digits.is_empty();
    }
    let fits = |last: &Group| last.digits.len() <= 3 && !matches!(last.sign, Some('.' | ','));
    GROUPING.contains(&sign) && digits.len() == 3 && last.is_some_and(fits)
}

/// The decimal sign of this number, by option or by the rules of [`NumberStyle`].
fn decimal_sign(groups: &[Group], style: NumberStyle) -> Option<char> {
    match style.decimal_sign {
        Some(DecimalSign::Point) => return Some('.'),
        Some(DecimalSign::Comma) => return Some(','),
        None => {}
    }
    let (at, last) = groups.iter().enumerate().rfind(|(_, group)| matches!(group.sign, Some('.' | ',')))?;
    let sign = last.sign;
    let is_alone = groups.iter().filter(|group| group.sign == sign).count() == 1;
    let has_grouping = groups.iter().any(|group| group.sign.is_some_and(|other| Some(other) != sign));
    if !is_alone {
        return None;
    }
    let before = at.checked_sub(1).and_then(|at| groups.get(at)).map_or("", |group| group.digits.as_str());
    let groups_a_thousand = sign == Some(',')
        && !has_grouping
        && last.digits.len() == 3
        && (1..=3).contains(&before.len())
        && !before.starts_with('0');
    if groups_a_thousand { None } else { sign }
}

/// Digits are grouped by one sign, in threes or as in India (`12,34,567`).
fn check_groups(groups: &[Group], decimal: Option<char>) -> Result<(), String> {
    let grouped: Vec<_> =
        groups.iter().filter(|group| group.sign.is_none() || group.sign != decimal).collect();
    let [first, ref rest @ .., last] = grouped[..] else {
        return Ok(());
    };
    let one_sign = rest.iter().all(|group| group.sign == last.sign);
    let sizes = rest.iter().all(|group| matches!(group.digits.len(), 2 | 3)) && last.digits.len() == 3;
    let begins = (1..=3).contains(&first.digits.len()) && first.sign.is_none();
    if one_sign && sizes && begins { Ok(()) } else { Err(unread(groups)) }
}

fn unread(groups: &[Group]) -> String {
    let mut shown = String::new();
    for group in groups.iter().take(8) {
        shown.extend(group.sign);
        shown.push_str(&group.digits);
    }
    format!(
        "the digits of `{shown}` are not grouped in threes; cut the part out with a regex, or set the decimal sign"
    )
}

/// A minus right before the number, or before its currency sign, that is no hyphen of a word or range.
fn is_negative(before: &str) -> bool {
    let is_minus = |c: char| matches!(c, '-' | '\u{2212}' | '\u{fe63}' | '\u{ff0d}');
    let currency =
        |c: char| !c.is_alphanumeric() && !c.is_whitespace() && !c.is_ascii_punctuation() || c == '$';
    let Some(front) = before.strip_suffix(is_minus).or_else(|| {
        let bare = before.trim_end().trim_end_matches(|c| currency(c) && !is_minus(c));
        (bare.len() < before.trim_end().len()).then(|| bare.strip_suffix(is_minus)).flatten()
    }) else {
        return false;
    };
    !front.ends_with(|c: char| c.is_alphanumeric() || is_minus(c))
}

/// `e5` or `E-3` right behind the digits, if no word goes on there.
fn exponent(behind: &str) -> Option<String> {
    let rest = behind.strip_prefix(['e', 'E'])?;
    let unsigned = rest.strip_prefix(['+', '-']).unwrap_or(rest);
    let digits: String = unsigned.chars().take_while(char::is_ascii_digit).take(5).collect();
    let ends = !unsigned[digits.len()..].starts_with(char::is_alphanumeric);
    let sign = if rest.starts_with('-') { "-" } else { "" };
    (!digits.is_empty() && ends).then(|| format!("{sign}{digits}"))
}

/// ASCII digits, full-width ones and those of Arabic, Persian and Hindi.
fn digit(c: char) -> Option<char> {
    const ZEROS: [u32; 5] = [0x30, 0xff10, 0x660, 0x6f0, 0x966];
    let code = u32::from(c);
    let zero = ZEROS.into_iter().find(|zero| (*zero..zero + 10).contains(&code))?;
    char::from_digit(code - zero, 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BY_RULE: NumberStyle = NumberStyle { decimal_sign: None };
    const POINT: NumberStyle = NumberStyle { decimal_sign: Some(DecimalSign::Point) };
    const COMMA: NumberStyle = NumberStyle { decimal_sign: Some(DecimalSign::Comma) };

    #[test]
    fn numbers_are_read_as_people_write_them() {
        for (text, value) in [
            ("£51.77", 51.77),
            ("1,234.50", 1234.5),
            ("1.234,50 €", 1234.5),
            ("1 234,5", 1234.5),
            ("1\u{a0}234\u{a0}567,25 kr", 1_234_567.25),
            ("1'234.50 CHF", 1234.5),
            ("In stock (22 available)", 22.0),
            ("−3", -3.0),
            ("-£3.50", -3.5),
            ("$ -3", -3.0),
            ("-$ 3", -3.0),
            (".5", 0.5),
            ("rated 4,5 of 5", 4.5),
            ("12,34,567", 1_234_567.0),
            ("10, 20, 30", 10.0),
            ("10-20", 10.0),
            ("pre-2000", 2000.0),
            ("SKU:-7", -7.0),
            ("- 7", 7.0),
            ("2024-05-03", 2024.0),
            ("100%.", 100.0),
            ("1e5", 1e5),
            ("1.5E-3 m", 0.0015),
            ("3em", 3.0),
            ("３，５", 3.0),
            ("٤٢", 42.0),
            ("in 2024 123 books", 2024.0),
        ] {
            assert_eq!(decimal(text, &BY_RULE), Ok(value), "{text}");
        }
    }

    #[test]
    fn what_a_single_sign_means_is_decided_by_the_rule() {
        for (text, value) in [
            ("1,234", 1234.0),
            ("1.234", 1.234),
            ("0,125", 0.125),
            ("3,5", 3.5),
            ("1234,567", 1234.567),
            ("1.234.567", 1_234_567.0),
        ] {
            assert_eq!(decimal(text, &BY_RULE), Ok(value), "{text}");
        }
    }

    #[test]
    fn a_decimal_sign_that_is_given_decides() {
        assert_eq!(decimal("1.234", &COMMA), Ok(1234.0));
        assert_eq!(decimal("1,234", &COMMA), Ok(1.234));
        assert_eq!(decimal("1.234,5", &COMMA), Ok(1234.5));
        assert_eq!(decimal("1,234", &POINT), Ok(1234.0));
        assert_eq!(decimal("1,234.5", &POINT), Ok(1234.5));
        for (text, style) in [("1.5", COMMA), ("3,5", POINT), ("1.234,50", POINT)] {
            assert!(decimal(text, &style).is_err(), "{text}");
        }
    }

    #[test]
    fn a_whole_number_has_no_fraction_but_zeros() {
        assert_eq!(integer("3.00", &BY_RULE), Ok(3));
        assert_eq!(integer("1.234", &COMMA), Ok(1234));
        assert_eq!(integer("-9223372036854775808", &BY_RULE), Ok(i64::MIN));
        for text in ["51.77", "9223372036854775808", "1e5", "none", ""] {
            assert!(integer(text, &BY_RULE).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_no_quantity_is_an_error_and_not_a_part_of_it() {
        for text in ["1.2.3", "12.03.2024", "1,2,3", "1,234,5", "1 234.567.8", "1.234,567,8"] {
            let error = decimal(text, &BY_RULE).unwrap_err().to_string();
            assert!(error.contains("not grouped in threes"), "{text}: {error}");
        }
        let huge = "9".repeat(1_000_000);
        assert!(decimal(&huge, &BY_RULE).unwrap_err().to_string().len() < 300);
        assert!(decimal("1e9999", &BY_RULE).is_err());
    }

    #[test]
    fn no_text_makes_it_panic() {
        let pieces = ["1", ".", ",", " ", "-", "−", "£", "e", "٣", "３", "'", "\u{a0}", "x", "234", "$"];
        let mut dice = fastrand::Rng::with_seed(7);
        for _ in 0..50_000 {
            let text: String = (0..dice.usize(0..9)).map(|_| pieces[dice.usize(0..pieces.len())]).collect();
            for style in [BY_RULE, POINT, COMMA] {
                let _ = (integer(&text, &style), decimal(&text, &style));
            }
        }
    }
}
