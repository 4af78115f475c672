//! A problem of a definition with the field that it is about, before the text is searched for that field.

use super::error::{Owner, Problem};
use super::schema::LayerParameter;
use crate::network::Shape;
use std::fmt::Display;

/// Most elements of one blob or parameter: more than any published network has, and small enough that sizes in bytes and
/// multiply-accumulates of a layer fit 64 bits.
pub const MAX_ELEMENTS: u64 = 1 << 31;

/// A problem and the field that it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Names of nested fields, each with its index among the fields of that name, from the layer (or network) on.
    pub path: Vec<(&'static str, usize)>,
    /// What is wrong.
    pub problem: Problem,
}

/// A part of the definition under examination: a message of a layer, the layer itself, or the network.
#[derive(Clone, Debug)]
pub struct Section {
    owner: Owner,
    message: Option<&'static str>,
}

impl Section {
    /// The network's own fields.
    pub fn network() -> Self {
        Self { owner: Owner::Network, message: None }
    }

    /// The fields of `layer`.
    pub fn layer(layer: &LayerParameter) -> Self {
        Self { owner: Owner::Layer(layer.name().to_owned()), message: None }
    }

    /// The fields of the message `message` of `layer`.
    pub fn parameter(layer: &LayerParameter, message: &'static str) -> Self {
        Self { owner: Owner::Layer(layer.name().to_owned()), message: Some(message) }
    }

    fn fault(&self, field: Option<(&'static str, usize)>, problem: Problem) -> Fault {
        Fault { path: self.message.map(|name| (name, 0)).into_iter().chain(field).collect(), problem }
    }

    /// `field` holds `found`.
    pub fn value(&self, field: &'static str, found: impl Display, expected: impl Display) -> Fault {
        let problem = Problem::Value {
            owner: self.owner.clone(),
            field,
            found: found.to_string(),
            expected: expected.to_string(),
        };
        self.fault(Some((field, 0)), problem)
    }

    /// `field` is not set.
    pub fn missing(&self, field: &'static str, expected: impl Display) -> Fault {
        let problem = Problem::Missing { owner: self.owner.clone(), field, expected: expected.to_string() };
        self.fault(None, problem)
    }

    /// What `field` says cannot stand beside something else.
    pub fn conflict(&self, field: &'static str, reason: impl Display) -> Fault {
        self.conflict_at((field, 0), reason)
    }

    /// What the field of name and index `field` says cannot stand beside something else.
    pub fn conflict_at(&self, field: (&'static str, usize), reason: impl Display) -> Fault {
        let problem = Problem::Conflict { owner: self.owner.clone(), reason: reason.to_string() };
        self.fault(Some(field), problem)
    }

    /// The `index`-th bottom is no known blob.
    pub fn unknown_blob(&self, index: usize, blob: &str, nearest: Option<String>) -> Fault {
        let problem = Problem::UnknownBlob { owner: self.owner.clone(), blob: blob.to_owned(), nearest };
        self.fault(Some(("bottom", index)), problem)
    }

    /// The input's extent does not fit `field`.
    pub fn extent(&self, field: &'static str, input: Shape, reason: impl Display) -> Fault {
        let problem = Problem::Extent {
            owner: self.owner.clone(),
            input: input.to_string(),
            reason: reason.to_string(),
        };
        self.fault(Some((field, 0)), problem)
    }

    /// Refuses a tensor of more than [`MAX_ELEMENTS`] elements. `field` is what makes it large.
    pub fn check_elements(
        &self,
        field: &'static str,
        tensor: &'static str,
        dims: &[usize],
    ) -> Result<(), Fault> {
        let elements = dims.iter().try_fold(1_u64, |product, &dim| product.checked_mul(dim as u64));
        if elements.is_some_and(|elements| elements <= MAX_ELEMENTS) {
            return Ok(());
        }
        let dims = dims.iter().map(ToString::to_string).collect::<Vec<_>>().join("x");
        let problem =
            Problem::TooManyElements { owner: self.owner.clone(), tensor, dims, limit: MAX_ELEMENTS };
        Err(self.fault(Some((field, 0)), problem))
    }
}
