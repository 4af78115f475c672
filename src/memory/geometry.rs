//! Where the cells of a memory are: bank, row, column and bit of an address, and back.

use serde::Serialize;
use thiserror::Error;

/// Why a geometry cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Error {
    /// Something that must be at least 1 is 0.
    #[error("a memory has at least one {0}")]
    Zero(&'static str),
    /// Less than one row per bank, or a part of one left over.
    #[error(
        "a capacity of {capacity_bits} bits is not a whole number of rows of {row_bits} bits in each of {banks} bank(s), at least one"
    )]
    Capacity {
        /// Bits asked for.
        capacity_bits: u64,
        /// Bits of one row.
        row_bits: u64,
        /// Number of banks.
        banks: u64,
    },
    /// More cells than 64 bits can count.
    #[error("the memory has more than 2^63 cells")]
    TooLarge,
}

/// The arrangement of the cells of a memory. Addresses run through the bits of a column, the columns of a row, the rows of a
/// bank and the banks, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Geometry {
    /// Number of banks, >= 1.
    pub banks: u64,
    /// Rows per bank, >= 1; `None`: as many as the data need, in one bank.
    pub rows: Option<u64>,
    /// Columns per row, >= 1.
    pub columns: u64,
    /// Bits per column: what one access delivers, >= 1.
    pub column_bits: u64,
    /// Words whose bits are interleaved: bit j of so many neighbouring words sits in neighbouring cells; 1: not at all.
    pub interleave: u64,
}

/// One cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CellAddress {
    /// Bank.
    pub bank: u64,
    /// Row of the bank.
    pub row: u64,
    /// Column of the row.
    pub column: u64,
    /// Bit of the column.
    pub bit: u64,
}

impl Default for Geometry {
    /// As many rows of 512 bits as the data need: 8 columns of 64 bits, not interleaved.
    fn default() -> Self {
        Self { banks: 1, rows: None, columns: 8, column_bits: 64, interleave: 1 }
    }
}

impl Geometry {
    /// A memory of `capacity_bits` cells in `banks` banks, with rows of `columns` columns of `column_bits` bits.
    ///
    /// # Errors
    /// [`enum@Error`] if something is 0 or the capacity is no whole number of rows in each bank.
    pub fn new(capacity_bits: u64, banks: u64, columns: u64, column_bits: u64) -> Result<Self, Error> {
        for (value, what) in [(banks, "bank"), (columns, "column"), (column_bits, "bit per column")] {
            if value == 0 {
                return Err(Error::Zero(what));
            }
        }
        let row_bits = columns.checked_mul(column_bits).ok_or(Error::TooLarge)?;
        let bank_row = row_bits.checked_mul(banks).ok_or(Error::TooLarge)?;
        if capacity_bits > 1 << 63 {
            return Err(Error::TooLarge);
        }
        if capacity_bits < bank_row || !capacity_bits.is_multiple_of(bank_row) {
            return Err(Error::Capacity { capacity_bits, row_bits, banks });
        }
        Ok(Self { banks, rows: Some(capacity_bits / bank_row), columns, column_bits, interleave: 1 })
    }

    /// Cells of one row.
    pub fn row_bits(&self) -> u64 {
        self.columns * self.column_bits
    }

    /// Number of cells; `None`: as many as the data need.
    pub fn capacity_bits(&self) -> Option<u64> {
        self.rows.map(|rows| self.banks * rows * self.row_bits())
    }

    /// The place of `cell`.
    pub fn locate(&self, cell: u64) -> CellAddress {
        let (line, within) = (cell / self.row_bits(), cell % self.row_bits());
        let (bank, row) = self.rows.map_or((0, line), |rows| (line / rows, line % rows));
        CellAddress { bank, row, column: within / self.column_bits, bit: within % self.column_bits }
    }

    /// The cell at `address`; `None` if this memory has no such place.
    pub fn cell(&self, address: CellAddress) -> Option<u64> {
        let CellAddress { bank, row, column, bit } = address;
        let rows = self.rows.unwrap_or(u64::MAX);
        if bank >= self.banks || row >= rows || column >= self.columns || bit >= self.column_bits {
            return None;
        }
        let line = if self.rows.is_some() { bank * rows + row } else { row };
        line.checked_mul(self.row_bits())?.checked_add(column * self.column_bits + bit)
    }

    /// The row of `cell` in its bank.
    #[inline]
    pub fn row(&self, cell: u64) -> u64 {
        let line = self.wordline(cell);
        self.rows.map_or(line, |rows| line % rows)
    }

    /// Index of the bitline of `cell` among those of all banks.
    pub fn bitline(&self, cell: u64) -> u64 {
        let line = self.wordline(cell);
        let bank = self.rows.map_or(0, |rows| line / rows);
        bank * self.row_bits() + (cell - line * self.row_bits())
    }

    /// Index of the wordline of `cell` among those of all banks.
    #[inline]
    pub fn wordline(&self, cell: u64) -> u64 {
        cell / self.row_bits()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_cell_has_one_place(banks in 1u64..5, rows in 1u64..9, columns in 1u64..9, bits in 1u64..70) {
            let cells = banks * rows * columns * bits;
            let geometry = Geometry::new(cells, banks, columns, bits).unwrap();
            prop_assert_eq!(geometry.capacity_bits(), Some(cells));
            let mut before = None;
            for cell in 0..cells {
                let place = geometry.locate(cell);
                prop_assert!(before < Some(place));
                before = Some(place);
                prop_assert_eq!(geometry.cell(place), Some(cell));
                prop_assert_eq!(geometry.wordline(cell), place.bank * rows + place.row);
                prop_assert_eq!(geometry.row(cell), place.row);
                let bitline = (place.bank * columns + place.column) * bits + place.bit;
                prop_assert_eq!(geometry.bitline(cell), bitline);
            }
            prop_assert_eq!(geometry.cell(CellAddress { bank: banks, row: 0, column: 0, bit: 0 }), None);
            prop_assert_eq!(geometry.cell(CellAddress { bank: 0, row: rows, column: 0, bit: 0 }), None);
        }
    }

    #[test]
    fn impossible_geometries_are_refused() {
        assert_eq!(Geometry::new(100, 0, 1, 1), Err(Error::Zero("bank")));
        let too_small = Error::Capacity { capacity_bits: 511, row_bits: 512, banks: 1 };
        assert_eq!(Geometry::new(511, 1, 8, 64), Err(too_small));
        assert!(Geometry::new(513, 1, 8, 64).is_err() && Geometry::new(512, 2, 8, 64).is_err());
        assert_eq!(Geometry::new(1, 1, u64::MAX, 2), Err(Error::TooLarge));
    }
}
