//! Faults of a body's steps: one is lost, comes twice or too early, or reads, writes or leaves for something else.

use tetrafold::bpf::{Place, Step};
use tetrafold::emit::assemble::Built;

use super::{Honest, Tally, policies};

#[test]
fn what_a_body_does_wrongly_is_found() {
    let mut tally = Tally::default();
    for text in policies::all() {
        let honest = Honest::compile(&text);
        for (&number, steps) in &honest.built.bodies {
            for (what, damaged) in damaged(steps) {
                let mut built: Built = honest.built.clone();
                built.bodies.insert(number, damaged);
                let outcome = honest.with_built(&honest.set, &honest.certificate, &built);
                tally.count(format!("steps of operation {number}: {what}"), outcome);
            }
        }
    }
    tally.check(3000);
}

fn damaged(steps: &[Step]) -> Vec<(String, Vec<Step>)> {
    let mut out = vec![];
    for (s, step) in steps.iter().enumerate() {
        let mut with = |what: String, change: &dyn Fn(&mut Vec<Step>)| {
            let mut damaged = steps.to_vec();
            change(&mut damaged);
            out.push((format!("{what} of {step:?} ({s})"), damaged));
        };
        with("loss".into(), &|all| _ = all.remove(s));
        match step {
            Step::Stencil { name, immediates, leave } => {
                for i in 0..immediates.len() {
                    for by in [-1, 1, 8] {
                        with(format!("immediate {i}, {by}"), &|all| {
                            if let Step::Stencil { immediates, .. } = &mut all[s] {
                                immediates[i] += by;
                            }
                        });
                    }
                }
                let elsewhere = match leave {
                    Some(Place::ALLOW) => Place(999),
                    Some(_) => Place::ALLOW,
                    None => Place::ALLOW,
                };
                // What never returns anything but 0 never leaves.
                if leave.is_some() {
                    with("another place".into(), &|all| {
                        if let Step::Stencil { leave, .. } = &mut all[s] {
                            *leave = Some(elsewhere);
                        }
                    });
                    with("no place".into(), &|all| {
                        if let Step::Stencil { leave, .. } = &mut all[s] {
                            *leave = None;
                        }
                    });
                }
                for other in siblings(name) {
                    with(format!("`{other}` instead"), &|all| {
                        if let Step::Stencil { name, .. } = &mut all[s] {
                            *name = other;
                        }
                    });
                }
            }
            Step::LoadContext { offset, arg } => {
                let (offset, arg) = (*offset, *arg);
                with("place".into(), &|all| all[s] = Step::LoadContext { offset, arg: (arg + 1) % 5 });
                with("offset".into(), &|all| all[s] = Step::LoadContext { offset: offset + 8, arg });
            }
            Step::LoadField { offset, bytes, arg } => {
                let (offset, bytes, arg) = (*offset, *bytes, *arg);
                with("offset".into(), &|all| all[s] = Step::LoadField { offset: offset + 8, bytes, arg });
                if bytes > 1 {
                    with("bytes".into(), &|all| all[s] = Step::LoadField { offset, bytes: bytes / 2, arg });
                }
            }
            Step::Bind(_) | Step::Jump(_) | Step::Return => {}
        }
    }
    out
}

/// Stencils that take as many immediates.
fn siblings(name: &str) -> &'static [&'static str] {
    match name {
        "int_lookup" => &["interval_lookup", "mask_lookup"],
        "interval_lookup" => &["int_lookup", "mask_lookup"],
        "mask_lookup" => &["int_lookup"],
        "fact_lookup" => &["fact_interval_lookup", "fact_mask_lookup"],
        "fact_interval_lookup" => &["fact_lookup"],
        "fact_pid" => &["fact_namespace_pid"],
        "fact_effective_capabilities" => &["fact_permitted_capabilities"],
        "number_lookup" => &["number_interval_lookup"],
        "number_interval_lookup" => &["number_lookup"],
        "trie_equal" => &["trie_prefix", "trie_postfix"],
        "trie_prefix" => &["trie_equal", "trie_postfix"],
        "trie_postfix" => &["trie_equal", "trie_prefix"],
        "source_address_typed" => &["destination_address_typed"],
        "destination_address_probed" => &["source_address_probed"],
        "flow_source_port_probed" => &["flow_destination_port_probed", "flow_state_probed"],
        "flow_destination_port_typed" => &["flow_source_port_typed", "sockaddr_port"],
        "packet_source_port" => &["packet_destination_port", "packet_family", "flow_source_port_probed"],
        "packet_destination_port" => &["packet_source_port", "packet_protocol"],
        "packet_protocol" => &["packet_family", "flow_protocol_probed"],
        "packet_family" => &["packet_protocol", "sockaddr_family"],
        "packet_source_address" => &["packet_destination_address", "source_address_probed"],
        "packet_destination_address" => &["packet_source_address"],
        "value_packet" => &["value_sock_probed", "value_sockaddr"],
        "path_of_file_typed" => &["path_of_binprm_typed", "path_of_binary"],
        "path_of_binprm_probed" => &["path_of_file_probed"],
        "walk_typed" => &["walk_binary"],
        "walk_binary" => &["walk_typed"],
        "text_of_binary" => &["text_of_path_typed"],
        "text_of_user_string" => &["text_of_either_string"],
        "value_cred" => &["value_user_namespace"],
        "quiet_bits" => &["quiet_any"],
        "quiet_any" => &["quiet_bits"],
        "act_bits" => &["act_any", "act_returned"],
        "act_any" => &["act_bits"],
        "act_returned" => &["act_any"],
        "limit" => &["limit_of_several"],
        "limit_of_several" => &["limit"],
        "limit_integer" => &["limit_text"],
        "limit_text" => &["limit_integer", "limit_socket"],
        "limit_socket" => &["limit_text"],
        "limit_structure" => &["limit"],
        "post" => &["post_of_several"],
        "post_of_several" => &["post"],
        "kill" => &["release"],
        "verdict" => &["release"],
        _ => &[],
    }
}
