//! Units in names: newtypes whose name is the unit.
