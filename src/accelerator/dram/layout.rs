//! What the order of the fields of an address means for a run of consecutive bursts.

use super::{Field, System};

/// The fields of a system's addresses, least significant first, with their sizes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout([(Field, u64); 6]);

impl Layout {
    pub fn new(system: &System) -> Self {
        Self(system.address_map.fields().map(|field| (field, system.size(field).max(1))))
    }

    pub fn size(&self, field: Field) -> u64 {
        self.0.iter().find(|(other, _)| *other == field).map_or(1, |&(_, size)| size)
    }

    /// Product of the sizes of those fields below `field` that `counts`.
    fn below(&self, field: Field, counts: impl Fn(Field) -> bool) -> u64 {
        let lower = self.0.iter().take_while(|(other, _)| *other != field);
        lower.filter(|(other, _)| counts(*other)).map(|(_, size)| size).product()
    }

    /// Consecutive bursts of one channel that have the same value of `field`; `None`: all, as it has no other.
    pub fn run_within_channel(&self, field: Field) -> Option<u64> {
        (self.size(field) > 1).then(|| self.below(field, |other| other != Field::Channel))
    }

    /// Consecutive bursts of the same channel; `None`: all, as there is no other.
    pub fn channel_run(&self) -> Option<u64> {
        (self.size(Field::Channel) > 1).then(|| self.below(Field::Channel, |_| true))
    }

    /// Banks of a channel through which consecutive bursts pass before `field` changes.
    pub fn banks_below(&self, field: Field) -> u64 {
        self.below(field, |other| matches!(other, Field::Rank | Field::BankGroup | Field::Bank))
    }

    /// Whether the row changes before the burst within it.
    pub fn is_row_first(&self) -> bool {
        let place = |wanted| self.0.iter().position(|(field, _)| *field == wanted);
        place(Field::Row) < place(Field::Column) && self.size(Field::Row) > 1
    }

    /// Rows of all banks that `bursts` consecutive bursts from a round address touch.
    pub fn rows_touched(&self, bursts: u64) -> u64 {
        let (mut left, mut rows) = (bursts, 1);
        for &(field, size) in &self.0 {
            if field != Field::Column {
                rows *= size.min(left);
            }
            left = left.div_ceil(size);
        }
        // Rows are partly filled where the last field is: never more than bursts.
        if bursts == 0 { 0 } else { rows.min(bursts) }
    }
}
