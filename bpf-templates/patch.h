/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * Constants that the compiler writes into the instructions.  Each stands in an instruction of its own, in inline
 * assembler, so that clang neither moves, merges nor drops it; the linker looks for the magic immediate in ALU
 * instructions of stencils and callbacks.  A constant in .rodata would cost a map of 8 KiB.
 */
#pragma once
#ifndef TABLES_MASK
#define TABLES_MASK 0x5eed0001	   /* `r &= imm`: size of the tables - 1 with the three low bits clear */
#define TABLES_MASK_ANY 0x5eed0002 /* `r &= imm`: the same with all low bits, for u16 and u32 elements */
#define NODE_MASK 0x5eed0003	   /* as TABLES_MASK, of the node */
#define NODE_MASK_ANY 0x5eed0004
#define CGROUP_SHIFT 0x5eed0005 /* `r >>= imm`: 64 - log2 of the number of cgroup slots */
#endif

#define PATCHED_AND(x, c) asm volatile("%0 &= %1" : "+r"(x) : "i"(c))
#define PATCHED_SHR(x, c) asm volatile("%0 >>= %1" : "+r"(x) : "i"(c))

/* Sizes are the linker's; here they only have to cover what has a fixed place. */
#ifndef TABLES_SIZE
#define TABLES_SIZE 1024
#define NODE_SIZE 1024
#endif
