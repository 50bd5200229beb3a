//! A report as one HTML file that needs nothing but itself: no script, no font, no image from elsewhere.

use super::{
    chart,
    document::{Block, Document, Plot, Table},
};

const STYLE: &str = include_str!("style.css");

pub(super) fn html(document: &Document) -> String {
    let title = escape(&document.title);
    let links: Vec<String> = document
        .sections
        .iter()
        .map(|section| format!("<a href=\"#{}\">{}</a>", section.id, escape(section.title)))
        .collect();
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"color-scheme\" content=\"light dark\">\n<title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n<header>\n<p class=\"maker\">Counterweight · offline benchmark</p>\n<h1>{title}</h1>\n{}<nav>{}</nav>\n</header>\n",
        list(&document.lead, "lead"),
        links.join("")
    );
    for section in &document.sections {
        out.push_str(&format!(
            "<section id=\"{}\">\n<h2>{}</h2>\n",
            section.id,
            escape(section.title)
        ));
        for block in &section.blocks {
            out.push_str(&match block {
                Block::Text(text) => format!("<p>{}</p>\n", escape(text)),
                Block::List(items) => list(items, "facts"),
                Block::Code(text) => format!("<pre><code>{}</code></pre>\n", escape(text)),
                Block::Table(own) => table(own),
                Block::Plots(plots) => {
                    let figures: String = plots.iter().map(figure).collect();
                    format!("<div class=\"plots\">\n{figures}</div>\n")
                }
            });
        }
        out.push_str("</section>\n");
    }
    out.push_str("</main>\n</body>\n</html>\n");
    out
}

fn list(items: &[String], class: &str) -> String {
    if items.is_empty() {
        return String::new();
    }
    let items: String = items
        .iter()
        .map(|item| format!("<li>{}</li>\n", escape(item)))
        .collect();
    format!("<ul class=\"{class}\">\n{items}</ul>\n")
}

fn figure(plot: &Plot) -> String {
    let label = format!("<svg role=\"img\" aria-label=\"{}\"", escape(&plot.caption));
    format!(
        "<figure id=\"plot-{}\">\n{}\n<figcaption>{}</figcaption>\n</figure>\n",
        plot.name,
        chart::inline(&plot.svg).replacen("<svg", &label, 1),
        escape(&plot.caption)
    )
}

fn table(table: &Table) -> String {
    let class = |column: usize| {
        if column < table.left {
            ""
        } else {
            " class=\"n\""
        }
    };
    let header: String = table
        .header
        .iter()
        .enumerate()
        .map(|(column, text)| format!("<th scope=\"col\"{}>{}</th>", class(column), escape(text)))
        .collect();
    let row = |cells: &Vec<String>| {
        let cells: String = cells
            .iter()
            .enumerate()
            .map(|(column, text)| format!("<td{}>{}</td>", class(column), escape(text)))
            .collect();
        format!("<tr>{cells}</tr>\n")
    };
    let rows: String = table.rows.iter().map(row).collect();
    format!(
        "<p class=\"caption\">{}</p>\n<div class=\"table\" tabindex=\"0\">\n<table>\n<thead><tr>{header}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n</div>\n",
        escape(&table.caption)
    )
}

/// Text in HTML, also within an attribute.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(c),
        }
    }
    out
}
