//! Small symmetric systems: the normal equations of a fit of some twenty unknowns.

/// A symmetric positive matrix, factored as L·Lᵀ (Cholesky).
#[derive(Debug, Clone)]
pub(super) struct Factored {
    lower: Vec<f64>,
    size: usize,
}

impl Factored {
    /// Factors a matrix given row by row; only its lower half is read.
    pub(super) fn new(mut matrix: Vec<f64>, size: usize) -> Self {
        for column in 0..size {
            for row in column..size {
                let known: f64 = (0..column).map(|k| matrix[row * size + k] * matrix[column * size + k]).sum();
                let rest = matrix[row * size + column] - known;
                matrix[row * size + column] = if row == column {
                    // Priors keep it well above zero; rounding must not make a root of a negative number.
                    rest.max(1e-12).sqrt()
                } else {
                    rest / matrix[column * size + column]
                };
            }
        }
        Self { lower: matrix, size }
    }

    fn at(&self, row: usize, column: usize) -> f64 {
        self.lower[row * self.size + column]
    }

    /// The unknowns that give this right side.
    pub(super) fn solve(&self, right: &[f64]) -> Vec<f64> {
        let mut x = right.to_vec();
        for row in 0..self.size {
            let known: f64 = (0..row).map(|k| self.at(row, k) * x[k]).sum();
            x[row] = (x[row] - known) / self.at(row, row);
        }
        for row in (0..self.size).rev() {
            let known: f64 = (row + 1..self.size).map(|k| self.at(k, row) * x[k]).sum();
            x[row] = (x[row] - known) / self.at(row, row);
        }
        x
    }

    /// Half the logarithm of the determinant.
    pub(super) fn half_log_determinant(&self) -> f64 {
        (0..self.size).map(|i| self.at(i, i).ln()).sum()
    }

    /// `x · M⁻¹ · x` for a sparse `x`: the variance of that combination of the unknowns.
    pub(super) fn variance(&self, terms: &[(usize, f64)]) -> f64 {
        let mut x = vec![0.0; self.size];
        for (index, factor) in terms {
            x[*index] += factor;
        }
        let mut sum = 0.0;
        for row in 0..self.size {
            let known: f64 = (0..row).map(|k| self.at(row, k) * x[k]).sum();
            x[row] = (x[row] - known) / self.at(row, row);
            sum += x[row] * x[row];
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_system_is_solved() {
        let m = Factored::new(vec![4.0, 2.0, 0.0, 2.0, 5.0, 1.0, 0.0, 1.0, 3.0], 3);
        let x = m.solve(&[8.0, 15.0, 11.0]);
        for (found, expected) in x.iter().zip([1.0, 2.0, 3.0]) {
            assert!((found - expected).abs() < 1e-12, "{x:?}");
        }
        assert!((m.half_log_determinant() - 44f64.ln() / 2.0).abs() < 1e-12);
        let inverse = m.solve(&[0.0, 1.0, 0.0])[1];
        assert!((m.variance(&[(1, 1.0)]) - inverse).abs() < 1e-12);
    }
}
