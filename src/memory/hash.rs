//! HASH, LRU_HASH, PERCPU_HASH, LRU_PERCPU_HASH and HASH_OF_MAPS.
//!
//! Source: kernel/bpf/hashtab.c (htab_map_alloc, htab_map_mem_usage, prealloc_init).

use super::alloc::{Refill, Wide, area, per_cpu, slab, to_word};
use super::profile::{Build, Struct};
use super::{Exactness, Figures, MapShape, MapType, NO_COMMON_LRU, NO_PREALLOC, Refused};

/// HASHTAB_MAP_LOCK_COUNT. The locks are gone in newer kernels; map_mem_usage counts them still.
const LOCKS: Wide = 8;

pub(super) fn figures(shape: &MapShape, build: &Build, cpus: Wide) -> Result<Figures, Refused> {
    let entries = shape.entries(cpus);
    let buckets = build.size(Struct::Bucket)? * entries.next_power_of_two();
    let table = Table {
        percpu: matches!(shape.ty, MapType::PercpuHash | MapType::LruPercpuHash),
        lru: matches!(shape.ty, MapType::LruHash | MapType::LruPercpuHash),
        entries,
        value: to_word(shape.value()),
        usage: build.size(Struct::Htab)? + buckets + 4 * cpus * LOCKS,
        charged: area(build.size(Struct::Htab)?) + area(buckets),
        uncharged: shared_counters(build, entries, cpus),
    };
    if shape.has(NO_PREALLOC) {
        table.on_demand(shape, build, cpus)
    } else {
        table.preallocated(shape, build, cpus)
    }
}

/// Per-CPU counters beside the elements.
fn shared_counters(build: &Build, entries: Wide, cpus: Wide) -> Wide {
    let locks = if build.rules.htab_locks { LOCKS * per_cpu(4, cpus) } else { 0 };
    // PERCPU_COUNTER_BATCH: a map this small counts its elements without one.
    let element_counter = if entries / 2 > 32 * cpus { per_cpu(4, cpus) } else { 0 };
    locks + element_counter
}

/// What every hash has, and what the two ways of allocating elements need to know.
struct Table {
    percpu: bool,
    lru: bool,
    entries: Wide,
    value: Wide,
    usage: Wide,
    charged: Wide,
    uncharged: Wide,
}

impl Table {
    /// Header, key and value, or a pointer to the per-CPU values.
    fn element(&self, shape: &MapShape, build: &Build) -> Result<Wide, Refused> {
        let value = if self.percpu { 8 } else { self.value };
        Ok(build.size(Struct::HtabElem)? + to_word(shape.key()) + value)
    }

    fn preallocated(self, shape: &MapShape, build: &Build, cpus: Wide) -> Result<Figures, Refused> {
        let element = self.element(shape, build)?;
        let spares = if shape.ty == MapType::HashOfMaps {
            build.rules.fd_htab_spares
        } else if self.lru {
            build.rules.lru_spares && !self.percpu
        } else {
            !self.percpu
        };
        let elements = self.entries + if spares { cpus } else { 0 };
        let mut usage = self.usage + element * elements;
        if self.percpu {
            usage += self.value * cpus * elements;
        } else if !self.lru {
            usage += 8 * cpus;
        }
        let list = match (self.lru, shape.has(NO_COMMON_LRU)) {
            (true, true) => Struct::LruList,
            (true, false) => Struct::LruLocalList,
            (false, _) => Struct::FreelistHead,
        };
        let mut uncharged = self.uncharged + per_cpu(build.size(list)?, cpus);
        if self.percpu {
            uncharged += elements * per_cpu(self.value, cpus);
        }
        if spares && !self.lru {
            uncharged += per_cpu(8, cpus);
        }
        Ok(Figures::new(usage, self.charged + area(element * elements), uncharged))
    }

    fn on_demand(self, shape: &MapShape, build: &Build, cpus: Wide) -> Result<Figures, Refused> {
        let live = Wide::from(shape.live);
        let element = self.element(shape, build)?;
        let unit = element + 8;
        let mut usage = self.usage + unit * live;
        let mut uncharged = self.uncharged;
        let objects = if build.rules.htab_mem_alloc {
            uncharged += per_cpu(build.size(Struct::MemCache)?, cpus);
            Refill::of(unit).objects(cpus, live)
        } else {
            live
        };
        let charged = self.charged + objects * slab(unit);
        if !self.percpu {
            return Ok(Figures::new(usage, charged, uncharged));
        }
        usage += (16 + self.value * cpus) * live;
        if build.rules.htab_mem_alloc {
            uncharged += per_cpu(build.size(Struct::MemCache)?, cpus);
        }
        Ok(Figures {
            usage,
            charged: self.percpu_values(unit, live, charged, cpus),
            uncharged,
            exactness: Exactness::Unpredictable,
        })
    }

    /// Least and most that is charged with the per-CPU values.
    ///
    /// Their refill runs with GFP_NOWAIT, so how many spare ones exist depends on the free per-CPU space of that moment.
    /// At least the live ones exist; twice what full free lists would hold was not reached in 1501 measurements.
    fn percpu_values(&self, unit: Wide, live: Wide, charged: Wide, cpus: Wide) -> (Wide, Wide) {
        let one = slab(16) + per_cpu(self.value, cpus);
        let least = self.charged + live * (slab(unit) + one);
        let most = charged + Refill::of(self.value).objects(cpus, live) * one;
        (least, 2 * most)
    }
}
