//! Argument types. To add one: add a row here, decide its column of
//! [`super::condition::compare`], then follow the compiler.
//!
//! Source: Tetragon 4fbfe2d, `pkg/generictypes/generictypes.go` (names, numbers) and
//! `bpf/process/types/basic.h` (how values are read and compared).

use super::attach::Param;
use super::condition::Projection;
use super::vocabulary;
use crate::artifact::manifest::Form;

pub use crate::artifact::structure::Structure;

/// How the values of a type are compared by the conditions that compile, or shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// An integer of `bytes` bytes; `signed` decides how values are written.
    Int { bytes: u8, signed: bool },
    /// A NUL-terminated string.
    Text,
    /// A path as the task sees it.
    Path,
    /// A socket, an address of one, or a packet, of which parts are compared.
    Flow,
    /// A structure of which events show fields. No condition compares it.
    Structure(Structure),
}

/// How a program gets at an argument: each has its stencils (`bpf-templates/reader.h`, `string.h`, `int.h`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reader {
    /// An integer in a register; its width and sign are the type's.
    Register,
    /// A pointer to a text that ends with NUL.
    String,
    /// `struct file *`, for its path.
    File,
    /// `struct linux_binprm *`, for the path of its file.
    LinuxBinprm,
    /// `struct path *`.
    Path,
    /// `struct sock *`, for parts of its flow.
    Sock,
    /// `struct socket *`, for its `struct sock`.
    Socket,
    /// `struct sockaddr *`, for the port and the address in it.
    Sockaddr,
    /// `struct sk_buff *`, for the headers of its packet.
    Skb,
    /// A pointer to a structure of which events show fields.
    Structure(Structure),
    /// `struct net_device *`, for its name.
    NetDevice,
    /// `struct filename *`, for the text in it.
    Filename,
    /// Nothing is read.
    Nothing,
}

/// Which operators a type takes: its column of [`super::condition::compare`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FilterClass {
    Int {
        bytes: u8,
        signed: bool,
    },
    /// Eight bytes of capabilities.
    CapSet,
    Text,
    /// Bytes with a length of their own; a NUL is a byte like any other.
    Buffer,
    /// A path whose file mode is known as well.
    PathWithMode,
    Path,
    /// An IP flow with the state of its socket.
    Sock,
    /// An IP flow.
    Skb,
    /// One address.
    Sockaddr,
    SockaddrUn,
    /// Read and shown; no reader compares it, and Tetragon takes some operators as always true.
    Opaque,
    /// The selector code does not know the name; every operator is refused.
    Unknown,
}

const fn int(bytes: u8, signed: bool) -> FilterClass {
    FilterClass::Int { bytes, signed }
}

vocabulary! {
    /// A type that `args[].type` can name.
    "argument type" enum ArgType row Row {
        /// Tetragon's number; `None` where the name stands for something found out later.
        id: Option<i32>,
        filter_class: FilterClass,
        /// How a program reads it; `None`: no stencil does, so that it is not compiled.
        reads: Option<Reader>,
    }
    /// As the kernel's BTF says.
    Auto { name: "auto", id: None, filter_class: FilterClass::Unknown, reads: None }
    /// A signed number of 4 bytes.
    Int { name: "int", id: Some(1), filter_class: int(4, true), reads: Some(Reader::Register) }
    /// A signed number of 1 byte.
    Sint8 { name: "sint8", id: Some(31), filter_class: int(1, true), reads: Some(Reader::Register) }
    /// A signed number of 1 byte.
    Int8 { name: "int8", id: Some(31), filter_class: int(1, true), reads: Some(Reader::Register) }
    /// An unsigned number of 1 byte.
    Uint8 { name: "uint8", id: Some(32), filter_class: int(1, false), reads: Some(Reader::Register) }
    /// A signed number of 2 bytes.
    Sint16 { name: "sint16", id: Some(29), filter_class: int(2, true), reads: Some(Reader::Register) }
    /// A signed number of 2 bytes.
    Int16 { name: "int16", id: Some(29), filter_class: int(2, true), reads: Some(Reader::Register) }
    /// An unsigned number of 2 bytes.
    Uint16 { name: "uint16", id: Some(30), filter_class: int(2, false), reads: Some(Reader::Register) }
    /// An unsigned number of 4 bytes.
    Uint32 { name: "uint32", id: Some(13), filter_class: int(4, false), reads: Some(Reader::Register) }
    /// A signed number of 4 bytes.
    Sint32 { name: "sint32", id: Some(12), filter_class: int(4, true), reads: Some(Reader::Register) }
    /// A signed number of 4 bytes.
    Int32 { name: "int32", id: Some(12), filter_class: int(4, true), reads: Some(Reader::Register) }
    /// An unsigned number of 8 bytes.
    Ulong { name: "ulong", id: Some(11), filter_class: int(8, false), reads: Some(Reader::Register) }
    /// An unsigned number of 8 bytes.
    Uint64 { name: "uint64", id: Some(11), filter_class: int(8, false), reads: Some(Reader::Register) }
    // Tetragon (semantics 3.1).
    /// An unsigned number, read as 8 bytes and compared as the low 4.
    SizeT { name: "size_t", id: Some(4), filter_class: int(4, false), reads: Some(Reader::Register) }
    /// A signed number of 8 bytes.
    Long { name: "long", id: Some(10), filter_class: int(8, true), reads: Some(Reader::Register) }
    /// A signed number of 8 bytes.
    Sint64 { name: "sint64", id: Some(10), filter_class: int(8, true), reads: Some(Reader::Register) }
    /// A signed number of 8 bytes.
    Int64 { name: "int64", id: Some(10), filter_class: int(8, true), reads: Some(Reader::Register) }
    /// Bytes, as many as another argument (`sizeArgIndex`) or the returned value says.
    CharBuf { name: "char_buf", id: Some(2), filter_class: FilterClass::Buffer, reads: None }
    /// Bytes in pieces: an array of `struct iovec`.
    CharIovec { name: "char_iovec", id: Some(3), filter_class: FilterClass::Opaque, reads: None }
    /// A packet: `struct sk_buff`.
    Skb { name: "skb", id: Some(5), filter_class: FilterClass::Skb, reads: Some(Reader::Skb) }
    /// A socket: `struct sock`.
    Sock { name: "sock", id: Some(7), filter_class: FilterClass::Sock, reads: Some(Reader::Sock) }
    /// An address: `struct sockaddr`.
    Sockaddr { name: "sockaddr", id: Some(40), filter_class: FilterClass::Sockaddr, reads: Some(Reader::Sockaddr) }
    /// A socket: `struct socket`.
    Socket { name: "socket", id: Some(41), filter_class: FilterClass::Sock, reads: Some(Reader::Socket) }
    /// The address of a UNIX socket: `struct sockaddr_un`.
    SockaddrUn { name: "sockaddr_un", id: Some(44), filter_class: FilterClass::SockaddrUn, reads: None }
    /// A text that ends with NUL.
    String { name: "string", id: Some(6), filter_class: FilterClass::Text, reads: Some(Reader::String) }
    /// A file descriptor, shown and compared as a path.
    Fd { name: "fd", id: Some(17), filter_class: FilterClass::Path, reads: None }
    /// An open file, compared as a path: `struct file`.
    File { name: "file", id: Some(16), filter_class: FilterClass::PathWithMode, reads: Some(Reader::File) }
    /// A name that the kernel took from user memory: `struct filename`.
    Filename { name: "filename", id: Some(14), filter_class: FilterClass::Opaque, reads: Some(Reader::Filename) }
    /// A path: `struct path`.
    Path { name: "path", id: Some(15), filter_class: FilterClass::PathWithMode, reads: Some(Reader::Path) }
    /// Nothing is read and nothing shown; keeps a place in the list.
    Nop { name: "nop", id: Some(-1), filter_class: FilterClass::Opaque, reads: Some(Reader::Nothing) }
    /// `union bpf_attr`.
    BpfAttr { name: "bpf_attr", id: Some(19), filter_class: FilterClass::Opaque, reads: Some(Reader::Structure(Structure::BpfAttr)) }
    /// `struct perf_event`.
    PerfEvent { name: "perf_event", id: Some(20), filter_class: FilterClass::Opaque, reads: Some(Reader::Structure(Structure::PerfEvent)) }
    /// `struct bpf_map`.
    BpfMap { name: "bpf_map", id: Some(21), filter_class: FilterClass::Opaque, reads: Some(Reader::Structure(Structure::BpfMap)) }
    /// `struct user_namespace`.
    UserNamespace { name: "user_namespace", id: Some(22), filter_class: FilterClass::Opaque, reads: Some(Reader::Structure(Structure::UserNamespace)) }
    /// The number of a capability.
    Capability { name: "capability", id: Some(23), filter_class: FilterClass::Opaque, reads: Some(Reader::Register) }
    /// `struct kiocb`.
    Kiocb { name: "kiocb", id: Some(24), filter_class: FilterClass::Opaque, reads: None }
    /// `struct iov_iter`.
    IovIter { name: "iov_iter", id: Some(25), filter_class: FilterClass::Opaque, reads: None }
    /// Credentials: `struct cred`.
    Cred { name: "cred", id: Some(8), filter_class: FilterClass::Opaque, reads: Some(Reader::Structure(Structure::Cred)) }
    /// Bytes of a fixed size.
    ConstBuf { name: "const_buf", id: Some(18), filter_class: FilterClass::Opaque, reads: None }
    /// A kernel module that is being loaded: `struct load_info`.
    LoadInfo { name: "load_info", id: Some(26), filter_class: FilterClass::Opaque, reads: Some(Reader::Structure(Structure::LoadInfo)) }
    /// A kernel module: `struct module`.
    Module { name: "module", id: Some(27), filter_class: FilterClass::Opaque, reads: Some(Reader::Structure(Structure::Module)) }
    /// The number of a system call, with the ABI it was made by.
    Syscall64 { name: "syscall64", id: Some(28), filter_class: int(8, false), reads: None }
    /// A set of capabilities.
    KernelCapT { name: "kernel_cap_t", id: Some(33), filter_class: FilterClass::CapSet, reads: Some(Reader::Structure(Structure::Capabilities)) }
    /// The inheritable capabilities.
    CapInheritable { name: "cap_inheritable", id: Some(34), filter_class: FilterClass::CapSet, reads: Some(Reader::Structure(Structure::Capabilities)) }
    /// The permitted capabilities.
    CapPermitted { name: "cap_permitted", id: Some(35), filter_class: FilterClass::CapSet, reads: Some(Reader::Structure(Structure::Capabilities)) }
    /// The effective capabilities.
    CapEffective { name: "cap_effective", id: Some(36), filter_class: FilterClass::CapSet, reads: Some(Reader::Structure(Structure::Capabilities)) }
    /// A program that is being started, compared as its path: `struct linux_binprm`.
    LinuxBinprm { name: "linux_binprm", id: Some(37), filter_class: FilterClass::Path, reads: Some(Reader::LinuxBinprm) }
    /// A text at an offset that the tracepoint's field holds.
    DataLoc { name: "data_loc", id: Some(38), filter_class: FilterClass::Text, reads: None }
    /// A network device, compared as its name: `struct net_device`.
    NetDevice { name: "net_device", id: Some(39), filter_class: FilterClass::Text, reads: Some(Reader::NetDevice) }
    // The number is that of `int`, but selectors do not know the name.
    /// The command of the system call `bpf`, read as an int; nothing compares it.
    BpfCmd { name: "bpf_cmd", id: Some(1), filter_class: FilterClass::Unknown, reads: None }
    /// A directory entry, compared as a path: `struct dentry`.
    Dentry { name: "dentry", id: Some(42), filter_class: FilterClass::Path, reads: None }
    /// `struct bpf_prog`.
    BpfProg { name: "bpf_prog", id: Some(43), filter_class: FilterClass::Opaque, reads: Some(Reader::Structure(Structure::BpfProg)) }
}

impl ArgType {
    /// How a program gets at this part of it to compare it; `None`: no stencil does.
    pub const fn reader(self, projection: Projection) -> Option<Reader> {
        match projection {
            Projection::Whole => match self.reads() {
                Some(Reader::Structure(_)) => None,
                reads => reads,
            },
            Projection::SourcePort
            | Projection::DestinationPort
            | Projection::SourceAddress
            | Projection::DestinationAddress
            | Projection::Protocol
            | Projection::Family
            | Projection::State => match self.reads() {
                Some(reader @ (Reader::Sock | Reader::Socket | Reader::Sockaddr | Reader::Skb)) => {
                    Some(reader)
                }
                _ => None,
            },
            Projection::FileType | Projection::Gained => None,
        }
    }

    /// `None`: nothing of it is compared or shown.
    pub const fn class(self) -> Option<Class> {
        if let Some(Reader::Structure(structure)) = self.reads() {
            return Some(Class::Structure(structure));
        }
        // What these hold is shown, and no operator compares it.
        if matches!(self, ArgType::Capability) {
            return Some(Class::Int { bytes: 4, signed: true });
        }
        if matches!(self, ArgType::Filename) {
            return Some(Class::Text);
        }
        match self.filter_class() {
            FilterClass::Int { bytes, signed } => Some(Class::Int { bytes, signed }),
            FilterClass::Text => Some(Class::Text),
            FilterClass::PathWithMode | FilterClass::Path => Some(Class::Path),
            FilterClass::Sock | FilterClass::Sockaddr | FilterClass::Skb => Some(Class::Flow),
            FilterClass::CapSet
            | FilterClass::Buffer
            | FilterClass::SockaddrUn
            | FilterClass::Opaque
            | FilterClass::Unknown => None,
        }
    }

    /// How events show what a pointer of this type leads to, where that has a fixed length.
    pub fn object_form(self) -> Option<Form> {
        match self.class()? {
            Class::Flow if self == ArgType::Skb => Some(Form::Packet),
            Class::Flow => Some(Form::Socket),
            Class::Structure(structure) => Some(Form::Structure(structure)),
            Class::Int { .. } | Class::Text | Class::Path => None,
        }
    }

    /// Bytes that events show of an integer that conditions compare at `bytes`: of a `size_t` all of them.
    pub fn event_bytes(self, bytes: u8) -> u8 {
        if self == ArgType::SizeT { 8 } else { bytes }
    }

    /// Bytes that a program reads of a word that holds it: of an integer as many as it shows, of a pointer all.
    pub fn word_bytes(self) -> u8 {
        match self.class() {
            Some(Class::Int { bytes, .. }) => self.event_bytes(bytes),
            Some(Class::Text | Class::Path | Class::Flow | Class::Structure(_)) | None => 8,
        }
    }

    /// What an event shows of a register that holds an integer of this type: all bytes that Tetragon reads, which
    /// of `size_t` are more than it compares.
    pub fn shown(self, register: u64) -> Option<i128> {
        let Some(Class::Int { bytes, signed }) = self.class() else { return None };
        let bytes = self.event_bytes(bytes);
        let unused = 64 - 8 * u32::from(bytes);
        let low = register << unused;
        Some(if signed { i128::from(low as i64 >> unused) } else { i128::from(low >> unused) })
    }

    /// What the kernel's types say of a parameter that is what this type reads.
    pub fn kernel_param(self) -> Option<Param> {
        match self.reads()? {
            Reader::LinuxBinprm => Some(Param::LinuxBinprm),
            Reader::File => Some(Param::File),
            Reader::Path => Some(Param::Path),
            Reader::Sock => Some(Param::Sock),
            Reader::Socket => Some(Param::Socket),
            Reader::Register
            | Reader::String
            | Reader::Sockaddr
            | Reader::Skb
            | Reader::Structure(_)
            | Reader::NetDevice
            | Reader::Filename
            | Reader::Nothing => None,
        }
    }

    /// The one spelling of types that Tetragon does not tell apart, so that `long` and `int64` share a table.
    #[allow(
        clippy::wildcard_enum_match_arm,
        reason = "a type is told apart from all others unless it is listed"
    )]
    pub fn canonical(self) -> ArgType {
        match self {
            ArgType::Sint8 => ArgType::Int8,
            ArgType::Sint16 => ArgType::Int16,
            ArgType::Sint32 => ArgType::Int32,
            ArgType::Sint64 | ArgType::Long => ArgType::Int64,
            ArgType::Ulong => ArgType::Uint64,
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_knows_52_types() {
        assert_eq!(ArgType::ALL.len(), 52);
    }

    #[test]
    fn a_register_is_shown_at_the_width_of_its_type() {
        let register = 0xdead_beef_ffff_fffe;
        for (ty, shown) in [
            (ArgType::Int, -2),
            (ArgType::Uint32, 0xffff_fffe),
            (ArgType::Int8, -2),
            (ArgType::Uint16, 0xfffe),
            (ArgType::Uint64, 0xdead_beef_ffff_fffe),
            (ArgType::SizeT, 0xdead_beef_ffff_fffe),
            (ArgType::Int64, i128::from(0xdead_beef_ffff_fffe_u64 as i64)),
        ] {
            assert_eq!(ty.shown(register), Some(shown), "{ty}");
        }
        assert_eq!(ArgType::File.shown(register), None);
    }

    #[test]
    fn a_canonical_type_is_compared_and_numbered_like_its_aliases() {
        for &ty in ArgType::ALL {
            let one = ty.canonical();
            assert_eq!((ty.id(), ty.filter_class()), (one.id(), one.filter_class()), "{ty}");
            assert_eq!(one.canonical(), one);
        }
    }

    #[test]
    fn types_of_one_number_are_aliases_but_for_bpf_cmd() {
        for &a in ArgType::ALL {
            for &b in ArgType::ALL {
                if a.id().is_some() && a.id() == b.id() && a != ArgType::BpfCmd && b != ArgType::BpfCmd {
                    assert_eq!(a.canonical(), b.canonical(), "{a} and {b}");
                }
            }
        }
    }
}
