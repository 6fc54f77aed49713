/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * Bytes that compiler, programs and loader share.  The compiler's side is src/artifact/abi.rs; a test
 * reads the numbers here and there and compares them.  Little endian; all offsets are in bytes.
 */
#pragma once

/* ---- References -------------------------------------------------------------------------------------
 * A reference is the offset of something in its region (tables or node), a multiple of 8, with flags in
 * the three low bits.  A program masks it with the region's mask, which also clears the flags, so that
 * the verifier sees it inside; a region is mask + 1 + REGION_TAIL bytes long (mask + 1 a power of two).
 * Offset 0 is never anything's: 0 is "none".
 */
#define REGION_TAIL 512

/* ---- Tables: one per operation, read-only once filled (section .data, symbol `tables`) ---------------
 * They say which class ("atom") a value falls into, for each dimension of the operation: 0 is any other
 * value, 1..n are the values that policies name, n + 1 is a value that cannot be read.
 */
#define TABLES_MAGIC 0x4c425446 /* "FTBL" */
#define TABLES_ABI 1
struct tables_header {
	u32 magic, abi, len, pad; /* len: bytes used */
	u64 zero[8];              /* an edge that matches nothing, see EDGE_NONE */
};
/* Reference of an edge that no component equals: its len is 0, its words are all ones. */
#define EDGE_NONE 16

/*
 * Paths, exact: a minimised automaton over components, read from the last one to the first.  The sum of
 * the weights along the way is the number of the path (a minimal perfect hash that proves itself), so the
 * walk starts at id 1 and an accepted path's id is 1..n.
 *
 * A node with at most 3 edges *is* its first edge; the others follow directly (EDGE_MORE: another one
 * begins at sizeof(struct edge) + 8 * words).  A node with more is a struct hash_node (REF_HASH).  A node
 * without edges is EDGE_NONE.
 */
struct edge {
	u32 next;       /* the node it leads to | EDGE_ACCEPT | REF_HASH | EDGE_MORE */
	u32 len_weight; /* length of the component (1..255) | weight << 8 */
	u64 mask;       /* of the last word: the bytes that belong to the component */
	u64 words[];    /* the component, zero padded */
};
#define EDGE_ACCEPT 1u /* a path may begin here: "/" comes next */
#define REF_HASH 2u
#define EDGE_MORE 4u

/*
 * h = 0; for each word w of the component (the last one masked): h = (h ^ w) * k;  then
 * h ^= h >> 32; h *= k; the only candidate is slots[(h >> 43 ^ disp[h >> 22 & buckets]) & mask].
 */
struct hash_node {
	u64 k;
	u32 slots;   /* reference of u32 slots[mask + 1]: references of edges */
	u32 buckets; /* number of disp[] - 1 */
	u32 mask;
	u32 pad;
	u16 disp[];
};

/*
 * Text: a radix trie over bytes, from the first byte (Equal on strings, Prefix) or from the last one
 * (Postfix; labels and branch bytes are then reversed).  Behind a node's label, the next byte of the text
 * selects children[byte - first]; the child's label starts behind that byte.
 */
struct trie_node {
	u32 atom;     /* of the value that ends behind the label; 0 = none */
	u8 label_len; /* 0..64 */
	u8 first;
	u16 count;    /* of children */
	u64 label[];  /* zero padded; then u32 children[count], 0 = none */
};
#define TRIE_LABEL_MAX 64

/*
 * Integers, as pieces that ascend: the atom of a value in piece i is i + 1.  A piece is a single number, or, where
 * `sizes` is 1, holds the numbers from values[i] to values[i] + values[count + i].
 */
struct int_table {
	u32 count, sizes;
	u64 values[];
};

/* Masks: a value's atom has bit i if the value has a bit of masks[i]; there are 2^count - 1 atoms. */
struct mask_table {
	u32 count, pad;
	u64 masks[];
};
#define MASKS_MAX 8

/*
 * Internet addresses, as pieces that ascend: first those of IPv4, whose atoms are 1..count4, then those of IPv6.
 * A piece of IPv4 is first << 32 | last.  Of IPv6 there are the first addresses of all pieces, each as its upper and its
 * lower half, then the last ones.  What has no address has the atom behind all others.
 */
struct address_table {
	u32 count4, count6;
	u64 ranges[]; /* count4, then 4 * count6 */
};

/* ---- Node: one per generation, shared by all operations, written by the loader (.bss, symbol `node`) -
 * header, then cgroup slots, then for each operation u32 heads[set] at an offset that its program knows,
 * then set blocks.
 */
#define NAMESPACES 10 /* Uts, Ipc, Mnt, Pid, PidForChildren, Net, Time, TimeForChildren, Cgroup, User */
struct node_header {
	u32 magic, abi;
	u32 generation; /* stands in every event */
	u32 low_level;  /* the smallest cgroup level of any workload; 0 = there are none */
	u64 lost;       /* events that could not be sent or are cut short */
	u64 unsettled;  /* paths that were taken for unreadable because they never held still (walk.h) */
	u64 rename_lock, mount_lock; /* their addresses, by the loader; 0: no path can be read */
	u64 renames, mounts; /* a sequence that each of the two had | when, in 1024 jiffies << 32; by the programs */
	u64 repeated;        /* walks that were made again because a file or a mount moved */
	u64 zero;            /* stays 0; the verifier does not know it (region.h) */
	u32 host_namespaces[NAMESPACES]; /* inodes of the host's, by the loader; 0: not known, and no process is in it */
};
#define NODE_MAGIC 0x444f4e46 /* "FNOD" */
#define NODE_ABI 4
#define HOST_NAMESPACE 0x100000000ULL /* in the number of a namespace, above its inode: it is the host's */

/*
 * Cgroups: open addressing, slot = id * CGROUP_HASH >> (64 - log2(slots)), at most 8 probes, no wrap
 * (CGROUP_SPARE slots more behind the last).  An id of 0 ends a probe.
 */
struct cgroup_slot {
	u64 id;
	u32 value; /* set number (SET_NONE: none here) | level of the next ancestor to look at << 24 */
	u32 pad;
};
#define CGROUP_HASH 0x9E3779B97F4A7C15ULL
#define CGROUP_PROBES 8
#define CGROUP_SPARE 8
#define SET_NONE 0xffffffu
#define SET_DEFAULT 0 /* of every cgroup that is not in the table */

/*
 * A set: what applies to one cgroup at one operation.  Reached through heads[set]; 0 there means that
 * nothing applies.
 */
struct set_block {
	u32 needs;   /* bit d: dimension d has to be read */
	u32 code;    /* reference of the first word of the decision lists */
	u32 quiet[]; /* per dimension: row of atoms for which nothing can happen, whatever the others are; 0 = no such row.
	              * Where a walk cannot tell "other" from "cannot be read", atom 0's bit is the AND of both. */
};

/* A row is a set of atoms: reference | flags.  It may be shared. */
#define ROW_LIST 1u   /* {u32 count; u32 ids[count]} ascending; else one bit an atom in u64 words */
#define ROW_INVERT 2u /* the atoms that are *not* listed */

/*
 * Decision lists of all policies of a set, one behind the other, in order of policy identity, as words:
 *   TEST: op | dimension << 8 | skip << 16 | row << 32: if the dimension's atom is not in the row, the next
 *         `skip` words are passed over
 *   ACT:  op | flags | value << 16 | record << 32; followed by one word that counts how often it was reached
 *   SKIP: op | skip << 16: passes over `skip` words
 *   END
 */
enum { WORD_END = 0, WORD_TEST = 1, WORD_ACT = 2, WORD_SKIP = 3 };
/*
 * ACT: op:4 | flags:12 | value:16 (signed, what the hook returns) | record:32.  The number of the action record says of
 * which selector of which policy the word is; the manifest has it (`policies[].hooks[].selectors[].record`).
 */
#define ACT_POST 0x10u
#define ACT_OVERRIDE 0x20u /* the value is returned (not set in monitor mode) */
#define ACT_SIGKILL 0x40u  /* (not set in monitor mode) */
#define ACT_RETURN 0x80u   /* one half of an event: of the call, or of its return; see below */
/* The upper 8 of the flags: number of the limit that the event is posted under, from 1; 0: none. */
#define ACT_LIMIT_SHIFT 8
#define ACT_LIMIT_MAX 0xff

/*
 * Limits, in the tables: the event is not posted again while `window` has not passed since the last one that was, of
 * the same thread or process, with the same arguments.  A key has words for those that the limits of an operation look
 * at: an integer's value; a socket's or packet's family, protocol, ports and addresses, with the header; a text's length, then its first bytes.
 */
struct limit {
	u64 window; /* ns */
	u32 scope;
	u32 words; /* bit i: word i of the key */
};
#define LIMIT_THREAD 0
#define LIMIT_PROCESS 1
#define LIMIT_GLOBAL 2
#define LIMIT_WORDS 30 /* of a key */
#define LIMIT_TEXT 40  /* bytes of a text */
#define LIMIT_TEXT_WORDS 6
#define LIMIT_SOCKET_WORDS 6

/* ---- Events ------------------------------------------------------------------------------------------
 * One call is one EVENT_POLICY record.  Values that do not fit into it come before it in EVENT_PARTs with the same key
 * and thread.  A record is its header, then values, then ACT words, with nothing between them and nothing aligned.  A
 * value says what it is; which ones an operation sends, in this order, is in the manifest (`operations[].values`).  A
 * reader can pass over what it does not know.
 */
#define EVENT_ABI 4
#define EVENT_ARGS 5
#define EVENT_ENTRIES 32 /* so many ACT words always find room */
struct event {
	u8 kind;
	u8 abi;    /* EVENT_ABI: a ring may hold records of programs of another version */
	u8 values; /* number of values */
	u8 acts;   /* number of u64 ACT words behind the values */
	u32 generation;
	u32 operation; /* number of the operation in the manifest */
	u32 point;     /* position of the hooked function among the targets of the operation */
	u64 key;       /* ktime; joins the records of one call */
	u64 cgroup;
	u32 pid, tid;
};
#define EVENT_POLICY 1
#define EVENT_PART 2

struct value {
	u8 source; /* VALUE_ARGUMENT: argument `index` of the hooked function */
	u8 index;
	u8 form;
	u8 flags;
	u32 len; /* of the bytes that follow */
};
#define VALUE_ARGUMENT 1
#define VALUE_UNSIGNED 1 /* an integer, extended by its type to 8 bytes */
#define VALUE_SIGNED 2
#define VALUE_TEXT 3       /* a path, or a string without its NUL */
#define VALUE_SOCKET 4     /* struct value_socket */
#define VALUE_PACKET 5     /* struct value_packet */
#define VALUE_CRED 6       /* struct value_cred, and so on */
#define VALUE_USER_NAMESPACE 7
#define VALUE_BPF_ATTR 8
#define VALUE_BPF_PROG 9
#define VALUE_BPF_MAP 10
#define VALUE_PERF_EVENT 11
#define VALUE_MODULE 12
#define VALUE_LOAD_INFO 13
#define VALUE_CAPABILITIES 14
#define VALUE_UNREADABLE 1 /* a flag: a memfd, unlinked, longer than 4096 bytes, disconnected, not mapped; its bytes, if it has any, say nothing */
/* A socket, or an address: as that of the source. Numbers in host order; an address of IPv4 has its first four bytes. */
struct value_socket {
	u8 family, state;
	u16 protocol, source_port, destination_port;
	u64 source[2], destination[2];
};
/* A packet, in the same manner.  Family 0: of neither IP version, without protocol, ports and addresses. */
struct value_packet {
	u8 family, lacks; /* PACKET_*: what it has 0 for because it cannot be told */
	u16 protocol, source_port, destination_port;
	u64 source[2], destination[2];
	u32 length, priority, mark, hash;
};
#define PACKET_PROTOCOL 1
#define PACKET_PORTS 2
/*
 * Kernel structures.  Every byte is written: texts are zero behind their end, and so is what fills the last word.
 */
struct value_cred {
	u64 permitted, effective, inheritable;
	u32 uid, gid, euid, egid, suid, sgid, fsuid, fsgid;
	u32 securebits;
	u32 namespace_level, namespace_uid, namespace_gid, namespace_inode;
	u32 pad;
};
struct value_user_namespace {
	u32 level, uid, gid, inode;
};
struct value_bpf_attr {
	u32 program_type, instructions;
	u8 name[16];
};
struct value_bpf_prog {
	u32 program_type, instructions;
	u8 name[16];
};
struct value_bpf_map {
	u32 map_type, key_size, value_size, max_entries;
	u8 name[16];
};
struct value_perf_event {
	u64 config, probe_offset;
	u8 kprobe_function[128];
	u32 type, pad;
};
struct value_module {
	u64 taints;
	u8 name[64];
};
struct value_load_info {
	u64 taints;
	u8 name[64];
	u32 signature_ok, pad;
};
struct value_capabilities {
	u64 capabilities;
};
#define EVENT_TAIL 64      /* words of a record behind its text: values of a fixed length, then ACT words */
#define TEXT_MAX 4096
#define TEXT_ROOM 512 /* a slot of scratch memory ends so far behind its last text (event.h) */

/* ---- Returns -------------------------------------------------------------------------------------------
 * What a function returns is an operation of its own, whose one argument is the returned value.  A policy that wants it
 * has an ACT word with ACT_RETURN and the same record number at both.  The event is published if there are both: of the
 * call, and of its return, which has the call's key and thread.
 *
 * A call that waits for its return stands in the storage of its task (map `calls`).
 */
#define CALLS 4       /* of one task, one inside the other */
#define CALL_WORDS 24 /* as many ACT words of one call can wait */

/* ---- Program: how many dimensions one event is classified in ------------------------------------------ */
#define DIMENSIONS 16

/* ---- Scratch: per CPU, `slots` claimed by atomic exchange -------------------------------------------- */
#define SCRATCH_SLOTS 2
