//! Which C types an argument type can be read from.
//!
//! Source: Tetragon 4fbfe2d, `typesCompatible` in `pkg/btf/validation.go` (semantics 2.1), compared by what a type is
//! rather than by how BTF spells it, so that `unsigned long` fits `ulong` under either of its names, and with the
//! types that the table leaves out (`kiocb`, `iov_iter`, `dentry`, all of which Tetragon reads). Tetragon never
//! refuses a policy for this, and reads whatever is there. So a number of another width is a warning, and an object
//! of another kind an error: nothing that is compared with it means anything.

use super::c_type::CType;
use super::{KernelTypes, Shape};
use crate::bpf::btf::TypeId;
use crate::vocab::arg_type::ArgType;

/// What an argument type reads.
enum Reads {
    Anything,
    /// By width; `None`: signed or not.
    Int(&'static [u32], Option<bool>),
    /// A whole address, or a number of its width.
    Address,
    /// Characters.
    Chars,
    /// Bytes of any kind.
    Bytes,
    Structs(&'static [&'static str]),
    Union(&'static str),
    /// Of a tracepoint's record only.
    Record,
}

fn reads(ty: ArgType) -> Reads {
    use ArgType as A;
    match ty {
        A::Auto | A::Nop | A::Syscall64 => Reads::Anything,
        A::Int | A::Capability | A::BpfCmd => Reads::Int(&[4], None),
        A::Sint32 | A::Int32 => Reads::Int(&[4], Some(true)),
        A::Uint32 => Reads::Int(&[4], Some(false)),
        A::Sint8 | A::Int8 => Reads::Int(&[1], Some(true)),
        A::Uint8 => Reads::Int(&[1], Some(false)),
        A::Sint16 | A::Int16 => Reads::Int(&[2], Some(true)),
        A::Uint16 => Reads::Int(&[2], Some(false)),
        A::Long | A::Sint64 | A::Int64 => Reads::Int(&[8], Some(true)),
        A::Ulong | A::Uint64 => Reads::Address,
        A::SizeT => Reads::Int(&[8], Some(false)),
        A::Fd => Reads::Int(&[4, 8], None),
        A::String => Reads::Chars,
        A::CharBuf => Reads::Bytes,
        A::CharIovec => Reads::Structs(&["iovec"]),
        A::Skb => Reads::Structs(&["sk_buff"]),
        A::Sock => Reads::Structs(&["sock"]),
        A::Sockaddr => Reads::Structs(&["sockaddr"]),
        A::Socket => Reads::Structs(&["socket"]),
        A::SockaddrUn => Reads::Structs(&["sockaddr_un", "sockaddr"]),
        A::File => Reads::Structs(&["file"]),
        A::Filename => Reads::Structs(&["filename"]),
        A::Path => Reads::Structs(&["path"]),
        A::BpfAttr => Reads::Union("bpf_attr"),
        A::PerfEvent => Reads::Structs(&["perf_event"]),
        A::BpfMap => Reads::Structs(&["bpf_map"]),
        A::BpfProg => Reads::Structs(&["bpf_prog"]),
        A::UserNamespace => Reads::Structs(&["user_namespace"]),
        A::Kiocb => Reads::Structs(&["kiocb"]),
        A::IovIter => Reads::Structs(&["iov_iter"]),
        A::Cred => Reads::Structs(&["cred"]),
        A::LoadInfo => Reads::Structs(&["load_info"]),
        A::Module => Reads::Structs(&["module"]),
        // `kernel_cap_t` is a structure without a name or of this one.
        A::KernelCapT | A::CapInheritable | A::CapPermitted | A::CapEffective => {
            Reads::Structs(&["", "kernel_cap_struct"])
        }
        A::LinuxBinprm => Reads::Structs(&["linux_binprm"]),
        A::NetDevice => Reads::Structs(&["net_device"]),
        A::Dentry => Reads::Structs(&["dentry"]),
        A::ConstBuf | A::DataLoc => Reads::Record,
    }
}

/// How an argument type goes with a C type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    Fits,
    /// A number of another width or sign, or memory of which C does not say what it holds.
    Doubtful,
    /// Another object than is there.
    Other,
}

/// Whether an argument type can be read from a parameter, or a returned value.
pub fn fit(ty: ArgType, of: &CType<'_>) -> Fit {
    if fits(ty, of) {
        return Fit::Fits;
    }
    let is_number = matches!(of.shape, Shape::Int { .. });
    let is_pointer = matches!(of.shape, Shape::Pointer(_));
    match (reads(ty), of.target) {
        (Reads::Anything | Reads::Record, _) => Fit::Doubtful,
        (Reads::Int(..) | Reads::Address, _) if !is_pointer => Fit::Doubtful,
        (Reads::Int(..) | Reads::Address, _) => Fit::Other,
        (_, Some(Shape::Void)) => Fit::Doubtful,
        // The bytes of any object can be meant.
        (Reads::Bytes, _) if !is_number => Fit::Doubtful,
        (Reads::Chars | Reads::Bytes | Reads::Structs(_) | Reads::Union(_), _) => {
            if is_number || is_pointer {
                Fit::Other
            } else {
                Fit::Doubtful
            }
        }
    }
}

fn fits(ty: ArgType, of: &CType<'_>) -> bool {
    match (reads(ty), of.shape, of.target) {
        (Reads::Anything, ..) => true,
        (Reads::Int(widths, sign), Shape::Int { bytes, signed }, _) => {
            widths.contains(&bytes) && sign.is_none_or(|wanted| wanted == signed)
        }
        (Reads::Address, Shape::Int { bytes, signed }, _) => bytes == 8 && !signed,
        (Reads::Address, Shape::Pointer(_), _) => true,
        (Reads::Chars, _, Some(Shape::Int { bytes, .. })) => bytes == 1,
        (Reads::Bytes, _, Some(Shape::Int { bytes, .. })) => bytes == 1,
        (Reads::Bytes, _, Some(Shape::Void)) => true,
        (Reads::Structs(names), _, Some(Shape::Record { is_union: false, name })) => names.contains(&name),
        (Reads::Union(wanted), _, Some(Shape::Record { is_union: true, name })) => name == wanted,
        _ => false,
    }
}

/// Whether an argument type can be read from what a path ends in: an address is given for structures and arrays.
pub fn fits_end(types: &KernelTypes, ty: ArgType, id: TypeId) -> bool {
    match (types.shape(id), reads(ty)) {
        (_, Reads::Anything) => true,
        (Shape::Record { is_union: false, name }, Reads::Structs(names)) => names.contains(&name),
        (Shape::Record { is_union: true, name }, Reads::Union(wanted)) => name == wanted,
        (Shape::Record { .. } | Shape::Array { .. }, Reads::Address | Reads::Bytes) => true,
        (Shape::Array { element, .. }, Reads::Chars) => {
            matches!(types.shape(element), Shape::Int { bytes: 1, .. })
        }
        (Shape::Record { .. } | Shape::Array { .. }, _) => false,
        _ => fits(ty, &types.c_type(id)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::sample;

    /// Every argument type that fits the parameter, canonical ones only.
    fn fitting(function: &str, param: usize) -> Vec<&'static str> {
        let types = KernelTypes::parse(sample::btf()).unwrap();
        let params = types.signature(function).unwrap().params;
        let all = ArgType::ALL.iter().filter(|ty| ty.canonical() == **ty);
        let fits = |ty: &&ArgType| !matches!(reads(**ty), Reads::Anything) && fits(**ty, &params[param]);
        all.filter(fits).map(|ty| ty.name()).collect()
    }

    #[test]
    fn parameters_fit_what_tetragon_reads_from_them() {
        assert_eq!(fitting("security_file_open", 0), ["uint64", "file"]);
        assert_eq!(fitting("fd_install", 0), ["int", "uint32", "fd", "capability", "bpf_cmd"]);
        assert_eq!(fitting("fd_install", 1), ["uint64", "file"]);
        assert_eq!(fitting("do_sys_open", 1), ["uint64", "char_buf", "string"]);
        assert_eq!(fitting("do_sys_open", 3), ["uint16"], "umode_t");
        assert_eq!(fitting("vfs_write", 2), ["uint64", "size_t", "fd"]);
        assert_eq!(fitting("security_bprm_check", 0), ["uint64", "linux_binprm"]);
    }

    #[test]
    fn numbers_of_another_width_are_doubtful_and_other_objects_are_wrong() {
        let types = KernelTypes::parse(sample::btf()).unwrap();
        let of =
            |function: &str, param: usize, ty| fit(ty, &types.signature(function).unwrap().params[param]);
        assert_eq!(of("security_bprm_check", 0, ArgType::LinuxBinprm), Fit::Fits);
        for wrong in [ArgType::String, ArgType::File, ArgType::Int, ArgType::Sock] {
            assert_eq!(of("security_bprm_check", 0, wrong), Fit::Other, "{wrong}");
        }
        assert_eq!(of("security_bprm_check", 0, ArgType::CharBuf), Fit::Doubtful);
        assert_eq!(of("fd_install", 0, ArgType::Int64), Fit::Doubtful);
        assert_eq!(of("fd_install", 0, ArgType::File), Fit::Other);
        assert_eq!(of("do_sys_open", 1, ArgType::Path), Fit::Other);
    }

    #[test]
    fn ends_of_paths_fit_by_value_or_by_address() {
        let types = KernelTypes::parse(sample::btf()).unwrap();
        let end = |path| super::super::path::follow(&types, types.structure("task_struct").unwrap(), path);
        let fits = |ty, path| fits_end(&types, ty, end(path).unwrap().ty);
        assert!(fits(ArgType::String, "comm") && !fits(ArgType::Int, "comm"));
        assert!(fits(ArgType::Int, "pid") && !fits(ArgType::Int64, "pid") && !fits(ArgType::String, "pid"));
        assert!(fits(ArgType::Uint64, "mm") && !fits(ArgType::File, "mm"));
    }
}
