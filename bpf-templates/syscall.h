/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * Arguments of a system call: its function (__x64_sys_*) has one argument, the registers that user space passed.
 * Source: Linux 6.12, arch/x86/include/asm/syscall_wrapper.h and syscall.h.
 */
#pragma once

/* From r10 to di, whose order is that of ptrace(2) and can never change. */
struct pt_regs {
	unsigned long r10, r9, r8, ax, cx, dx, si, di, sp;
} CORE;
struct syscall_regs {
	u64 r10, r9, r8, ax, cx, dx, si, di;
};

/* In: args[0] is the address of the registers.  What cannot be read is 0. */
STENCIL(syscall_args)(struct frame *f)
{
	struct syscall_regs regs;
	probe_read_kernel(&regs, sizeof(regs), (void *)f->args[0] + FIELD_OFFSET(struct pt_regs, r10));
	f->args[0] = regs.di;
	f->args[1] = regs.si;
	f->args[2] = regs.dx;
	f->args[3] = regs.r10;
	f->args[4] = regs.r8;
	return 0;
}
