//! Devices, ranks, channels and the queues of their controllers.

use super::address::{Decoder, Field};
use super::constraints::Constraints;
use super::{AddressMap, Error, Location};
use crate::memory::energy::dram::Device;
use serde::Serialize;

/// Which commands share a queue of the controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum QueueStructure {
    /// Those of one bank.
    PerBank,
    /// Those of one rank.
    PerRank,
}

/// A DRAM and its controllers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct System {
    /// Devices of one rank.
    pub device: Device,
    /// How addresses are spread.
    pub address_map: AddressMap,
    /// Channels, a power of two, 1..=64.
    pub channels: u32,
    /// Ranks of a channel, a power of two, 1..=16.
    pub ranks: u32,
    /// Requests that the controller of a channel holds for scheduling: as many reads as writes, 1..=1024.
    pub queue_depth: u32,
    /// Requests that may wait for their answer at once; `None`: as many as the queues hold.
    pub outstanding: Option<u32>,
    /// Which commands share a queue.
    pub queue_structure: QueueStructure,
    /// Commands of one queue, 1..=1024.
    pub command_queue: u32,
    /// Writes that are gathered before they are sent while there is nothing to read, 1..=1024.
    pub write_threshold: u32,
    /// Refresh interval over the nominal one, >= 1; infinite: no refresh. Of bits with different intervals the shortest.
    pub refresh_multiplier: f64,
    /// Share of the cells' refreshes that remain (mean over the bits of a word), 0..=1: what refresh energy follows.
    pub refresh_rate: f64,
}

impl System {
    /// A system with the queues of `DRAMsim3`'s DDR4 configurations (8 commands per bank; 16 writes) at the nominal refresh.
    ///
    /// # Errors
    /// Those of [`System::check`].
    pub fn new(
        device: Device,
        address_map: AddressMap,
        channels: u32,
        ranks: u32,
        queue_depth: u32,
    ) -> Result<Self, Error> {
        let system = Self {
            device,
            address_map,
            channels,
            ranks,
            queue_depth,
            outstanding: None,
            queue_structure: QueueStructure::PerBank,
            command_queue: 8,
            write_threshold: 16,
            refresh_multiplier: 1.0,
            refresh_rate: 1.0,
        };
        system.check()?;
        Ok(system)
    }

    /// This system with its cells refreshed at `intervals_ms`, one per bit of a word, each in devices of its own: the shortest
    /// decides what time is lost, as the others are refreshed along with it, and the mean rate what energy is.
    ///
    /// # Errors
    /// [`Error::Device`] if an interval is shorter than the nominal one or there is none; those of [`System::check`].
    pub fn refreshed_every(mut self, intervals_ms: &[f64]) -> Result<Self, Error> {
        self.refresh_rate = self.device.refresh_rate(intervals_ms)?;
        let shortest = intervals_ms.iter().copied().fold(f64::INFINITY, f64::min);
        self.refresh_multiplier = self.device.multiplier(shortest)?;
        self.check()?;
        Ok(self)
    }

    /// Checks every parameter; the other functions assume it done, and report what they cannot work with where it was not.
    ///
    /// # Errors
    /// [`Error::Range`], [`Error::PowerOfTwo`], [`Error::AddressBits`] or [`Error::Refresh`].
    pub fn check(&self) -> Result<(), Error> {
        let within = |key, value: u32, range: std::ops::RangeInclusive<u32>, words| {
            if range.contains(&value) {
                Ok(())
            } else {
                Err(Error::Range { key, value: value.into(), range: words })
            }
        };
        within("channels", self.channels, 1..=64, "1..=64")?;
        within("ranks", self.ranks, 1..=16, "1..=16")?;
        within("queue_depth", self.queue_depth, 1..=1024, "1..=1024")?;
        within("command_queue", self.command_queue, 1..=1024, "1..=1024")?;
        within("write_threshold", self.write_threshold, 1..=1024, "1..=1024")?;
        within("outstanding", self.outstanding.unwrap_or(1), 1..=1 << 20, "1..=1048576")?;
        within("banks_per_device", self.device.banks_per_device, 1..=256, "1..=256")?;
        let multiplier = self.refresh_multiplier;
        if multiplier.is_nan() || multiplier < 1.0 {
            return Err(Error::Range { key: "refresh_multiplier", value: multiplier, range: "[1, inf]" });
        }
        if !(0.0..=1.0).contains(&self.refresh_rate) {
            return Err(Error::Range { key: "refresh_rate", value: self.refresh_rate, range: "[0, 1]" });
        }
        self.decoder()?;
        self.constraints().map(|_| ())
    }

    /// Bytes of one burst of a channel.
    pub fn burst_bytes(&self) -> u64 {
        let device = &self.device;
        u64::from(device.devices) * u64::from(device.device_bits) * u64::from(device.burst_length) / 8
    }

    /// Cycles that one burst holds the bus of its channel.
    pub fn burst_cycles(&self) -> u64 {
        u64::from(self.device.burst_length.div_ceil(2))
    }

    /// Bursts of one row.
    pub fn row_bursts(&self) -> u64 {
        let device = &self.device;
        device.page_bytes * 8 / (u64::from(device.device_bits) * u64::from(device.burst_length))
    }

    /// Bytes of all channels and ranks.
    ///
    /// # Errors
    /// As [`System::check`].
    pub fn capacity_bytes(&self) -> Result<u64, Error> {
        Ok(1 << self.decoder()?.bits)
    }

    /// Values that `field` takes.
    pub fn size(&self, field: Field) -> u64 {
        let device = &self.device;
        match field {
            Field::Channel => self.channels.into(),
            Field::Rank => self.ranks.into(),
            Field::BankGroup => device.bank_groups.into(),
            Field::Bank => (device.banks_per_device / device.bank_groups.max(1)).into(),
            Field::Row => {
                device.density_bits / (u64::from(device.banks_per_device) * device.page_bytes * 8).max(1)
            }
            Field::Column => self.row_bursts(),
        }
    }

    /// Where `address` lies; bits above those of the memory are ignored.
    ///
    /// # Errors
    /// As [`System::check`].
    pub fn locate(&self, address: u64) -> Result<Location, Error> {
        Ok(self.decoder()?.locate(address))
    }

    /// First byte of the burst at `location`.
    ///
    /// # Errors
    /// As [`System::check`]; [`Error::Range`] if a part of it is none of the memory.
    pub fn address(&self, location: Location) -> Result<u64, Error> {
        let Location { channel, rank, bank_group, bank, row, column } = location;
        let values = [channel.into(), rank.into(), bank_group.into(), bank.into(), row, column];
        for (field, value) in Field::ALL.into_iter().zip(values) {
            if value >= self.size(field) {
                let range = "the field's values";
                return Err(Error::Range { key: field.letters(), value: value as f64, range });
            }
        }
        Ok(self.decoder()?.address(location))
    }

    /// The cycle of a clock in nanoseconds.
    pub fn cycle_ns(&self) -> f64 {
        self.device.timing.tck_ns
    }

    /// Largest data rate of all channels, bytes per second.
    pub fn peak_bytes_per_second(&self) -> f64 {
        f64::from(self.channels) * self.device.peak_bytes_per_second()
    }

    pub(super) fn decoder(&self) -> Result<Decoder, Error> {
        let sizes = Field::ALL.map(|field| self.size(field));
        Decoder::new(self.address_map, self.burst_bytes(), sizes)
    }

    pub(super) fn constraints(&self) -> Result<Constraints, Error> {
        Constraints::new(self)
    }
}
