//! Isotonic regression: the function of the logit that never decreases and is closest to the labels
//! in squared error, with straight lines between its points.

/// The points `(x, y)` of the fit, by increasing logit: the ends of every flat piece.
pub(super) fn fit(logits: &[f64], labels: &[bool]) -> (Vec<f64>, Vec<f64>) {
    let points = distinct(logits, labels);
    let y = pool(&points);
    let mut kept = (vec![], vec![]);
    for (index, point) in points.iter().enumerate() {
        // A point between two neighbours with the same value does not change the curve.
        let inside = index > 0 && index + 1 < points.len();
        if !(inside && y[index] == y[index - 1] && y[index] == y[index + 1]) {
            kept.0.push(point.logit);
            kept.1.push(y[index]);
        }
    }
    kept
}

/// All rows with the same logit.
struct Point {
    logit: f64,
    rows: f64,
    positives: f64,
}

fn distinct(logits: &[f64], labels: &[bool]) -> Vec<Point> {
    let mut rows: Vec<(f64, bool)> = logits.iter().copied().zip(labels.iter().copied()).collect();
    rows.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let mut points: Vec<Point> = vec![];
    for (logit, label) in rows {
        match points.last_mut() {
            // `==` and not `total_cmp`, because −0 and 0 are the same logit.
            Some(last) if last.logit == logit => {
                last.rows += 1.0;
                last.positives += f64::from(u8::from(label));
            }
            _ => points.push(Point {
                logit,
                rows: 1.0,
                positives: f64::from(u8::from(label)),
            }),
        }
    }
    points
}

/// Pool-adjacent-violators: neighbouring blocks whose means do not increase become one block with
/// their common mean. Returns the mean of its block for each point.
fn pool(points: &[Point]) -> Vec<f64> {
    struct Block {
        rows: f64,
        positives: f64,
        points: usize,
    }
    let mut blocks: Vec<Block> = vec![];
    for point in points {
        let mut block = Block {
            rows: point.rows,
            positives: point.positives,
            points: 1,
        };
        // The counts are whole numbers, so cross-multiplication compares the means without
        // rounding.
        while let Some(last) =
            blocks.pop_if(|last| last.positives * block.rows >= block.positives * last.rows)
        {
            block.rows += last.rows;
            block.positives += last.positives;
            block.points += last.points;
        }
        blocks.push(block);
    }
    blocks
        .iter()
        .flat_map(|block| std::iter::repeat_n(block.positives / block.rows, block.points))
        .collect()
}
