//! File types of `FileType` and `NotFileType`. Source: `include/uapi/linux/stat.h` of Linux 6.12.

use super::vocabulary;

vocabulary! {
    /// A name that `FileType` takes; case matters.
    "file type" enum FileType row FileTypeRow {
        /// The `S_IFMT` bits of `i_mode`.
        mode: u32,
    }
    Sock { name: "sock", mode: 0o140000 }
    Socket { name: "socket", mode: 0o140000 }
    Lnk { name: "lnk", mode: 0o120000 }
    Link { name: "link", mode: 0o120000 }
    Reg { name: "reg", mode: 0o100000 }
    Regular { name: "regular", mode: 0o100000 }
    Blk { name: "blk", mode: 0o060000 }
    Block { name: "block", mode: 0o060000 }
    Dir { name: "dir", mode: 0o040000 }
    Chr { name: "chr", mode: 0o020000 }
    Char { name: "char", mode: 0o020000 }
    Fifo { name: "fifo", mode: 0o010000 }
    Pipe { name: "pipe", mode: 0o010000 }
}
