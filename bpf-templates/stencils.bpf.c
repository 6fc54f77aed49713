/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * All stencils, in one object: the compiler takes from it what an operation needs.  See README.md.
 */
#include "kernel.h"
#include "abi.h"
#include "patch.h"
#include "frame.h"

#ifndef STENCIL
#define STENCIL(name) __attribute__((noinline, used, section("stencil/" #name))) int name
#endif

#include "region.h"
#include "scope.h"
#include "scratch.h"
#include "walk.h"
#include "overlay.h"
#include "reader.h"
#include "syscall.h"
#include "int.h"
#include "flow.h"
#include "packet.h"
#include "fact.h"
#include "text.h"
#include "string.h"
#include "trie.h"
#include "act.h"
#include "event.h"
#include "return.h"
#include "flow_value.h"
#include "packet_value.h"
#include "structure.h"
#include "limit.h"

char license_[] SEC("license") = "Dual BSD/GPL";
