//! Where an address lies: channel, rank, bank group, bank, row and column.

use super::Error;
use serde::{Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// A part of an address, called by `DRAMsim3`'s two letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Field {
    /// `ch`.
    Channel,
    /// `ra`.
    Rank,
    /// `bg`.
    BankGroup,
    /// `ba`: a bank within its group.
    Bank,
    /// `ro`.
    Row,
    /// `co`: a burst within its row.
    Column,
}

impl Field {
    /// Every field.
    pub const ALL: [Self; 6] =
        [Self::Channel, Self::Rank, Self::BankGroup, Self::Bank, Self::Row, Self::Column];

    /// Its two letters.
    pub fn letters(self) -> &'static str {
        match self {
            Self::Channel => "ch",
            Self::Rank => "ra",
            Self::BankGroup => "bg",
            Self::Bank => "ba",
            Self::Row => "ro",
            Self::Column => "co",
        }
    }
}

/// The order of the fields in an address, above the bits of one burst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AddressMap {
    /// Least significant first.
    fields: [Field; 6],
}

/// Where a burst lies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Location {
    /// Channel.
    pub channel: u32,
    /// Rank of the channel.
    pub rank: u32,
    /// Bank group of the rank.
    pub bank_group: u32,
    /// Bank of the group.
    pub bank: u32,
    /// Row of the bank.
    pub row: u64,
    /// Burst of the row.
    pub column: u64,
}

impl AddressMap {
    /// The fields, least significant first.
    pub fn fields(&self) -> &[Field; 6] {
        &self.fields
    }
}

impl FromStr for AddressMap {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = |problem: String| Error::AddressMap { map: text.chars().take(40).collect(), problem };
        let letters: Vec<char> = text.chars().collect();
        if letters.len() != 12 {
            return Err(wrong(format!("{} letters instead of 12", letters.len())));
        }
        let mut found = Vec::with_capacity(6);
        for pair in letters.chunks_exact(2) {
            let pair: String = pair.iter().collect();
            let field = Field::ALL.into_iter().find(|field| field.letters() == pair);
            let field = field.ok_or_else(|| wrong(format!("there is no field `{pair}`")))?;
            if found.contains(&field) {
                return Err(wrong(format!("`{pair}` stands twice")));
            }
            found.push(field);
        }
        found.reverse();
        let fields = <[Field; 6]>::try_from(found).map_err(|_| wrong("a field is missing".to_owned()))?;
        Ok(Self { fields })
    }
}

impl fmt::Display for AddressMap {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fields.iter().rev().try_for_each(|field| formatter.write_str(field.letters()))
    }
}

impl Serialize for AddressMap {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// An address map with the width of every field: addresses to locations and back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Decoder {
    /// Bits of one burst.
    burst_bits: u32,
    /// Position and mask of each field, in the order of [`Field::ALL`].
    places: [(u32, u64); 6],
    /// Bits of an address that are used.
    pub bits: u32,
}

impl Decoder {
    /// A decoder of bursts of `burst_bytes`; `sizes` are those of the fields in the order of [`Field::ALL`].
    pub fn new(map: AddressMap, burst_bytes: u64, sizes: [u64; 6]) -> Result<Self, Error> {
        const NAMES: [&str; 6] = [
            "the number of channels",
            "the number of ranks",
            "the number of bank groups",
            "the number of banks of a group",
            "the number of rows of a bank",
            "the number of bursts of a row",
        ];
        let bits_of = |what, value: u64| {
            if value.is_power_of_two() { Ok(value.ilog2()) } else { Err(Error::PowerOfTwo { what, value }) }
        };
        let burst_bits = bits_of("the number of bytes of a burst", burst_bytes)?;
        let mut places = [(0, 0); 6];
        let mut position = 0;
        for field in map.fields {
            let index = field as usize;
            let width = bits_of(NAMES[index], sizes[index])?;
            places[index] = (position, sizes[index] - 1);
            position += width;
        }
        let bits = burst_bits + position;
        if bits >= u64::BITS { Err(Error::AddressBits(bits)) } else { Ok(Self { burst_bits, places, bits }) }
    }

    /// Where `address` lies. Bits above those of the memory are ignored, as are those within a burst.
    pub fn locate(&self, address: u64) -> Location {
        let burst = address >> self.burst_bits;
        let [channel, rank, bank_group, bank, row, column] =
            self.places.map(|(position, mask)| (burst >> position) & mask);
        Location {
            channel: channel as u32,
            rank: rank as u32,
            bank_group: bank_group as u32,
            bank: bank as u32,
            row,
            column,
        }
    }

    /// First byte of the burst at `location`, whose parts must be in range.
    pub fn address(&self, location: Location) -> u64 {
        let Location { channel, rank, bank_group, bank, row, column } = location;
        let values = [channel.into(), rank.into(), bank_group.into(), bank.into(), row, column];
        let burst = values
            .iter()
            .zip(self.places)
            .fold(0, |sum, (value, (position, mask))| sum | ((value & mask) << position));
        burst << self.burst_bits
    }
}
