//! The normal distribution, as far as forecasts need it.

use std::f64::consts::{FRAC_1_SQRT_2, PI};

/// Density at `x`.
pub(super) fn density(x: f64) -> f64 {
    (-0.5 * x * x).exp() / (2.0 * PI).sqrt()
}

/// Chance to lie above `x`. Chebyshev fit of erfc, relative error below 1.2e-7 (Press et al., Numerical Recipes in C,
/// 2nd ed., section 6.2), which is far finer than any estimate.
pub(super) fn above(x: f64) -> f64 {
    const COEFFICIENTS: [f64; 10] = [
        -1.265_512_23,
        1.000_023_68,
        0.374_091_96,
        0.096_784_18,
        -0.186_288_06,
        0.278_868_07,
        -1.135_203_98,
        1.488_515_87,
        -0.822_152_23,
        0.170_872_77,
    ];
    let z = x.abs() * FRAC_1_SQRT_2;
    let t = 1.0 / (1.0 + 0.5 * z);
    let series = COEFFICIENTS.iter().rev().fold(0.0, |sum, coefficient| sum * t + coefficient);
    let half = 0.5 * t * (series - z * z).exp();
    if x >= 0.0 { half } else { 1.0 - half }
}

/// Chance to lie below `x`.
pub(super) fn below(x: f64) -> f64 {
    above(-x)
}

/// Density over the chance to lie above: how likely the end comes now, for what has not ended before.
pub(super) fn hazard(x: f64) -> f64 {
    // Far out both vanish; their ratio tends to x + 1/x.
    if x > 8.0 { x + 1.0 / x } else { density(x) / above(x) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_agrees_with_the_tables() {
        for (x, expected) in [(0.0, 0.5), (1.0, 0.841_344_7), (-1.96, 0.024_997_9), (3.0, 0.998_650_1)] {
            assert!((below(x) - expected).abs() < 1e-6, "{x}: {}", below(x));
        }
        assert!((hazard(0.0) - 0.797_884_6).abs() < 1e-6);
        assert!((hazard(7.999) - hazard(8.001)).abs() < 0.01);
    }
}
