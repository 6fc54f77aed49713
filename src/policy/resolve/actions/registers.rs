//! `Override` on a uprobe: assignments to registers (semantics 6.3).

use super::super::values::number::parse_base0;
use crate::diag::actions as codes;
use crate::diag::schema::shown;
use crate::policy::context::Cx;
use crate::syntax::ast::objects::Action as WrittenAction;
use crate::syntax::ast::read::List;
use crate::vocab::Vocabulary;
use crate::vocab::action::Action;
use crate::vocab::limit::REGISTER_ASSIGNMENTS;
use crate::vocab::register::Register;

pub fn check_overrides(list: &List<WrittenAction<'_>>, cx: &mut Cx<'_>) {
    let mut overrides =
        list.items.iter().filter(|item| item.action.is_some_and(|a| a.value == Action::Override));
    let first = overrides.next();
    if let Some(second) = overrides.next() {
        let message = "a selector of a uprobe has one `Override` at most".to_string();
        cx.report(codes::bad_parameter(message, "this one is too many", second.span()));
    }
    let Some(registers) = first.and_then(|first| first.registers.as_ref()) else { return };
    if let Some(extra) = registers.items.get(REGISTER_ASSIGNMENTS) {
        let message = format!(
            "{} registers are assigned, {REGISTER_ASSIGNMENTS} at most are allowed",
            registers.items.len()
        );
        cx.report(codes::bad_parameter(message, "this one is too many", extra.span));
    }
    for assignment in &registers.items {
        if let Err(why) = check_assignment(assignment.value) {
            let message = format!("`{}` is no assignment to a register", shown(assignment.value));
            cx.report(codes::bad_parameter(message, why, assignment.span));
        }
    }
}

/// `DST=EXPR`, EXPR being a number, `%reg`, `OFF%reg` or `[OFF](%reg)`.
fn check_assignment(text: &str) -> Result<(), &'static str> {
    let (register, expression) = text.split_once('=').ok_or("`register=value` is wanted")?;
    if expression.contains('=') {
        return Err("one `=` is wanted");
    }
    if Register::parse(register.trim()).is_none() {
        return Err("a register of x86-64 is wanted before `=`");
    }
    let expression = expression.trim();
    if parse_base0(expression).is_ok() {
        return Ok(());
    }
    let (offset, source) = match expression.strip_suffix(')') {
        Some(inner) => inner.split_once("(%").ok_or("`offset(%register)` is wanted")?,
        None => expression.split_once('%').ok_or("a number or `%register` is wanted after `=`")?,
    };
    if Register::parse(source).is_none() {
        return Err("a register of x86-64 is wanted after `%`");
    }
    if !offset.is_empty() && parse_base0(offset).is_err() {
        return Err("a number is wanted before `%`");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::check_assignment;

    #[test]
    fn assignments_follow_the_grammar() {
        for text in ["rax=1", "rdi = -0x10", "rax=%rdi", "rax=8%rsp", "rip=(%rsp)", "rip=8(%rsp)", "eax=%ebx"]
        {
            assert!(check_assignment(text).is_ok(), "{text}");
        }
        for text in [
            "",
            "rax",
            "rax=",
            "rax=1=2",
            "foo=1",
            "rax=%foo",
            "rax=x%rdi",
            "rax=(rdi)",
            "rax=8(%rsp",
            "rax=%",
        ] {
            assert!(check_assignment(text).is_err(), "{text}");
        }
    }
}
