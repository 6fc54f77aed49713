//! Documents as written, field by field.
