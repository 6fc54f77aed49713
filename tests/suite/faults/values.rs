//! Values that are one fault away: one lost, one more, an interval that is wider or narrower.

use std::net::{IpAddr, Ipv4Addr};

use tetrafold::policy::{AddressRange, Interval, StrId, Values};

/// `texts` are those of the set.
pub fn damaged(values: &Values, texts: &[StrId]) -> Vec<(String, Values)> {
    let mut out = vec![];
    for v in 0..values.len() {
        let mut less = values.clone();
        remove(&mut less, v);
        out.push((format!("value {v} lost"), less));
    }
    let mut with = |what: &str, values: Values| out.push((what.to_string(), values));
    match values {
        Values::Path(own) | Values::Text(own) | Values::Prefix(own) | Values::Postfix(own) => {
            if let Some(other) = texts.iter().find(|id| !own.contains(id)) {
                let mut more = values.clone();
                add(&mut more, *other);
                with("one value more", more);
            }
        }
        Values::Intervals(own) => {
            let more = own.iter().copied().chain([Interval::point(1 << 40)]).collect();
            with("one value more", Values::intervals(more));
            for (i, interval) in own.iter().enumerate() {
                let mut change = |what: &str, change: Interval| {
                    let mut all = own.clone();
                    all[i] = change;
                    with(what, Values::intervals(all));
                };
                let Interval { first, last } = *interval;
                if first > 0 {
                    change("widened below", Interval { first: first - 1, last });
                }
                if last < u64::MAX {
                    change("widened above", Interval { first, last: last + 1 });
                }
                if first < last {
                    change("narrowed below", Interval { first: first + 1, last });
                    change("narrowed above", Interval { first, last: last - 1 });
                }
            }
        }
        Values::Addresses(own) => {
            let address = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 1));
            let more = own.iter().copied().chain([AddressRange { first: address, last: address }]);
            with("one value more", Values::addresses(more.collect()));
            for i in 0..own.len() {
                let mut narrower = own.clone();
                narrower[i].last = narrower[i].first;
                if narrower != *own {
                    with("narrowed", Values::Addresses(narrower));
                }
            }
        }
        Values::AnyBit(own) => {
            for (i, mask) in own.iter().enumerate() {
                let mut change = |what: &str, mask: u64| {
                    let mut all = own.clone();
                    all[i] = mask;
                    with(what, Values::AnyBit(all));
                };
                change("a bit more", mask | (mask + 1));
                change("a bit lost", mask & (mask - 1));
            }
        }
    }
    out
}

pub fn remove(values: &mut Values, at: usize) {
    match values {
        Values::Path(all) | Values::Text(all) | Values::Prefix(all) | Values::Postfix(all) => {
            _ = all.remove(at)
        }
        Values::Intervals(all) => _ = all.remove(at),
        Values::AnyBit(all) => _ = all.remove(at),
        Values::Addresses(all) => _ = all.remove(at),
    }
}

fn add(values: &mut Values, text: StrId) {
    if let Values::Path(all) | Values::Text(all) | Values::Prefix(all) | Values::Postfix(all) = values {
        all.push(text);
        all.sort_unstable();
    }
}
