//! Which order numbers occur more than once in a day's export.

/// The numbers that occur more than once, in the order of their second occurrence.
pub fn duplicates(numbers: &[u64]) -> Vec<u64> {
    let mut found = Vec::new();
    for (at, number) in numbers.iter().enumerate() {
        if numbers[..at].contains(number) && !found.contains(number) {
            found.push(*number);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::duplicates;

    #[test]
    fn none_in_an_empty_export() {
        assert!(duplicates(&[]).is_empty());
    }

    #[test]
    fn each_is_named_once() {
        assert_eq!(duplicates(&[7, 3, 7, 7, 3]), [7, 3]);
    }

    #[test]
    fn order_is_that_of_the_second_occurrence() {
        assert_eq!(duplicates(&[1, 2, 2, 1]), [2, 1]);
    }
}
