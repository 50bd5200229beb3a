//! A report as sections of paragraphs, tables and plots: said once, written as HTML or as Markdown.

/// One report.
#[derive(Debug, Clone, Default)]
pub(super) struct Document {
    pub(super) title: String,
    /// What a reader in a hurry takes away; one sentence each.
    pub(super) lead: Vec<String>,
    pub(super) sections: Vec<Section>,
}

/// A section with its name in links.
#[derive(Debug, Clone)]
pub(super) struct Section {
    pub(super) id: &'static str,
    pub(super) title: &'static str,
    pub(super) blocks: Vec<Block>,
}

/// A piece of a section.
#[derive(Debug, Clone)]
pub(super) enum Block {
    Text(String),
    /// Sentences that stand apart.
    List(Vec<String>),
    Table(Table),
    /// Plots that belong side by side.
    Plots(Vec<Plot>),
    /// Something to copy.
    Code(String),
}

/// A table: its first `left` columns are text and the others numbers, set flush right.
#[derive(Debug, Clone)]
pub(super) struct Table {
    pub(super) caption: String,
    pub(super) header: Vec<String>,
    pub(super) left: usize,
    pub(super) rows: Vec<Vec<String>>,
}

/// A drawn plot.
#[derive(Debug, Clone)]
pub(super) struct Plot {
    /// Name of its file, without the ending.
    pub(super) name: String,
    /// What it shows, in words: for those who do not see it, and under it for those who do.
    pub(super) caption: String,
    /// SVG with the colours of [`super::chart`].
    pub(super) svg: String,
}

impl Document {
    /// All plots, in order.
    pub(super) fn plots(&self) -> impl Iterator<Item = &Plot> {
        let blocks = self.sections.iter().flat_map(|section| &section.blocks);
        blocks
            .filter_map(|block| match block {
                Block::Plots(plots) => Some(plots),
                _ => None,
            })
            .flatten()
    }
}

impl Table {
    pub(super) fn new(caption: &str, header: &[&str], left: usize) -> Self {
        Self {
            caption: caption.to_owned(),
            header: header.iter().map(|text| (*text).to_owned()).collect(),
            left,
            rows: Vec::new(),
        }
    }
}
