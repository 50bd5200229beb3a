//! A report as sections of paragraphs, tables and charts: built once, written as HTML or Markdown.

use askama::Template as _;
use counterweight_chart::{Chart, page_style};

use crate::error::ReportError;

/// One report.
#[derive(Debug, Clone, Default)]
pub(crate) struct Document {
    pub(crate) title: String,
    /// The figures that matter most.
    pub(crate) highlights: Vec<Highlight>,
    /// The findings, one sentence each.
    pub(crate) findings: Vec<String>,
    pub(crate) sections: Vec<Section>,
}

/// A figure that is set large.
#[derive(Debug, Clone)]
pub(crate) struct Highlight {
    pub(crate) name: String,
    pub(crate) value: String,
    pub(crate) detail: String,
    /// The class of its colour.
    pub(crate) ink: &'static str,
}

/// A section; `id` is its name in links.
#[derive(Debug, Clone)]
pub(crate) struct Section {
    pub(crate) id: &'static str,
    pub(crate) title: &'static str,
    pub(crate) blocks: Vec<Block>,
}

/// A piece of a section.
#[derive(Debug, Clone)]
pub(crate) enum Block {
    Text(String),
    /// Sentences that stand apart.
    List(Vec<String>),
    Table(Table),
    /// Plots that belong side by side.
    Plots(Vec<Plot>),
    /// Something to copy.
    Code(String),
}

/// A table: its first `left` columns are text, the others are numbers.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    pub(crate) caption: String,
    pub(crate) header: Vec<String>,
    pub(crate) left: usize,
    pub(crate) rows: Vec<Vec<String>>,
}

/// A chart with the name of its file, without the ending.
#[derive(Debug, Clone)]
pub(crate) struct Plot {
    pub(crate) name: String,
    pub(crate) chart: Chart,
}

#[derive(askama::Template)]
#[template(path = "report.html")]
struct Page<'a> {
    document: &'a Document,
    chart_style: String,
}

#[derive(askama::Template)]
#[template(path = "report.md")]
struct MarkdownText<'a> {
    document: &'a Document,
    plots: Option<&'a str>,
}

impl Document {
    /// One HTML file that needs nothing but itself: no script, font or image from elsewhere.
    pub(crate) fn html(&self) -> Result<String, ReportError> {
        let page = Page {
            document: self,
            chart_style: page_style()?,
        };
        Ok(page.render()? + "\n")
    }

    /// Markdown. `plots` is the folder of the plots as the text names it; none leaves them out.
    pub(crate) fn markdown(&self, plots: Option<&str>) -> Result<String, ReportError> {
        let text = MarkdownText {
            document: self,
            plots,
        };
        Ok(text.render()?.trim_end().to_owned() + "\n")
    }

    /// All plots, in order.
    pub(crate) fn plots(&self) -> impl Iterator<Item = &Plot> {
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
    pub(crate) fn new(caption: String, header: Vec<String>, left: usize) -> Self {
        Self {
            caption,
            header,
            left,
            rows: Vec::new(),
        }
    }

    /// Whether a column holds numbers. The templates count columns from 0.
    fn is_number(&self, column: &usize) -> bool {
        *column >= self.left
    }
}

/// The text of a template on one line.
pub(crate) fn line(template: &impl askama::Template) -> Result<String, ReportError> {
    let text = template.render()?;
    Ok(text.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// The paragraphs of a template; blank lines divide them.
pub(crate) fn paragraphs(template: &impl askama::Template) -> Result<Vec<String>, ReportError> {
    let text = template.render()?;
    let mut paragraphs = vec![String::new()];
    for line in text.lines().map(str::trim) {
        match paragraphs.last_mut() {
            Some(last) if !line.is_empty() => {
                if !last.is_empty() {
                    last.push(' ');
                }
                last.push_str(line);
            }
            _ => paragraphs.push(String::new()),
        }
    }
    paragraphs.retain(|paragraph| !paragraph.is_empty());
    Ok(paragraphs)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &str = "<script>alert(1)</script> [a](javascript:x) *b*";

    fn document() -> Document {
        let mut table = Table::new(
            HOSTILE.to_owned(),
            vec![HOSTILE.to_owned(), "n".to_owned()],
            1,
        );
        table
            .rows
            .push(vec![HOSTILE.to_owned(), "1 | 2".to_owned()]);
        Document {
            title: HOSTILE.to_owned(),
            highlights: vec![Highlight {
                name: HOSTILE.to_owned(),
                value: "1".to_owned(),
                detail: HOSTILE.to_owned(),
                ink: "blue",
            }],
            findings: vec![HOSTILE.to_owned()],
            sections: vec![Section {
                id: "all",
                title: "All",
                blocks: vec![
                    Block::Text(HOSTILE.to_owned()),
                    Block::List(vec![HOSTILE.to_owned()]),
                    Block::Code("a && b ```".to_owned()),
                    Block::Table(table),
                    Block::Plots(vec![Plot {
                        name: "plot".to_owned(),
                        chart: Chart {
                            title: HOSTILE.to_owned(),
                            subtitle: HOSTILE.to_owned(),
                            description: HOSTILE.to_owned(),
                            ..Chart::default()
                        },
                    }]),
                ],
            }],
        }
    }

    #[test]
    fn a_hostile_name_is_text_in_a_page() {
        let page = document().html().unwrap();
        assert!(
            !page.contains("<script") && page.contains("&#60;script&#62;"),
            "{page}"
        );
        assert!(page.contains("<section id=\"all\">") && page.contains("href=\"#all\""));
    }

    #[test]
    fn a_hostile_name_is_text_in_markdown() {
        let text = document().markdown(Some("plots")).unwrap();
        let unescaped = text
            .replace("\\<", "")
            .replace("\\[", "")
            .replace("\\*", "");
        for mark in ["<script", "[a](", " *b"] {
            assert!(!unescaped.contains(mark), "{mark} in {text}");
        }
        assert!(
            text.contains("1 \\| 2 |") && text.contains("| --- | --: |"),
            "{text}"
        );
        assert!(text.contains("](plots/plot.svg)") && text.contains("````sh\na && b ```\n````"));
        assert!(!document().markdown(None).unwrap().contains("plot.svg"));
    }
}
