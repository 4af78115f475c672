//! The known name that a misspelt one probably means.

/// Longer names are no names: comparing takes time and memory by the product of the lengths.
const MAX_BYTES: usize = 64;

/// The one of `names` that is spelt most like `name`, where the likeness is no accident.
pub fn nearest<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    if name.len() > MAX_BYTES {
        return None;
    }
    names
        .filter(|known| known.len() <= MAX_BYTES)
        .map(|known| (strsim::damerau_levenshtein(&name.to_lowercase(), &known.to_lowercase()), known))
        .min()
        .filter(|&(distance, known)| distance <= 1 + known.chars().count().min(name.chars().count()) / 4)
        .map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn near_names_are_found_and_far_ones_are_not() {
        let known = ["Convolution", "Pooling", "ReLU"];
        assert_eq!(nearest("Convolutoin", known.into_iter()), Some("Convolution"));
        assert_eq!(nearest("relu", known.into_iter()), Some("ReLU"));
        assert_eq!(nearest("Concat", known.into_iter()), None);
    }
}
