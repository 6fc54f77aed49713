//! The language's schema as data: what [`super::object!`] declares and [`super::read`] goes by.
//!
//! [`super::publish`] makes the published schema from the same tables.

/// What a value may be.
#[derive(Clone, Copy, Debug)]
pub enum TypeSchema {
    Bool,
    /// An integer of a Go type; both ends are allowed.
    Int {
        min: i64,
        max: i64,
    },
    Text,
    /// Text, or a number or boolean that is taken as text (only below `metadata`).
    Coerced,
    /// One of a closed set of words.
    Words {
        what: &'static str,
        words: fn() -> Vec<Word>,
    },
    List(&'static TypeSchema),
    /// Free names to values.
    Map(&'static TypeSchema),
    Object(&'static ObjectSchema),
    /// Read past; its parts are not looked at.
    Any,
}

/// A word and what it means.
#[derive(Clone, Copy, Debug)]
pub struct Word {
    pub name: &'static str,
    pub doc: &'static str,
}

#[derive(Clone, Copy, Debug)]
pub struct ObjectSchema {
    /// As Tetragon names the type: `KProbeSpec`.
    pub name: &'static str,
    pub doc: &'static str,
    pub fields: &'static [FieldSchema],
    pub rules: &'static [Rule],
}

/// What the CRD states in CEL of the fields of one object. Null counts as absent, an empty list as present.
#[derive(Clone, Copy, Debug)]
pub enum Rule {
    /// At most one of these fields.
    AtMostOne(&'static [&'static str]),
    /// A kprobe or uprobe with `return: true` needs `returnArg`.
    ReturnNeedsArg,
    /// Labels of a host are not known: `hostSelector` is `{}`.
    HostHasNoLabels,
}

#[derive(Clone, Copy, Debug)]
pub struct FieldSchema {
    pub name: &'static str,
    pub ty: TypeSchema,
    pub doc: &'static str,
    pub required: bool,
    /// As YAML, where the schema has one.
    pub default: Option<&'static str>,
    /// Most items of a list.
    pub max_items: Option<usize>,
    /// Tetragon takes the key in any case, but applies required fields and defaults to the exact spelling only.
    pub exact_case: bool,
    /// A field of templates alone.
    pub template_only: bool,
    /// The field in whose place it may stand.
    pub replaces: Option<&'static str>,
}

impl FieldSchema {
    pub const fn new(name: &'static str, ty: TypeSchema, doc: &'static str) -> FieldSchema {
        FieldSchema {
            name,
            ty,
            doc,
            required: false,
            default: None,
            max_items: None,
            exact_case: false,
            template_only: false,
            replaces: None,
        }
    }

    pub const fn required(mut self) -> FieldSchema {
        self.required = true;
        self.exact_case = true;
        self
    }

    pub const fn default(mut self, yaml: &'static str) -> FieldSchema {
        self.default = Some(yaml);
        self.exact_case = true;
        self
    }

    pub const fn max_items(mut self, n: usize) -> FieldSchema {
        self.max_items = Some(n);
        self
    }

    /// Tetragon does not know it, so the exact spelling alone counts.
    pub const fn template_only(mut self) -> FieldSchema {
        self.template_only = true;
        self.exact_case = true;
        self
    }

    /// A field of templates in place of `field`: never both, and one of them if `field` is required.
    pub const fn replaces(mut self, field: &'static str) -> FieldSchema {
        self.replaces = Some(field);
        self.template_only()
    }

    /// Defaults below would be lost under another spelling.
    pub const fn exact_case(mut self) -> FieldSchema {
        self.exact_case = true;
        self
    }
}
