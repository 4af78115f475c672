//! The tables and figures of Chen et al. (GLSVLSI'17), ours beside the paper's.
//!
//! A network is measured once ([`fn@measure`]); everything that is shown is made from the saved measurement.

mod claims;
mod document;
mod figures;
mod measure;
mod measurement;
mod published;
mod reduction;
mod schemes;
mod sheet;
mod sources;
mod tables;

pub use claims::{Claims, Outcome, claims, claims_sheets};
pub use document::{Document, FOLDER, document};
pub use figures::figures;
pub use measure::{Parts, Plan, measure};
pub use measurement::{
    GreedyScheme, GreedyStep, Joint, MeasuredDatum, MeasuredSettings, Measurement, NetworkFigures,
    PaperScheme, RandomPoint, RandomWord, RunTime, SavedBinaryPoint, SavedError, SavedPolicy, SavedRounding,
    SavedVerdict, Scheme, SingleDatum, SinglePolicy, Times, Tolerated, WidthPoint,
};
pub use published::{DOMINANT, NETWORKS, PublishedNetwork};
pub use reduction::{Widths, consistent, on_shares, on_volume};
pub use schemes::{
    Given, Known, MeanReduction, MeasuredScheme, ReductionRow, ReductionTable, SingleRow, SingleTable,
    schemes_sheet, table3, table3_sheets, table4, table4_sheet,
};
pub use sheet::Sheet;
pub use sources::{Absent, Files, Folders, Home, Images, SOURCES, Size, Source, source};
pub use tables::{NetworkRow, ShareRow, ShareTable, Subject, table1, table1_sheet, table2, table2_sheet};
