//! What the kernel's allocators take for a request.
//!
//! Turns a size in bytes into the bytes that the machine gives up, as charged to a memory cgroup: size classes, pages,
//! per-CPU areas and the spare objects of BPF's own allocator. Guarantees no overflow for any 32-bit attributes
//! (all arithmetic is 128 bits wide). Knows no map type.
//!
//! Source: mm/slab_common.c, mm/percpu.c, kernel/bpf/syscall.c (bpf_map_area_alloc), kernel/bpf/memalloc.c of 6.1.192
//! and 6.12.117, compared with the measurements in tests/data/kernel-memory.

/// Bytes on the way to a result: products of three 32-bit attributes fit.
pub(super) type Wide = u128;

pub(super) const PAGE: Wide = 4096;

/// The size classes of kmalloc; larger requests take a power of two of pages.
const SLAB_CLASSES: [Wide; 13] = [8, 16, 32, 64, 96, 128, 192, 256, 512, 1024, 2048, 4096, 8192];

/// The pointer to the paying cgroup that is kept for each charged object.
pub(super) const OWNER_POINTER: Wide = 8;

pub(super) fn round_up(x: Wide, step: Wide) -> Wide {
    x.div_ceil(step) * step
}

pub(super) fn to_word(x: Wide) -> Wide {
    round_up(x, 8)
}

pub(super) fn to_page(x: Wide) -> Wide {
    round_up(x, PAGE)
}

/// A charged kmalloc.
pub(super) fn slab(size: Wide) -> Wide {
    match SLAB_CLASSES.iter().find(|&&class| size <= class) {
        Some(class) => class + OWNER_POINTER,
        None => size.div_ceil(PAGE).next_power_of_two() * PAGE,
    }
}

/// bpf_map_area_alloc: kmalloc up to eight pages, vmalloc above.
pub(super) fn area(size: Wide) -> Wide {
    if size <= 8 * PAGE { slab(size) } else { to_page(size) }
}

/// A per-CPU area, with the chunk's vector of owners (8 bytes for each granule of 4).
pub(super) fn per_cpu(size: Wide, cpus: Wide) -> Wide {
    size * (cpus + 2)
}

/// How a cache of BPF's allocator keeps its free lists filled.
#[derive(Clone, Copy, Debug)]
pub(super) struct Refill {
    /// Objects made for each CPU at creation.
    prefill: Wide,
    /// A list shorter than this is refilled.
    low: Wide,
    /// By this many objects.
    batch: Wide,
}

impl Refill {
    /// For objects of `unit` bytes, the list pointer included.
    pub(super) fn of(unit: Wide) -> Refill {
        if unit <= 256 {
            return Refill { prefill: 4, low: 32, batch: 48 };
        }
        let low = (32 * 256 / unit).max(1);
        let high = (96 * 256 / unit).max(3);
        Refill { prefill: 1, low, batch: ((high - low) / 4 * 3).max(1) }
    }

    /// Objects that exist after one CPU (a loader's) took `taken` of them: those and every CPU's free list.
    ///
    /// A refill brings a list above `low` at once (`batch >= low` for every size, see the test), so the number of
    /// refills is the smallest that leaves at least `low` objects.
    pub(super) fn objects(self, cpus: Wide, taken: Wide) -> Wide {
        let refills =
            if taken == 0 { 0 } else { (taken + self.low).saturating_sub(self.prefill).div_ceil(self.batch) };
        self.prefill * cpus + refills * self.batch
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_takes_its_class_and_an_owner() {
        assert_eq!(slab(8), 16);
        assert_eq!(slab(9), 24);
        assert_eq!(slab(97), 136);
        assert_eq!(slab(8192), 8200);
        assert_eq!(slab(8193), 16384);
        assert_eq!(area(32768), 32768);
        assert_eq!(area(32769), 36864);
    }

    /// Step by step, as bpf_mem_alloc and its irq work do it.
    fn simulated(r: Refill, cpus: Wide, taken: Wide) -> Wide {
        let (mut list, mut total) = (r.prefill, r.prefill * cpus);
        for _ in 0..taken {
            list -= 1;
            if list < r.low {
                list += r.batch;
                total += r.batch;
            }
        }
        total
    }

    #[test]
    fn the_closed_form_counts_what_the_steps_make() {
        for unit in (8..9000).step_by(8) {
            let r = Refill::of(unit);
            assert!(r.batch >= r.low, "unit {unit}");
            for taken in [0, 1, 2, 3, 20, 21, 22, 47, 48, 49, 100, 1000] {
                assert_eq!(r.objects(2, taken), simulated(r, 2, taken), "unit {unit}, taken {taken}");
            }
        }
    }
}
