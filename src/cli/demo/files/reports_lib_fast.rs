//! Which order numbers occur more than once in a day's export.

use std::collections::HashMap;

/// The numbers that occur more than once, in the order of their second occurrence. One pass over the export.
pub fn duplicates(numbers: &[u64]) -> Vec<u64> {
    let mut seen: HashMap<u64, u32> = HashMap::with_capacity(numbers.len());
    let mut found = Vec::new();
    for number in numbers {
        let count = seen.entry(*number).or_insert(0);
        *count += 1;
        if *count == 2 {
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

    #[test]
    fn a_large_export_is_no_trouble() {
        let numbers: Vec<u64> = (0..200_000).collect();
        assert!(duplicates(&numbers).is_empty());
    }
}
