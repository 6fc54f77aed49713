//! One request by an io_uring, without a library: a ring of one entry, submitted and waited for.
//!
//! Source: `include/uapi/linux/io_uring.h`, Linux 6.1.

use std::ffi::CStr;
use std::io;

const OP_OPENAT: u8 = 18;
const REGISTER_PERSONALITY: libc::c_uint = 9;
const OFFSET_SQ_RING: libc::off_t = 0;
const OFFSET_CQ_RING: libc::off_t = 0x800_0000;
const OFFSET_SQES: libc::off_t = 0x1000_0000;
const ENTER_GETEVENTS: libc::c_uint = 1;
const PAGE: usize = 4096;

/// `struct io_uring_params`: ten words, then the offsets inside both rings.
#[repr(C)]
#[derive(Default)]
struct Params {
    head: [u32; 10],
    /// head, tail, ring_mask, ring_entries, flags, dropped, array, reserved, user_addr
    sq: [u32; 10],
    /// head, tail, ring_mask, ring_entries, overflow, cqes, flags, reserved, user_addr
    cq: [u32; 10],
}

/// `struct io_uring_sqe`, as far as an open needs it.
#[repr(C)]
struct Request {
    opcode: u8,
    flags: u8,
    priority: u16,
    fd: i32,
    offset: u64,
    address: u64,
    length: u32,
    open_flags: u32,
    user_data: u64,
    rest: [u64; 3],
}

/// The new descriptor, or the error that the kernel gave. Err: there is no io_uring to be had.
///
/// `borrowed`: with the credentials that the process had before it came to have new ones, the same in all but the object.
pub fn open(
    directory: i32,
    path: &CStr,
    flags: libc::c_int,
    borrowed: bool,
) -> Result<Result<i32, i32>, String> {
    let failed = |what: &str| format!("{what}: {}", io::Error::last_os_error());
    let mut params = Params::default();
    // SAFETY: the kernel fills in `params`, which has its layout; each mapping is one page, and a ring of one entry
    // fits; the path outlives the call that waits for the answer.
    unsafe {
        let ring = libc::syscall(libc::SYS_io_uring_setup, 1, &raw mut params) as i32;
        if ring < 0 {
            return Err(failed("io_uring_setup"));
        }
        let mut personality = 0;
        if borrowed {
            let nothing = std::ptr::null::<u8>();
            let register = libc::SYS_io_uring_register;
            personality = libc::syscall(register, ring, REGISTER_PERSONALITY, nothing, 0);
            if personality < 0 || libc::setgroups(0, std::ptr::null()) != 0 {
                return Err(failed("io_uring personality"));
            }
        }
        let map = |offset| {
            let (protection, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED);
            let at = libc::mmap(std::ptr::null_mut(), PAGE, protection, flags, ring, offset);
            if at == libc::MAP_FAILED { Err(failed("io_uring mmap")) } else { Ok(at.cast::<u8>()) }
        };
        let (submitted, completed, requests) =
            (map(OFFSET_SQ_RING)?, map(OFFSET_CQ_RING)?, map(OFFSET_SQES)?.cast::<Request>());
        let request = Request {
            opcode: OP_OPENAT,
            flags: 0,
            priority: 0,
            fd: directory,
            offset: 0,
            address: path.as_ptr() as u64,
            length: 0,
            open_flags: flags as u32,
            user_data: 0,
            // buf_index, personality, splice_fd_in
            rest: [(personality as u64) << 16, 0, 0],
        };
        requests.write(request);
        submitted.add(params.sq[6] as usize).cast::<u32>().write_volatile(0);
        submitted.add(params.sq[1] as usize).cast::<u32>().write_volatile(1);
        let none = std::ptr::null::<libc::sigset_t>();
        if libc::syscall(libc::SYS_io_uring_enter, ring, 1, 1, ENTER_GETEVENTS, none, 0) != 1 {
            return Err(failed("io_uring_enter"));
        }
        // `struct io_uring_cqe`: user_data, then the result.
        let result = completed.add(params.cq[5] as usize + 8).cast::<i32>().read_volatile();
        libc::close(ring);
        Ok(if result < 0 { Err(-result) } else { Ok(result) })
    }
}
