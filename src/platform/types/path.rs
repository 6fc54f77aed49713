//! Paths of `resolve` through a kernel's types, as Tetragon follows them (semantics 3.5).
//!
//! Source: Tetragon 4fbfe2d, `pkg/btf/btf.go` (`ResolveBTFPath`), `pkg/sensors/tracing/generic.go` (`resolveBTFArg`).

use super::{KernelTypes, Shape};
use crate::bpf::btf::TypeId;

/// Members that are looked at for one path. Anonymous ones nest; no kernel's come near, damaged types may.
const MOST_LOOKS: usize = 100_000;

/// Why a path leads nowhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoPath {
    /// A sentence without a full stop.
    pub why: String,
    /// A member of nearly the same name.
    pub nearest: Option<String>,
}

impl NoPath {
    fn new(why: String) -> NoPath {
        NoPath { why, nearest: None }
    }
}

/// What a path leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    pub ty: TypeId,
}

/// The type at the end of `path`, which begins in a value of type `root`: a structure, or a parameter of a function.
///
/// # Errors
/// The first step that is not there. Assumes that the path is well written.
pub fn follow(types: &KernelTypes, root: TypeId, path: &str) -> Result<End, NoPath> {
    let mut walk = Walk { types, looks: MOST_LOOKS };
    let mut steps: Vec<Step<'_>> = steps(path).collect();
    let starts_with_index = matches!(steps.first(), Some(Step::Index(_)));
    // A pointer is followed once of itself, further ones by `[0]`.
    let mut at = root;
    if !starts_with_index && let Shape::Pointer(target) = types.shape(at) {
        at = target;
        let mut deeper = at;
        while let Shape::Pointer(target) = types.shape(deeper)
            && steps.len() <= crate::vocab::limit::RESOLVE_STEPS
        {
            steps.insert(0, Step::Index(0));
            deeper = target;
        }
    }
    if steps.len() > crate::vocab::limit::RESOLVE_STEPS {
        return Err(NoPath::new("more steps are needed than are followed".to_owned()));
    }
    walk.from(at, &steps).map(|ty| End { ty })
}

#[derive(Clone, Copy)]
enum Step<'a> {
    Name(&'a str),
    Index(u64),
}

fn steps(path: &str) -> impl Iterator<Item = Step<'_>> {
    path.split(['.', '[']).filter(|part| !part.is_empty()).map(|part| match part.strip_suffix(']') {
        Some(number) => Step::Index(number.parse().unwrap_or(u64::MAX)),
        None => Step::Name(part),
    })
}

struct Walk<'a> {
    types: &'a KernelTypes,
    looks: usize,
}

impl Walk<'_> {
    fn from(&mut self, ty: TypeId, steps: &[Step<'_>]) -> Result<TypeId, NoPath> {
        let Some((step, rest)) = steps.split_first() else { return Ok(ty) };
        let Some(bare) = self.types.bare(ty) else {
            return Err(NoPath::new("a type is an alias of itself".to_owned()));
        };
        match (self.types.shape(bare), step) {
            (Shape::Record { .. }, Step::Name(name)) => match self.member(bare, name) {
                Some(member) => self.from(member, rest),
                None => Err(self.no_member(bare, name)),
            },
            (Shape::Pointer(target), Step::Index(_)) => self.from(target, rest),
            (Shape::Pointer(target), Step::Name(_)) => match self.types.shape(target) {
                Shape::Record { .. } => self.from(target, steps),
                _ => Err(self.no_members(ty, step)),
            },
            (Shape::Array { element, count }, Step::Index(index)) => {
                if count != 0 && *index >= u64::from(count) {
                    return Err(NoPath::new(format!(
                        "`[{index}]` is behind the end of `{}`",
                        self.types.spelling(ty)
                    )));
                }
                self.from(element, rest)
            }
            (_, step) => Err(self.no_members(ty, step)),
        }
    }

    /// The member of this name, those of anonymous members among them.
    fn member(&mut self, of: TypeId, name: &str) -> Option<TypeId> {
        let mut open = vec![of];
        while let Some(of) = open.pop() {
            let members = self.types.members(self.types.bare(of)?);
            let mut anonymous = vec![];
            for member in members {
                self.looks = self.looks.checked_sub(1)?;
                if member.name == name {
                    return Some(member.ty);
                }
                if member.name.is_empty() {
                    anonymous.push(member.ty);
                }
            }
            open.extend(anonymous.into_iter().rev());
        }
        None
    }

    fn no_member(&mut self, of: TypeId, name: &str) -> NoPath {
        let members = self.types.members(of);
        let names = members.iter().map(|member| member.name).filter(|name| !name.is_empty());
        NoPath {
            why: format!("`{}` has no member `{name}`", self.types.spelling(of)),
            nearest: crate::diag::suggest::nearest(name, names).map(str::to_owned),
        }
    }

    fn no_members(&self, ty: TypeId, step: &Step<'_>) -> NoPath {
        let spelling = self.types.spelling(ty);
        NoPath::new(match step {
            Step::Name(name) => format!("`{spelling}` has no members, so no `{name}`"),
            Step::Index(index) => format!("`{spelling}` is no array, so it has no `[{index}]`"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::sample;

    fn end(root: &str, path: &str) -> Result<String, String> {
        let types = KernelTypes::parse(sample::btf()).unwrap();
        let root = types.structure(root).unwrap();
        follow(&types, root, path).map(|end| types.spelling(end.ty)).map_err(|no| no.why)
    }

    #[test]
    fn paths_go_through_pointers_arrays_typedefs_and_anonymous_members() {
        assert_eq!(end("task_struct", "mm.owner.real_parent.comm"), Ok("char[16]".into()));
        assert_eq!(end("task_struct", "comm[3]"), Ok("char".into()));
        assert_eq!(end("task_struct", "pid"), Ok("pid_t".into()));
        assert_eq!(end("sockaddr_in", "sin_addr.s_addr"), Ok("unsigned int".into()));
        assert_eq!(end("file", "f_path.dentry"), Ok("struct dentry *".into()), "in an anonymous union");
        assert_eq!(end("dentry", "d_children[7]"), Ok("int".into()), "an array of open length");
    }

    #[test]
    fn what_is_not_there_is_said() {
        let said = |root, path| end(root, path).unwrap_err();
        assert_eq!(said("task_struct", "mm.ownr.comm"), "`struct mm_struct` has no member `ownr`");
        assert_eq!(said("task_struct", "comm[16]"), "`[16]` is behind the end of `char[16]`");
        assert_eq!(said("task_struct", "pid.x"), "`pid_t` has no members, so no `x`");
        assert_eq!(said("task_struct", "pid[0]"), "`pid_t` is no array, so it has no `[0]`");
        assert_eq!(
            said("task_struct", "mm.owner.mm.owner.mm.owner.mm.owner.mm.nothing"),
            "`struct mm_struct` has no member `nothing`"
        );
    }

    #[test]
    fn a_parameter_is_followed_once_of_itself() {
        let types = KernelTypes::parse(sample::btf()).unwrap();
        let (params, _) = types.prototype(types.function("security_file_open").unwrap()).unwrap();
        let ends = |path| follow(&types, params[0].ty, path).map(|end| types.spelling(end.ty));
        assert_eq!(ends("f_flags"), Ok("unsigned int".into()));
        assert_eq!(ends("[0].f_flags"), Ok("unsigned int".into()));
        let nearest = follow(&types, params[0].ty, "f_flag").unwrap_err().nearest;
        assert_eq!(nearest.as_deref(), Some("f_flags"));
    }
}
