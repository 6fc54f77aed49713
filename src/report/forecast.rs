//! From what will be loaded to the rows of a report.

use std::fmt;

use super::attribution::{Shared, split};
use super::{
    Assumptions, Input, MapInput, MapRow, Memory, ObjectInput, OperationRow, PolicyRow, ProgramInput,
    ProgramRow, Proof, Report, SCHEMA_VERSION, Totals, baseline,
};
use crate::memory::{Amount, Refused, btf_cost, map_cost, program_cost};

/// Why there is no report; an internal fault unless the artifact came from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ForecastError {
    /// The kernel would not take this map or program.
    Item { name: String, why: Refused },
    /// The node makes no sense.
    Node(Refused),
    /// An operation names a policy that is not in the list.
    NoSuchPolicy { operation: String, policy: usize },
}

impl fmt::Display for ForecastError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ForecastError::Item { name, why } => write!(f, "`{name}`: {why}"),
            ForecastError::Node(why) => why.fmt(f),
            ForecastError::NoSuchPolicy { operation, policy } => {
                write!(f, "operation `{operation}` names policy {policy}, which does not exist")
            }
        }
    }
}

impl std::error::Error for ForecastError {}

/// # Errors
/// If the kernel of the input refuses one of its maps or programs, or an operation names a policy that is not there.
pub fn forecast(input: &Input) -> Result<Report, ForecastError> {
    let mut rows = Rows::default();
    for operation in &input.operations {
        if let Some(&policy) = operation.policies.iter().find(|&&p| p >= input.policies.len()) {
            return Err(ForecastError::NoSuchPolicy { operation: operation.name.clone(), policy });
        }
        let own =
            rows.add(input, Some(&operation.name), &operation.programs, &operation.maps, &operation.objects)?;
        let policies = operation.policies.len() as u64;
        let overlap = Some(operation.overlap.clone());
        let (attach, targets, links) = (operation.attach.clone(), operation.targets, operation.links);
        rows.operations.push(OperationRow { attach, targets, links, policies, overlap, ..own });
    }
    let shared = rows.add(input, None, &input.shared_programs, &input.shared_maps, &input.shared_objects)?;
    if !(input.shared_programs.is_empty() && input.shared_maps.is_empty() && input.shared_objects.is_empty())
    {
        rows.operations.push(OperationRow { policies: input.policies.len() as u64, ..shared });
    }
    let totals = totals(input, &rows.operations);
    let policies = policy_rows(input, &rows.operations);
    let names: Vec<&str> = input.policies.iter().map(|p| p.name.as_str()).collect();
    let needs: Vec<&baseline::TetragonPolicy> = input.policies.iter().map(|p| &p.tetragon).collect();
    let baseline =
        baseline::baseline(&names, &needs, &input.kernel, input.cpus).map_err(ForecastError::Node)?;
    let notes = notes(input, &rows);
    Ok(Report {
        schema_version: SCHEMA_VERSION,
        assumptions: Assumptions {
            kernel: input.kernel.version.to_string(),
            kernel_build: input.kernel.name.clone(),
            kernel_measured: input.kernel.measured,
            cpus: input.cpus,
            pods: input.pods,
            scopes_per_pod: input.scopes_per_pod,
            layout: input.layout.clone(),
        },
        totals,
        operations: rows.operations,
        programs: rows.programs,
        maps: rows.maps,
        alternatives: rows.alternatives,
        policies,
        baseline,
        limits: input.limits.clone(),
        budgets: vec![],
        notes,
    })
}

/// Rows so far, and the sum of each operation as its row.
#[derive(Default)]
struct Rows {
    operations: Vec<OperationRow>,
    programs: Vec<ProgramRow>,
    alternatives: Vec<ProgramRow>,
    maps: Vec<MapRow>,
}

impl Rows {
    fn add(
        &mut self,
        input: &Input,
        operation: Option<&str>,
        programs: &[ProgramInput],
        maps: &[MapInput],
        objects: &[ObjectInput],
    ) -> Result<OperationRow, ForecastError> {
        let (first_program, first_map) = (self.programs.len(), self.maps.len());
        for program in programs {
            let row = program_row(input, operation, program)?;
            if program.loaded { self.programs.push(row) } else { self.alternatives.push(row) }
        }
        for map in maps {
            self.maps.push(map_row(input, operation, map)?);
        }
        let none = Amount::default();
        let btf = objects.iter().filter(|o| o.loaded).map(|o| Memory::new(none, none, btf_cost(o.btf)));
        let (programs, maps) = (&self.programs[first_program..], &self.maps[first_map..]);
        let memory = programs.iter().map(|p| p.memory).chain(maps.iter().map(|m| m.memory)).chain(btf).sum();
        Ok(OperationRow {
            name: operation.unwrap_or("shared").into(),
            attach: String::new(),
            policies: 0,
            programs: programs.len() as u64,
            hidden_functions: programs.iter().map(|p| p.hidden_functions).sum(),
            targets: 0,
            links: 0,
            maps: maps.len() as u64,
            entries: maps.iter().map(|m| m.entries).fold(0, u64::saturating_add),
            overlap: None,
            memory,
        })
    }
}

fn program_row(
    input: &Input,
    operation: Option<&str>,
    program: &ProgramInput,
) -> Result<ProgramRow, ForecastError> {
    let cost = program_cost(&program.shape, &input.kernel, input.cpus)
        .map_err(|why| ForecastError::Item { name: program.name.clone(), why })?;
    Ok(ProgramRow {
        name: program.name.clone(),
        operation: operation.map(str::to_owned),
        role: program.role,
        instructions: program.shape.functions.iter().map(|f| u64::from(f.instructions)).sum(),
        xlated_bytes: cost.xlated.most.0,
        xlated_least_bytes: cost.xlated.least.0,
        hidden_functions: cost.hidden_functions.into(),
        hidden_bytes: cost.hidden.most.0,
        memory: Memory::new(cost.memlock, cost.charged, cost.uncharged),
        proof: Proof::from(cost.exactness),
    })
}

fn map_row(input: &Input, operation: Option<&str>, map: &MapInput) -> Result<MapRow, ForecastError> {
    let cost = map_cost(&map.shape, &input.kernel, input.cpus)
        .map_err(|why| ForecastError::Item { name: map.name.clone(), why })?;
    Ok(MapRow {
        name: map.name.clone(),
        operation: operation.map(str::to_owned),
        ty: map.shape.ty.name().into(),
        owner: map.owner,
        key_size: map.shape.key_size,
        value_size: map.shape.value_size,
        max_entries: map.shape.max_entries,
        flags: map.shape.flags,
        entries: map.entries,
        memory: Memory::new(cost.memlock, cost.charged, cost.uncharged),
        proof: Proof::from(cost.exactness),
    })
}

fn totals(input: &Input, operations: &[OperationRow]) -> Totals {
    let sum = |of: fn(&OperationRow) -> u64| operations.iter().map(of).fold(0, u64::saturating_add);
    Totals {
        policies: input.policies.len() as u64,
        operations: input.operations.len() as u64,
        programs: sum(|o| o.programs),
        hidden_functions: sum(|o| o.hidden_functions),
        links: sum(|o| o.links),
        maps: sum(|o| o.maps),
        entries: sum(|o| o.entries),
        memory: operations.iter().map(|o| o.memory).sum(),
    }
}

/// Splits each operation among its policies, and what is shared (or has no policy) among all.
fn policy_rows(input: &Input, operations: &[OperationRow]) -> Vec<PolicyRow> {
    let all: Vec<usize> = (0..input.policies.len()).collect();
    let users = |i: usize| match input.operations.get(i) {
        Some(operation) if !operation.policies.is_empty() => operation.policies.as_slice(),
        Some(_) | None => all.as_slice(),
    };
    let column = |of: fn(&Memory) -> u64| {
        let items: Vec<Shared<'_>> = operations
            .iter()
            .enumerate()
            .map(|(i, o)| Shared { bytes: of(&o.memory), users: users(i) })
            .collect();
        split(&items, input.policies.len())
    };
    let (memlock, charged) = (column(|m| m.memlock_bytes), column(|m| m.charged_bytes));
    let uncharged = column(|m| m.uncharged_bytes);
    let mut hooked = vec![0; input.policies.len()];
    for &policy in input.operations.iter().flat_map(|o| &o.policies) {
        hooked[policy] += 1;
    }
    let row = |i: usize| PolicyRow {
        policy: input.policies[i].name.clone(),
        operations: hooked[i],
        memlock_bytes: memlock[i],
        charged_bytes: charged[i],
        uncharged_bytes: uncharged[i],
        tetragon: input.policies[i].tetragon.clone(),
    };
    (0..input.policies.len()).map(row).collect()
}

fn notes(input: &Input, rows: &Rows) -> Vec<String> {
    let mut notes = vec!["Not counted: links, trampolines, file descriptors, page tables.".to_owned()];
    if input.kernel.measured {
        notes.push(format!(
            "Structures are those of {}; another build of {} may differ by some bytes a map.",
            input.kernel.name, input.kernel.version
        ));
    } else {
        notes.push(format!(
            "Kernel {} was not measured: figures are ranges over similar builds.",
            input.kernel.name
        ));
    }
    if rows.programs.iter().any(|p| p.xlated_bytes != p.xlated_least_bytes) {
        notes.push("Programs whose rewriting by the kernel is not recorded have a range.".to_owned());
    }
    if rows
        .operations
        .iter()
        .any(|o| o.memory.memlock_bytes < o.memory.charged_bytes && o.hidden_functions > 0)
    {
        notes.push(
            "Every function of a program with more than one is charged and never shown by memlock."
                .to_owned(),
        );
    }
    notes
}
