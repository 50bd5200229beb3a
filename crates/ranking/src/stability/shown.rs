//! The candidates on the page, and the others.

/// Who stands where on the page.
pub(super) struct Shown {
    /// By candidate, its place from 0; `usize::MAX` for those off the page.
    pub(super) places: Vec<usize>,
}

impl Shown {
    pub(super) fn new<P: AsRef<[f64]>>(probabilities: &[P], page: &[usize]) -> Self {
        let n = probabilities
            .first()
            .map_or(0, |column| column.as_ref().len());
        let mut places = vec![usize::MAX; n];
        for (place, &candidate) in page.iter().enumerate() {
            places[candidate] = place;
        }
        Self { places }
    }

    /// Who is not on the page.
    pub(super) fn outside(&self) -> impl Iterator<Item = usize> {
        let places = self.places.iter().enumerate();
        places.filter_map(|(candidate, &place)| (place == usize::MAX).then_some(candidate))
    }
}
