//! Policy sets like the one that CFP-4191 describes, of any size: each policy selects the pods of one workload and
//! lets them execute a list of paths only. Many workloads share many paths.
//!
//! The same [`Shape`] gives the same text, on every machine. Used by the kernel tests, the measurements and the benches.

/// What a generated set looks like.
#[derive(Clone, Debug)]
pub struct Shape {
    pub policies: usize,
    /// Size of the pool of paths.
    pub distinct: usize,
    /// Paths in each policy, all different within it.
    pub per_policy: usize,
    /// Every second path of the pool becomes 200 bytes in 11 components.
    pub long: bool,
    /// Every path of the pool is used at least once, in turn, instead of the common ones more often (Zipf).
    pub cover: bool,
    /// `lsmhooks: bprm_check_security` instead of `kprobes: security_bprm_creds_for_exec`.
    pub lsm: bool,
    pub seed: u64,
}

impl Default for Shape {
    fn default() -> Shape {
        Shape {
            policies: 1000,
            distinct: 500,
            per_policy: 10,
            long: false,
            cover: false,
            lsm: false,
            seed: 1,
        }
    }
}

const DIRECTORIES: [&str; 16] = [
    "/usr/bin",
    "/usr/sbin",
    "/usr/local/bin",
    "/bin",
    "/sbin",
    "/opt/app/bin",
    "/usr/lib/jvm/java-17/bin",
    "/usr/lib/postgresql/15/bin",
    "/usr/lib/git-core",
    "/usr/share/search/bin",
    "/opt/scripts",
    "/usr/local/lib/node/.bin",
    "/app/venv/bin",
    "/home/app/.local/bin",
    "/var/lib/agent/current/bin",
    "/srv/service/release/bin",
];

const NAMES: [&str; 24] = [
    "sh",
    "bash",
    "python3.11",
    "node",
    "java",
    "nginx",
    "redis-server",
    "postgres",
    "envoy",
    "curl",
    "tini",
    "pg_isready",
    "gunicorn",
    "celery",
    "ruby",
    "haproxy",
    "vault",
    "kubectl",
    "entrypoint",
    "healthcheck",
    "migrate",
    "worker",
    "cat",
    "sed",
];

/// Numbers that look random and are the same everywhere (SplitMix64).
#[derive(Clone, Debug)]
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    /// Below `limit`, which must not be 0.
    pub fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// The paths of a shape, all different, in a fixed, shuffled order.
pub fn pool(shape: &Shape) -> Vec<String> {
    let mut combinations: Vec<String> =
        DIRECTORIES.iter().flat_map(|dir| NAMES.iter().map(move |name| format!("{dir}/{name}"))).collect();
    let mut random = Random(4191);
    for at in (1..combinations.len()).rev() {
        combinations.swap(at, random.below(at + 1));
    }
    let path = |number: usize| {
        let base = &combinations[number % combinations.len()];
        match number / combinations.len() {
            0 => base.clone(),
            round => format!("{base}-{round}.{}", number % 10),
        }
    };
    let lengthened = |number: usize| {
        if shape.long && number % 2 == 1 { lengthen(&path(number), number) } else { path(number) }
    };
    (0..shape.distinct).map(lengthened).collect()
}

/// 200 bytes in 11 components, the last of which begins like that of `path`.
fn lengthen(path: &str, number: usize) -> String {
    let mut long: String = (0..10).map(|depth| format!("/layer-{}-{depth:02}xxx", number % 7)).collect();
    let last = path.rsplit('/').next().unwrap_or_default();
    long.push_str(&format!("/{last}-{number}-"));
    while long.len() < 200 {
        long.push('y');
    }
    long
}

/// For each policy the numbers of its paths.
pub fn draws(shape: &Shape) -> Vec<Vec<usize>> {
    assert!(shape.per_policy <= shape.distinct, "a policy cannot name more paths than there are");
    if shape.cover {
        let from = |policy: usize| policy * shape.per_policy;
        return (0..shape.policies)
            .map(|policy| (0..shape.per_policy).map(|nth| (from(policy) + nth) % shape.distinct).collect())
            .collect();
    }
    let mut sum = 0.0;
    let cumulative: Vec<f64> = (0..shape.distinct)
        .map(|number| {
            sum += 1.0 / (number + 1) as f64;
            sum
        })
        .collect();
    let mut random = Random(shape.seed);
    let mut draw = || {
        let at = random.unit() * sum;
        cumulative.partition_point(|edge| *edge < at).min(shape.distinct - 1)
    };
    (0..shape.policies)
        .map(|_| {
            let mut paths = Vec::new();
            while paths.len() < shape.per_policy {
                let path = draw();
                if !paths.contains(&path) {
                    paths.push(path);
                }
            }
            paths
        })
        .collect()
}

/// Name of policy and workload alike.
pub fn name(policy: usize) -> String {
    format!("workload-{policy:04}")
}

/// One policy's document.
pub fn policy<'a>(shape: &Shape, number: usize, paths: impl IntoIterator<Item = &'a str>) -> String {
    let name = name(number);
    let hook = if shape.lsm {
        "  lsmhooks:\n  - hook: \"bprm_check_security\"\n"
    } else {
        "  kprobes:\n  - call: \"security_bprm_creds_for_exec\"\n    syscall: false\n"
    };
    let values: String = paths.into_iter().map(|path| format!("        - \"{path}\"\n")).collect();
    format!(
        "apiVersion: cilium.io/v1alpha1\nkind: TracingPolicy\nmetadata:\n  name: \"{name}\"\nspec:\n  \
         podSelector:\n    matchLabels:\n      app: \"{name}\"\n{hook}    args:\n    - index: 0\n      \
         type: \"linux_binprm\"\n    selectors:\n    - matchArgs:\n      - index: 0\n        \
         operator: \"NotEqual\"\n        values:\n{values}      matchActions:\n      - action: Override\n        \
         argError: -1\n"
    )
}

/// All policies as one text of many documents.
#[allow(dead_code, reason = "the kernel tests label their policies otherwise")]
pub fn documents(shape: &Shape) -> String {
    let pool = pool(shape);
    let one = |(number, paths): (usize, Vec<usize>)| {
        format!("---\n{}", policy(shape, number, paths.iter().map(|path| pool[*path].as_str())))
    };
    draws(shape).into_iter().enumerate().map(one).collect()
}
