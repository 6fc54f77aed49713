//! A C type as checks need it: what it is, what it points to, and how it is written.

use std::borrow::Cow;

use super::{KernelTypes, Shape};
use crate::bpf::btf::TypeId;

/// A type of a parameter or a returned value, without typedefs and qualifiers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CType<'a> {
    pub shape: Shape<'a>,
    /// Of a pointer.
    pub target: Option<Shape<'a>>,
    /// As C writes it.
    pub spelling: Cow<'a, str>,
}

/// What a function takes and returns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature<'a> {
    pub params: Vec<CType<'a>>,
    pub returned: CType<'a>,
}

impl KernelTypes {
    pub fn c_type(&self, id: TypeId) -> CType<'_> {
        let shape = self.shape(id);
        let target = match shape {
            Shape::Pointer(target) => Some(self.shape(target)),
            _ => None,
        };
        CType { shape, target, spelling: self.spelling(id).into() }
    }

    /// Of the first function of this name.
    pub fn signature(&self, function: &str) -> Option<Signature<'_>> {
        let (params, returned) = self.prototype(self.function(function)?)?;
        let params = params.iter().map(|param| self.c_type(param.ty)).collect();
        Some(Signature { params, returned: self.c_type(returned) })
    }
}
