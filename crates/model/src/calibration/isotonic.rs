//! Isotonic regression: the never-decreasing step that is closest to the labels, joined by straight lines.

/// Points `(x, y)` of the fit: the ends of every flat piece, by increasing logit.
pub(super) fn fit(logits: &[f64], labels: &[bool]) -> (Vec<f64>, Vec<f64>) {
    let points = distinct(logits, labels);
    let y = pool(&points);
    let mut kept = (vec![], vec![]);
    for (at, point) in points.iter().enumerate() {
        let inside = at > 0 && at + 1 < points.len();
        if !(inside && y[at] == y[at - 1] && y[at] == y[at + 1]) {
            kept.0.push(point.logit);
            kept.1.push(y[at]);
        }
    }
    kept
}

/// Value at `logit`: linear between points, constant beyond them.
pub(super) fn interpolate(x: &[f64], y: &[f64], logit: f64) -> f64 {
    if logit.is_nan() {
        return logit;
    }
    let after = x.partition_point(|x| *x <= logit);
    if after == 0 {
        return y[0];
    }
    if after == x.len() {
        return y[after - 1];
    }
    let (x0, x1, y0, y1) = (x[after - 1], x[after], y[after - 1], y[after]);
    // Halves, so that the distance of two huge logits does not overflow.
    let share = (logit / 2.0 - x0 / 2.0) / (x1 / 2.0 - x0 / 2.0);
    (y0 + (y1 - y0) * share).clamp(y0, y1)
}

/// All rows of one logit.
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
            // `==`, not `total_cmp`: −0 and 0 are one logit.
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

/// Pool-adjacent-violators: neighbours whose means decrease become one block with their common mean.
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
        // Counts are whole numbers, so that the means are compared exactly by cross-multiplication.
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
