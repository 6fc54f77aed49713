//! The same input gives the same bytes, whatever the order of files and the number of threads.

use tetrafold::platform::Target;

use crate::compile::compile;
use crate::random::{self, Rng};

#[test]
fn the_order_of_files_changes_no_byte_but_their_names() {
    for i in 0..50 {
        let mut rng = Rng::new(77 + i);
        let text = random::policies(&mut rng);
        let documents: Vec<&str> = text.split("---\n").filter(|d| !d.is_empty()).collect();
        let target = Target { preempt: tetrafold::platform::Preempt::Voluntary, ..Target::default() };
        let mut reversed = documents.clone();
        reversed.reverse();
        let (a, b) = match (compile(&documents, &target), compile(&reversed, &target)) {
            (Ok(a), Ok(b)) => (a, b),
            (Err(_), Err(_)) => continue,
            (a, b) => panic!("one order compiles, the other does not: {:?} {:?}\n{text}", a.err(), b.err()),
        };
        let files = |c: &crate::compile::Compiled| {
            c.built.files.iter().map(|(n, b)| (n.to_string(), b.to_vec())).collect::<Vec<_>>()
        };
        assert!(files(&a) == files(&b), "seed {i}\n{text}");
    }
}
