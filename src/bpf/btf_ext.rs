//! `.BTF.ext`: what is said about single instructions: where functions and source lines begin, and which
//! kernel fields a loader has to resolve.
//!
//! Reading and writing are inverse. Places are instruction slots within a section (bytes in the file).
//! Source: Linux 6.12, Documentation/bpf/btf.rst; libbpf 1.5, src/btf.c.

use super::btf::{MAGIC, StringTable, Strings, TypeId, Words, part};
use super::code::CoreRecord;
use super::error::Error;

/// Where a source line begins, for verifier logs and listings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub slot: u32,
    pub file: String,
    pub text: String,
    /// At most 4 million.
    pub number: u32,
}

/// What is said about one code section.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExtSection {
    pub name: String,
    /// (slot, type id of the FUNC), ascending.
    pub functions: Vec<(u32, TypeId)>,
    /// Ascending; the kernel wants one at every function's first slot.
    pub lines: Vec<Line>,
    pub core: Vec<(u32, CoreRecord)>,
}

const HEADER_BYTES: u32 = 32;
const FUNCTION_BYTES: u32 = 8;
const LINE_BYTES: u32 = 16;
const CORE_BYTES: u32 = 16;
const COLUMN: u32 = 1;

/// The bytes of a whole `.BTF.ext` section.
pub fn encode(sections: &[ExtSection], strings: &mut Strings) -> Vec<u8> {
    let functions = subsection(FUNCTION_BYTES, sections, strings, |section, _| {
        section.functions.iter().map(|(slot, ty)| vec![slot * 8, *ty]).collect()
    });
    let lines = subsection(LINE_BYTES, sections, strings, |section, strings| {
        let record = |line: &Line, strings: &mut Strings| {
            vec![line.slot * 8, strings.add(&line.file), strings.add(&line.text), line.number << 10 | COLUMN]
        };
        section.lines.iter().map(|line| record(line, strings)).collect()
    });
    let core = subsection(CORE_BYTES, sections, strings, |section, strings| {
        let record = |slot: u32, core: &CoreRecord, strings: &mut Strings| {
            vec![slot * 8, core.type_id, strings.add(&core.access), core.kind]
        };
        section.core.iter().map(|(slot, core)| record(*slot, core, strings)).collect()
    });
    let lens = [&functions, &lines, &core].map(|part| part.len() as u32);
    let mut out = vec![];
    for word in
        [1 << 16 | u32::from(MAGIC), HEADER_BYTES, 0, lens[0], lens[0], lens[1], lens[0] + lens[1], lens[2]]
    {
        out.extend(word.to_le_bytes());
    }
    out.extend([functions, lines, core].concat());
    out
}

/// One kind of records, section by section; empty if there is none (libbpf refuses a bare record size).
fn subsection(
    record_bytes: u32,
    sections: &[ExtSection],
    strings: &mut Strings,
    records: impl Fn(&ExtSection, &mut Strings) -> Vec<Vec<u32>>,
) -> Vec<u8> {
    let mut words = vec![record_bytes];
    for section in sections {
        let records = records(section, strings);
        if !records.is_empty() {
            words.extend([strings.add(&section.name), records.len() as u32]);
            words.extend(records.concat());
        }
    }
    if words.len() == 1 {
        return vec![];
    }
    words.into_iter().flat_map(u32::to_le_bytes).collect()
}

/// Reads a whole `.BTF.ext` section; `strings` are those of the `.BTF` beside it. Type ids are not checked.
pub fn parse(bytes: &[u8], strings: StringTable) -> Result<Vec<ExtSection>, Error> {
    let mut header = Words::new(bytes);
    let mut word = || header.next().ok_or(Error::BtfExt("the header is cut short"));
    let magic = word()?;
    if magic & 0xffff != u32::from(MAGIC) || magic >> 16 & 0xff != 1 {
        return Err(Error::BtfExt("unknown magic or version"));
    }
    let header_len = word()?;
    let mut places = vec![(word()?, word()?), (word()?, word()?)];
    // CO-RE records came later than the other two; a header without them is whole.
    if header_len >= HEADER_BYTES {
        places.push((word()?, word()?));
    }
    let mut sections = vec![];
    for (which, (offset, len)) in places.into_iter().enumerate() {
        let part = part(bytes, header_len, offset, len).ok_or(Error::BtfExt("records leave the section"))?;
        parse_subsection(part, which, strings, &mut sections)?;
    }
    Ok(sections)
}

fn parse_subsection(
    bytes: &[u8],
    which: usize,
    strings: StringTable,
    sections: &mut Vec<ExtSection>,
) -> Result<(), Error> {
    const CUT: Error = Error::BtfExt("a record is cut short");
    if bytes.is_empty() {
        return Ok(());
    }
    let mut words = Words::new(bytes);
    let needed = [FUNCTION_BYTES, LINE_BYTES, CORE_BYTES][which];
    let record_bytes = words.next().ok_or(CUT)?;
    if record_bytes < needed || !record_bytes.is_multiple_of(4) {
        return Err(Error::BtfExt("unknown record size"));
    }
    let text =
        |offset| strings.get(offset).map(str::to_owned).ok_or(Error::BtfExt("a name is outside the strings"));
    while !words.is_done() {
        let (name, count) = (words.next().ok_or(CUT)?, words.next().ok_or(CUT)?);
        let name = text(name)?;
        let index = sections.iter().position(|s| s.name == name).unwrap_or_else(|| {
            sections.push(ExtSection { name, ..ExtSection::default() });
            sections.len() - 1
        });
        let section = &mut sections[index];
        for _ in 0..count {
            let mut record = [0; 4];
            for at in 0..record_bytes as usize / 4 {
                let word = words.next().ok_or(CUT)?;
                if let Some(field) = record.get_mut(at) {
                    *field = word;
                }
            }
            let [place, a, b, c] = record;
            if place % 8 != 0 {
                return Err(Error::BtfExt("a record is about half an instruction"));
            }
            let slot = place / 8;
            match which {
                0 => section.functions.push((slot, a)),
                1 => section.lines.push(Line { slot, file: text(a)?, text: text(b)?, number: c >> 10 }),
                _ => section.core.push((slot, CoreRecord { type_id: a, access: text(b)?, kind: c })),
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::btf::Btf;
    use super::*;

    fn sample() -> Vec<ExtSection> {
        let core = CoreRecord { type_id: 7, access: "0:1".into(), kind: 2 };
        let line =
            |slot, text: &str| Line { slot, file: "tetrafold".into(), text: text.into(), number: slot + 1 };
        vec![
            ExtSection {
                name: "lsm/x".into(),
                functions: vec![(0, 3)],
                lines: vec![line(0, "x"), line(4, "walk")],
                core: vec![(5, core)],
            },
            ExtSection {
                name: ".text".into(),
                functions: vec![(0, 4), (9, 5)],
                lines: vec![line(0, "f"), line(9, "g")],
                core: vec![],
            },
        ]
    }

    /// `.BTF` and `.BTF.ext`.
    fn bytes(sections: &[ExtSection]) -> (Vec<u8>, Vec<u8>) {
        let mut strings = Strings::default();
        let ext = encode(sections, &mut strings);
        (Btf::default().encode(&mut strings), ext)
    }

    #[test]
    fn encoding_round_trips() {
        for sections in [sample(), vec![]] {
            let (btf, ext) = bytes(&sections);
            assert_eq!(parse(&ext, Btf::parse(&btf).unwrap().1).unwrap(), sections);
        }
    }

    #[test]
    fn every_cut_is_an_error() {
        let (btf, ext) = bytes(&sample());
        let strings = Btf::parse(&btf).unwrap().1;
        for len in 0..ext.len() {
            assert!(parse(&ext[..len], strings).is_err(), "{len}");
        }
    }
}
