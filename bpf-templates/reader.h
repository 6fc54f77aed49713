/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * From the raw argument in args[k] to the value that matchers and the event use.  `typed`: the argument is a BTF
 * pointer (lsm, fmod_ret) and stays one; `probed`: it is an address (kprobe).
 */
#pragma once

STENCIL(path_of_binprm_typed)(struct frame *f, u64 k)
{
	struct linux_binprm *binprm = (void *)f->args[k];
	f->args[k] = (u64)&binprm->file->f_path;
	return 0;
}
STENCIL(path_of_file_typed)(struct frame *f, u64 k)
{
	struct file *file = (void *)f->args[k];
	f->args[k] = (u64)&file->f_path;
	return 0;
}
STENCIL(path_of_path_typed)(struct frame *f, u64 k)
{
	return 0;
}

/* An address that cannot be read gives a path that cannot be read. */
STENCIL(path_of_binprm_probed)(struct frame *f, u64 k)
{
	u64 file = read_u64(f->args[k] + FIELD_OFFSET(struct linux_binprm, file));
	f->args[k] = file + FIELD_OFFSET(struct file, f_path);
	return 0;
}
STENCIL(path_of_file_probed)(struct frame *f, u64 k)
{
	f->args[k] += FIELD_OFFSET(struct file, f_path);
	return 0;
}
STENCIL(path_of_path_probed)(struct frame *f, u64 k)
{
	return 0;
}

/* From a pointer to the address of its name.  What has no name gives an address that cannot be read. */
STENCIL(name_of_net_device)(struct frame *f, u64 k)
{
	u64 device = f->args[k];
	NUMBER(device);
	f->args[k] = device + FIELD_OFFSET(struct net_device, name);
	return 0;
}
STENCIL(name_of_filename)(struct frame *f, u64 k)
{
	u64 filename = f->args[k];
	NUMBER(filename);
	f->args[k] = read_u64(filename + FIELD_OFFSET(struct filename, name));
	return 0;
}
