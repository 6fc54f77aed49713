//! Kernel structures that events show: what of them is in a record, and where.
//!
//! To add one: its row here, its reader in `bpf-templates/structure.h` with the bytes in `abi.h`, its type's row in the
//! vocabulary of argument types, and its case in the kernel tests. Manifest, proof and readers follow from the row.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::abi;

/// A part of a structure, as it stands in a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    pub name: &'static str,
    pub offset: u32,
    pub bytes: u32,
    pub form: FieldForm,
}

/// How the bytes of a field are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum FieldForm {
    Unsigned,
    Signed,
    /// An unsigned number that is a set of bits.
    Bits,
    /// Bytes up to the first NUL; all behind it are NUL.
    Text,
}

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part<'a> {
    Unsigned(u64),
    Signed(i64),
    Bits(u64),
    Text(&'a [u8]),
}

macro_rules! structures {
    ($(
        $(#[doc = $doc:literal])*
        $name:ident { form: $number:path, stencil: $stencil:literal, holds: [$($field:literal $form:ident $bytes:literal),* $(,)?] }
    )*) => {
        /// A structure of the kernel of which events show some fields.
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
        )]
        #[serde(rename_all = "camelCase")]
        pub enum Structure {
            $($(#[doc = $doc])* $name,)*
        }

        impl Structure {
            pub const ALL: &'static [Structure] = &[$(Structure::$name),*];

            /// The form of its values in records: `VALUE_*` of `abi.h`.
            pub const fn number(self) -> u32 {
                match self {
                    $(Structure::$name => $number,)*
                }
            }

            /// The stencil that writes the value.
            pub const fn stencil(self) -> &'static str {
                match self {
                    $(Structure::$name => $stencil,)*
                }
            }

            /// In the order of the record, directly one behind the other.
            pub const fn fields(self) -> &'static [Field] {
                match self {
                    $(Structure::$name => {
                        const FIELDS: &[Field] = &placed([$(Field {
                            name: $field,
                            offset: 0,
                            bytes: $bytes,
                            form: FieldForm::$form,
                        }),*]);
                        FIELDS
                    })*
                }
            }
        }
    };
}

structures! {
    /// `struct cred`, with what Tetragon shows of its user namespace.
    Cred { form: abi::VALUE_CRED, stencil: "value_cred", holds: [
        "permitted" Bits 8, "effective" Bits 8, "inheritable" Bits 8,
        "uid" Unsigned 4, "gid" Unsigned 4, "euid" Unsigned 4, "egid" Unsigned 4,
        "suid" Unsigned 4, "sgid" Unsigned 4, "fsuid" Unsigned 4, "fsgid" Unsigned 4,
        "securebits" Bits 4,
        "namespaceLevel" Signed 4, "namespaceUid" Unsigned 4, "namespaceGid" Unsigned 4, "namespaceInode" Unsigned 4,
    ] }
    /// `struct user_namespace`: its depth below the initial one, its owner, and its inode.
    UserNamespace { form: abi::VALUE_USER_NAMESPACE, stencil: "value_user_namespace", holds: [
        "level" Signed 4, "uid" Unsigned 4, "gid" Unsigned 4, "inode" Unsigned 4,
    ] }
    /// `union bpf_attr`, as of a program that is being loaded.
    BpfAttr { form: abi::VALUE_BPF_ATTR, stencil: "value_bpf_attr", holds: [
        "programType" Unsigned 4, "instructions" Unsigned 4, "name" Text 16,
    ] }
    /// `struct bpf_prog`.
    BpfProg { form: abi::VALUE_BPF_PROG, stencil: "value_bpf_prog", holds: [
        "programType" Unsigned 4, "instructions" Unsigned 4, "name" Text 16,
    ] }
    /// `struct bpf_map`.
    BpfMap { form: abi::VALUE_BPF_MAP, stencil: "value_bpf_map", holds: [
        "mapType" Unsigned 4, "keySize" Unsigned 4, "valueSize" Unsigned 4, "maxEntries" Unsigned 4, "name" Text 16,
    ] }
    /// `struct perf_event`, as of a probe. The name of its function is empty where it cannot be read.
    PerfEvent { form: abi::VALUE_PERF_EVENT, stencil: "value_perf_event", holds: [
        "config" Unsigned 8, "probeOffset" Unsigned 8, "kprobeFunction" Text 128, "type" Unsigned 4,
    ] }
    /// `struct module`.
    Module { form: abi::VALUE_MODULE, stencil: "value_module", holds: ["taints" Bits 8, "name" Text 64] }
    /// `struct load_info`: a module that is being loaded, and whether its signature is good.
    LoadInfo { form: abi::VALUE_LOAD_INFO, stencil: "value_load_info", holds: [
        "taints" Bits 8, "name" Text 64, "signatureOk" Unsigned 4,
    ] }
    /// `kernel_cap_t`: bit `n` is capability `n`.
    Capabilities { form: abi::VALUE_CAPABILITIES, stencil: "value_capabilities", holds: ["capabilities" Bits 8] }
}

/// Each field behind the one before.
const fn placed<const N: usize>(mut fields: [Field; N]) -> [Field; N] {
    let (mut at, mut offset) = (0, 0);
    while at < N {
        fields[at].offset = offset;
        offset += fields[at].bytes;
        at += 1;
    }
    fields
}

impl Structure {
    /// Of its values: whole words, zero behind the last field.
    pub const fn bytes(self) -> u32 {
        let fields = self.fields();
        let last = fields[fields.len() - 1];
        (last.offset + last.bytes).next_multiple_of(8)
    }

    /// The one whose values have this form.
    pub fn of_form(number: u32) -> Option<Structure> {
        Structure::ALL.iter().copied().find(|structure| structure.number() == number)
    }

    /// The fields of a value that is as long as it has to be.
    pub fn parts(self, bytes: &[u8]) -> impl Iterator<Item = (&'static str, Part<'_>)> {
        self.fields().iter().filter_map(|field| {
            let at = field.offset as usize;
            let found = bytes.get(at..at + field.bytes as usize)?;
            Some((field.name, field.form.read(found)?))
        })
    }
}

impl FieldForm {
    /// `None`: no number has so many bytes.
    fn read(self, bytes: &[u8]) -> Option<Part<'_>> {
        let number = || {
            let mut word = [0; 8];
            word.get_mut(..bytes.len())?.copy_from_slice(bytes);
            Some(u64::from_le_bytes(word))
        };
        Some(match self {
            FieldForm::Unsigned => Part::Unsigned(number()?),
            FieldForm::Bits => Part::Bits(number()?),
            FieldForm::Signed => {
                let unused = 64 - 8 * bytes.len() as u32;
                Part::Signed(((number()? << unused) as i64) >> unused)
            }
            FieldForm::Text => {
                let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
                Part::Text(&bytes[..end])
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_where_they_are_aligned() {
        for structure in Structure::ALL {
            assert!(!structure.fields().is_empty());
            for field in structure.fields().iter().filter(|field| field.form != FieldForm::Text) {
                assert!([1, 2, 4, 8].contains(&field.bytes), "{structure:?} {}", field.name);
                assert!(field.offset.is_multiple_of(field.bytes), "{structure:?} {}", field.name);
            }
        }
    }

    #[test]
    fn forms_are_each_their_own() {
        for &structure in Structure::ALL {
            assert_eq!(Structure::of_form(structure.number()), Some(structure));
        }
        assert_eq!(Structure::of_form(abi::VALUE_SOCKET), None);
    }

    #[test]
    fn fields_are_read_by_their_form() {
        assert_eq!(FieldForm::Signed.read(&[0xfe, 0xff, 0xff, 0xff]), Some(Part::Signed(-2)));
        assert_eq!(FieldForm::Unsigned.read(&[0xfe, 0xff, 0xff, 0xff]), Some(Part::Unsigned(0xffff_fffe)));
        assert_eq!(FieldForm::Text.read(b"ab\0\0"), Some(Part::Text(b"ab")));
        assert_eq!(FieldForm::Text.read(b"abcd"), Some(Part::Text(b"abcd")));
        assert_eq!(FieldForm::Bits.read(&[0; 9]), None);
    }
}
