//! Solves the small symmetric systems of Newton's method by a Cholesky decomposition, which raises
//! the diagonal of a singular matrix.

use ndarray::Array2;

/// A pivot of at most this share of its diagonal entry counts as zero: it is only rounding.
const SMALLEST_PIVOT: f64 = 1e-14;
/// The diagonal is first raised by this share of the trace, and by ten times as much after each
/// failure.
const FIRST_RAISE: f64 = 1e-14;
/// The number of raises that are tried. The last one is a hundred times the trace, with which every
/// finite Hessian is positive definite.
const RAISES: i32 = 17;

/// The Newton step `hessian⁻¹ · gradient`. Only the lower triangle of `hessian` is read.
///
/// Rounding can make the Hessian singular, such as for collinear columns, or for the unpenalised
/// intercept of separated rows. Its diagonal is then raised by the smallest tried number with which
/// it is positive definite; this turns the step towards steepest descent. If the Hessian is not
/// finite, the step is the gradient itself.
pub(crate) fn newton_step(hessian: &Array2<f64>, gradient: &[f64]) -> Vec<f64> {
    let trace: f64 = hessian.diag().sum();
    let raises = (0..RAISES).map(|power| trace * FIRST_RAISE * 10_f64.powi(power));
    std::iter::once(0.0)
        .chain(raises)
        .find_map(|raise| {
            let mut lower = hessian.clone();
            lower.diag_mut().mapv_inplace(|entry| entry + raise);
            decompose(&mut lower).then(|| substitute(&lower, gradient))
        })
        .unwrap_or_else(|| gradient.to_vec())
}

/// Replaces the lower triangle by the Cholesky factor. Returns false if the matrix is not positive
/// definite.
fn decompose(matrix: &mut Array2<f64>) -> bool {
    for i in 0..matrix.nrows() {
        for j in 0..=i {
            let mut sum = matrix[[i, j]];
            for k in 0..j {
                sum -= matrix[[i, k]] * matrix[[j, k]];
            }
            if i == j {
                let smallest = SMALLEST_PIVOT * matrix[[i, i]];
                if !sum.is_finite() || sum <= smallest.max(0.0) {
                    return false;
                }
                matrix[[i, i]] = sum.sqrt();
            } else {
                matrix[[i, j]] = sum / matrix[[j, j]];
            }
        }
    }
    true
}

/// Solves the system by forward and backward substitution with its Cholesky factor.
fn substitute(lower: &Array2<f64>, right: &[f64]) -> Vec<f64> {
    let size = right.len();
    let mut x = right.to_vec();
    for i in 0..size {
        for k in 0..i {
            x[i] -= lower[[i, k]] * x[k];
        }
        x[i] /= lower[[i, i]];
    }
    for i in (0..size).rev() {
        for k in i + 1..size {
            x[i] -= lower[[k, i]] * x[k];
        }
        x[i] /= lower[[i, i]];
    }
    x
}

#[cfg(test)]
mod tests {
    use ndarray::arr2;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_known_system_is_solved_from_its_lower_triangle() {
        // L = [[2, 0, 0], [1, 3, 0], [-1, 2, 1]], x = [1, -2, 3]; the upper triangle is not read.
        let hessian = arr2(&[[4.0, 99.0, 99.0], [2.0, 10.0, 99.0], [-2.0, 5.0, 6.0]]);
        let step = newton_step(&hessian, &[-6.0, -3.0, 6.0]);
        for (found, expected) in step.iter().zip([1.0, -2.0, 3.0]) {
            assert!((found - expected).abs() < 1e-12, "{step:?}");
        }
    }

    #[test]
    fn a_singular_system_gives_a_step_downhill() {
        let cases = [
            arr2(&[[1.0, 0.0], [1.0, 1.0]]),
            arr2(&[[0.0, 0.0], [0.0, 2.0]]),
            arr2(&[[0.0, 0.0], [0.0, 0.0]]),
        ];
        for hessian in cases {
            let step = newton_step(&hessian, &[1.0, 1.0]);
            let slope: f64 = step.iter().sum();
            assert!(
                step.iter().all(|x| x.is_finite()) && slope > 0.0,
                "{step:?}"
            );
        }
    }

    #[test]
    fn a_matrix_that_is_not_finite_gives_the_gradient() {
        for wrong in [f64::NAN, f64::INFINITY] {
            let hessian = arr2(&[[wrong, 0.0], [0.0, 1.0]]);
            assert_eq!(newton_step(&hessian, &[0.5, -0.5]), [0.5, -0.5]);
        }
    }

    proptest! {
        #[test]
        fn the_step_solves_the_system(entries in prop::collection::vec(-2.0_f64..2.0, 16), right in prop::collection::vec(-1.0_f64..1.0, 4)) {
            // A·Aᵀ + I is positive definite and well conditioned.
            let a = Array2::from_shape_vec((4, 4), entries).unwrap();
            let hessian = a.dot(&a.t()) + Array2::<f64>::eye(4);
            let step = newton_step(&hessian, &right);
            for (row, expected) in hessian.rows().into_iter().zip(&right) {
                let found: f64 = row.iter().zip(&step).map(|(h, x)| h * x).sum();
                prop_assert!((found - expected).abs() < 1e-9);
            }
        }
    }
}
