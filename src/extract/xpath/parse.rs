//! From tokens to an expression (XPath 2 and 3).
//!
//! Everything that can be known before there is a page is checked here, so that an expression that was compiled can fail
//! on a page only by taking too long.

use regex::Regex;

use super::axis::Axis;
use super::expr::{Call, Expr, Operator, Path, Start, Step, Test, Type};
use super::function::{self, Function};
use super::token::{Token, tokens};

/// Operands and predicates that an expression may have.
pub const MAX_PARTS: usize = 250;

/// Longest regular expression when compiled, in bytes.
const MAX_PATTERN: usize = 1 << 20;

/// Compiles an expression, or says what is wrong with it.
pub(super) fn parse(text: &str) -> Result<Expr, String> {
    let mut parser = Parser { tokens: tokens(text)?, at: 0, parts: 0, end: text.chars().count() + 1 };
    let expr = parser.expression(0)?;
    match parser.peek() {
        None => Ok(expr),
        Some(_) => Err(parser.unexpected("nothing more")),
    }
}

struct Parser {
    tokens: Vec<(usize, Token)>,
    at: usize,
    parts: usize,
    /// The character behind the last.
    end: usize,
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.peek_at(0)
    }

    fn peek_at(&self, ahead: usize) -> Option<&Token> {
        self.tokens.get(self.at + ahead).map(|(_, token)| token)
    }

    fn take(&mut self, wanted: &Token) -> bool {
        let is_there = self.peek() == Some(wanted);
        self.at += usize::from(is_there);
        is_there
    }

    fn expect(&mut self, wanted: &Token, sign: &str) -> Result<(), String> {
        if self.take(wanted) { Ok(()) } else { Err(self.unexpected(sign)) }
    }

    fn place(&self) -> usize {
        self.tokens.get(self.at).map_or(self.end, |(place, _)| *place)
    }

    fn unexpected(&self, wanted: &str) -> String {
        match self.peek() {
            Some(_) => format!("expected {wanted} at character {}", self.place()),
            None => format!("it ends where {wanted} is expected"),
        }
    }

    /// Operands and the operators between them that bind stronger than `floor`.
    fn expression(&mut self, floor: u8) -> Result<Expr, String> {
        let mut left = self.operand()?;
        while let Some(Token::Operator(operator)) = self.peek() {
            let operator = *operator;
            if operator.strength() <= floor {
                break;
            }
            let place = self.place();
            self.at += 1;
            let right = self.expression(operator.strength())?;
            let are_nodes = left.kind() == Type::Nodes && right.kind() == Type::Nodes;
            if operator == Operator::Union && !are_nodes {
                return Err(format!("`|` at character {place} stands between paths only"));
            }
            left = Expr::Binary(operator, Box::new(left), Box::new(right));
        }
        Ok(left)
    }

    fn operand(&mut self) -> Result<Expr, String> {
        self.parts += 1;
        if self.parts > MAX_PARTS {
            return Err(format!("it has more than {MAX_PARTS} parts; make two expressions of it"));
        }
        if self.take(&Token::Operator(Operator::Minus)) {
            // Only `|` binds stronger than the sign.
            let inner = self.expression(Operator::Union.strength() - 1)?;
            return Ok(Expr::Negate(Box::new(inner)));
        }
        if self.begins_filter() {
            return self.filter();
        }
        let start = if matches!(self.peek(), Some(Token::Slash | Token::DoubleSlash)) {
            Start::Root
        } else {
            Start::Context
        };
        let mut steps = Vec::new();
        if matches!(start, Start::Context) {
            steps.push(self.step()?);
        } else if self.peek() == Some(&Token::Slash) && !self.step_follows() {
            self.at += 1;
        }
        self.steps(&mut steps)?;
        Ok(Expr::Path(Path { start, steps }))
    }

    /// Whether the operand is no path, or a path that begins with something else than a step.
    fn begins_filter(&self) -> bool {
        match self.peek() {
            Some(Token::Literal(_) | Token::Number(_) | Token::Open) => true,
            Some(Token::Name(name)) => self.peek_at(1) == Some(&Token::Open) && node_type(name).is_none(),
            _ => false,
        }
    }

    fn step_follows(&self) -> bool {
        let begins = [Token::Star, Token::Dot, Token::DoubleDot, Token::At];
        self.peek_at(1).is_some_and(|token| begins.contains(token) || matches!(token, Token::Name(_)))
    }

    fn filter(&mut self) -> Result<Expr, String> {
        let place = self.place();
        let base = self.primary()?;
        let goes_on = matches!(self.peek(), Some(Token::OpenBracket | Token::Slash | Token::DoubleSlash));
        if goes_on && base.kind() != Type::Nodes {
            return Err(format!(
                "what begins at character {place} gives no nodes, so no `[`, `/` or `//` can follow it"
            ));
        }
        let predicates = self.predicates()?;
        let nodes = if predicates.is_empty() { base } else { Expr::Filter(Box::new(base), predicates) };
        let mut steps = Vec::new();
        self.steps(&mut steps)?;
        if steps.is_empty() {
            return Ok(nodes);
        }
        Ok(Expr::Path(Path { start: Start::Nodes(Box::new(nodes)), steps }))
    }

    fn primary(&mut self) -> Result<Expr, String> {
        let token = self.peek().cloned();
        self.at += 1;
        match token {
            Some(Token::Literal(text)) => Ok(Expr::Literal(text)),
            Some(Token::Number(number)) => Ok(Expr::Number(number)),
            Some(Token::Name(name)) => self.call(&name),
            _ => {
                let inner = self.expression(0)?;
                self.expect(&Token::Close, "`)`")?;
                Ok(inner)
            }
        }
    }

    fn call(&mut self, name: &str) -> Result<Expr, String> {
        let place = self.place() - name.chars().count();
        self.expect(&Token::Open, "`(`")?;
        let mut arguments = Vec::new();
        if !self.take(&Token::Close) {
            arguments.push(self.expression(0)?);
            while self.take(&Token::Comma) {
                arguments.push(self.expression(0)?);
            }
            self.expect(&Token::Close, "`,` or `)`")?;
        }
        let function =
            function::named(name, &arguments).map_err(|why| format!("{why} at character {place}"))?;
        let pattern = written_pattern(function, &arguments)?;
        Ok(Expr::Call(Call { function, arguments, pattern }))
    }

    /// The steps behind a `/` or `//`, as many as there are.
    fn steps(&mut self, steps: &mut Vec<Step>) -> Result<(), String> {
        loop {
            if self.take(&Token::DoubleSlash) {
                let step = self.step()?;
                push_below(steps, step);
            } else if self.take(&Token::Slash) {
                steps.push(self.step()?);
            } else {
                return Ok(());
            }
        }
    }

    fn step(&mut self) -> Result<Step, String> {
        let (axis, test) = if self.take(&Token::Dot) {
            (Axis::This, Test::Node)
        } else if self.take(&Token::DoubleDot) {
            (Axis::Parent, Test::Node)
        } else {
            (self.axis()?, self.test()?)
        };
        Ok(Step { axis, test, predicates: self.predicates()? })
    }

    fn axis(&mut self) -> Result<Axis, String> {
        if self.take(&Token::At) {
            return Ok(Axis::Attribute);
        }
        let Some(Token::Name(name)) = self.peek().filter(|_| self.peek_at(1) == Some(&Token::Axis)) else {
            return Ok(Axis::Child);
        };
        let axis =
            Axis::named(name).ok_or_else(|| format!("`{name}` at character {} is no axis", self.place()))?;
        self.at += 2;
        Ok(axis)
    }

    fn test(&mut self) -> Result<Test, String> {
        let token = self.peek().cloned();
        let test = match token {
            Some(Token::Star) => Test::Any,
            Some(Token::Name(name)) => match node_type(&name)
                .filter(|_| self.peek_at(1) == Some(&Token::Open))
            {
                Some(test) => {
                    self.at += 2;
                    if matches!(self.peek(), Some(Token::Literal(_))) && name == "processing-instruction" {
                        self.at += 1;
                    }
                    self.expect(&Token::Close, "`)`")?;
                    return Ok(test);
                }
                None => name_test(&name),
            },
            _ => return Err(self.unexpected("a name, `*`, `.` or `@`")),
        };
        self.at += 1;
        Ok(test)
    }

    fn predicates(&mut self) -> Result<Vec<Expr>, String> {
        let mut predicates = Vec::new();
        while self.take(&Token::OpenBracket) {
            predicates.push(self.expression(0)?);
            self.expect(&Token::CloseBracket, "`]`")?;
        }
        Ok(predicates)
    }
}

fn node_type(name: &str) -> Option<Test> {
    match name {
        "node" => Some(Test::Node),
        "text" => Some(Test::Text),
        "comment" | "processing-instruction" => Some(Test::Nothing),
        _ => None,
    }
}

fn name_test(name: &str) -> Test {
    let name = name.to_ascii_lowercase();
    match name.strip_suffix(":*") {
        Some(prefix) => Test::Prefix(prefix.to_owned()),
        None => Test::Name(name),
    }
}

/// Adds a step behind `//`. That is `descendant-or-self::node()/` before it, which comes to the same as the axis
/// `descendant` where no predicate asks for a place.
fn push_below(steps: &mut Vec<Step>, step: Step) {
    if step.axis == Axis::Child && step.is_free() {
        steps.push(Step { axis: Axis::Descendant, ..step });
    } else {
        steps.push(Step { axis: Axis::DescendantOrSelf, test: Test::Node, predicates: Vec::new() });
        steps.push(step);
    }
}

/// The regular expression of a call, if it is written out and not worked out on the page.
fn written_pattern(function: Function, arguments: &[Expr]) -> Result<Option<Regex>, String> {
    if !matches!(function, Function::RegexTest | Function::RegexMatch) {
        return Ok(None);
    }
    match (&arguments[1], arguments.get(2)) {
        (Expr::Literal(pattern), None) => compile(pattern, "").map(Some),
        (Expr::Literal(pattern), Some(Expr::Literal(flags))) => compile(pattern, flags).map(Some),
        _ => Ok(None),
    }
}

/// Compiles a regular expression with EXSLT's flags: `i` for any case; `g` means nothing here.
pub(super) fn compile(pattern: &str, flags: &str) -> Result<Regex, String> {
    let mut builder = regex::RegexBuilder::new(pattern);
    builder.case_insensitive(flags.contains('i')).size_limit(MAX_PATTERN);
    builder.build().map_err(|error| format!("`{pattern}` is no regular expression: {error}"))
}
