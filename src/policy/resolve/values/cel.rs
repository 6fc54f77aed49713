//! Checks the expression of `CelExpr`: the part of CEL that Tetragon turns into instructions.
//!
//! Variables `arg0`, `arg1`, … are positions in the list of arguments. Both sides of an operator have one
//! type; nothing is converted but by `int32()` and `uint32()`. The result is a boolean.
//! Source: Tetragon 4fbfe2d, `pkg/celbpf` (semantics 5.8).

use crate::policy::resolve::args::Args;
use crate::vocab::arg_type::ArgType;

/// Nobody nests deeper by hand, and each level takes stack.
const MAX_DEPTH: usize = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Type {
    Bool,
    Int,
    Uint,
    S32,
    U32,
    /// An argument whose type is not known, or was refused: fits everything.
    Any,
}

impl Type {
    fn name(self) -> &'static str {
        match self {
            Type::Bool => "bool",
            Type::Int => "int",
            Type::Uint => "uint",
            Type::S32 => "int32",
            Type::U32 => "uint32",
            Type::Any => "unknown",
        }
    }

    fn meets(self, other: Type) -> Option<Type> {
        match (self, other) {
            (Type::Any, ty) | (ty, Type::Any) => Some(ty),
            (a, b) => (a == b).then_some(a),
        }
    }

    fn is_integer(self) -> bool {
        self != Type::Bool
    }
}

/// Why the expression is refused, if it is.
pub fn check(text: &str, args: &Args) -> Result<(), String> {
    let mut parser = Parser { rest: text, args, depth: 0 };
    let ty = parser.or()?;
    parser.skip_blanks();
    if !parser.rest.is_empty() {
        return Err(unexpected(parser.rest));
    }
    match ty {
        Type::Bool => Ok(()),
        Type::Int | Type::Uint | Type::S32 | Type::U32 | Type::Any => {
            Err(format!("it gives `{}`, and a condition is wanted", ty.name()))
        }
    }
}

struct Parser<'a> {
    rest: &'a str,
    args: &'a Args,
    depth: usize,
}

fn unexpected(rest: &str) -> String {
    match rest.chars().next() {
        None => "it ends too early".to_string(),
        Some(c @ ('*' | '/' | '%' | '?' | '[' | '.' | '{' | '"' | '\'')) => format!("`{c}` is not supported"),
        Some(c) => format!("`{}` is not expected here", c.escape_debug()),
    }
}

impl Parser<'_> {
    fn skip_blanks(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r', '\x0c']);
    }

    fn take(&mut self, token: &str) -> bool {
        self.skip_blanks();
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn or(&mut self) -> Result<Type, String> {
        let mut ty = self.and()?;
        while self.take("||") {
            ty = logic("||", ty, self.and()?)?;
        }
        Ok(ty)
    }

    fn and(&mut self) -> Result<Type, String> {
        let mut ty = self.relation()?;
        while self.take("&&") {
            ty = logic("&&", ty, self.relation()?)?;
        }
        Ok(ty)
    }

    fn relation(&mut self) -> Result<Type, String> {
        let mut ty = self.sum()?;
        while let Some(op) = ["==", "!=", "<=", ">=", "<", ">"].into_iter().find(|op| self.take(op)) {
            let other = self.sum()?;
            let met = same(op, ty, other)?;
            if !matches!(op, "==" | "!=") && !met.is_integer() {
                return Err(format!("`{op}` compares numbers, not `bool`"));
            }
            ty = Type::Bool;
        }
        Ok(ty)
    }

    fn sum(&mut self) -> Result<Type, String> {
        let mut ty = self.unary()?;
        while let Some(op) = ["+", "-"].into_iter().find(|op| self.take(op)) {
            ty = integers(op, ty, self.unary()?)?;
        }
        Ok(ty)
    }

    fn unary(&mut self) -> Result<Type, String> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(format!("it is nested more than {MAX_DEPTH} deep"));
        }
        let ty = self.nested_unary();
        self.depth -= 1;
        ty
    }

    fn nested_unary(&mut self) -> Result<Type, String> {
        if self.take("!") {
            return match self.unary()? {
                Type::Bool | Type::Any => Ok(Type::Bool),
                ty => Err(format!("`!` negates a condition, not `{}`", ty.name())),
            };
        }
        if self.take("(") {
            let ty = self.or()?;
            return self.close().map(|()| ty);
        }
        self.skip_blanks();
        match self.rest.as_bytes() {
            [b'0'..=b'9', ..] => self.number(false),
            [b'-', b'0'..=b'9', ..] => {
                self.rest = &self.rest[1..];
                self.number(true)
            }
            [b'-', ..] => Err("a minus belongs to a number".to_string()),
            [b'a'..=b'z' | b'A'..=b'Z' | b'_', ..] => self.name(),
            _ => Err(unexpected(self.rest)),
        }
    }

    fn close(&mut self) -> Result<(), String> {
        if self.take(")") {
            return Ok(());
        }
        self.skip_blanks();
        Err(if self.rest.is_empty() { "a `)` is missing".to_string() } else { unexpected(self.rest) })
    }

    fn number(&mut self, negative: bool) -> Result<Type, String> {
        let (radix, digits) = match self.rest.strip_prefix("0x") {
            Some(digits) => (16, digits),
            None => (10, self.rest),
        };
        let length = digits.bytes().take_while(|&b| (b as char).is_digit(radix)).count();
        let (digits, rest) = digits.split_at(length);
        self.rest = rest;
        if rest.starts_with(['.', 'e', 'E']) && radix == 10 {
            return Err("floating point is not supported".to_string());
        }
        let value =
            u64::from_str_radix(digits, radix).map_err(|_| "a number does not fit 64 bits".to_string())?;
        if let Some(rest) = rest.strip_prefix(['u', 'U']) {
            self.rest = rest;
            return if negative {
                Err("an unsigned number has no minus".to_string())
            } else {
                Ok(Type::Uint)
            };
        }
        let fits = if negative { value <= 1 << 63 } else { value < 1 << 63 };
        if fits { Ok(Type::Int) } else { Err("a number does not fit 64 bits with sign".to_string()) }
    }

    fn name(&mut self) -> Result<Type, String> {
        let length = self.rest.bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count();
        let (name, rest) = self.rest.split_at(length);
        self.rest = rest;
        if self.take("(") {
            return self.call(name);
        }
        match name {
            "true" | "false" => Ok(Type::Bool),
            _ => self.variable(name),
        }
    }

    fn variable(&self, name: &str) -> Result<Type, String> {
        let position = name.strip_prefix("arg").filter(|n| *n == "0" || !n.starts_with('0'));
        let Some(position) = position.and_then(|n| n.parse::<usize>().ok()) else {
            return Err(format!("`{name}` is not known; arguments are `arg0`, `arg1` and so on"));
        };
        let Some(arg) = self.args.known.get(position) else {
            return if self.args.poisoned {
                Ok(Type::Any)
            } else {
                Err(format!("the hook does not read `{name}`"))
            };
        };
        match arg.ty.map(ArgType::canonical) {
            None => Ok(Type::Any),
            Some(ArgType::Int64) => Ok(Type::Int),
            Some(ArgType::Uint64) => Ok(Type::Uint),
            Some(ArgType::Int | ArgType::Int32) => Ok(Type::S32),
            Some(ArgType::Uint32) => Ok(Type::U32),
            Some(ty) => {
                Err(format!("`{name}` is of type `{ty}`, and only integers of 32 and 64 bits can be used"))
            }
        }
    }

    fn call(&mut self, name: &str) -> Result<Type, String> {
        let first = self.or()?;
        let second = if self.take(",") { Some(self.or()?) } else { None };
        self.close()?;
        match (name, first, second) {
            ("int32", Type::Int | Type::Any, None) => Ok(Type::S32),
            ("uint32", Type::Uint | Type::Any, None) => Ok(Type::U32),
            ("int32" | "uint32", ty, None) => {
                let wanted = if name == "int32" { "int" } else { "uint" };
                Err(format!("`{name}` takes `{wanted}`, not `{}`", ty.name()))
            }
            ("and" | "or" | "xor", a, Some(b)) => integers(name, a, b),
            ("not", ty, None) if ty.is_integer() => Ok(ty),
            ("not", _, None) => Err("`not` takes a number; `!` negates a condition".to_string()),
            ("int32" | "uint32" | "and" | "or" | "xor" | "not", _, _) => {
                Err(format!("`{name}` has a wrong number of arguments"))
            }
            (_, _, _) => Err(format!("function `{name}` is not supported")),
        }
    }
}

fn same(op: &str, a: Type, b: Type) -> Result<Type, String> {
    a.meets(b).ok_or_else(|| {
        format!("`{op}` takes two values of one type, not `{}` and `{}`; cast numbers with `int32()` or `uint32()`", a.name(), b.name())
    })
}

fn integers(op: &str, a: Type, b: Type) -> Result<Type, String> {
    let ty = same(op, a, b)?;
    if ty.is_integer() { Ok(ty) } else { Err(format!("`{op}` takes numbers, not `bool`")) }
}

fn logic(op: &str, a: Type, b: Type) -> Result<Type, String> {
    match same(op, a, b)? {
        Type::Bool | Type::Any => Ok(Type::Bool),
        ty => Err(format!("`{op}` takes conditions, not `{}`", ty.name())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::resolve::args::KnownArg;
    use crate::source::{SourceId, Span};

    fn args(types: &[ArgType]) -> Args {
        let ty_span = Span::new(SourceId(0), 0, 0);
        let known =
            |(index, &ty)| KnownArg { index: Some(index as u32), ty: Some(ty), ty_span, max_data: false };
        Args { known: types.iter().enumerate().map(known).collect(), ..Args::default() }
    }

    #[test]
    fn what_tetragon_compiles_is_accepted() {
        let args = args(&[ArgType::Int, ArgType::Uint64, ArgType::Int64, ArgType::Uint32]);
        for text in [
            "arg0 == int32(1)",
            "arg1 > 42u && arg2 < -5",
            "!(arg2 + 1 == 0x10) || true",
            "and(arg1, 0xfu) != 0u",
            "not(arg3) == uint32(7u)",
            "int32(arg2) == arg0",
            "true == (arg2 >= 1)",
        ] {
            assert_eq!(check(text, &args), Ok(()), "{text}");
        }
    }

    #[test]
    fn what_it_refuses_is_refused() {
        let args = args(&[ArgType::Int, ArgType::Uint64, ArgType::Int64, ArgType::String]);
        for text in [
            "",
            "arg0 == 1",
            "arg1 == 1",
            "arg2",
            "arg2 * 2 == 4",
            "arg2 == 1.0",
            "-arg2 == 1",
            "arg3 == arg3",
            "arg9 == 1",
            "x == 1",
            "true < false",
            "arg2 == 1 ? true : false",
            "arg2 in [1]",
            "(arg2 == 1",
            "arg2 == 1)",
            "size(arg3) == 1",
            "uint32(arg2) == uint32(1u)",
            "!arg2",
            "arg2 == 9223372036854775808",
            &"(".repeat(100_000),
            &"!".repeat(100_000),
        ] {
            assert!(check(text, &args).is_err(), "{text}");
        }
    }
}
