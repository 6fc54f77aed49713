//! Nodes to typed fields, guided by the schema tables.
//!
//! Turns a [`Node`] into a `T: Read`, reporting once and generically what no object has to care about:
//! unknown, duplicate and miscased keys, missing required fields, explicit nulls, values of the wrong
//! kind, words outside a vocabulary, numbers out of range, lists that are too long.
//! Guarantees: reading goes on past each finding; an object in which something was refused says so in
//! `poisoned`, so that later phases do not report what follows from it.
//! Does not check rules between fields ([`super::rules`]) nor what a value means.
//! Source: Tetragon 4fbfe2d, the CRD schema of both kinds and `pkg/crdutils` (semantics 1.7).

use std::borrow::Cow;

use rustc_hash::FxHashMap;

use super::schema::{FieldSchema, ObjectSchema, TypeSchema, Word};
use crate::diag::bindings;
use crate::diag::schema as codes;
use crate::diag::suggest::nearest;
use crate::diag::{Diagnostic, Diagnostics, Severity};
use crate::source::{Span, Spanned};
use crate::syntax::yaml::scalars::Scalar;
use crate::syntax::yaml::{Node, NodeKind, Style};
use crate::vocab::Vocabulary;

/// Floating point numbers below this are exact as `i64` if they have no fraction.
const TWO_POW_63: f64 = 9_223_372_036_854_775_808.0;

/// Something that can be read from a node.
pub trait Read<'n>: Sized {
    const SCHEMA: TypeSchema;

    /// `None` if something about the node itself was refused (and reported).
    fn read(node: &'n Node<'n>, reader: &mut Reader<'_>) -> Option<Self>;
}

/// Text as written.
pub type Text<'n> = Spanned<&'n str>;

/// A list whose refused items are left out.
#[derive(Clone, Debug)]
pub struct List<T> {
    pub items: Vec<T>,
    pub span: Span,
    /// An item was refused, so positions and counts say nothing.
    pub poisoned: bool,
}

/// Free names to values, in the order written.
#[derive(Clone, Debug)]
pub struct Map<'n, T> {
    pub entries: Vec<(Spanned<Cow<'n, str>>, T)>,
    pub span: Span,
}

/// A scalar that metadata turns into text, whatever it is.
#[derive(Clone, Copy, Debug)]
pub struct Coerced<'n> {
    pub text: &'n str,
    pub span: Span,
}

/// Collects what is wrong, and knows which field it is in.
pub struct Reader<'d> {
    diags: &'d mut Diagnostics,
    errors: u32,
    field: &'static str,
    /// The document is a template.
    in_template: bool,
}

impl<'d> Reader<'d> {
    pub fn new(diags: &'d mut Diagnostics) -> Reader<'d> {
        Reader { diags, errors: 0, field: "document", in_template: false }
    }

    /// Takes the fields of templates too.
    #[must_use]
    pub fn of_template(mut self) -> Reader<'d> {
        self.in_template = true;
        self
    }

    /// How many errors were reported so far; a difference means that what was read in between is poisoned.
    pub fn errors(&self) -> u32 {
        self.errors
    }

    pub fn report(&mut self, diagnostic: Diagnostic) {
        self.errors += u32::from(diagnostic.severity == Severity::Error);
        self.diags.push(diagnostic);
    }

    /// Hands each field of a mapping to `take`, by its position in the schema; says whether all keys are known.
    pub fn fields<'n>(
        &mut self,
        node: &'n Node<'n>,
        schema: &'static ObjectSchema,
        take: &mut dyn FnMut(usize, &'n Node<'n>, &mut Reader<'_>),
    ) -> Option<bool> {
        let NodeKind::Mapping(entries) = &node.kind else {
            self.wrong_kind(node, "a mapping");
            return None;
        };
        let outer = self.field;
        let mut seen: u64 = 0;
        let mut first = [0u32; u64::BITS as usize];
        let mut given: u64 = 0;
        let mut all_known = true;
        for (position, (key, value)) in entries.iter().enumerate() {
            let Some(at) = self.field_of(key, schema) else {
                all_known = false;
                continue;
            };
            let field = &schema.fields[at];
            if seen & (1 << at) != 0 {
                let first = entries[first[at] as usize].0.span;
                self.report(codes::duplicate_field(field.name, first, key.span));
                continue;
            }
            seen |= 1 << at;
            first[at] = position as u32;
            self.field = field.name;
            if field.template_only && !self.in_template {
                self.report(bindings::outside_template(field.name, field.replaces, key.span));
                given |= 1 << at;
                all_known = false;
                continue;
            }
            if value.is_null() {
                self.report_null(key, value, field);
                continue;
            }
            given |= 1 << at;
            if let (Some(max), NodeKind::Sequence(items)) = (field.max_items, &value.kind)
                && let Some(extra) = items.get(max)
            {
                self.report(codes::too_many_items(field.name, items.len(), max, extra.span));
            }
            take(at, value, self);
        }
        self.field = outer;
        let is_replaced = |name: &str| {
            let mut fields = schema.fields.iter().enumerate();
            fields.any(|(at, field)| field.replaces == Some(name) && given & (1 << at) != 0)
        };
        for (at, field) in schema.fields.iter().enumerate() {
            if self.in_template && given & (1 << at) != 0 && is_replaced(field.name) {
                self.report_both(entries, schema, field);
            }
            if field.required && seen & (1 << at) == 0 && !is_replaced(field.name) {
                let span = entries.first().map_or(node.span, |(key, _)| key.span);
                self.report(codes::missing_field(field.name, schema.name, field.doc, span));
            }
        }
        Some(all_known)
    }

    /// The position of a key's field, in the exact spelling or, as Go decodes, in any case.
    fn field_of(&mut self, key: &Node<'_>, schema: &'static ObjectSchema) -> Option<usize> {
        // No field is named like a number, a boolean or null, so its text decides.
        if let NodeKind::Scalar { text, .. } = &key.kind
            && let Some(at) = schema.fields.iter().position(|f| f.name == text)
        {
            return Some(at);
        }
        let Some(text) = key.key_text() else {
            self.report(codes::key_not_scalar(key.span));
            return None;
        };
        let text = &*text;
        if let Some(at) = schema.fields.iter().position(|f| f.name.eq_ignore_ascii_case(text)) {
            let field = &schema.fields[at];
            if !field.exact_case {
                self.report(codes::miscased_field(text, field.name, key.span));
                return Some(at);
            }
            self.report(codes::miscased_exact_field(text, field.name, field.required, key.span));
            return None;
        }
        let in_template = self.in_template;
        let fields = || schema.fields.iter().filter(move |f| in_template || !f.template_only);
        let names = || fields().map(|f| f.name);
        self.report(codes::unknown_field(text, schema.name, nearest(text, names()), names(), key.span));
        None
    }

    /// A field and the one in whose place another one stands.
    fn report_both(&mut self, entries: &[(Node<'_>, Node<'_>)], schema: &ObjectSchema, field: &FieldSchema) {
        let key = |name: &str| {
            let mut keys = entries.iter().map(|(key, _)| key);
            keys.find(|key| key.key_text().is_some_and(|key| key.eq_ignore_ascii_case(name)))
        };
        let other = schema.fields.iter().find(|other| other.replaces == Some(field.name));
        let Some(other) = other else { return };
        if let (Some(first), Some(second)) = (key(field.name), key(other.name)) {
            let names = [field.name, other.name];
            self.report(codes::exclusive_fields(field.name, first.span, other.name, second.span, &names));
        }
    }

    fn report_null(&mut self, key: &Node<'_>, value: &Node<'_>, field: &FieldSchema) {
        let span = if value.span.start == value.span.end { key.span } else { value.span };
        if field.required && field.default.is_none() {
            self.report(codes::required_is_null(field.name, span));
        } else if field.default.is_none() {
            self.report(codes::explicit_null(field.name, span));
        }
    }

    /// Reports that `node` is not what the field wants.
    pub fn wrong_kind(&mut self, node: &Node<'_>, wanted: &str) {
        let quoted = match &node.kind {
            NodeKind::Scalar { text, style: Style::Plain } if !node.is_null() => Some(&**text),
            NodeKind::Scalar { .. } | NodeKind::Sequence(_) | NodeKind::Mapping(_) => None,
        };
        self.report(codes::wrong_type(self.field, wanted, node.kind_name(), quoted, node.span));
    }

    fn integer(&mut self, node: &Node<'_>, min: i64, max: i64) -> Option<Spanned<i64>> {
        let value = match node.scalar() {
            Some(Scalar::Int(value)) => Some(value),
            Some(Scalar::Unsigned(_)) => None,
            // JSON knows no integers: what has no fraction is one.
            Some(Scalar::Float(value)) if value.fract() == 0.0 => {
                (value.abs() < TWO_POW_63).then_some(value as i64)
            }
            Some(Scalar::Null | Scalar::Bool(_) | Scalar::Float(_) | Scalar::Str(_)) | None => {
                self.wrong_kind(node, "an integer");
                return None;
            }
        };
        match (value, &node.kind) {
            (Some(value), _) if (min..=max).contains(&value) => Some(Spanned::new(value, node.span)),
            (Some(_) | None, NodeKind::Scalar { text, .. }) => {
                self.report(codes::integer_out_of_range(self.field, text, min, max, node.span));
                None
            }
            (Some(_) | None, NodeKind::Sequence(_) | NodeKind::Mapping(_)) => None,
        }
    }
}

impl<'n> Read<'n> for Text<'n> {
    const SCHEMA: TypeSchema = TypeSchema::Text;

    fn read(node: &'n Node<'n>, reader: &mut Reader<'_>) -> Option<Text<'n>> {
        if let Some(Scalar::Str(text)) = node.scalar() {
            return Some(Spanned::new(text, node.span));
        }
        reader.wrong_kind(node, "a string");
        None
    }
}

impl<'n> Read<'n> for Coerced<'n> {
    const SCHEMA: TypeSchema = TypeSchema::Coerced;

    fn read(node: &'n Node<'n>, reader: &mut Reader<'_>) -> Option<Coerced<'n>> {
        match &node.kind {
            NodeKind::Scalar { text, .. } if !node.is_null() => Some(Coerced { text, span: node.span }),
            NodeKind::Scalar { .. } | NodeKind::Sequence(_) | NodeKind::Mapping(_) => {
                reader.wrong_kind(node, "a string");
                None
            }
        }
    }
}

impl<'n> Read<'n> for Spanned<bool> {
    const SCHEMA: TypeSchema = TypeSchema::Bool;

    fn read(node: &'n Node<'n>, reader: &mut Reader<'_>) -> Option<Spanned<bool>> {
        if let Some(Scalar::Bool(value)) = node.scalar() {
            return Some(Spanned::new(value, node.span));
        }
        reader.wrong_kind(node, "a boolean");
        None
    }
}

macro_rules! read_integers {
    ($($ty:ty: $min:expr, $max:expr;)*) => {
        $(impl<'n> Read<'n> for Spanned<$ty> {
            const SCHEMA: TypeSchema = TypeSchema::Int { min: $min, max: $max };

            fn read(node: &'n Node<'n>, reader: &mut Reader<'_>) -> Option<Spanned<$ty>> {
                // The range is that of the type.
                Some(reader.integer(node, $min, $max)?.map(|value| value as $ty))
            }
        })*
    };
}

read_integers! {
    u32: 0, u32::MAX as i64;
    i32: i32::MIN as i64, i32::MAX as i64;
    i64: i64::MIN, i64::MAX;
    // Larger numbers become floating point before they are decoded, and are refused.
    u64: 0, i64::MAX;
}

impl<'n, V: Vocabulary> Read<'n> for Spanned<V> {
    const SCHEMA: TypeSchema = TypeSchema::Words {
        what: V::WHAT,
        words: || V::ALL.iter().map(|word| Word { name: word.name(), doc: word.doc() }).collect(),
    };

    fn read(node: &'n Node<'n>, reader: &mut Reader<'_>) -> Option<Spanned<V>> {
        // No word of any vocabulary means a number, a boolean or null in YAML.
        if let NodeKind::Scalar { text, .. } = &node.kind
            && let Some(word) = V::parse(text)
        {
            return Some(Spanned::new(word, node.span));
        }
        let text = Text::read(node, reader)?;
        reader.report(codes::unknown_word(
            V::WHAT,
            text.value,
            nearest(text.value, V::names()),
            V::names(),
            node.span,
        ));
        None
    }
}

impl<'n, T: Read<'n>> Read<'n> for List<T> {
    const SCHEMA: TypeSchema = TypeSchema::List(&T::SCHEMA);

    fn read(node: &'n Node<'n>, reader: &mut Reader<'_>) -> Option<List<T>> {
        let NodeKind::Sequence(nodes) = &node.kind else {
            reader.wrong_kind(node, "a list");
            return None;
        };
        let before = reader.errors();
        let mut items = Vec::with_capacity(nodes.len());
        items.extend(nodes.iter().filter_map(|node| T::read(node, reader)));
        let poisoned = items.len() != nodes.len() && reader.errors() != before;
        Some(List { items, span: node.span, poisoned })
    }
}

impl<'n, T: Read<'n>> Read<'n> for Map<'n, T> {
    const SCHEMA: TypeSchema = TypeSchema::Map(&T::SCHEMA);

    fn read(node: &'n Node<'n>, reader: &mut Reader<'_>) -> Option<Map<'n, T>> {
        let NodeKind::Mapping(nodes) = &node.kind else {
            reader.wrong_kind(node, "a mapping");
            return None;
        };
        let mut first: FxHashMap<Cow<'n, str>, Span> = FxHashMap::default();
        let mut entries = Vec::with_capacity(nodes.len());
        for (key, value) in nodes {
            let Some(text) = key.key_text() else {
                reader.report(codes::key_not_scalar(key.span));
                continue;
            };
            if nodes.len() > 1
                && let Some(earlier) = first.insert(text.clone(), key.span)
            {
                reader.report(codes::duplicate_field(&text, earlier, key.span));
                continue;
            }
            if let Some(value) = T::read(value, reader) {
                entries.push((Spanned::new(text, key.span), value));
            }
        }
        Some(Map { entries, span: node.span })
    }
}

/// A node whose shape is nobody's business here.
impl<'n> Read<'n> for &'n Node<'n> {
    const SCHEMA: TypeSchema = TypeSchema::Any;

    fn read(node: &'n Node<'n>, _: &mut Reader<'_>) -> Option<&'n Node<'n>> {
        Some(node)
    }
}

/// Declares an object of the language: the struct of its fields as written, and its schema.
///
/// `field: Type = "key" .required() …;`, the doc comment being the field's documentation in the
/// published schema. Every field is an `Option`: absent, null and refused look alike, and `poisoned` tells the last.
macro_rules! object {
    (
        $(#[doc = $doc:literal])+
        $name:ident = $schema_name:literal {
            $($(#[doc = $field_doc:literal])+ $field:ident: $ty:ty = $key:literal $(.$attribute:ident($($value:expr)?))*;)*
        }
        $(rules [$($rule:expr),+];)?
    ) => {
        $(#[doc = $doc])+
        #[derive(Clone, Debug)]
        pub struct $name<'n> {
            pub node: &'n $crate::syntax::yaml::Node<'n>,
            /// Something in it was refused, and reported.
            pub poisoned: bool,
            /// A key of its own was refused, or the whole value of one: what seems absent may not be.
            pub incomplete: bool,
            $($(#[doc = $field_doc])+ pub $field: Option<$ty>,)*
        }

        impl<'n> $crate::syntax::ast::read::Read<'n> for $name<'n> {
            const SCHEMA: $crate::syntax::ast::schema::TypeSchema =
                $crate::syntax::ast::schema::TypeSchema::Object(&$crate::syntax::ast::schema::ObjectSchema {
                    name: $schema_name,
                    doc: concat!($($doc),+),
                    fields: &[$(
                        $crate::syntax::ast::schema::FieldSchema::new(
                            $key,
                            <$ty as $crate::syntax::ast::read::Read>::SCHEMA,
                            concat!($($field_doc),+),
                        )$(.$attribute($($value)?))*
                    ),*],
                    rules: &[$($($rule),+)?],
                });

            fn read(
                node: &'n $crate::syntax::yaml::Node<'n>,
                reader: &mut $crate::syntax::ast::read::Reader<'_>,
            ) -> Option<Self> {
                let $crate::syntax::ast::schema::TypeSchema::Object(schema) = Self::SCHEMA else { return None };
                let before = reader.errors();
                let mut object = $name { node, poisoned: false, incomplete: false, $($field: None),* };
                let mut refused = false;
                let all_known = reader.fields(node, schema, &mut |at, value, reader| {
                    let mut field = 0..;
                    $(if field.next() == Some(at) {
                        object.$field = $crate::syntax::ast::read::Read::read(value, reader);
                        refused |= object.$field.is_none();
                        return;
                    })*
                })?;
                object.incomplete = refused || !all_known;
                $crate::syntax::ast::rules::check(node, schema.rules, reader);
                object.poisoned = reader.errors() != before;
                Some(object)
            }
        }

        impl $name<'_> {
            /// The first key: the smallest place that stands for the whole.
            pub fn span(&self) -> $crate::source::Span {
                match &self.node.kind {
                    $crate::syntax::yaml::NodeKind::Mapping(entries) => {
                        entries.first().map_or(self.node.span, |(key, _)| key.span)
                    }
                    $crate::syntax::yaml::NodeKind::Scalar { .. } | $crate::syntax::yaml::NodeKind::Sequence(_) => {
                        self.node.span
                    }
                }
            }
        }
    };
}
pub(super) use object;
