//! The maps and programs that Tetragon creates for a policy, and their cost.
//!
//! Maps live in scopes: of the policy, of its kprobe sensor, of a hook, and of each loaded object (scratch memory that no
//! one else sees). Names are Tetragon's, cut by the kernel to 15 characters where it shows them.
//! Source: the maps that Tetragon 4fbfe2d creates on 6.12.117 (type, sizes and entries as listed by the kernel).

use rustc_hash::FxHashMap;

use super::{BaselineTotals, HookKind, TetragonHook, TetragonPolicy, ValueTable};
use crate::memory::{
    Bytes, Cost, FunctionShape, JitedSize, KernelProfile, MapShape, MapType, NO_PREALLOC, ProgramShape,
    Refused, XlatedSize, map_cost, program_cost,
};
use crate::platform::KernelVersion;
use crate::report::Memory;

/// Where the program sizes below were taken.
pub(super) const MEASURED_ON: KernelVersion = KernelVersion::new(6, 12);

/// A group of maps that come together: type, key, value, entries.
type Group = [(MapType, u32, u32, u32)];

use MapType::{Array, ArrayOfMaps, Hash, LpmTrie, LruHash, PercpuArray, ProgArray, StackTrace};

/// `policy_<id>_map`, the cgroups of a policy with a workload selector.
const WORKLOAD_FILTER: &Group = &[(Hash, 8, 1, 32768)];

const POLICY: &Group = &[
    (Array, 4, 1, 1),   // policy_conf
    (Hash, 8, 12, 1),   // enforcer_data
    (Hash, 12, 4, 128), // enforcer_missed_notifications
];

/// What a hook's selectors may need, created whether or not they do.
const SELECTOR_TABLES: &Group = &[
    (ProgArray, 4, 4, 13),  // kprobe_calls, lsm_calls, tp_calls
    (Array, 4, 4, 5),       // workloads_map
    (ArrayOfMaps, 4, 4, 8), // argfilter_maps
    (ArrayOfMaps, 4, 4, 8), // addr4lpm_maps
    (ArrayOfMaps, 4, 4, 8), // addr6lpm_maps
    (ArrayOfMaps, 4, 4, 8), // string_maps_0
    (ArrayOfMaps, 4, 4, 8),
    (ArrayOfMaps, 4, 4, 8),
    (ArrayOfMaps, 4, 4, 8),
    (ArrayOfMaps, 4, 4, 8),
    (ArrayOfMaps, 4, 4, 8),
    (ArrayOfMaps, 4, 4, 8),
    (ArrayOfMaps, 4, 4, 8),
    (ArrayOfMaps, 4, 4, 8),
    (ArrayOfMaps, 4, 4, 8),
    (ArrayOfMaps, 4, 4, 8),  // string_maps_10
    (ArrayOfMaps, 4, 4, 8),  // string_prefix_maps
    (ArrayOfMaps, 4, 4, 8),  // string_postfix_maps
    (ArrayOfMaps, 4, 4, 10), // tg_mb_paths
    (Array, 4, 12, 10),      // tg_mb_sel_opts
];

/// Scratch of every loaded object.
const SCRATCH: &Group = &[
    (Array, 4, 100, 1),         // substring_map
    (LruHash, 4, 792, 1),       // tg_parents_bin
    (StackTrace, 4, 1016, 1),   // stack_trace_map
    (Hash, 8, 8, 1),            // tg_cgtracker_map
    (Hash, 16, 24, 1024),       // retprobe_map
    (Array, 4, 16384, 1),       // heap_ro_zero
    (PercpuArray, 4, 8, 1),     // tg_ipv6_ext_heap
    (PercpuArray, 4, 132, 1),   // string_postfix_maps_heap
    (PercpuArray, 4, 260, 1),   // string_prefix_maps_heap
    (PercpuArray, 4, 352, 1),   // ratelimit_heap
    (PercpuArray, 4, 4352, 1),  // buffer_heap_map
    (PercpuArray, 4, 16384, 1), // string_maps_heap
];

/// Scratch that tracepoints do without.
const DATA_HEAP: &Group = &[(PercpuArray, 4, 32768, 1)];

/// Of a kprobe sensor once; of every other hook's own.
const SENSOR: &Group = &[
    (PercpuArray, 4, 25632, 1), // process_call_heap
    (LruHash, 8, 16, 1),        // socktrack_map
    (LruHash, 224, 8, 1),       // ratelimit_map
];

/// `ima_hash_map` of the event object; then the output object's own `config_map` and `ima_hash_map`.
const LSM_EXTRA: &Group = &[(Hash, 8, 66, 1024), (Array, 4, 736, 1), (Hash, 8, 66, 1024)];

/// Entries of `override_tasks` where a kprobe overrides; 1 otherwise, and always for LSM.
const OVERRIDING_TASKS: u32 = 32768;

/// xlated, jited and memlock bytes: the verifier shrinks some programs and leaves them the pages that they came in.
type Programs = [(u64, u64, u32)];

const KPROBE_PROGRAMS: &Programs = &[
    (4712, 2964, 8192),    // generic_kprobe_event
    (2240, 1440, 4096),    // generic_kprobe_setup_event
    (32320, 20415, 36864), // generic_kprobe_process_event
    (22928, 14849, 28672), // generic_kprobe_process_filter
    (31856, 19527, 32768), // generic_kprobe_filter_arg
    (8952, 5007, 12288),   // generic_kprobe_actions
    (3320, 1819, 4096),    // generic_kprobe_output
];

/// generic_fmodret_override. Outside `security_*` a kprobe program of about that size.
const OVERRIDE_PROGRAM: &Programs = &[(168, 115, 4096)];

const LSM_PROGRAMS: &Programs = &[
    (4712, 2964, 8192),    // generic_lsm_event
    (1176, 799, 4096),     // generic_lsm_setup_event
    (30832, 19426, 32768), // generic_lsm_process_event
    (22928, 14849, 28672), // generic_lsm_process_filter
    (30992, 18910, 32768), // generic_lsm_filter_arg
    (7912, 4431, 8192),    // generic_lsm_actions
    (4168, 2314, 8192),    // generic_lsm_output
];

const TRACEPOINT_PROGRAMS: &Programs = &[
    (29448, 18442, 32768), // generic_tracepoint_event
    (27576, 17646, 32768), // generic_tracepoint_process_event
    (22928, 14852, 28672), // generic_tracepoint_filter
    (30992, 18910, 32768), // generic_tracepoint_arg
    (8400, 4708, 12288),   // generic_tracepoint_actions
    (3320, 1819, 4096),    // generic_tracepoint_output
];

/// Longest payload and key size of each string map; a string goes to the first that takes it.
const STRING_MAPS: [(u32, u32); 11] = [
    (24, 25),
    (48, 49),
    (72, 73),
    (96, 97),
    (120, 121),
    (144, 145),
    (256, 258),
    (512, 514),
    (1024, 1026),
    (2048, 2050),
    (4096, 4098),
];

/// Costs on one kernel; each shape and group is computed once.
pub(super) struct Costs<'k> {
    kernel: &'k KernelProfile,
    cpus: u32,
    shapes: FxHashMap<MapShape, Memory>,
    filter: BaselineTotals,
    policy: BaselineTotals,
    sensor: BaselineTotals,
    kprobe: BaselineTotals,
    kprobe_override: BaselineTotals,
    lsm: BaselineTotals,
    tracepoint: BaselineTotals,
}

impl<'k> Costs<'k> {
    pub(super) fn new(kernel: &'k KernelProfile, cpus: u32) -> Result<Costs<'k>, Refused> {
        let none = BaselineTotals::default();
        let mut costs = Costs {
            kernel,
            cpus,
            shapes: FxHashMap::default(),
            filter: none,
            policy: none,
            sensor: none,
            kprobe: none,
            kprobe_override: none,
            lsm: none,
            tracepoint: none,
        };
        costs.filter = costs.maps(&[WORKLOAD_FILTER])?;
        costs.policy = costs.maps(&[POLICY])?;
        costs.sensor = costs.maps(&[SENSOR])?;
        costs.kprobe =
            costs.maps(&[SELECTOR_TABLES, SCRATCH, DATA_HEAP])?.plus(costs.programs(KPROBE_PROGRAMS)?);
        costs.kprobe_override = costs.programs(OVERRIDE_PROGRAM)?;
        costs.lsm = costs
            .maps(&[SELECTOR_TABLES, SCRATCH, DATA_HEAP, SENSOR, LSM_EXTRA])?
            .plus(costs.programs(LSM_PROGRAMS)?);
        costs.tracepoint =
            costs.maps(&[SELECTOR_TABLES, SCRATCH, SENSOR])?.plus(costs.programs(TRACEPOINT_PROGRAMS)?);
        Ok(costs)
    }

    /// All that one policy adds.
    pub(super) fn of(&mut self, policy: &TetragonPolicy) -> Result<BaselineTotals, Refused> {
        let mut sum = BaselineTotals { policies: 1, ..self.policy };
        if policy.filtered {
            sum = sum.plus(self.filter);
        }
        let selectors = policy.hooks.iter().map(|h| h.selectors).fold(0, u32::saturating_add).max(1);
        let selector_stats = MapShape::new(Array, 4, 88, selectors);
        sum = sum.plus(self.map(selector_stats)?);

        let kprobes: Vec<&TetragonHook> =
            policy.hooks.iter().filter(|h| matches!(h.kind, HookKind::Kprobe { .. })).collect();
        if !kprobes.is_empty() {
            sum = sum.plus(self.sensor).plus(self.kprobes(&kprobes)?);
        }
        for hook in &policy.hooks {
            sum = sum.plus(match hook.kind {
                HookKind::Kprobe { .. } => BaselineTotals::default(),
                HookKind::Lsm { .. } => {
                    // The output object has a selector_stats of its own.
                    let stats = self.map(selector_stats)?;
                    let overrides = self.map(MapShape::new(Hash, 8, 4, 1))?;
                    self.lsm.plus(stats).plus(overrides).plus(self.configuration(1)?)
                }
                HookKind::Tracepoint => self.tracepoint.plus(self.configuration(1)?),
            });
            sum = sum.plus(self.tables(&hook.tables)?);
        }
        Ok(sum)
    }

    /// One set of programs for all kprobes of a policy (kprobe.multi), unless one overrides a `security_*` function:
    /// Tetragon refuses that combination, so such a policy must switch multi off and gets a set for each.
    fn kprobes(&mut self, hooks: &[&TetragonHook]) -> Result<BaselineTotals, Refused> {
        let overrides_security = |h: &&TetragonHook| match &h.kind {
            HookKind::Kprobe { function } => h.overrides && function.starts_with("security_"),
            HookKind::Lsm { .. } | HookKind::Tracepoint => false,
        };
        if hooks.iter().any(overrides_security) {
            let mut sum = BaselineTotals::default();
            for hook in hooks {
                sum = sum.plus(self.kprobe_set(1, hook.overrides)?);
            }
            return Ok(sum);
        }
        self.kprobe_set(u32::try_from(hooks.len()).unwrap_or(u32::MAX), hooks.iter().any(|h| h.overrides))
    }

    fn kprobe_set(&mut self, functions: u32, overrides: bool) -> Result<BaselineTotals, Refused> {
        let tasks = if overrides { OVERRIDING_TASKS } else { 1 };
        let sum = self
            .kprobe
            .plus(self.configuration(functions)?)
            .plus(self.map(MapShape::new(Hash, 8, 4, tasks))?);
        Ok(if overrides { sum.plus(self.kprobe_override) } else { sum })
    }

    /// `config_map` and `filter_map`.
    fn configuration(&mut self, functions: u32) -> Result<BaselineTotals, Refused> {
        let config = self.map(MapShape::new(Array, 4, 736, functions))?;
        Ok(config.plus(self.map(MapShape::new(Array, 4, 4096, functions))?))
    }

    /// The inner maps that a hook's filters fill.
    fn tables(&mut self, tables: &[ValueTable]) -> Result<BaselineTotals, Refused> {
        let mut sum = BaselineTotals::default();
        for table in tables {
            sum = sum.plus(match table {
                ValueTable::Strings(lengths) => self.strings(lengths)?,
                ValueTable::Prefixes(values) => self.inner(LpmTrie, 260, *values)?,
                ValueTable::Postfixes(values) => self.inner(LpmTrie, 132, *values)?,
                ValueTable::Numbers(values) => self.inner(Hash, 8, *values)?,
                ValueTable::Addresses4(values) => self.inner(LpmTrie, 8, *values)?,
                ValueTable::Addresses6(values) => self.inner(LpmTrie, 20, *values)?,
                ValueTable::Binaries(values) => self.inner(Hash, 256, *values)?,
            });
        }
        Ok(sum)
    }

    /// A map for each length class that has values.
    fn strings(&mut self, lengths: &[u32]) -> Result<BaselineTotals, Refused> {
        let mut sum = BaselineTotals::default();
        let mut shorter = 0;
        for (position, (longest, key)) in STRING_MAPS.into_iter().enumerate() {
            let last = position + 1 == STRING_MAPS.len();
            let fits = |&&length: &&u32| length <= longest || last;
            let values = lengths.iter().filter(fits).count() - shorter;
            shorter += values;
            sum = sum.plus(self.inner(Hash, key, u32::try_from(values).unwrap_or(u32::MAX))?);
        }
        Ok(sum)
    }

    /// A set of values; nothing for none.
    fn inner(&mut self, ty: MapType, key: u32, values: u32) -> Result<BaselineTotals, Refused> {
        if values == 0 {
            return Ok(BaselineTotals::default());
        }
        let flags = if ty == LpmTrie { NO_PREALLOC } else { 0 };
        self.map(MapShape::new(ty, key, 1, values).flags(flags).live(values))
    }

    fn map(&mut self, shape: MapShape) -> Result<BaselineTotals, Refused> {
        let memory = match self.shapes.get(&shape) {
            Some(&memory) => memory,
            None => {
                let Cost { memlock, charged, uncharged, .. } = map_cost(&shape, self.kernel, self.cpus)?;
                let memory = Memory::new(memlock, charged, uncharged);
                self.shapes.insert(shape, memory);
                memory
            }
        };
        Ok(BaselineTotals { policies: 0, programs: 0, maps: 1, memory })
    }

    fn maps(&mut self, groups: &[&Group]) -> Result<BaselineTotals, Refused> {
        let mut sum = BaselineTotals::default();
        for &(ty, key, value, entries) in groups.iter().copied().flatten() {
            sum = sum.plus(self.map(MapShape::new(ty, key, value, entries))?);
        }
        Ok(sum)
    }

    fn programs(&self, programs: &Programs) -> Result<BaselineTotals, Refused> {
        let mut sum = BaselineTotals::default();
        for &(xlated, jited, memlock) in programs {
            // As long as the measured pages, with room for the head of any kernel's `struct bpf_prog`.
            let instructions = (memlock - 128) / 8;
            let shape = ProgramShape {
                functions: vec![FunctionShape { instructions, replaceable: 0 }],
                xlated: XlatedSize::Exactly(Bytes(xlated)),
                jited: JitedSize::Exactly(Bytes(jited)),
                used_maps: 0,
                line_records: 0,
            };
            let cost = program_cost(&shape, self.kernel, self.cpus)?;
            let memory = Memory::new(cost.memlock, cost.charged, cost.uncharged);
            sum = sum.plus(BaselineTotals { policies: 0, programs: 1, maps: 0, memory });
        }
        Ok(sum)
    }
}
