//! Argument types. To add one: add a row here, then follow the compiler.

/// How the values of a type are compared (semantics reference, section 3.1, column "filter class").
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// An integer of `bytes` bytes; `signed` decides how values are written.
    Int { bytes: u8, signed: bool },
    /// A NUL-terminated string.
    Text,
    /// A path as the task sees it.
    Path,
}

macro_rules! arg_types {
    ($($variant:ident { name: $name:literal, class: $class:expr }),* $(,)?) => {
        /// A type that `args[].type` can name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum ArgType { $($variant),* }

        impl ArgType {
            pub const ALL: &[ArgType] = &[$(ArgType::$variant),*];

            pub fn name(self) -> &'static str {
                match self { $(ArgType::$variant => $name),* }
            }

            /// `None`: no filter can compare it.
            pub fn class(self) -> Option<Class> {
                match self { $(ArgType::$variant => $class),* }
            }
        }
    };
}

arg_types! {
    Int { name: "int", class: Some(Class::Int { bytes: 4, signed: true }) },
    Int32 { name: "int32", class: Some(Class::Int { bytes: 4, signed: true }) },
    Uint32 { name: "uint32", class: Some(Class::Int { bytes: 4, signed: false }) },
    SizeT { name: "size_t", class: Some(Class::Int { bytes: 4, signed: false }) },
    Int64 { name: "int64", class: Some(Class::Int { bytes: 8, signed: true }) },
    Uint64 { name: "uint64", class: Some(Class::Int { bytes: 8, signed: false }) },
    String { name: "string", class: Some(Class::Text) },
    File { name: "file", class: Some(Class::Path) },
    Path { name: "path", class: Some(Class::Path) },
    LinuxBinprm { name: "linux_binprm", class: Some(Class::Path) },
}
